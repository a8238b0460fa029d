//! TLS to a host whose certificate is checked against the system's authorities, or Mozilla's where the system has none.
//!
//! The authorities are read once, when the first request asks for https, on a thread that may block; a change of theirs needs a
//! restart. No way may exist to connect without the check.

use crate::connect::ConnectError;
use crate::host::Host;
use rustls::pki_types::{DnsName, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Makes TLS connections.
pub struct Tls {
    authorities: fn() -> RootCertStore,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    /// Prepares TLS with the system's authorities; nothing is read yet.
    pub const fn system() -> Self {
        Self::with(system_authorities)
    }

    /// Prepares TLS with other authorities.
    pub const fn with(authorities: fn() -> RootCertStore) -> Self {
        Self { authorities, config: OnceCell::const_new() }
    }

    /// Speaks TLS on a connection.
    ///
    /// # Errors
    /// The host's certificate does not fit its name, nobody that is trusted signed it, or the other side does not speak TLS.
    pub async fn connect(
        &self,
        host: &Host,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ConnectError> {
        let name = match host {
            Host::Name(name) => {
                let name = DnsName::try_from(name.clone()).map_err(|_| ConnectError::NoName)?;
                ServerName::DnsName(name)
            }
            Host::Address(address) => ServerName::IpAddress((*address).into()),
        };
        let connector = TlsConnector::from(self.config().await?);
        connector.connect(name, stream).await.map_err(ConnectError::Io)
    }

    async fn config(&self) -> Result<Arc<ClientConfig>, ConnectError> {
        self.config.get_or_try_init(|| read(self.authorities)).await.map(Arc::clone)
    }
}

/// Reads the authorities, off the async threads.
async fn read(authorities: fn() -> RootCertStore) -> Result<Arc<ClientConfig>, ConnectError> {
    let built = tokio::task::spawn_blocking(move || {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = builder.with_root_certificates(authorities()).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok::<_, rustls::Error>(Arc::new(config))
    });
    match built.await {
        Ok(Ok(config)) => Ok(config),
        Ok(Err(error)) => {
            tracing::error!(%error, "TLS for outgoing requests cannot be set up");
            Err(ConnectError::Internal(error.to_string()))
        }
        Err(error) => Err(ConnectError::Internal(error.to_string())),
    }
}

fn system_authorities() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "certificate authorities of the system");
    }
    let mut store = RootCertStore::empty();
    let (added, refused) = store.add_parsable_certificates(found.certs);
    if added == 0 {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    tracing::debug!(added, refused, trusted = store.len(), "certificate authorities for outgoing requests");
    store
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_authority_is_always_trusted() {
        assert!(!system_authorities().is_empty());
    }
}

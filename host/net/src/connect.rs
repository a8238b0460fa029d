//! Makes a connection: name to addresses, addresses through the rules, connection to exactly one of those.
//!
//! This is where DNS rebinding ends: a name is looked up once per request, and what is connected to is the checked address. No
//! name may ever reach the system's `connect`.

use crate::address::Reach;
use crate::host::Host;
use crate::limits;
use crate::tls::Tls;
use async_trait::async_trait;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectError {
    /// The host's name cannot be one of a certificate.
    NoName,
    /// The name has no address.
    NotFound,
    /// Looking the name up took too long.
    LookupTimeout,
    /// None of its addresses may be reached; the first one is told.
    NotPublic(IpAddr),
    /// Nothing answered in time.
    Timeout,
    /// The connection failed, while it was made or while TLS was agreed upon: then a `rustls::Error` is inside.
    Io(io::Error),
    /// This process is in disorder.
    Internal(String),
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ConnectError::NoName => formatter.write_str("the host's name cannot be that of a certificate"),
            ConnectError::NotFound => formatter.write_str("the host's name has no address"),
            ConnectError::LookupTimeout => formatter.write_str("looking up the host's name took too long"),
            ConnectError::NotPublic(address) => {
                write!(formatter, "the host's address {address} is not public")
            }
            ConnectError::Timeout => formatter.write_str("the host did not answer in time"),
            ConnectError::Io(error) => error.fmt(formatter),
            ConnectError::Internal(text) => formatter.write_str(text),
        }
    }
}

impl std::error::Error for ConnectError {}

/// The right to look up one name, which keeps a thread.
static LOOKUPS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(limits::MAX_LOOKUPS)));

/// Looks up names and dials addresses. The system's, but in tests.
#[async_trait]
pub trait Network: Send + Sync {
    /// Returns the addresses of a name, the best one first.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;

    /// Connects to an address.
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }
}

#[async_trait]
impl<N: Network + ?Sized> Network for Arc<N> {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        (**self).resolve(name).await
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        (**self).dial(address).await
    }
}

/// The system's resolver.
pub struct System;

#[async_trait]
impl Network for System {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let permit = Arc::clone(&LOOKUPS).acquire_owned().await.ok();
        let name = name.to_owned();
        let found = tokio::task::spawn_blocking(move || {
            // The permit stays with the thread: nothing can stop the system's lookup, also when nobody waits for it any more.
            let _permit = permit;
            (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect())
        });
        found.await.map_err(io::Error::other)?
    }
}

/// Makes connections that rules allow.
pub struct Connector {
    network: Box<dyn Network>,
    /// TLS on its connections.
    pub tls: Tls,
}

static SYSTEM: LazyLock<Arc<Connector>> = LazyLock::new(|| Arc::new(Connector::new(System, Tls::system())));

impl Connector {
    /// Combines a network and authorities.
    pub fn new(network: impl Network + 'static, tls: Tls) -> Self {
        Self { network: Box::new(network), tls }
    }

    /// Returns the system's.
    pub fn system() -> Arc<Self> {
        Arc::clone(&SYSTEM)
    }

    /// Connects to a port of a host, within `time` from now. Each of its allowed addresses gets an equal share of the time that is left.
    ///
    /// # Errors
    /// No address, none that is allowed, or none that answers: then the last one's failure.
    pub async fn connect(
        &self,
        (host, port): (&Host, u16),
        reach: &Reach,
        time: Duration,
    ) -> Result<TcpStream, ConnectError> {
        let deadline = Instant::now() + time;
        let addresses = self.addresses(host, reach, time).await?;
        let mut last = ConnectError::NotFound;
        for (tried, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let addresses_left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            let dialled = self.network.dial(SocketAddr::new(*address, port));
            last = match timeout(left / addresses_left, dialled).await {
                Ok(Ok(stream)) => {
                    // Small requests must not wait for a full packet. Where this fails, they are slower.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => ConnectError::Io(error),
                Err(_) => ConnectError::Timeout,
            };
        }
        Err(last)
    }

    /// Returns the addresses of a host that may be connected to.
    async fn addresses(
        &self,
        host: &Host,
        reach: &Reach,
        time: Duration,
    ) -> Result<Vec<IpAddr>, ConnectError> {
        let mut addresses = match host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let time = time.min(limits::LOOKUP_TIMEOUT);
                let found = timeout(time, self.network.resolve(name))
                    .await
                    .map_err(|_| ConnectError::LookupTimeout)?;
                found.map_err(|_| ConnectError::NotFound)?
            }
        };
        let Some(&first) = addresses.first() else {
            return Err(ConnectError::NotFound);
        };
        addresses.retain(|address| reach.permits(*address));
        addresses.truncate(limits::MAX_ADDRESSES);
        if addresses.is_empty() {
            return Err(ConnectError::NotPublic(first));
        }
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks a name up with the system's resolver and returns what may be connected to, or the error's name.
    async fn allowed(name: &str, networks: &[&str]) -> Result<Vec<IpAddr>, String> {
        let reach = Reach {
            address: None,
            networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
        };
        let host = Host::Name(name.to_owned());
        let found = Connector::system().addresses(&host, &reach, Duration::from_secs(10)).await;
        found.map_err(|error| format!("{error:?}"))
    }

    #[tokio::test]
    async fn other_writings_of_loopback_are_not_connected_to() {
        // The policy lets none of these through. Should it ever, what the system makes of them is checked all the same.
        for name in ["127.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "localhost"]
        {
            let refusal = allowed(name, &[]).await.unwrap_err();
            assert!(
                refusal == "NotPublic(127.0.0.1)" || refusal == "NotPublic(::1)" || refusal == "NotFound",
                "{name}: {refusal}"
            );
        }
        assert_eq!(allowed("127.1", &[]).await.unwrap_err(), "NotPublic(127.0.0.1)");
        assert_eq!(allowed("127.1", &["127.0.0.0/8"]).await, Ok(vec!["127.0.0.1".parse().unwrap()]));
    }
}

//! TLS by rustls: 1.2 and 1.3, with the certificate and the key of two PEM files.
//!
//! Errors name the file and what to do. The key must never be quoted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::cli::serve_args::ServeArgs;

/// The name of HTTP/2 in handshakes.
pub(super) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
enum TlsError {
    /// A file that cannot be used.
    #[error("{flag} {}: {reason}", path.display())]
    File {
        /// The flag that names it.
        flag: &'static str,
        path: PathBuf,
        reason: String,
    },
    /// The files do not go together, or rustls refuses them.
    #[error("--tls-cert {} and --tls-key {}: {source}", certificate.display(), key.display())]
    Pair { certificate: PathBuf, key: PathBuf, source: rustls::Error },
}

/// TLS, if it is asked for.
pub(crate) fn tls(args: &ServeArgs) -> anyhow::Result<Option<TlsAcceptor>> {
    match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Ok(Some(acceptor(certificate, key)?)),
        (None, None) => Ok(None),
        (Some(_), None) => Err(anyhow!("--tls-cert: its key is missing, give --tls-key FILE")),
        (None, Some(_)) => Err(anyhow!("--tls-key: its certificate is missing, give --tls-cert FILE")),
    }
}

/// Reads certificate and key. Errors: in words for the operator.
fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let of_certificate = |reason| file("--tls-cert", certificate, reason);
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<CertificateDer<'static>>, PemError>>)
        .map_err(|error| of_certificate(reason(&error, "CERTIFICATE")))?;
    if chain.is_empty() {
        return Err(of_certificate("it holds no CERTIFICATE in PEM form".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| file("--tls-key", key, reason(&error, "PRIVATE KEY")))?;
    let pair = |source| TlsError::Pair { certificate: certificate.to_owned(), key: key.to_owned(), source };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(pair)?;
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn file(flag: &'static str, path: &Path, reason: String) -> TlsError {
    TlsError::File { flag, path: path.to_owned(), reason }
}

fn reason(error: &PemError, wanted: &str) -> String {
    if let PemError::Io(error) = error {
        return error.to_string();
    }
    if matches!(error, PemError::NoItemsFound) {
        return format!("it holds no {wanted} in PEM form");
    }
    format!("it is no PEM file: {error}")
}

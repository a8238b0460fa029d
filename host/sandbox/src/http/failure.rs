//! Why a request came to nothing: a code of `wasi:http` for the guest and, for a denied request, the reason for the call's log.
//!
//! It must never carry a header, a query or anything of a body.

use std::io::{self, ErrorKind};
use stepwell_net::ConnectError;
use wasmtime_wasi_http::Error;

/// A request that came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    /// What the guest gets.
    pub(super) error: Error,
    /// Why the request was denied; absent when it was not.
    pub(super) reason: Option<String>,
}

impl Failure {
    /// A request that may not be sent.
    pub(super) fn denied(error: Error, reason: impl Into<String>) -> Self {
        Self { error, reason: Some(reason.into()) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, reason: None }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::NoName => Error::HttpRequestUriInvalid.into(),
            ConnectError::NotFound => Error::DnsError { rcode: None, info_code: None }.into(),
            ConnectError::LookupTimeout => Error::DnsTimeout.into(),
            ConnectError::NotPublic(address) => {
                let reason =
                    format!("its host's address {address} is not public, and no rule that fits names it");
                Self::denied(Error::DestinationIpProhibited, reason)
            }
            ConnectError::Timeout => Error::ConnectionTimeout.into(),
            ConnectError::Io(error) => of_io(&error).into(),
            ConnectError::Internal(text) => Error::InternalError(Some(text)).into(),
        }
    }
}

/// Returns the code for a failure of a connection: while it is made, or later.
pub(super) fn of_io(error: &io::Error) -> Error {
    if let Some(error) = tls_source(error) {
        return of_tls(error);
    }
    #[allow(clippy::wildcard_enum_match_arm, reason = "the enum is not ours and not exhaustive")]
    match error.kind() {
        ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        ErrorKind::TimedOut => Error::ConnectionTimeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            Error::DestinationUnavailable
        }
        ErrorKind::AddrNotAvailable | ErrorKind::QuotaExceeded | ErrorKind::OutOfMemory => {
            Error::ConnectionLimitReached
        }
        // Too many open files have no kind of their own.
        _ if matches!(error.raw_os_error(), Some(TOO_MANY_FILES_PROCESS | TOO_MANY_FILES_SYSTEM)) => {
            Error::ConnectionLimitReached
        }
        _ => Error::ConnectionTerminated,
    }
}

/// Finds the failure of TLS behind one of a connection.
fn tls_source(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// EMFILE and ENFILE: the same numbers on every system that Stepwell runs on.
const TOO_MANY_FILES_PROCESS: i32 = 24;
const TOO_MANY_FILES_SYSTEM: i32 = 23;

/// Returns the code for a failure of TLS.
fn of_tls(error: &rustls::Error) -> Error {
    #[allow(clippy::wildcard_enum_match_arm, reason = "the enum is not ours and not exhaustive")]
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            Error::TlsCertificateError
        }
        rustls::Error::AlertReceived(alert) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: Some(format!("{alert:?}")),
        },
        _ => Error::TlsProtocolError,
    }
}

/// Returns the code for a failure that hyper reports.
pub(super) fn of_hyper(error: &hyper::Error) -> Error {
    if error.is_timeout() {
        Error::HttpResponseTimeout
    } else if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(None)
    } else if error.is_incomplete_message() {
        Error::HttpResponseIncomplete
    } else if error.is_parse() || error.is_user() {
        Error::HttpProtocolError
    } else if let Some(error) = io_source(error) {
        // hyper reports a body that breaks off, and one that is not well-formed, in the standard library's words.
        #[allow(clippy::wildcard_enum_match_arm, reason = "the enum is not ours and not exhaustive")]
        match error.kind() {
            ErrorKind::UnexpectedEof => Error::HttpResponseIncomplete,
            ErrorKind::InvalidInput | ErrorKind::InvalidData if tls_source(error).is_none() => {
                Error::HttpProtocolError
            }
            _ => of_io(error),
        }
    } else if error.is_closed() || error.is_canceled() {
        Error::ConnectionTerminated
    } else {
        Error::HttpProtocolError
    }
}

/// Finds the failure of the connection behind one of hyper.
fn io_source(error: &hyper::Error) -> Option<&io::Error> {
    std::iter::successors(std::error::Error::source(error), |error| error.source())
        .take(MAX_SOURCES)
        .find_map(|error| error.downcast_ref())
}

/// How deep [`io_source`] looks.
const MAX_SOURCES: usize = 8;

//! Why a request is not let in: AWS's codes and messages (API reference, section 1.4).
//!
//! No text may tell more than the client knows already: not whether a key exists under another account, no secret, and
//! nothing of what the signature should have been.

use axum::http::StatusCode;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthError {
    /// No signature at all.
    #[error("Missing Authentication Token")]
    MissingToken,
    /// A signature that lacks something; the text says what.
    #[error("{0}")]
    Incomplete(String),
    /// No access key of that id, or one that was revoked.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// Temporary credentials.
    #[error(
        "The security token included in the request is invalid: this server gives no session tokens. Use an access key \
         of `stepwell key create` and unset AWS_SESSION_TOKEN"
    )]
    Session,
    /// The access key has had its time.
    #[error("The security token included in the request is expired")]
    Expired,
    /// The signature is wrong, too old, or for something else.
    #[error("{0}")]
    Signature(String),
    /// The caller is known and may not do that.
    #[error("{0}")]
    Denied(String),
    /// A request that a web page of somebody else may have made.
    #[error("{0}")]
    Foreign(String),
    /// More requests than the key may make.
    #[error("Rate exceeded")]
    RateExceeded {
        /// When to try again.
        retry_after_milliseconds: u64,
    },
}

impl AuthError {
    /// What a signature that does not match is answered with, whatever differs.
    pub(crate) fn mismatch() -> AuthError {
        AuthError::Signature(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details."
                .to_owned(),
        )
    }

    /// The code without a namespace.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            AuthError::MissingToken => "MissingAuthenticationTokenException",
            AuthError::Incomplete(_) => "IncompleteSignatureException",
            AuthError::UnknownKey | AuthError::Session => "UnrecognizedClientException",
            AuthError::Expired => "ExpiredTokenException",
            AuthError::Signature(_) => "InvalidSignatureException",
            AuthError::Denied(_) | AuthError::Foreign(_) => "AccessDeniedException",
            AuthError::RateExceeded { .. } => "ThrottlingException",
        }
    }

    /// The status where the path says what is asked for; AWS JSON has 400 for all of them.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            AuthError::RateExceeded { .. } => StatusCode::TOO_MANY_REQUESTS,
            AuthError::Incomplete(_) => StatusCode::BAD_REQUEST,
            AuthError::MissingToken
            | AuthError::UnknownKey
            | AuthError::Session
            | AuthError::Expired
            | AuthError::Signature(_)
            | AuthError::Denied(_)
            | AuthError::Foreign(_) => StatusCode::FORBIDDEN,
        }
    }
}

//! Who may do what: signatures of requests (`sigv4`), access keys (`keys`), what their policies allow (`policy`), and the
//! gate that every request comes through (`gate`).
//!
//! A handler gets the server as its caller may see it (`AsCaller`), and no other way: what was not let in never reaches
//! one. Nothing here may log a secret or a signature.

pub(crate) mod access;
pub(crate) mod account;
mod caller;
mod error;
mod foreign;
mod gate;
mod keys;
mod operation;
pub(crate) mod policy;
mod rate;
pub(crate) mod sigv4;

pub(crate) use caller::{AsCaller, Caller};
pub(crate) use error::AuthError;
pub(crate) use gate::{Auth, let_in};
pub(crate) use keys::{AccessKey, AccessKeys, KeyError, NewKey};
pub(crate) use operation::operation_label;
pub(crate) use rate::RateLimit;
pub(crate) use sigv4::sha256_hex;

//! Outgoing HTTP of modules: only what a manifest's rules allow, only to addresses that they allow.
//!
//! A rule is checked for every request, since a guest follows redirects itself (`policy`). Addresses are checked where the
//! connection is made, and the connection goes to a checked address, not to a name: so a name cannot resolve to one address for
//! the check and to another for the connection (`stepwell-net`). Connections are never shared: neither two calls nor two requests of
//! one call use the same one. Proxies that the environment names are not used.
//!
//! What a guest gets when it may not do something:
//!
//! | error code of `wasi:http` | when |
//! |---|---|
//! | `HTTP-request-denied` | no rule names scheme, host, port and method; the host is no host; a user name stands before it; CONNECT |
//! | `destination-IP-prohibited` | a rule fits, but its host's name resolves to addresses only that are not public and that it does not name |
//! | `connection-limit-reached` | the call has as many requests under way as it may have, or all calls together have |
//! | `HTTP-request-URI-invalid` | the port is no number below 65,536 |
//!
//! These are told to the call's log, too, with the reason.

mod exchange;
mod failure;
mod hooks;
mod permits;
mod policy;
#[cfg(test)]
mod tests;

pub(crate) use hooks::{OutgoingHttp, context};
pub(crate) use policy::check_rule;

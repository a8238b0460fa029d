//! Outgoing HTTP of modules: only what a manifest's rules allow, only to addresses that they allow.
//!
//! A rule is checked for every request, since a guest follows redirects itself. The address is checked where the connection is
//! made, so that a name cannot resolve to one address for the check and to another for the connection.

mod address;
mod policy;

pub(crate) use policy::check_rule;

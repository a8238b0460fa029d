//! Outgoing connections: from a host's name to a connection to one of its addresses that may be reached, and TLS on it.
//!
//! Modules in the sandbox and what tasks call in the server go through the same checks, which are here and nowhere else: which
//! addresses are public (`address`), what a host is (`host`), that what is connected to is the address that was checked
//! (`connect`), that certificates are (`tls`). This crate must never know wasmtime, HTTP or who asks: whom a request may
//! reach beside the public internet is said by its caller, in a [`Reach`].

mod address;
mod connect;
mod host;
mod limits;
mod tls;

pub use address::{Reach, is_public};
pub use connect::{ConnectError, Connector, Network, System};
pub use host::{Host, is_number};
pub use tls::Tls;

//! The real server as a child process, driven over HTTP: what users get, everything included.
//!
//! The clients are in the benchmark's own process, the server and the bare echo server in one of their own each, so that
//! the processor time and the memory of the three are told apart. Nothing here may know the server but by its binary,
//! its command line and its HTTP interface.

pub mod api;
pub mod child;
pub mod connection;
pub mod echo;
pub mod fill;
pub mod http;
pub mod load;
pub mod machines;
pub mod process;
pub mod stored;
pub mod timers;
pub mod waiting;

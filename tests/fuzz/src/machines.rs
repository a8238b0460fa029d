//! The machines that the targets run and cross with each other. `build.rs` makes the list.

/// A definition with an input that fits it.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Its folder's name.
    pub name: &'static str,
    /// Text of the definition. It may be one that this release refuses.
    pub definition: &'static str,
    /// JSON text of the input.
    pub input: &'static str,
}

/// All machines, in a fixed order: first those of `machines/`, then the project's cases.
pub const MACHINES: &[Machine] = include!(concat!(env!("OUT_DIR"), "/machines.rs"));

//! The `stepwell` program. Everything is in the library half of this crate, so that tests can reach it.

use std::process::ExitCode;

/// Many small pieces of memory are asked for on one thread and given back on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    stepwell_server::main()
}

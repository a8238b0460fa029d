//! The `stepwell` program. Everything is in the library half of this crate, so that tests can reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    stepwell_server::main()
}

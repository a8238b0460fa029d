//! Core modules of world `task`, written by hand: what a module can answer, and how it can break the rules between it and its host.

use super::tasks::{LOG, TRAP, Task, answering, logging, post_return, reallocating, with_memory};
use super::{Case, Expected};

const INVALID: Expected = Expected::Ends(&["Sandbox.InvalidResult"]);

pub(super) fn cases() -> Vec<Case> {
    results().into_iter().chain(contract()).collect()
}

/// Modules whose result is not what the contract says.
fn results() -> Vec<Case> {
    let larger = Expected::Ends(&["Sandbox.Trap", "Sandbox.ResultTooLarge"]);
    let at = |address| Task { address, ..Task::default() }.wasm();
    let deep = "[".repeat(50_000);
    let fail = |name: &str| answering([1, 1_024, 4, 1_024, 4], name);
    let long = |data: &str| answering([0, 1_024, u32::try_from(data.len()).unwrap_or(0), 0, 0], data);
    let big = with_memory(
        r#"(memory (export "memory") 400)"#,
        "(i32.store8 (i32.const 1024) (i32.const 34)) (i32.store (i32.const 24) (i32.const 20000000))",
    );
    vec![
        Case::new("a result beyond the memory", at(131_072), TRAP),
        Case::new("a result at the end of the address space", at(0xffff_fff0), TRAP),
        Case::new("a result that is not aligned", at(17), TRAP),
        Case::new("a result that is neither ok nor error", answering([2, 1_024, 4, 0, 0], "x"), TRAP),
        Case::new(
            "a result of a gigabyte in a memory of 128 KB",
            answering([0, 1_024, 1 << 30, 0, 0], "x"),
            larger,
        ),
        Case::new("a result of four gigabytes", answering([0, 0, u32::MAX, 0, 0], "x"), larger),
        Case::new("a result that begins beyond the memory", answering([0, 200_000, 4, 0, 0], "x"), TRAP),
        Case::new("a result of 20 MB", big, Expected::Ends(&["Sandbox.ResultTooLarge"])),
        Case::new("a result that is not UTF-8", answering([0, 1_024, 4, 0, 0], r"\22\ff\fe\22"), TRAP),
        Case::new("a result with half a surrogate", answering([0, 1_024, 5, 0, 0], r"\22\ed\a0\80\22"), TRAP),
        Case::new("a result in overlong UTF-8", answering([0, 1_024, 4, 0, 0], r"\22\c0\af\22"), TRAP),
        Case::new("an error whose name is not UTF-8", fail(r"\ff\ff\ff\ff"), TRAP),
        Case::new(
            "an error with a cause beyond the memory",
            answering([1, 1_024, 4, 131_070, 4], "Oops"),
            TRAP,
        ),
        Case::new(
            "an error with a cause of 60 KB",
            answering([1, 1_024, 4, 4_096, 60_000], "Oops"),
            Expected::Ends(&["Oops"]),
        ),
        Case::new("a result of open brackets", long(&deep), INVALID),
        Case::new("a result that is cut off", answering([0, 1_024, 3, 0, 0], r#"\"hi\""#), INVALID),
        Case::new("a result with a zero byte in it", answering([0, 1_024, 3, 0, 0], r"\22\00\22"), INVALID),
        Case::new("two results", answering([0, 1_024, 3, 0, 0], "1 2"), INVALID),
        Case::new("no result", answering([0, 1_024, 0, 0, 0], ""), INVALID),
    ]
}

/// Modules that break the rules between host and module.
fn contract() -> Vec<Case> {
    let log = |level: i32, address: u32, length: u32| {
        logging(&format!("(call $write (i32.const {level}) (i32.const {address}) (i32.const {length}))"))
    };
    let leave = "(call $write (i32.const 1) (i32.const 1024) (i32.const 2))";
    vec![
        Case::new(
            "cabi_realloc that returns an address beyond the memory",
            reallocating("(i32.const 0x7fffffff)"),
            TRAP,
        ),
        Case::new("cabi_realloc that returns the last address", reallocating("(i32.const -1)"), TRAP),
        Case::new("cabi_realloc that traps", reallocating("(unreachable)"), TRAP),
        Case::new(
            "cabi_realloc that returns the address of the result",
            reallocating("(i32.const 16)"),
            Expected::Bounded,
        ),
        Case::new(
            "cabi_realloc that calls the host",
            reallocating(&format!("{leave} (i32.const 65536)")),
            TRAP,
        ),
        Case::new("post-return that traps", post_return("(unreachable)"), TRAP),
        Case::new("post-return that calls the host", post_return(leave), TRAP),
        Case::new(
            "a log message that is not UTF-8",
            Task {
                imports: LOG.to_owned(),
                data: r"\ff\fe\fd\fc".to_owned(),
                run: "(call $write (i32.const 1) (i32.const 1024) (i32.const 4))".to_owned(),
                ..Task::default()
            }
            .wasm(),
            TRAP,
        ),
        Case::new("a log message beyond the memory", log(1, 131_072, 4), TRAP),
        Case::new("a log message of four gigabytes", log(1, 0, u32::MAX), TRAP),
        Case::new("a log level that there is not", log(77, 1_024, 4), TRAP),
    ]
}

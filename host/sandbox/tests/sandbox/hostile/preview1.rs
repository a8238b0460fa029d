//! Programs for WASI preview 1, written by hand: they reach the host through the adapter.

use super::{Case, Expected, wat};
use stepwell_sandbox::Limits;

/// Programs that are given nothing have no directory: the first descriptor that could be one is 3.
const NO_DESCRIPTOR: u32 = 8;
const TRAP: Expected = Expected::Ends(&["Sandbox.Trap"]);

/// Every function that a program here uses.
const IMPORTS: [(&str, &str); 18] = [
    ("fd_write", "(param i32 i32 i32 i32) (result i32)"),
    ("fd_read", "(param i32 i32 i32 i32) (result i32)"),
    ("fd_close", "(param i32) (result i32)"),
    ("fd_prestat_get", "(param i32 i32) (result i32)"),
    ("fd_readdir", "(param i32 i32 i32 i64 i32) (result i32)"),
    ("fd_seek", "(param i32 i64 i32 i32) (result i32)"),
    ("path_open", "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)"),
    ("path_symlink", "(param i32 i32 i32 i32 i32) (result i32)"),
    ("path_unlink_file", "(param i32 i32 i32) (result i32)"),
    ("poll_oneoff", "(param i32 i32 i32 i32) (result i32)"),
    ("proc_exit", "(param i32)"),
    ("proc_raise", "(param i32) (result i32)"),
    ("random_get", "(param i32 i32) (result i32)"),
    ("environ_sizes_get", "(param i32 i32) (result i32)"),
    ("environ_get", "(param i32 i32) (result i32)"),
    ("args_get", "(param i32 i32) (result i32)"),
    ("sock_accept", "(param i32 i32 i32) (result i32)"),
    ("sock_shutdown", "(param i32 i32) (result i32)"),
];

/// A program. `$answer` writes a number below 100 as its result.
fn program(body: &str) -> Vec<u8> {
    program_with("", body)
}

/// A program with definitions of its own.
fn program_with(more: &str, body: &str) -> Vec<u8> {
    let text = format!("{more} {body}");
    let imports: String = IMPORTS
        .iter()
        .filter(|(name, _)| *name == "fd_write" || text.contains(&format!("${name}")))
        .map(|(name, kind)| format!(r#"(import "wasi_snapshot_preview1" "{name}" (func ${name} {kind}))"#))
        .collect();
    wat(&format!(
        r#"(module {imports} (memory (export "memory") 2)
            (data (i32.const 1024) "../../../../etc/passwd") (data (i32.const 1100) "/etc/passwd")
            (data (i32.const 1200) "line\0a")
            (func $answer (param i32)
                (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 2))
                (i32.store8 (i32.const 64) (i32.add (i32.const 48) (i32.div_u (local.get 0) (i32.const 10))))
                (i32.store8 (i32.const 65) (i32.add (i32.const 48) (i32.rem_u (local.get 0) (i32.const 10))))
                (if (i32.lt_u (local.get 0) (i32.const 10)) (then
                    (i32.store (i32.const 0) (i32.const 65)) (i32.store (i32.const 4) (i32.const 1))))
                (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
            {more} (func (export "_start") {body}))"#
    ))
}

/// A program that answers with the number of the error that a call gave.
fn errno(call: &str) -> Vec<u8> {
    program(&format!("(call $answer {call})"))
}

/// It answered with an error, not with success.
const REFUSED: Expected = Expected::Returns(|result| result.parse::<u32>().is_ok_and(|errno| errno != 0));
const NOTHING_THERE: Expected = Expected::Returns(|result| result == NO_DESCRIPTOR.to_string());

pub(super) fn cases() -> Vec<Case> {
    [outputs(), files(), waiting(), others()].into_iter().flatten().collect()
}

/// Writes to a descriptor without end.
fn flood(descriptor: u32) -> Vec<u8> {
    program(&format!(
        "(i32.store (i32.const 0) (i32.const 1200)) (i32.store (i32.const 4) (i32.const 60000))
         (loop (drop (call $fd_write (i32.const {descriptor}) (i32.const 0) (i32.const 1) (i32.const 8))) (br 0))"
    ))
}

fn outputs() -> Vec<Case> {
    let limits = Limits { output_kib: Some(256), result_kib: Some(256), ..Limits::default() };
    vec![
        Case::new("preview 1: a flood of results", flood(1), Expected::Ends(&["Sandbox.ResultTooLarge"]))
            .limits(limits),
        Case::new("preview 1: a flood of errors", flood(2), Expected::Ends(&["Sandbox.OutputExceeded"]))
            .limits(limits),
        Case::new(
            "preview 1: writing from beyond the memory",
            program(
                "(i32.store (i32.const 0) (i32.const 0x7fffff00)) (i32.store (i32.const 4) (i32.const 4096))
                (call $answer (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))",
            ),
            TRAP,
        ),
        Case::new(
            "preview 1: more pieces than there is memory",
            errno("(call $fd_write (i32.const 1) (i32.const 0) (i32.const 0x0fffffff) (i32.const 8))"),
            Expected::Bounded,
        ),
        Case::new(
            "preview 1: writing to a descriptor that is not there",
            errno("(call $fd_write (i32.const 77) (i32.const 0) (i32.const 1) (i32.const 8))"),
            REFUSED,
        ),
        Case::new(
            "preview 1: a result that is not UTF-8",
            program(
                r"(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 4))
                (i32.store (i32.const 64) (i32.const 0x22fffe22))
                (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))",
            ),
            Expected::Ends(&["Sandbox.InvalidResult"]),
        ),
        Case::new(
            "preview 1: reading to beyond the memory",
            program(
                "(i32.store (i32.const 0) (i32.const 0x7fffff00)) (i32.store (i32.const 4) (i32.const 4096))
                (call $answer (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))",
            ),
            Expected::Bounded,
        ),
    ]
}

fn files() -> Vec<Case> {
    let open = |address: u32, length: u32| {
        errno(&format!(
            "(call $path_open (i32.const 3) (i32.const 1) (i32.const {address}) (i32.const {length}) (i32.const 0)
                (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 8))"
        ))
    };
    vec![
        Case::new("preview 1: path_open with ..", open(1_024, 22), NOTHING_THERE),
        Case::new("preview 1: path_open of an absolute path", open(1_100, 11), NOTHING_THERE),
        Case::new("preview 1: path_open of a path of four gigabytes", open(0, u32::MAX), Expected::Bounded),
        Case::new(
            "preview 1: directories that were given",
            errno("(call $fd_prestat_get (i32.const 3) (i32.const 64))"),
            NOTHING_THERE,
        ),
        Case::new(
            "preview 1: reading a directory",
            errno(
                "(call $fd_readdir (i32.const 3) (i32.const 4096) (i32.const 4096) (i64.const 0) (i32.const 8))",
            ),
            NOTHING_THERE,
        ),
        Case::new(
            "preview 1: reading standard input as a directory",
            errno(
                "(call $fd_readdir (i32.const 0) (i32.const 4096) (i32.const 4096) (i64.const 0) (i32.const 8))",
            ),
            REFUSED,
        ),
        Case::new(
            "preview 1: a symbolic link",
            errno(
                "(call $path_symlink (i32.const 1100) (i32.const 11) (i32.const 3) (i32.const 1200) (i32.const 4))",
            ),
            NOTHING_THERE,
        ),
        Case::new(
            "preview 1: removing a file",
            errno("(call $path_unlink_file (i32.const 3) (i32.const 1100) (i32.const 11))"),
            NOTHING_THERE,
        ),
        Case::new(
            "preview 1: seeking in standard output",
            errno("(call $fd_seek (i32.const 1) (i64.const -1) (i32.const 0) (i32.const 64))"),
            REFUSED,
        ),
        Case::new(
            "preview 1: closing everything",
            program(
                "(local i32) (loop (drop (call $fd_close (local.get 0)))
                (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                (br_if 0 (i32.lt_u (local.get 0) (i32.const 5000))))",
            ),
            Expected::Bounded,
        ),
    ]
}

/// A subscription to the monotonic clock, in so many nanoseconds, at an address.
fn subscription(address: u32, nanoseconds: &str) -> String {
    format!(
        "(i32.store8 (i32.const {}) (i32.const 0)) (i32.store (i32.const {}) (i32.const 1))
         (i64.store (i32.const {}) (i64.const {nanoseconds}))",
        address + 8,
        address + 16,
        address + 24
    )
}

fn waiting() -> Vec<Case> {
    let all: String = (0..200).map(|number| subscription(4_096 + number * 48, "-1")).collect();
    let poll = |count: u32| {
        format!("(call $poll_oneoff (i32.const 4096) (i32.const 65536) (i32.const {count}) (i32.const 8))")
    };
    vec![
        Case::endless(
            "preview 1: poll_oneoff for ever",
            program(&format!("{} (drop {})", subscription(4_096, "-1"), poll(1))),
        ),
        Case::endless(
            "preview 1: poll_oneoff over and over",
            program(&format!("(loop {} (drop {}) (br 0))", subscription(4_096, "0"), poll(1))),
        ),
        Case::new(
            "preview 1: poll_oneoff on 200 timers",
            program(&format!("{all} (drop {})", poll(200))),
            Expected::Ends(&["Sandbox.Timeout", "Sandbox.Trap"]),
        )
        .limits(Limits { timeout_milliseconds: Some(100), ..Limits::default() }),
        Case::new("preview 1: poll_oneoff on nothing", errno(&poll(0)), Expected::Bounded),
        Case::new(
            "preview 1: poll_oneoff on more than there is memory",
            errno(&poll(0x0fff_ffff)),
            Expected::Bounded,
        ),
    ]
}

fn others() -> Vec<Case> {
    let exits = Expected::Ends(&["Sandbox.Exit"]);
    let null = Expected::Returns(|result| result == "null");
    vec![
        Case::new("preview 1: proc_exit(0)", program("(call $proc_exit (i32.const 0))"), null),
        Case::new("preview 1: proc_exit(3)", program("(call $proc_exit (i32.const 3))"), exits),
        Case::new("preview 1: proc_exit(-1)", program("(call $proc_exit (i32.const -1))"), Expected::Bounded),
        Case::new(
            "preview 1: proc_exit in the start function",
            program_with("(start $s) (func $s (call $proc_exit (i32.const 0)))", ""),
            Expected::Bounded,
        ),
        Case::new("preview 1: proc_raise", program("(drop (call $proc_raise (i32.const 9)))"), TRAP),
        Case::new(
            "preview 1: random_get of a gigabyte",
            errno("(call $random_get (i32.const 4096) (i32.const 0x40000000))"),
            TRAP,
        ),
        Case::new(
            "preview 1: random_get beyond the memory",
            errno("(call $random_get (i32.const 0x7fff0000) (i32.const 64))"),
            TRAP,
        ),
        Case::new(
            "preview 1: environ_get to beyond the memory",
            errno("(call $environ_get (i32.const 0x7fff0000) (i32.const 0x7fff1000))"),
            Expected::Bounded,
        ),
        // The five that tell a program about its call, and nothing of the host's.
        Case::new(
            "preview 1: the size of the environment",
            program(
                "(drop (call $environ_sizes_get (i32.const 64) (i32.const 68))) (call $answer (i32.load (i32.const 64)))",
            ),
            Expected::Returns(|result| result == "5"),
        ),
        Case::new(
            "preview 1: args_get to beyond the memory",
            errno("(call $args_get (i32.const 0x7fff0000) (i32.const 0x7fff1000))"),
            Expected::Bounded,
        ),
        Case::new(
            "preview 1: sock_accept",
            errno("(call $sock_accept (i32.const 3) (i32.const 0) (i32.const 8))"),
            Expected::Bounded,
        ),
        Case::new(
            "preview 1: sock_shutdown",
            errno("(call $sock_shutdown (i32.const 3) (i32.const 2))"),
            Expected::Bounded,
        ),
        Case::endless("preview 1: a loop", program("(loop (br 0))")),
        Case::new(
            "preview 1: a recursion",
            program_with("(func $f (call $f) (call $f))", "(call $f)"),
            Expected::Ends(&["Sandbox.StackOverflow"]),
        ),
        Case::new(
            "preview 1: a memory bomb",
            program("(loop (drop (memory.grow (i32.const 1))) (br 0))"),
            Expected::Ends(&["Sandbox.OutOfMemory"]),
        ),
        Case::new(
            "preview 1: an import that there is not",
            wat(
                r#"(module (import "wasi_snapshot_preview1" "proc_fork" (func)) (memory (export "memory") 1) (func (export "_start")))"#,
            ),
            Expected::Refused(&["DoesNotAdapt"]),
        ),
        Case::new(
            "preview 1: an import of a browser",
            wat(
                r#"(module (import "env" "eval" (func)) (memory (export "memory") 1) (func (export "_start")))"#,
            ),
            Expected::Refused(&["UnknownImport"]),
        ),
        Case::new(
            "preview 1: a start that takes parameters",
            wat(r#"(module (memory (export "memory") 1) (func (export "_start") (param i64)))"#),
            Expected::Refused(&["DoesNotAdapt"]),
        ),
        Case::new(
            "preview 1: a program without a memory",
            wat(r#"(module (func (export "_start")))"#),
            Expected::Bounded,
        ),
    ]
}

//! The Rust guests `hostile` and `command`: what a program can do with a standard library and all of WASI.

use super::{Case, Expected, SHORT};
use crate::guests::guest;
use stepwell_sandbox::{Limits, Manifest};

const TRAP: Expected = Expected::Ends(&["Sandbox.Trap"]);

pub(super) fn cases() -> Vec<Case> {
    [deeds(), asks(), network(), commands()].into_iter().flatten().collect()
}

fn hostile(name: &str, input: &str, expected: Expected) -> Case {
    Case::new(name, guest("hostile"), expected).input(input)
}

fn ask(name: &str, request: &str, expected: Expected) -> Case {
    hostile(name, &format!(r#"{{"do":"ask","request":{{"for":{request}}}}}"#), expected)
}

fn endless(case: Case) -> Case {
    Case { timeout: SHORT, expected: Expected::Ends(&["Sandbox.Timeout"]), ..case }
}

/// What the guest does by itself.
fn deeds() -> Vec<Case> {
    let memory = Expected::Ends(&["Sandbox.OutOfMemory"]);
    let small = Limits { result_kib: Some(64), output_kib: Some(256), ..Limits::default() };
    let large = Expected::Ends(&["Sandbox.ResultTooLarge"]);
    vec![
        hostile("a panic", r#"{"do":"trap"}"#, TRAP),
        endless(hostile("a busy loop", r#"{"do":"loop"}"#, TRAP)),
        hostile("an allocator without end", r#"{"do":"allocate"}"#, memory),
        hostile(
            "a recursion of Rust",
            r#"{"do":"recurse"}"#,
            Expected::Ends(&["Sandbox.StackOverflow", "Sandbox.Trap"]),
        ),
        hostile("a giant result", r#"{"do":"big-result","bytes":6400000}"#, large),
        hostile("a result over the manifest's bound", r#"{"do":"big-result","bytes":70000}"#, large)
            .limits(small),
        hostile(
            "a flood of log, output and errors",
            r#"{"do":"spam-log","bytes":1000000000}"#,
            Expected::Ends(&["Sandbox.OutputExceeded"]),
        )
        .limits(small),
        endless(hostile("a sleeper", r#"{"do":"sleep","seconds":1e9}"#, TRAP)),
        hostile("a sleeper beyond time", r#"{"do":"sleep","seconds":1e300}"#, Expected::Bounded),
        endless(hostile("a hoarder of memory", r#"{"do":"hold","mebibytes":24,"seconds":3600}"#, TRAP)),
        hostile(
            "a reader of the host's files",
            r#"{"do":"read-file"}"#,
            Expected::Returns(|result| {
                result.contains(r#""listing":false"#) && !result.contains(r#""error":null"#)
            }),
        ),
        hostile(
            "a reader of the environment",
            r#"{"do":"env"}"#,
            Expected::Returns(|result| result == r#"{"variables":[],"arguments":0}"#),
        ),
    ]
}

/// What the guest asks of the host.
fn asks() -> Vec<Case> {
    let handles = Expected::Ends(&["Sandbox.TooManyHandles"]);
    vec![
        endless(ask("waiting for the end of time", r#""wait","times":1"#, TRAP)),
        endless(ask("waiting for one timer a thousand times", r#""wait","times":1000"#, TRAP)),
        ask("waiting for one timer three million times", r#""wait","times":3000000"#, TRAP),
        endless(ask("polling without end", r#""poll","times":1"#, TRAP)),
        endless(ask("polling long lists without end", r#""poll","times":10000"#, TRAP)),
        ask("polling nothing", r#""poll-nothing""#, TRAP),
        endless(ask("waiting for 400 timers", r#""timers","count":400"#, TRAP)),
        ask("ten thousand timers", r#""timers","count":10000"#, handles),
        ask("streams without end", r#""streams""#, handles),
        // There is no directory, so that there is no end to the lists of them but the memory's.
        Case {
            timeout: SHORT,
            ..ask(
                "lists of directories without end",
                r#""directories""#,
                Expected::Ends(&["Sandbox.Timeout", "Sandbox.OutOfMemory"]),
            )
        },
        Case { timeout: SHORT, ..ask("lists of one directory without end", r#""directories""#, handles) }
            .manifest(Manifest::parse(br#"{"scratch":{"sizeMib":1}}"#).unwrap()),
        ask("four gigabytes of random bytes", r#""random","bytes":4294967296"#, TRAP),
        ask("all the random bytes that there are", r#""random","bytes":18446744073709551615"#, TRAP),
        ask("as many that may be guessed", r#""insecure","bytes":18446744073709551615"#, TRAP),
        endless(ask("random bytes without end", r#""random-for-ever""#, TRAP)),
        ask("a terabyte of zeros", r#""zeros","bytes":1099511627776"#, TRAP),
        ask("all the zeros that there are", r#""zeros","bytes":18446744073709551615"#, TRAP),
        ask(
            "all of an empty input",
            r#""input","bytes":18446744073709551615"#,
            Expected::Returns(|result| result == "false"),
        ),
        ask("an exit with 0", r#""exit","status":0"#, TRAP),
        ask("an exit with 3", r#""exit","status":3"#, TRAP),
        ask("a result 127 lists deep", r#""deep","levels":127"#, Expected::Bounded),
        ask(
            "a result 20,000 lists deep",
            r#""deep","levels":20000"#,
            Expected::Ends(&["Sandbox.InvalidResult", "Sandbox.StackOverflow", "Sandbox.Trap"]),
        ),
    ]
}

/// Sockets and names. None of them is there.
fn network() -> Vec<Case> {
    let nothing = Expected::Returns(|result| result.contains(r#""reached":false"#));
    let mut cases = Vec::new();
    for address in
        ["127.0.0.1:22", "[::1]:80", "169.254.169.254:80", "10.0.0.1:443", "0.0.0.0:80", "1.1.1.1:53"]
    {
        for (verb, what) in
            [("connect", "a connection to"), ("send", "a datagram to"), ("listen", "listening on")]
        {
            let request = format!(r#""{verb}","address":"{address}""#);
            cases.push(ask(&format!("{what} {address}"), &request, nothing));
        }
    }
    for name in ["localhost", "example.com", "metadata.google.internal"] {
        cases.push(ask(&format!("a look-up of {name}"), &format!(r#""resolve","name":"{name}""#), nothing));
    }
    cases
}

/// The program that answers on standard output.
fn commands() -> Vec<Case> {
    let command =
        |name: &str, input: &str, expected| Case::new(name, guest("command"), expected).input(input);
    let small = Limits { result_kib: Some(64), output_kib: Some(256), ..Limits::default() };
    vec![
        command(
            "command: a flood of results",
            r#"{"do":"flood","to":"stdout","bytes":100000000}"#,
            Expected::Ends(&["Sandbox.ResultTooLarge"]),
        )
        .limits(small),
        command(
            "command: a flood of errors",
            r#"{"do":"flood","to":"stderr","bytes":100000000}"#,
            Expected::Ends(&["Sandbox.OutputExceeded"]),
        )
        .limits(small),
        endless(command("command: a busy loop", r#"{"do":"spin"}"#, TRAP)),
        endless(command("command: a sleeper", r#"{"do":"sleep","milliseconds":3600000}"#, TRAP)),
        endless(command(
            "command: signs of life without end",
            r#"{"do":"heartbeat","beats":4000000000,"pauseMilliseconds":0}"#,
            TRAP,
        )),
        command("command: garbage", r#"{"do":"garbage"}"#, Expected::Ends(&["Sandbox.InvalidResult"])),
        command("command: an exit", r#"{"do":"exit","code":3}"#, Expected::Ends(&["Sandbox.Exit"])),
        command(
            "command: an exit with a name that looks like the sandbox's",
            r#"{"do":"exit","code":3,"error":"Sandbox.Timeout"}"#,
            Expected::Ends(&["Sandbox.Timeout"]),
        ),
        // The host's environment is not there: what is there is what tells about the call.
        command(
            "command: the environment",
            r#"{"do":"echo"}"#,
            Expected::Returns(|result| {
                !result.contains("PATH") && !result.contains("HOME") && result.contains("STEPWELL_ATTEMPT")
            }),
        ),
    ]
}

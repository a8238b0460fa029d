//! What a module can ask of WASI, in amounts that nobody needs.

use serde::Deserialize;
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use wasip2::cli::{stdin, stdout};
use wasip2::clocks::monotonic_clock;
use wasip2::filesystem::preopens;
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream};
use wasip2::random::{insecure, random};

/// What to ask for.
#[derive(Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case")]
pub(crate) enum Request {
    /// Waits for the end of time, with the same timer so many times in the list.
    Wait { times: usize },
    /// Asks over and over whether a list of ready timers is ready.
    Poll { times: usize },
    /// Polls an empty list.
    PollNothing,
    /// Waits for an hour, with so many timers.
    Timers { count: usize },
    /// Opens standard output without end, and keeps every stream.
    Streams,
    /// Takes the list of its directories without end.
    Directories,
    /// Asks for so many random bytes.
    Random { bytes: u64 },
    /// Asks for so many random bytes that may be guessed.
    Insecure { bytes: u64 },
    /// Takes a mebibyte of random bytes without end.
    RandomForEver,
    /// Writes so many zeros to standard output in one call.
    Zeros { bytes: u64 },
    /// Reads that much of standard input.
    Input { bytes: u64 },
    /// Ends the program.
    Exit { status: i32 },
    /// Connects to an address.
    Connect { address: String },
    /// Waits for connections.
    Listen { address: String },
    /// Sends a datagram.
    Send { address: String },
    /// Looks a name up.
    Resolve { name: String },
    /// Answers with a list in a list, so many levels deep.
    Deep { levels: usize },
}

/// A mebibyte.
const MEBIBYTE: u64 = 1 << 20;
/// An hour in nanoseconds.
const HOUR: u64 = 3_600_000_000_000;

impl Request {
    /// Asks, and says what came of it when it is still there.
    pub(crate) fn ask(self) -> Value {
        match self {
            Self::Wait { times } => {
                let timer = monotonic_clock::subscribe_duration(u64::MAX);
                json!(poll(&vec![&timer; times]).len())
            }
            Self::Poll { times } => loop {
                let timer = monotonic_clock::subscribe_duration(0);
                poll(&vec![&timer; times]);
            },
            Self::PollNothing => json!(poll(&[]).len()),
            Self::Timers { count } => {
                let timers: Vec<Pollable> =
                    (0..count).map(|_| monotonic_clock::subscribe_duration(HOUR)).collect();
                let borrowed: Vec<&Pollable> = timers.iter().collect();
                json!(poll(&borrowed).len())
            }
            Self::Streams => {
                let mut streams: Vec<OutputStream> = Vec::new();
                loop {
                    streams.push(stdout::get_stdout());
                }
            }
            Self::Directories => {
                let mut kept = Vec::new();
                loop {
                    kept.push(preopens::get_directories());
                }
            }
            Self::Random { bytes } => json!(random::get_random_bytes(bytes).len()),
            Self::Insecure { bytes } => json!(insecure::get_insecure_random_bytes(bytes).len()),
            Self::RandomForEver => loop {
                drop(random::get_random_bytes(MEBIBYTE));
            },
            Self::Zeros { bytes } => json!(stdout::get_stdout().write_zeroes(bytes).is_ok()),
            Self::Input { bytes } => {
                let input: InputStream = stdin::get_stdin();
                json!(input.blocking_read(bytes).is_ok_and(|bytes| !bytes.is_empty()))
            }
            Self::Exit { status } => std::process::exit(status),
            Self::Connect { address } => reached(TcpStream::connect(address)),
            Self::Listen { address } => {
                reached(TcpListener::bind(address).and_then(|listener| listener.accept()))
            }
            Self::Send { address } => {
                reached(UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.send_to(b"x", address)))
            }
            Self::Resolve { name } => reached((name.as_str(), 80).to_socket_addrs()),
            Self::Deep { levels } => Self::nested(levels),
        }
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
    }
}

/// Says whether the host let it.
fn reached<T>(outcome: std::io::Result<T>) -> Value {
    match outcome {
        Ok(_) => json!({ "reached": true }),
        Err(error) => json!({ "reached": false, "error": error.to_string() }),
    }
}

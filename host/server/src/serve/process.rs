//! What the process asks of the system, and hears from it: limits, huge pages, signals.
//!
//! A limit that cannot be moved must never keep the server from starting.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::serve_args::ServeArgs;
use crate::limits;

/// Lets the process open as many files and connections as the system allows it; the usual limit is low for the sake
/// of programs that a high one breaks.
pub(super) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(failure) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%failure, "the limit on open files stays as it is");
    }
}

/// Keeps the kernel from rounding every used piece of memory up to 2 MiB where it does that to all programs: it took
/// three times the memory and saved no time.
pub(super) fn refuse_huge_pages() {
    #[cfg(target_os = "linux")]
    if let Err(failure) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%failure, "huge pages stay allowed");
    }
}

/// What ends the server from outside: signals, and the end of its standard input if it was told to heed that.
pub(super) struct Signals {
    heeds_stdin: bool,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn catch(heeds_stdin: bool) -> std::io::Result<Signals> {
        Ok(Signals {
            heeds_stdin,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the first one. After it a second one ends the process at once, as an impatient operator expects;
    /// that is safe, because a crash at any moment is.
    pub(super) async fn first(mut self) -> &'static str {
        let heeds_stdin = self.heeds_stdin;
        let name = tokio::select! {
            name = self.next() => name,
            () = end_of_stdin(), if heeds_stdin => "end of standard input",
        };
        tokio::spawn(async move {
            let name = self.next().await;
            eprintln!("stepwell: {name} again: not waiting any longer");
            std::process::exit(130);
        });
        name
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Returns when nobody can write to standard input any more.
async fn end_of_stdin() {
    let (mut stdin, mut ignored) = (tokio::io::stdin(), [0; 512]);
    while let Ok(1..) = stdin.read(&mut ignored).await {}
}

/// As many connections as are asked for, and as leave descriptors for files.
pub(super) fn max_connections(args: &ServeArgs) -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = descriptors.saturating_sub(limits::OTHER_DESCRIPTORS).max(1);
    usize::try_from(u64::from(args.max_connections).min(most)).unwrap_or(usize::MAX)
}

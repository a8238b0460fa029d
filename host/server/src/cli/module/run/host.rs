//! What a module tells its host while it runs, brought from the threads that run it to the one that prints.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stepwell_sandbox::{CallHost, LogLevel};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::super::super::output::{Output, printable};

/// Pause between lines about signs of life, at least.
const BEAT_PAUSE_MILLISECONDS: u64 = 100;

/// One line of standard error.
#[derive(Debug)]
pub(super) struct Line {
    /// Since the call began.
    at: Duration,
    said: Said,
}

#[derive(Debug)]
enum Said {
    /// The sandbox bounds what a call may log, so that these may queue.
    Log(LogLevel, String),
    /// So many signs of life since the last line about them.
    Beats(u64),
}

impl Line {
    /// `   0.012 s  info   charging 7`.
    pub(super) fn print(&self, output: &mut Output) {
        let (word, message) = match &self.said {
            // What the sandbox ended the call with follows in full, as the call's failure.
            Said::Log(LogLevel::Error, message) if message.starts_with("Sandbox.") => {
                (level_name(LogLevel::Error), printable(message.lines().next().unwrap_or_default()))
            }
            Said::Log(level, message) => (level_name(*level), printable(message.trim_end_matches('\n'))),
            Said::Beats(1) => ("beat", "heartbeat".to_owned()),
            Said::Beats(count) => ("beat", format!("{count} heartbeats")),
        };
        output.note(&format!("{:8.3} s  {word:5}  {message}", self.at.as_secs_f64()));
    }

    pub(super) fn as_json(&self) -> Value {
        let milliseconds = u64::try_from(self.at.as_millis()).unwrap_or(u64::MAX);
        match &self.said {
            Said::Log(level, message) => {
                json!({"milliseconds": milliseconds, "level": level_name(*level), "message": message})
            }
            Said::Beats(count) => json!({"milliseconds": milliseconds, "heartbeats": count}),
        }
    }
}

fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

/// The end of one call's lines at which they are printed.
pub(super) struct Listener {
    /// None when nobody wants to see them.
    heard: Option<UnboundedReceiver<Line>>,
    teller: Arc<Teller>,
}

impl Listener {
    /// Makes the two ends. Unless it is `wanted`, what the module says is dropped.
    pub(super) fn new(wanted: bool) -> (Self, Arc<dyn CallHost>) {
        let (sender, heard) = mpsc::unbounded_channel();
        let sender = if wanted { Some(sender) } else { None };
        let teller = Arc::new(Teller {
            sender,
            began: Instant::now(),
            beats: AtomicU64::new(0),
            next_beat_milliseconds: AtomicU64::new(0),
        });
        (Self { heard: wanted.then_some(heard), teller: Arc::clone(&teller) }, teller)
    }

    /// Waits for the end of a call and hands on its lines meanwhile.
    pub(super) async fn listen<T>(self, call: impl Future<Output = T>, mut hear: impl FnMut(Line)) -> T {
        let Self { heard, teller } = self;
        let Some(mut heard) = heard else { return call.await };
        let mut call = std::pin::pin!(call);
        let outcome = loop {
            tokio::select! {
                biased;
                Some(line) = heard.recv() => hear(line),
                outcome = &mut call => break outcome,
            }
        };
        while let Ok(line) = heard.try_recv() {
            hear(line);
        }
        if let Some(line) = teller.beats() {
            hear(line);
        }
        outcome
    }
}

/// The end of one call's lines at which the module speaks.
struct Teller {
    sender: Option<UnboundedSender<Line>>,
    began: Instant,
    /// Signs of life that no line tells of yet.
    beats: AtomicU64,
    /// When the next line may tell of them: a module may give millions.
    next_beat_milliseconds: AtomicU64,
}

impl Teller {
    /// A line about the signs of life since the last one.
    fn beats(&self) -> Option<Line> {
        let beats = self.beats.swap(0, Ordering::Relaxed);
        (beats > 0).then(|| Line { at: self.began.elapsed(), said: Said::Beats(beats) })
    }

    fn send(&self, line: Line) {
        if let Some(sender) = &self.sender {
            // Nobody listens any more when the command was interrupted.
            drop(sender.send(line));
        }
    }
}

impl CallHost for Teller {
    fn log(&self, level: LogLevel, message: &str) {
        self.send(Line { at: self.began.elapsed(), said: Said::Log(level, message.to_owned()) });
    }

    fn heartbeat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if now >= self.next_beat_milliseconds.load(Ordering::Relaxed) {
            self.next_beat_milliseconds.store(now.saturating_add(BEAT_PAUSE_MILLISECONDS), Ordering::Relaxed);
            if let Some(line) = self.beats() {
                self.send(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_in_order_and_signs_of_life_are_counted() {
        let (listener, host) = Listener::new(true);
        let mut lines = Vec::new();
        let call = async {
            host.log(LogLevel::Warn, "first\n");
            (0..1_000).for_each(|_| host.heartbeat());
            tokio::task::yield_now().await;
            host.log(LogLevel::Info, "second");
            7
        };
        assert_eq!(listener.listen(call, |line| lines.push(line)).await, 7);
        let beats: u64 = lines
            .iter()
            .map(|line| match &line.said {
                Said::Beats(count) => *count,
                Said::Log(..) => 0,
            })
            .sum();
        assert_eq!(beats, 1_000);
        assert!(lines.len() < 50, "{}", lines.len());
        let (mut output, captured) = Output::capture(false);
        for line in &lines {
            line.print(&mut output);
        }
        let shown = captured.diagnostic();
        assert!(shown.contains(" s  warn   first\n") && shown.contains(" s  beat   heartbeat\n"), "{shown}");
        assert_eq!(lines[0].as_json()["level"], "warn");
    }

    #[tokio::test]
    async fn what_nobody_wants_is_dropped() {
        let (listener, host) = Listener::new(false);
        let call = async { host.log(LogLevel::Info, "x") };
        listener.listen(call, |line| panic!("{line:?}")).await;
    }
}

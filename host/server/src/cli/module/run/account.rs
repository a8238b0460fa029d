//! What came of a module's calls, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};
use stepwell_sandbox::{CallError, CallOutput, InstalledModule};

use super::super::super::exit::Failure;
use super::super::super::output::{Output, printable};
use super::super::super::{history_table, table};
use super::host::Line;

/// One run of the command.
pub(super) struct Account {
    pub(super) module: InstalledModule,
    /// Whether it was compiled by this run.
    compiled: bool,
    /// How long each call took.
    pub(super) times: Vec<Duration>,
    /// What the first call told its host.
    pub(super) lines: Vec<Line>,
    /// What the last call gave; none when there was none.
    pub(super) outcome: Option<Result<CallOutput, CallError>>,
}

impl Account {
    pub(super) fn new(module: InstalledModule, compiled: bool) -> Self {
        Self { module, compiled, times: Vec::new(), lines: Vec::new(), outcome: None }
    }

    /// Prints the result, and what is to be said beside it.
    pub(super) fn print(self, output: &mut Output) -> Result<(), Failure> {
        if output.wants_json() {
            output.json(&self.as_json())?;
        }
        if let Some(Ok(CallOutput { result })) = &self.outcome
            && !output.wants_json()
        {
            let shown = if output.is_screen() { history_table::pretty(result, "") } else { result.clone() };
            output.line(&shown)?;
            // Before the note, where both go to one screen.
            output.finish()?;
        }
        output.note(&self.note());
        match self.outcome {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(error)) => {
                let cause = error.cause().lines().map(printable).collect::<Vec<_>>().join("\n");
                let message = format!("{}: {cause}", printable(error.name()));
                Err(Failure::NotSucceeded { message, hint: None })
            }
        }
    }

    /// `component of 82.9 KiB, compiled in 72 ms; ran in 0.4 ms`.
    fn note(&self) -> String {
        let module = &self.module;
        let adapted = if module.adapted { ", adapted from a core module" } else { "" };
        let compiled = if self.compiled {
            format!("compiled in {} ms", module.compile_milliseconds)
        } else {
            "compiled earlier".to_owned()
        };
        let mut note =
            format!("{} of {}{adapted}, {compiled}", module.kind.name(), table::bytes(module.size_bytes));
        let mut times = self.times.clone();
        times.sort_unstable();
        let (first, last) = (times.first().copied(), times.last().copied());
        let ran = match (first, last) {
            (Some(only), Some(_)) if times.len() == 1 => format!("; ran in {}", milliseconds(only)),
            (Some(shortest), Some(longest)) => format!(
                "; {} calls in {} each (median; {} to {})",
                times.len(),
                milliseconds(median(&times)),
                milliseconds(shortest),
                milliseconds(longest)
            ),
            (None, _) | (_, None) => String::new(),
        };
        note.push_str(&ran);
        note
    }

    fn as_json(&self) -> Value {
        let mut times = self.times.clone();
        times.sort_unstable();
        let mut account = json!({
            "sha256": self.module.digest,
            "kind": self.module.kind.name(),
            "adapted": self.module.adapted,
            "sizeBytes": self.module.size_bytes,
            "compiled": self.compiled,
            "compileMilliseconds": self.module.compile_milliseconds,
            "calls": times.len(),
            "medianMicroseconds": u64::try_from(median(&times).as_micros()).unwrap_or(u64::MAX),
            "log": self.lines.iter().map(Line::as_json).collect::<Vec<_>>(),
        });
        match &self.outcome {
            None => {}
            // The sandbox has checked that it is JSON; deeper JSON than is read here stays a text.
            Some(Ok(CallOutput { result })) => {
                account["result"] = serde_json::from_str(result).unwrap_or_else(|_| json!(result));
            }
            Some(Err(error)) => {
                account["error"] = json!(error.name());
                account["cause"] = json!(error.cause());
            }
        }
        account
    }
}

/// The one in the middle of sorted times; nothing is zero.
fn median(times: &[Duration]) -> Duration {
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// `0.012 ms`, `1532 ms`.
fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1_000.0;
    let decimals = match milliseconds {
        ..10.0 => 3,
        ..1_000.0 => 1,
        _ => 0,
    };
    format!("{milliseconds:.decimals$} ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell_sandbox::ModuleKind;

    fn account(times: &[u64]) -> Account {
        let module = InstalledModule {
            digest: "d".into(),
            kind: ModuleKind::Command,
            adapted: true,
            size_bytes: 2_048,
            compile_milliseconds: 0,
            imports: Vec::new(),
        };
        let times = times.iter().copied().map(Duration::from_micros).collect();
        Account { times, ..Account::new(module, false) }
    }

    #[test]
    fn the_note_says_what_ran_and_how_long() {
        let begins = "command of 2.0 KiB, adapted from a core module, compiled earlier";
        assert_eq!(account(&[]).note(), begins);
        assert_eq!(account(&[12]).note(), format!("{begins}; ran in 0.012 ms"));
        let many = account(&[2_000_000, 12, 40_250]).note();
        assert_eq!(many, format!("{begins}; 3 calls in 40.2 ms each (median; 0.012 ms to 2000 ms)"));
    }

    #[test]
    fn a_failure_is_shown_with_its_name_and_harmless_text() {
        let (mut output, captured) = Output::capture(false);
        let mut failed = account(&[1]);
        let error = CallError::Task { error: "Broken".into(), cause: "one\ntwo\u{1b}[2J".into() };
        failed.outcome = Some(Err(error));
        let failure = failed.print(&mut output).unwrap_err();
        assert_eq!((failure.to_string().as_str(), failure.exit_code()), ("Broken: one\ntwo\\u{1b}[2J", 1));
        assert_eq!(captured.standard(), "");
    }
}

//! How far a long command is: one line on a terminal, a line now and then elsewhere if it was asked for.
//!
//! It must never write to standard output, where an export may go.

use std::time::{Duration, Instant};

use stepwell_store::transfer::Totals;

use super::super::output::Output;
use super::super::table;

/// How often the line on a terminal changes.
const ON_SCREEN: Duration = Duration::from_millis(200);
/// How often a line is written elsewhere.
const IN_FILE: Duration = Duration::from_secs(5);

/// The progress of one command.
pub(super) struct Progress<'a> {
    output: &'a mut Output,
    verb: &'static str,
    asked: bool,
    begun: Instant,
    told: Instant,
}

impl<'a> Progress<'a> {
    /// Begins; `verb` is what is done with records, like `exported`.
    pub(super) fn new(output: &'a mut Output, verb: &'static str, asked: bool) -> Self {
        let now = Instant::now();
        Self { output, verb, asked, begun: now, told: now }
    }

    /// Tells how far it is, if it is time to.
    pub(super) fn tell(&mut self, totals: Totals) {
        let live = self.output.is_live();
        let every = if live { ON_SCREEN } else { IN_FILE };
        if (!live && !self.asked) || self.told.elapsed() < every {
            return;
        }
        self.told = Instant::now();
        let text = line(self.verb, totals, self.begun.elapsed());
        if live { self.output.progress(&text) } else { self.output.note(&text) }
    }

    /// The last line, if it was asked for.
    pub(super) fn end(self, totals: Totals) {
        if self.asked {
            self.output.note(&line(self.verb, totals, self.begun.elapsed()));
        }
    }
}

fn line(verb: &str, totals: Totals, took: Duration) -> String {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = totals.record_bytes.saturating_mul(1_000) / millis;
    let written = match totals.file_bytes {
        0 => String::new(),
        bytes => format!(", {} in the file", table::bytes(bytes)),
    };
    format!(
        "{verb} {} records, {} ({} a second{written})",
        totals.records,
        table::bytes(totals.record_bytes),
        table::bytes(rate),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_hears_of_progress_only_when_asked() {
        let totals = Totals { records: 7, record_bytes: 2_048, file_bytes: 1_024 };
        for asked in [false, true] {
            let (mut output, captured) = Output::capture(false);
            let mut progress = Progress::new(&mut output, "exported", asked);
            progress.tell(totals);
            progress.end(totals);
            let told = captured.diagnostic();
            assert_eq!(told.contains("exported 7 records, 2.0 KiB"), asked, "{told}");
            assert_eq!(captured.standard(), "");
        }
    }

    #[test]
    fn the_rate_is_of_bytes_before_compression() {
        let totals = Totals { records: 1, record_bytes: 4 << 20, file_bytes: 1 << 20 };
        let line = line("imported", totals, Duration::from_secs(2));
        assert!(line.contains("2.0 MiB a second"), "{line}");
    }
}

//! What the rounds came to, counted, and the table that shows it.

use std::collections::BTreeMap;

use comfy_table::{Table, presets};

use crate::{
    sync_order::SyncOrder,
    trace::{Change, Event, Trace},
    verdict::Verdict,
    volatile::Model,
};

/// Outcomes of rounds of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Outcomes {
    rounds: u32,
    refused: u32,
    lost: u32,
    torn: u32,
    foreign: u32,
    /// Hung or ended in another way.
    failed: u32,
}

/// All that a run of the rig found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// By the model, and how many cuts came in a row.
    outcomes: BTreeMap<(Model, u16), Outcomes>,
    /// What was wrong, one line a round.
    pub findings: Vec<String>,
    /// Acknowledgements that came before their sync.
    pub early: Vec<String>,
    /// Acknowledged batches that were checked.
    pub acknowledged: u64,
    /// Stamps that were looked for, and those that no write contained as a whole.
    pub stamps: (u64, u64),
    /// Events of all traces, and bytes written in them.
    pub events: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Completed syncs.
    pub syncs: u64,
}

impl Report {
    pub(super) fn add(&mut self, model: Model, crash: u16, verdict: Verdict) {
        let outcomes = self.outcomes.entry((model, crash)).or_default();
        outcomes.rounds += 1;
        let finding = match verdict {
            Verdict::Sound => return,
            Verdict::Refused(message) => {
                outcomes.refused += 1;
                format!("refused: {message}")
            }
            Verdict::Lost(message) => {
                outcomes.lost += 1;
                format!("lost: {message}")
            }
            Verdict::Torn(message) => {
                outcomes.torn += 1;
                format!("torn: {message}")
            }
            Verdict::Foreign(message) => {
                outcomes.foreign += 1;
                format!("foreign: {message}")
            }
            Verdict::Hung => {
                outcomes.failed += 1;
                "hung".to_owned()
            }
            Verdict::Failed(message) => {
                outcomes.failed += 1;
                format!("failed: {message}")
            }
        };
        self.findings.push(format!("round {}: {finding}", self.rounds() - 1));
    }

    pub(super) fn observe(&mut self, trace: &Trace, order: &SyncOrder) {
        self.acknowledged += order.acknowledged;
        self.stamps = (self.stamps.0 + order.stamps, self.stamps.1 + order.cut);
        self.early.extend(order.violations.iter().cloned());
        self.events += trace.events.len() as u64;
        for event in &trace.events {
            match event {
                Event::File(_, Change::Write(_, data)) => self.written_bytes += data.len() as u64,
                Event::SyncEnded(_) => self.syncs += 1,
                Event::File(_, Change::Resize(_))
                | Event::Name(_)
                | Event::SyncBegan(..)
                | Event::Note(_) => {}
            }
        }
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u32 {
        self.outcomes.values().map(|outcomes| outcomes.rounds).sum()
    }

    /// Whether every round was sound and every acknowledgement came after its sync.
    pub fn sound(&self) -> bool {
        self.findings.is_empty() && self.early.is_empty()
    }

    /// The summary.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED);
        table.set_header([
            "names",
            "crashes in a row",
            "rounds",
            "refused",
            "lost",
            "torn",
            "foreign",
            "failed",
        ]);
        for ((model, crash), outcomes) in &self.outcomes {
            table.add_row(row(&format!("{model:?}").to_lowercase(), &crash.to_string(), *outcomes));
        }
        let mut all = Outcomes::default();
        for outcomes in self.outcomes.values() {
            all.rounds += outcomes.rounds;
            all.refused += outcomes.refused;
            all.lost += outcomes.lost;
            all.torn += outcomes.torn;
            all.foreign += outcomes.foreign;
            all.failed += outcomes.failed;
        }
        table.add_row(row("all", "", all));
        table
    }
}

fn row(model: &str, crash: &str, outcomes: Outcomes) -> Vec<String> {
    let Outcomes { rounds, refused, lost, torn, foreign, failed } = outcomes;
    let counts = [rounds, refused, lost, torn, foreign, failed].map(|count| count.to_string());
    [model.to_owned(), crash.to_owned()].into_iter().chain(counts).collect()
}

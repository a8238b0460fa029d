//! What a simulation has done: steps, commits, faults of each kind, and a digest of all that can be seen of it.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use stepwell_store::fault::Fault;

/// The faults that must strike in every simulation that is long enough.
pub(crate) const FAULTS: [Fault; 6] = [
    Fault::Full,
    Fault::UnknownLost,
    Fault::UnknownStored,
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::Slow,
];

/// Sums over all runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) runs: u64,
    /// Transitions that are stored at the end: each was made by `step`, once.
    pub(crate) steps: u64,
    pub(crate) events: u64,
    pub(crate) executions: u64,
    /// Commits that were stored.
    pub(crate) commits: u64,
    /// Answers to the client.
    pub(crate) acknowledged: u64,
    /// Executions that were open at a crash and were replayed from their start and from their checkpoint.
    pub(crate) replayed_open: u64,
    pub(crate) virtual_milliseconds: u64,
    pub(crate) struck: BTreeMap<&'static str, u64>,
    /// Of every fault in its order, and of every history.
    pub(crate) digest: u64,
}

impl Tally {
    /// Counts faults; their order goes into the digest.
    pub(crate) fn strike(&mut self, faults: &[Fault]) {
        for fault in faults {
            *self.struck.entry(name(*fault)).or_default() += 1;
            self.mix(name(*fault));
        }
    }

    pub(crate) fn struck(&self, fault: Fault) -> u64 {
        self.struck.get(name(fault)).copied().unwrap_or_default()
    }

    /// Puts something into the digest. It is the same for every run of one build.
    pub(crate) fn mix(&mut self, what: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (self.digest, what).hash(&mut hasher);
        self.digest = hasher.finish();
    }

    /// Adds a later run.
    pub(crate) fn add(&mut self, run: &Tally) {
        self.runs += run.runs;
        self.steps += run.steps;
        self.events += run.events;
        self.executions += run.executions;
        self.commits += run.commits;
        self.acknowledged += run.acknowledged;
        self.replayed_open += run.replayed_open;
        self.virtual_milliseconds += run.virtual_milliseconds;
        for (fault, count) in &run.struck {
            *self.struck.entry(fault).or_default() += count;
        }
        self.mix(run.digest);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { runs, steps, events, executions, commits, acknowledged, .. } = self;
        let crashes = self.struck(Fault::CrashBefore) + self.struck(Fault::CrashAfter);
        writeln!(f, "{steps} steps, {events} events of {executions} executions in {runs} runs")?;
        writeln!(f, "{commits} commits stored, {acknowledged} answers acknowledged, {crashes} crashes")?;
        writeln!(f, "{} open executions replayed at crashes", self.replayed_open)?;
        for fault in FAULTS {
            writeln!(f, "fault {}: {}", name(fault), self.struck(fault))?;
        }
        writeln!(f, "{} s of virtual time", self.virtual_milliseconds / 1_000)?;
        write!(f, "digest {:016x}", self.digest)
    }
}

fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Full => "commit fails",
        Fault::UnknownLost => "commit unknown, not stored",
        Fault::UnknownStored => "commit unknown, stored",
        Fault::CrashBefore => "crash before a commit",
        Fault::CrashAfter => "crash after a commit",
        Fault::Slow => "slow disk",
    }
}

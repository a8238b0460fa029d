//! How quiet the machine was: what other programs used of its processors while something was measured.
//!
//! A busy machine does not slow both sides alike. A thread that waits for the disk or for another thread gets its processor
//! back only when a busy stranger lets go of it, milliseconds later, so the side that waits more often loses more.

use crate::sample::process_cpu;
use std::time::{Duration, Instant};

/// Share of the processors from which on a row is not to be trusted.
pub const NOISY: f64 = 0.1;

/// Watches from its creation on.
pub struct QuietWatch {
    started: Instant,
    own: Duration,
    all: Option<Ticks>,
}

/// Clock ticks of all processors since the system started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    all: u64,
}

impl QuietWatch {
    /// Begins to watch.
    pub fn start() -> QuietWatch {
        QuietWatch { started: Instant::now(), own: process_cpu(), all: Ticks::now() }
    }

    /// The share of all processors' time since the start that was spent outside this process, the kernel's own work
    /// included: 0 to 1; none where the system does not tell.
    pub fn others(&self) -> Option<f64> {
        self.others_beside(Duration::ZERO)
    }

    /// The same, where child processes that belong to the benchmark have used so much processor time since the start.
    #[expect(clippy::cast_precision_loss, reason = "ticks and processors stay far below 2^52")]
    pub fn others_beside(&self, children: Duration) -> Option<f64> {
        let processors = std::thread::available_parallelism().ok()?.get() as f64;
        let (before, now) = (self.all?, Ticks::now()?);
        let busy = (now.busy - before.busy) as f64 / (now.all - before.all).max(1) as f64;
        let own = (process_cpu().saturating_sub(self.own) + children).as_secs_f64();
        Some((busy - own / self.started.elapsed().as_secs_f64() / processors).clamp(0.0, 1.0))
    }
}

impl Ticks {
    /// Linux: the first line of `/proc/stat`.
    fn now() -> Option<Ticks> {
        Ticks::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    fn parse(text: &str) -> Option<Ticks> {
        let numbers = text.lines().next()?.strip_prefix("cpu ")?;
        // user, nice, system, idle, iowait, irq, softirq, steal; what follows is contained in the first two.
        let ticks: Vec<u64> =
            numbers.split_whitespace().take(8).map_while(|number| number.parse().ok()).collect();
        let all: u64 = ticks.iter().sum();
        let idle = ticks.get(3)? + ticks.get(4)?;
        Some(Ticks { busy: all - idle, all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_ticks_of_all_processors() {
        let text = "cpu  100 1 20 1000 50 3 4 5 9 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(Ticks::parse(text), Some(Ticks { busy: 133, all: 1_183 }));
        assert_eq!(Ticks::parse("cpu0 1 2 3 4 5"), None);
        assert_eq!(Ticks::parse("cpu  1 2 3"), None);
    }
}

//! One window of measuring: how much happened, how long it took, what it cost; and medians over several.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// How a measurement is cut up.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Rounds of baseline and product in turn. At least 1.
    pub rounds: u32,
    /// Length of one window, of the baseline and of the product alike.
    pub window: Duration,
    /// Time before each window in which the product comes up to speed; not counted.
    pub warm_up: Duration,
}

/// What one window saw.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Things that happened: syncs, transitions, calls.
    pub count: u64,
    /// Length of the window.
    pub elapsed: Duration,
    /// Processor time that the whole process used in it, all threads together.
    pub cpu: Duration,
    /// How long single things took, ascending. May be fewer than `count`: not everything is timed.
    pub latencies: Vec<Duration>,
}

/// A window under way.
pub struct Window {
    started: Instant,
    cpu: Duration,
}

impl Window {
    /// Opens a window now.
    pub fn open() -> Window {
        Window { started: Instant::now(), cpu: process_cpu() }
    }

    /// Closes it; sorts the latencies after the clock has stopped.
    pub fn close(self, count: impl FnOnce() -> u64, latencies: impl FnOnce() -> Vec<Duration>) -> Sample {
        let (elapsed, cpu) = (self.started.elapsed(), process_cpu().saturating_sub(self.cpu));
        let count = count();
        let mut latencies = latencies();
        latencies.sort_unstable();
        Sample { count, elapsed, cpu, latencies }
    }
}

impl Sample {
    /// Repeats `work` until the window is over, at least once. It says how many things each time was.
    pub fn of_loop(
        length: Duration,
        mut work: impl FnMut() -> anyhow::Result<u64>,
    ) -> anyhow::Result<Sample> {
        let (window, started, mut count) = (Window::open(), Instant::now(), 0);
        loop {
            count += work()?;
            if started.elapsed() >= length {
                return Ok(window.close(|| count, Vec::new));
            }
        }
    }

    /// Takes in another window of the same kind. Latencies stay sorted.
    pub fn add(&mut self, other: Sample) {
        self.count += other.count;
        self.elapsed += other.elapsed;
        self.cpu += other.cpu;
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
    }

    /// Things per second.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn per_second(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64()
    }

    /// Microseconds of processor time per thing; 0 when nothing happened.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn cpu_microseconds(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.cpu.as_secs_f64() * 1e6 / self.count as f64 }
    }

    /// The latency below which `percent` of them lie, in microseconds; 0 without any.
    pub fn percentile_microseconds(&self, percent: usize) -> f64 {
        let index = self.latencies.len().saturating_sub(1) * percent / 100;
        self.latencies.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    }
}

/// The median: of an even number of values the mean of the middle two, of none NaN.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Processor time that this process has used so far, all threads together.
pub(crate) fn process_cpu() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let nanoseconds = u32::try_from(used.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(used.tv_sec).unwrap_or_default(), nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median([]).is_nan());
        let latencies: Vec<Duration> = (1..=100).map(Duration::from_micros).collect();
        let sample =
            Sample { count: 200, elapsed: Duration::from_secs(2), cpu: Duration::from_secs(1), latencies };
        assert!((sample.percentile_microseconds(50) - 50.0).abs() < 1e-9);
        assert!((sample.percentile_microseconds(99) - 99.0).abs() < 1e-9);
        assert!((sample.per_second() - 100.0).abs() < 1e-9);
        assert!((sample.cpu_microseconds() - 5_000.0).abs() < 1e-9);
        assert!(Sample::default().percentile_microseconds(50).abs() < 1e-9);
    }

    #[test]
    fn a_loop_runs_until_its_window_is_over_and_windows_add_up() {
        let mut sample = Sample::of_loop(Duration::ZERO, || Ok(3)).unwrap();
        assert_eq!(sample.count, 3);
        sample.add(Sample { count: 4, elapsed: Duration::from_secs(1), ..Sample::default() });
        assert!(sample.count == 7 && sample.elapsed > Duration::from_secs(1));
        let long = Sample::of_loop(Duration::from_millis(2), || Ok(1)).unwrap();
        assert!(long.elapsed >= Duration::from_millis(2));
        assert!(Sample::of_loop(Duration::ZERO, || anyhow::bail!("broken")).is_err());
    }

    #[test]
    fn a_window_counts_processor_time() {
        let window = Window::open();
        let mut sum = 0_u64;
        while window.cpu == process_cpu() {
            sum = sum.wrapping_add(1);
        }
        let sample = window.close(|| sum, || vec![Duration::from_secs(2), Duration::from_secs(1)]);
        assert!(sample.cpu > Duration::ZERO && sample.elapsed > Duration::ZERO);
        assert_eq!(sample.latencies, [Duration::from_secs(1), Duration::from_secs(2)]);
    }
}

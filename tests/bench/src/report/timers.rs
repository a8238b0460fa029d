//! The figures of a great many durable timers.

use super::{megabytes, numbers, percent, text, titled};
use crate::sample::Sample;
use crate::served::timers::Fired;
use serde_json::{Value, json};

/// Figures that two forms of the report share.
struct Figures {
    p50_milliseconds: f64,
    p99_milliseconds: f64,
    longest_milliseconds: f64,
    idle_cpu_seconds_per_hour: f64,
    cpu_microseconds_each: f64,
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    fn of(fired: &Fired) -> Figures {
        let late = Sample { latencies: fired.late.clone(), ..Sample::default() };
        let late = |percent| late.percentile_microseconds(percent) / 1e3;
        let (watched, used) = fired.idle;
        Figures {
            p50_milliseconds: late(50),
            p99_milliseconds: late(99),
            longest_milliseconds: late(100),
            idle_cpu_seconds_per_hour: used.as_secs_f64() / watched.as_secs_f64() * 3_600.0,
            cpu_microseconds_each: fired.firing_cpu.as_secs_f64() * 1e6 / fired.timers.count as f64,
        }
    }
}

/// The table.
pub fn timers_table(fired: &Fired) -> String {
    let figures = Figures::of(fired);
    let mut table = titled(&[
        "timers",
        "due/s",
        "late p50 ms",
        "p99 ms",
        "longest ms",
        "cpu us each",
        "idle cpu s/h",
        "RSS MB empty",
        "waiting",
        "fired",
        "most",
        "others %",
    ]);
    let [empty, waiting, after] = fired.usage;
    table.add_row(numbers(&[
        fired.timers.count.to_string(),
        fired.timers.per_second.to_string(),
        format!("{:.0}", figures.p50_milliseconds),
        format!("{:.0}", figures.p99_milliseconds),
        format!("{:.0}", figures.longest_milliseconds),
        format!("{:.0}", figures.cpu_microseconds_each),
        format!("{:.0}", figures.idle_cpu_seconds_per_hour),
        megabytes(empty.resident_bytes),
        megabytes(waiting.resident_bytes),
        megabytes(after.resident_bytes),
        megabytes(after.peak_resident_bytes),
        percent(fired.others),
    ]));
    text(&table)
}

/// All of it for programs.
pub fn timers_json(fired: &Fired) -> Value {
    let figures = Figures::of(fired);
    let [empty, waiting, after] = fired.usage;
    json!({
        "store": fired.store.name(),
        "timers": fired.timers.count,
        "duePerSecond": fired.timers.per_second,
        "startsPerSecond": fired.filled.per_second,
        "late": {
            "histories": fired.late.len(),
            "p50Milliseconds": figures.p50_milliseconds,
            "p99Milliseconds": figures.p99_milliseconds,
            "longestMilliseconds": figures.longest_milliseconds,
        },
        "firingSeconds": fired.firing.as_secs_f64(),
        "cpuMicrosecondsEach": figures.cpu_microseconds_each,
        "idleSeconds": fired.idle.0.as_secs_f64(),
        "idleCpuSecondsPerHour": figures.idle_cpu_seconds_per_hour,
        "residentBytes": {
            "empty": empty.resident_bytes,
            "waiting": waiting.resident_bytes,
            "fired": after.resident_bytes,
            "most": after.peak_resident_bytes,
        },
        "othersShare": fired.others,
    })
}

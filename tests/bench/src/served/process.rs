//! What a process uses: processor time, memory, bytes written, from `/proc` (Linux, `proc(5)`).

use anyhow::Context as _;
use std::time::Duration;

/// Length of one clock tick in `/proc/PID/stat`: Linux shows every program 100 of them a second.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used since it started, and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time, its own and the kernel's for it (`utime`, `stime`); in steps of 10 ms. Children do not count.
    pub cpu: Duration,
    /// Resident memory now (`VmRSS`).
    pub resident_bytes: u64,
    /// Most resident memory so far (`VmHWM`).
    pub peak_resident_bytes: u64,
    /// Bytes that it made the kernel write to disks (`write_bytes`): whole pages.
    pub written_bytes: u64,
}

impl Usage {
    /// Of the process with this id, or `self`.
    pub fn of(process: &str) -> anyhow::Result<Usage> {
        let read = |name: &str| {
            let path = format!("/proc/{process}/{name}");
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
        };
        let (stat, status) = (read("stat")?, read("status")?);
        let usage = || {
            Some(Usage {
                cpu: cpu(&stat)?,
                resident_bytes: kibibytes(&status, "VmRSS:")? << 10,
                peak_resident_bytes: kibibytes(&status, "VmHWM:")? << 10,
                written_bytes: 0,
            })
        };
        let usage = usage().with_context(|| format!("/proc/{process} says nothing that is understood"))?;
        Ok(Usage { written_bytes: written_bytes(process), ..usage })
    }
}

/// Bytes that a process, `self` or an id, made the kernel write to disks; 0 where the kernel does not count them.
pub fn written_bytes(process: &str) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{process}/io")).unwrap_or_default();
    number(&io, "write_bytes:").unwrap_or_default()
}

fn cpu(stat: &str) -> Option<Duration> {
    // The program's name may hold spaces; it ends with the last parenthesis.
    let (_, fields) = stat.rsplit_once(')')?;
    let times: Vec<u32> =
        fields.split_whitespace().skip(11).take(2).map_while(|ticks| ticks.parse().ok()).collect();
    Some(TICK * (times.first()? + times.get(1)?))
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    number(status, name)
}

/// The number behind a name at the beginning of a line.
fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_whatever_the_program_is_called() {
        let stat = "17 (a ) b) S 1 17 17 0 -1 4194560 900 0 0 0 150 25 7 7 20 0 3 0 100 1 2";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1_750)));
        assert_eq!(cpu("17 (a) S 1"), None);
    }

    #[test]
    fn memory_and_bytes_are_read_by_name() {
        let status = "Name:\tstepwell\nVmHWM:\t  5000 kB\nVmRSS:\t  4096 kB\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(4_096));
        assert_eq!(
            number("rchar: 1\nwrite_bytes: 8192\ncancelled_write_bytes: 4\n", "write_bytes:"),
            Some(8_192)
        );
        assert_eq!(kibibytes("", "VmRSS:"), None);
    }

    #[test]
    fn this_process_uses_something() {
        let usage = Usage::of("self").unwrap();
        assert!(usage.resident_bytes > 0 && usage.peak_resident_bytes >= usage.resident_bytes, "{usage:?}");
        assert!(Usage::of("no-such-process").is_err());
    }
}

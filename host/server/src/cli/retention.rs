//! How long executions are kept after their end, as it is written on the command line: `90`, `12h`, `none`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The units that may follow a number, and their seconds. Without one, it counts days.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// The longest time, in seconds: a hundred years. Who wants more wants none.
const LONGEST: u64 = 36_525 * 86_400;

/// The time for which closed executions are kept; none: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention(pub(crate) Option<Duration>);

impl FromStr for Retention {
    type Err = String;

    fn from_str(text: &str) -> Result<Retention, String> {
        if text == "none" {
            return Ok(Retention(None));
        }
        let (digits, unit) = UNITS
            .iter()
            .find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, *seconds)))
            .unwrap_or((text, UNITS[0].1));
        let seconds = Some(digits)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse::<u64>().ok())
            .and_then(|number| number.checked_mul(unit))
            .filter(|seconds| (1..=LONGEST).contains(seconds));
        match seconds {
            Some(seconds) => Ok(Retention(Some(Duration::from_secs(seconds)))),
            // Somebody may mean "for ever", somebody else "not at all".
            None if digits == "0" => Err("give `none` to keep them for ever, or at least 1s".to_owned()),
            None => Err("give a number of days, a time like 12h, 30m or 45s, or `none`".to_owned()),
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(seconds) = self.0.map(|keep| keep.as_secs()) else { return f.write_str("none") };
        let whole = UNITS.iter().find(|(_, unit)| seconds.is_multiple_of(*unit));
        match whole {
            Some((unit, length)) => write!(f, "{}{unit}", seconds / length),
            None => write!(f, "{seconds}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Retention;
    use std::time::Duration;

    #[test]
    fn a_time_is_days_or_has_a_unit() {
        for (text, seconds, shown) in [
            ("90", 90 * 86_400, "90d"),
            ("1d", 86_400, "1d"),
            ("36h", 36 * 3_600, "36h"),
            ("48h", 2 * 86_400, "2d"),
            ("90m", 5_400, "90m"),
            ("45s", 45, "45s"),
        ] {
            let retention: Retention = text.parse().unwrap();
            assert_eq!(retention, Retention(Some(Duration::from_secs(seconds))), "{text}");
            assert_eq!(retention.to_string(), shown);
        }
        assert_eq!("none".parse(), Ok(Retention(None)));
        assert_eq!(Retention(None).to_string(), "none");
    }

    #[test]
    fn nothing_and_nonsense_are_refused() {
        for wrong in ["", "d", "-1", "+1", "1.5", "1w", "90 ", "forever", "36526", "99999999999999999999"] {
            assert!(wrong.parse::<Retention>().unwrap_err().contains("number of days"), "{wrong}");
        }
        for nothing in ["0", "0s"] {
            assert!(nothing.parse::<Retention>().unwrap_err().contains("`none`"), "{nothing}");
        }
    }
}

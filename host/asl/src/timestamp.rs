//! Points in time: milliseconds since the Unix epoch, and their RFC 3339 text.
//!
//! It must never ask what time it is: events carry their timestamp.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time in milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Parses the RFC 3339 profile that ASL asks for: upper-case `T`, and `Z` or a numeric offset.
    /// Digits below a millisecond are cut off. `None` when the text is anything else.
    pub fn parse(text: &str) -> Option<Timestamp> {
        if text.as_bytes().get(10) != Some(&b'T') || text.ends_with('z') {
            return None;
        }
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Timestamp)
    }

    /// The moment `milliseconds` later; it stays at the end of time instead of overflowing.
    #[must_use]
    pub fn plus_milliseconds(self, milliseconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(milliseconds))
    }

    /// The moment `seconds` later; it stays at the end of time instead of overflowing.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Timestamp {
        let milliseconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
        self.plus_milliseconds(milliseconds)
    }

    /// RFC 3339 text in UTC with three fraction digits, as the context object shows it.
    pub fn to_rfc3339(self) -> String {
        let seconds = self.0.div_euclid(1_000);
        let Ok(moment) = OffsetDateTime::from_unix_timestamp(seconds) else {
            return format!("{seconds}");
        };
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            moment.year(),
            u8::from(moment.month()),
            moment.day(),
            moment.hour(),
            moment.minute(),
            moment.second(),
            self.0.rem_euclid(1_000)
        )
    }

    /// Seconds since the epoch with fraction: the API's timestamp form.
    #[allow(clippy::cast_precision_loss)] // milliseconds of any real date fit 53 bits
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_only_the_profile_of_the_specification() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T00:00:01.5Z", Some(1_500)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("2016-03-05T21:29:29.243167252Z", Some(1_457_213_369_243)),
            ("2016-03-14 01:59:00Z", None),
            ("2016-03-14t01:59:00Z", None),
            ("2016-03-14T01:59:00z", None),
            ("2016-03-14T01:59:00", None),
            ("2016-13-14T01:59:00Z", None),
            ("2016-12-05T25:29:29Z", None),
            ("05-12-2016T21:29:29Z", None),
            ("", None),
        ] {
            assert_eq!(Timestamp::parse(text), expected.map(Timestamp), "{text}");
        }
    }

    #[test]
    fn prints_milliseconds() {
        assert_eq!(Timestamp(1_457_213_369_243).to_rfc3339(), "2016-03-05T21:29:29.243Z");
        assert_eq!(Timestamp(-1).to_rfc3339(), "1969-12-31T23:59:59.999Z");
    }
}

//! Moments and durations as people read them. Moments are always UTC: the same run reads the same everywhere, and the
//! server's log does it too.

use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Date, Duration, OffsetDateTime, UtcOffset};

/// Reads a moment of the API: seconds since the epoch, or RFC 3339 text. `None` for anything else.
///
/// Rounded to milliseconds, which is what servers write: in binary, `.123` may arrive as `.122999`.
pub(crate) fn moment(value: &Value) -> Option<OffsetDateTime> {
    let exact = match value {
        Value::Number(seconds) => {
            OffsetDateTime::UNIX_EPOCH.checked_add(Duration::saturating_seconds_f64(seconds.as_f64()?))
        }
        Value::String(text) => OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(|moment| moment.checked_to_offset(UtcOffset::UTC)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }?;
    let nearest = exact.checked_add(Duration::microseconds(500))?;
    nearest.replace_millisecond(nearest.millisecond()).ok()
}

/// `2026-11-22 16:32:28`; `-` if the value is no moment.
pub(crate) fn to_the_second(value: &Value) -> String {
    moment(value).map_or_else(dash, |moment| format!("{} {}", date(moment.date()), clock(moment, false)))
}

/// `2026-11-22 16:32:28.123`; `-` if the value is no moment.
pub(crate) fn to_the_millisecond(value: &Value) -> String {
    moment(value).map_or_else(dash, |moment| format!("{} {}", date(moment.date()), clock(moment, true)))
}

/// `16:32:28.123`; `-` if the value is no moment.
pub(crate) fn time_of_day(value: &Value) -> String {
    moment(value).map_or_else(dash, |moment| clock(moment, true))
}

/// The time between two moments, as [`span`]; `-` if one is missing.
pub(crate) fn between(from: &Value, to: &Value) -> String {
    match (moment(from), moment(to)) {
        (Some(from), Some(to)) => span(to - from),
        (Some(_) | None, _) => dash(),
    }
}

/// `0.123s`, `59.000s`, `2m 03.400s`, `3h 04m 05s`, `12d 03h 04m`: a precision that suits the length.
pub(crate) fn span(duration: Duration) -> String {
    let sign = if duration.is_negative() { "-" } else { "" };
    let duration = duration.abs();
    let milliseconds = duration.subsec_milliseconds();
    let total = duration.whole_seconds();
    let (days, hours, minutes, seconds) = (total / 86_400, total / 3_600 % 24, total / 60 % 60, total % 60);
    if days > 0 {
        format!("{sign}{days}d {hours:02}h {minutes:02}m")
    } else if hours > 0 {
        format!("{sign}{hours}h {minutes:02}m {seconds:02}s")
    } else if minutes > 0 {
        format!("{sign}{minutes}m {seconds:02}.{milliseconds:03}s")
    } else {
        format!("{sign}{seconds}.{milliseconds:03}s")
    }
}

/// `2026-11-22`.
pub(crate) fn date(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

fn clock(moment: OffsetDateTime, milliseconds: bool) -> String {
    let (hour, minute, second) = moment.to_hms();
    if milliseconds {
        format!("{hour:02}:{minute:02}:{second:02}.{:03}", moment.millisecond())
    } else {
        format!("{hour:02}:{minute:02}:{second:02}")
    }
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::Duration;

    use super::{between, span, time_of_day, to_the_millisecond, to_the_second};

    #[test]
    fn moments_are_utc() {
        assert_eq!(to_the_millisecond(&json!(1_795_365_148.123)), "2026-11-22 16:32:28.123");
        assert_eq!(to_the_second(&json!("2026-11-22T17:32:28.5+01:00")), "2026-11-22 16:32:28");
        assert_eq!(time_of_day(&json!(0)), "00:00:00.000");
        for nothing in [Value::Null, json!("yesterday"), json!(1e300), json!([1])] {
            assert_eq!(to_the_second(&nothing), "-", "{nothing}");
        }
    }

    #[test]
    fn every_millisecond_survives_the_binary_fraction() {
        for millisecond in 0..1_000 {
            let text = format!("1795365148.{millisecond:03}");
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(time_of_day(&value), format!("16:32:28.{millisecond:03}"));
        }
    }

    #[test]
    fn spans_suit_their_length() {
        assert_eq!(span(Duration::milliseconds(7)), "0.007s");
        assert_eq!(span(Duration::milliseconds(123_400)), "2m 03.400s");
        assert_eq!(span(Duration::seconds(11_045)), "3h 04m 05s");
        assert_eq!(span(Duration::days(365)), "365d 00h 00m");
        assert_eq!(span(Duration::milliseconds(-1_500)), "-1.500s");
        assert_eq!(between(&json!(1.0), &json!(2.25)), "1.250s");
        assert_eq!(between(&json!(1.0), &Value::Null), "-");
    }
}

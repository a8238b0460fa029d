//! `/api/clock`: what time it is for workflows, and skipping of virtual time. Real time is only told, never moved.

use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_asl::Timestamp;
use stepwell_executor::{AdvanceError, SkipError, Skipping, VirtualClock};

use super::modules::read;
use super::{Answer, RestError, answer, members};
use crate::api::error::ApiError;
use crate::auth::AsCaller;
use crate::server::Server;

/// What `POST` takes: one of the three.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvanceBody {
    /// How far to skip; a number, not negative.
    seconds: Option<Value>,
    /// The moment to skip to, RFC 3339; not in the past.
    to: Option<Value>,
    /// True: to the next timer, once nothing is under way.
    next: Option<Value>,
}

/// A skip that was asked for.
#[derive(Debug, PartialEq)]
enum Advance {
    By(Duration),
    To(Timestamp),
    Next,
}

/// `GET /api/clock`.
pub(super) async fn show(AsCaller(server): AsCaller) -> Answer {
    Ok(answer(StatusCode::OK, &describe(&server)))
}

/// `POST /api/clock/advance`: answers as [`show`] does, once time has been skipped.
pub(super) async fn advance(AsCaller(server): AsCaller, request: Request) -> Answer {
    let advance = Advance::read(members::read(&read(request).await?)?)?;
    let clock = server.clock.as_virtual().ok_or_else(|| refused(SkipError::Real))?;
    match advance {
        Advance::By(by) => drop(clock.advance(by).map_err(|error| wrong("seconds", error))?),
        Advance::To(at) => drop(clock.advance_to(at).map_err(|error| wrong("to", error))?),
        Advance::Next => {
            let skipped = server.executor.skip_to_next().await.map_err(refused)?;
            skipped.ok_or_else(|| RestError::Conflict {
                code: "NothingToSkipTo",
                message: "no execution waits for a time".to_owned(),
            })?;
        }
    }
    Ok(answer(StatusCode::OK, &describe(&server)))
}

/// The word for a clock in answers.
pub(super) fn mode(clock: Option<&VirtualClock>) -> &'static str {
    match clock.map(VirtualClock::skipping) {
        None => "real",
        Some(Skipping::Auto) => "auto",
        Some(Skipping::Manual) => "manual",
    }
}

fn describe(server: &Server) -> Value {
    let clock = server.clock.as_virtual();
    let offset = clock.map(VirtualClock::offset).unwrap_or_default();
    // A whole number where it is one.
    let seconds =
        if offset.subsec_nanos() == 0 { json!(offset.as_secs()) } else { json!(offset.as_secs_f64()) };
    json!({"mode": mode(clock), "now": server.clock.now().to_rfc3339(), "offsetSeconds": seconds})
}

impl Advance {
    /// Errors: `Invalid`, with the name of the member.
    fn read(body: AdvanceBody) -> Result<Advance, RestError> {
        let invalid = |message: &str| Err(RestError::Invalid(message.to_owned()));
        match (body.seconds, body.to, body.next) {
            (Some(seconds), None, None) => {
                let by = seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                by.map_or_else(
                    || invalid("seconds: give a number that is not negative"),
                    |by| Ok(Self::By(by)),
                )
            }
            (None, Some(to), None) => {
                let at = to.as_str().and_then(Timestamp::parse);
                let wrong = "to: give a moment like 2031-01-01T00:00:00Z";
                at.map_or_else(|| invalid(wrong), |at| Ok(Self::To(at)))
            }
            (None, None, Some(Value::Bool(true))) => Ok(Self::Next),
            (None, None, Some(_)) => invalid("next: can only be true"),
            _ => invalid("give one of seconds, to and next"),
        }
    }
}

fn wrong(member: &str, error: AdvanceError) -> RestError {
    RestError::Invalid(format!("{member}: {error}"))
}

fn refused(error: SkipError) -> RestError {
    let code = match error {
        SkipError::Real => "ClockIsReal",
        SkipError::AtWork => "WorkUnderWay",
        SkipError::ShuttingDown => return ApiError::ServiceUnavailable(error.to_string()).into(),
        SkipError::Store(error) => return error.into(),
    };
    RestError::Conflict { code, message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &Value) -> Result<Advance, String> {
        let body = members::read(body.to_string().as_bytes());
        body.and_then(Advance::read).map_err(|error| {
            let RestError::Invalid(message) = error else { panic!("another error") };
            message
        })
    }

    #[test]
    fn one_way_to_skip_is_given_and_errors_name_the_member() {
        assert_eq!(read(&json!({"seconds": 1.5})), Ok(Advance::By(Duration::from_millis(1_500))));
        assert_eq!(read(&json!({"to": "1970-01-01T00:00:01Z"})), Ok(Advance::To(Timestamp(1_000))));
        assert_eq!(read(&json!({"next": true})), Ok(Advance::Next));
        for (body, word) in [
            (json!({"seconds": -1}), "seconds: "),
            (json!({"seconds": 1e300}), "seconds: "),
            (json!({"seconds": "1"}), "seconds: "),
            (json!({"to": "tomorrow"}), "to: "),
            (json!({"to": 1}), "to: "),
            (json!({"next": false}), "next: "),
            (json!({}), "give one of"),
            (json!({"seconds": 1, "next": true}), "give one of"),
            (json!({"minutes": 1}), "the request's JSON: unknown field `minutes`"),
        ] {
            let message = read(&body).unwrap_err();
            assert!(message.starts_with(word), "{body}: {message}");
        }
    }
}

//! The behaviours, one variant each. Their JSON forms are listed in README.md.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::time::Duration;
use stepwell::{TaskContext, TaskError, log};

/// The patched JSON. One flat struct instead of a tagged enum: serde buffers tagged enums, and a buffer does not keep
/// `value` as it was written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    behaviour: Behaviour,
    #[serde(default = "null")]
    value: Box<RawValue>,
    #[serde(default)]
    seconds: f64,
    #[serde(default)]
    error: String,
    #[serde(default)]
    cause: String,
    #[serde(default = "letter_a")]
    char: char,
    #[serde(default)]
    count: usize,
}

/// What the stub does with an event.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Behaviour {
    /// Returns the event.
    ReturnEvent,
    /// Returns `value`.
    ReturnConst,
    /// Sleeps `seconds`, then returns the event.
    SleepThenReturnEvent,
    /// Fails with `error` and `cause`.
    Raise,
    /// Returns `char` repeated `count` times, as a JSON string.
    ReturnConstRepeat,
    /// Returns what `context` says, in camel case.
    ReturnContext,
    /// Writes one log line per level, beats once, then returns the event.
    LogAndHeartbeat,
}

/// The value when none is configured.
fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

/// The character when none is configured.
fn letter_a() -> char {
    'a'
}

/// The context with the field names that tests read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    execution_arn: String,
    state_name: String,
    attempt: u32,
    idempotency_key: String,
    task_token: Option<String>,
    remaining_milliseconds: u128,
}

impl From<TaskContext> for Context {
    fn from(context: TaskContext) -> Self {
        Self {
            execution_arn: context.execution_arn,
            state_name: context.state_name,
            attempt: context.attempt,
            idempotency_key: context.idempotency_key,
            task_token: context.task_token,
            remaining_milliseconds: stepwell::remaining().as_millis(),
        }
    }
}

impl Config {
    /// Answers one event.
    pub(crate) fn play(self, event: Box<RawValue>) -> Result<Box<RawValue>, TaskError> {
        match self.behaviour {
            Behaviour::ReturnEvent => Ok(event),
            Behaviour::ReturnConst => Ok(self.value),
            Behaviour::SleepThenReturnEvent => {
                std::thread::sleep(Duration::try_from_secs_f64(self.seconds)?);
                Ok(event)
            }
            Behaviour::Raise => Err(TaskError::new(self.error, self.cause)),
            Behaviour::ReturnConstRepeat => Ok(to_raw_value(&self.char.to_string().repeat(self.count))?),
            Behaviour::ReturnContext => Ok(to_raw_value(&Context::from(stepwell::context()))?),
            Behaviour::LogAndHeartbeat => {
                log_at_every_level(&event);
                stepwell::heartbeat();
                Ok(event)
            }
        }
    }
}

/// Uses every way in which a guest can write a line.
fn log_at_every_level(event: &RawValue) {
    log::trace!("trace {event}");
    log::debug!("debug {event}");
    log::info!("info {event}");
    log::warn!("warn {event}");
    log::error!("error {event}");
    println!("stdout {event}");
    eprintln!("stderr {event}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(config: &str, event: &str) -> Result<String, TaskError> {
        let config: Config = serde_json::from_str(config).unwrap();
        config.play(RawValue::from_string(event.to_owned()).unwrap()).map(|result| result.get().to_owned())
    }

    #[test]
    fn returns_events_and_constants_unchanged() {
        let event = r#"{"z":1.0,"a":12345678901234567890}"#;
        assert_eq!(play(r#"{"behaviour":"return_event"}"#, event).unwrap(), event);
        assert_eq!(play(r#"{"behaviour":"return_event"}"#, "null").unwrap(), "null");
        let config = format!(r#"{{"behaviour":"return_const","value":{event}}}"#);
        assert_eq!(play(&config, "null").unwrap(), event);
        assert_eq!(play(r#"{"behaviour":"return_const","value":null}"#, "1").unwrap(), "null");
        let config = r#"{"behaviour":"sleep_then_return_event","seconds":0}"#;
        assert_eq!(play(config, event).unwrap(), event);
        assert_eq!(play(r#"{"behaviour":"log_and_heartbeat"}"#, event).unwrap(), event);
    }

    #[test]
    fn raises_and_repeats() {
        let config = r#"{"behaviour":"raise","error":"Exception","cause":"why"}"#;
        assert_eq!(play(config, "1").unwrap_err(), TaskError::new("Exception", "why"));
        let config = r#"{"behaviour":"return_const_repeat","char":"é","count":3}"#;
        assert_eq!(play(config, "1").unwrap(), r#""ééé""#);
    }

    #[test]
    fn returns_the_context() {
        let context = play(r#"{"behaviour":"return_context"}"#, "1").unwrap();
        assert!(context.contains(r#""attempt":0,"idempotencyKey":"native","taskToken":null"#), "{context}");
    }
}

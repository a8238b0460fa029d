//! Who watches the executions of a machine: its logging and tracing settings, as an execution is started with them.
//!
//! Stored with the start, so that a later change of the machine does not reach executions that run. It must never hold
//! settings that watch nothing.

use super::machine::MachineRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is watched; at least one of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Where its events are logged, and which.
    pub log: Option<LogChoice>,
    /// Whether it is traced (API: TracingConfiguration).
    pub traced: bool,
}

/// Which events are logged where (API: LoggingConfiguration).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChoice {
    /// Which.
    pub level: LogLevel,
    /// Whether with inputs and outputs.
    pub include_execution_data: bool,
    /// ARN of the log group, as the machine has it.
    pub group_arn: String,
}

/// Which events are logged (API: LogLevel; `OFF` is no choice at all).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogLevel {
    /// `ALL`.
    All,
    /// `ERROR`.
    Error,
    /// `FATAL`.
    Fatal,
}

impl Observation {
    /// What the settings of a machine ask for; none when nothing.
    pub fn of(machine: &MachineRecord) -> Option<Observation> {
        let log = machine.logging_configuration.as_ref().and_then(LogChoice::of);
        let tracing = machine.tracing_configuration.as_ref();
        let traced = tracing.and_then(|tracing| tracing.get("enabled")) == Some(&Value::Bool(true));
        (traced || log.is_some()).then_some(Observation { log, traced })
    }
}

impl LogChoice {
    fn of(configuration: &Value) -> Option<LogChoice> {
        let level = match configuration.get("level")?.as_str()? {
            "ALL" => LogLevel::All,
            "ERROR" => LogLevel::Error,
            "FATAL" => LogLevel::Fatal,
            _ => return None,
        };
        let group_arn =
            configuration.pointer("/destinations/0/cloudWatchLogsLogGroup/logGroupArn")?.as_str()?;
        let include_execution_data =
            configuration.get("includeExecutionData").and_then(Value::as_bool).unwrap_or(false);
        Some(LogChoice { level, include_execution_data, group_arn: group_arn.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::{LogChoice, LogLevel};
    use serde_json::json;

    #[test]
    fn a_level_and_a_group_are_a_choice() {
        let destinations = json!([{"cloudWatchLogsLogGroup": {"logGroupArn": "arn:g:*"}}]);
        let choice = |level: &str| {
            LogChoice::of(
                &json!({"level": level, "includeExecutionData": true, "destinations": destinations}),
            )
        };
        let expected =
            LogChoice { level: LogLevel::Error, include_execution_data: true, group_arn: "arn:g:*".into() };
        assert_eq!(choice("ERROR"), Some(expected));
        assert_eq!(choice("OFF"), None);
        assert_eq!(LogChoice::of(&json!({"level": "ALL"})), None);
    }
}

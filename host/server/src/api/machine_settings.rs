//! The settings that CreateStateMachine and UpdateStateMachine share: logging, tracing, encryption, publishing
//! (API reference, sections 2.1 and 2.8).
//!
//! What this release cannot do is refused by name; a setting must never be accepted and then ignored, with one
//! exception: tracing has no effect where no collector is configured, and refusing it would break definitions that deploy
//! to AWS as well.

use serde_json::{Value, json};
use stepwell_store::MachineRecord;

use super::constraints::Fields;
use super::error::ApiError;
use crate::limits;
use crate::observe::logs::GroupName;
use crate::server::Server;

const LEVELS: [&str; 4] = ["ALL", "ERROR", "FATAL", "OFF"];
const ENCRYPTIONS: [&str; 2] = ["AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY"];

/// Settings as asked for; `None` is "not mentioned".
#[derive(Debug)]
pub(crate) struct MachineSettings {
    pub(crate) logging: Option<Value>,
    pub(crate) tracing: Option<Value>,
    pub(crate) encryption: Option<Value>,
    destinations: usize,
    /// Whether a version is to be published.
    pub(crate) publish: bool,
    /// The description of that version.
    pub(crate) version_description: Option<String>,
}

impl MachineSettings {
    /// Reads the settings; violations are noted in `fields`.
    pub(crate) fn read(fields: &mut Fields) -> MachineSettings {
        let (logging, destinations) = logging(fields);
        let tracing = fields.structure("tracingConfiguration").then(|| {
            let enabled = fields.boolean("tracingConfiguration.enabled").unwrap_or(false);
            json!({"enabled": enabled})
        });
        MachineSettings {
            logging,
            tracing,
            encryption: encryption(fields),
            destinations,
            publish: fields.boolean("publish").unwrap_or(false),
            version_description: fields.text("versionDescription", 0, limits::VERSION_DESCRIPTION_CHARACTERS),
        }
    }

    /// Refuses what cannot be stored, or cannot be done by this release.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        if self.version_description.is_some() && !self.publish {
            return Err(ApiError::validation("Version description can only be set when publish is true"));
        }
        self.check_logging()?;
        check_encryption(self.encryption.as_ref())
    }

    fn check_logging(&self) -> Result<(), ApiError> {
        let Some(logging) = &self.logging else { return Ok(()) };
        let off = logging["level"] == "OFF";
        if self.destinations > 1 || (!off && self.destinations == 0) {
            return Err(ApiError::InvalidLoggingConfiguration("Must specify exactly one Log Destination."));
        }
        Ok(())
    }

    /// Refuses a log group that is not there, or that is another account's or region's.
    pub(crate) async fn check_destination(&self, server: &Server) -> Result<(), ApiError> {
        let place = "/destinations/0/cloudWatchLogsLogGroup/logGroupArn";
        let Some(logging) = self.logging.as_ref().filter(|_| self.destinations > 0) else { return Ok(()) };
        let group =
            logging.pointer(place).and_then(Value::as_str).and_then(GroupName::parse).filter(|group| {
                group.account == server.identity.account && group.region == server.identity.region
            });
        let found = match group {
            Some(group) => server.store.log_group(&group.account, &group.name).await?.is_some(),
            None => false,
        };
        let refusal = || ApiError::InvalidLoggingConfiguration("Log Destination not found.");
        if found { Ok(()) } else { Err(refusal()) }
    }

    /// Whether a stored machine has these settings, where "not mentioned" means the default.
    pub(crate) fn equal(&self, record: &MachineRecord) -> bool {
        let logging = self.logging.clone().unwrap_or_else(default_logging);
        let tracing = self.tracing.clone().unwrap_or_else(default_tracing);
        let encryption = self.encryption.clone().unwrap_or_else(default_encryption);
        logging == effective_logging(record)
            && tracing == effective_tracing(record)
            && encryption == record.encryption_configuration.clone().unwrap_or_else(default_encryption)
    }

    /// Whether logging, tracing or encryption is mentioned at all.
    pub(crate) fn are_mentioned(&self) -> bool {
        self.logging.is_some() || self.tracing.is_some() || self.encryption.is_some()
    }

    /// Writes the mentioned settings into `record`. Whether anything changed.
    pub(crate) fn apply(&self, record: &mut MachineRecord) -> bool {
        let mut changed = false;
        let mut set = |stored: &mut Option<Value>, wanted: &Option<Value>, default: Value| {
            if wanted.is_some() && *wanted != Some(stored.clone().unwrap_or(default)) {
                stored.clone_from(wanted);
                changed = true;
            }
        };
        set(&mut record.logging_configuration, &self.logging, default_logging());
        set(&mut record.tracing_configuration, &self.tracing, default_tracing());
        set(&mut record.encryption_configuration, &self.encryption, default_encryption());
        changed
    }
}

/// The logging that a machine shows.
pub(crate) fn effective_logging(record: &MachineRecord) -> Value {
    record.logging_configuration.clone().unwrap_or_else(default_logging)
}

/// The tracing that a machine shows.
pub(crate) fn effective_tracing(record: &MachineRecord) -> Value {
    record.tracing_configuration.clone().unwrap_or_else(default_tracing)
}

/// The encryption that a machine shows.
pub(crate) fn effective_encryption(record: &MachineRecord) -> Value {
    record.encryption_configuration.clone().unwrap_or_else(default_encryption)
}

/// The logging of a machine that says nothing of it.
pub(crate) fn default_logging() -> Value {
    json!({"level": "OFF", "includeExecutionData": false})
}

/// The tracing of a machine that says nothing of it.
pub(crate) fn default_tracing() -> Value {
    json!({"enabled": false})
}

/// The encryption of a machine that says nothing of it.
pub(crate) fn default_encryption() -> Value {
    json!({"type": "AWS_OWNED_KEY"})
}

fn logging(fields: &mut Fields) -> (Option<Value>, usize) {
    if !fields.structure("loggingConfiguration") {
        return (None, 0);
    }
    let level = fields.choice("loggingConfiguration.level", &LEVELS).unwrap_or("OFF");
    let data = fields.boolean("loggingConfiguration.includeExecutionData").unwrap_or(false);
    let destinations = fields.list("loggingConfiguration.destinations");
    let mut logging = json!({"level": level, "includeExecutionData": data});
    let count = destinations.as_ref().map_or(0, Vec::len);
    if let Some(destinations) = destinations {
        // An empty list is shown as it was given.
        logging["destinations"] =
            destinations.iter().enumerate().map(|one| destination(fields, one)).collect();
    }
    (Some(logging), count)
}

/// A LogDestination with the members of the model.
fn destination(fields: &mut Fields, (index, given): (usize, &Value)) -> Value {
    let Some(arn) = given.pointer("/cloudWatchLogsLogGroup/logGroupArn") else { return json!({}) };
    let path =
        format!("loggingConfiguration.destinations.{}.member.cloudWatchLogsLogGroup.logGroupArn", index + 1);
    if let Value::String(text) = arn {
        if text.chars().count() > limits::ARN_CHARACTERS {
            fields.too_long(&path, text, limits::ARN_CHARACTERS);
        }
    } else {
        fields.wrong_type(arn, "a String");
    }
    json!({"cloudWatchLogsLogGroup": {"logGroupArn": arn}})
}

/// Refuses an encryption that this release cannot do.
pub(super) fn check_encryption(encryption: Option<&Value>) -> Result<(), ApiError> {
    if encryption.is_some_and(|settings| settings["type"] == ENCRYPTIONS[1]) {
        let message =
            "Customer managed keys are not supported by this release of Stepwell: use AWS_OWNED_KEY";
        return Err(ApiError::InvalidEncryptionConfiguration(message));
    }
    Ok(())
}

/// Reads `encryptionConfiguration`; violations are noted in `fields`.
pub(super) fn encryption(fields: &mut Fields) -> Option<Value> {
    if !fields.structure("encryptionConfiguration") {
        return None;
    }
    fields.require("encryptionConfiguration.type");
    fields.text("encryptionConfiguration.kmsKeyId", 1, limits::KMS_KEY_ID_CHARACTERS);
    fields.integer("encryptionConfiguration.kmsDataKeyReusePeriodSeconds", 60, 900);
    let kind = fields.choice("encryptionConfiguration.type", &ENCRYPTIONS)?;
    Some(json!({"type": kind}))
}

//! ARNs of state machines and executions: parsed, built, refused (API reference, section 1.10).
//!
//! It must never decide whether the named thing exists.

use super::error::ApiError;
use crate::server::Identity;

const PREFIXES: [&str; 3] = ["arn:aws:states:", "arn:aws-cn:states:", "arn:aws-us-gov:states:"];

/// The ARN of a state machine, or of a version, alias or label of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MachineArn {
    /// As given.
    pub(crate) text: String,
    /// The ARN of the machine itself.
    pub(crate) machine: String,
    /// The version or the alias that is named behind the machine's name.
    pub(crate) qualifier: Option<Qualifier>,
    /// Whether a label of a Distributed Map is named behind the machine's name.
    pub(crate) labelled: bool,
}

/// What stands behind a machine's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Qualifier {
    /// The number of a version.
    Version(u64),
    /// An alias, or what could be none.
    Alias(String),
}

impl Qualifier {
    fn parse(text: &str) -> Qualifier {
        // Any other way to write a number names nothing.
        match text.parse::<u64>() {
            Ok(number) if number.to_string() == text => Qualifier::Version(number),
            Ok(_) | Err(_) => Qualifier::Alias(text.to_owned()),
        }
    }
}

impl MachineArn {
    /// Reads an ARN. Errors: `InvalidArn`.
    pub(crate) fn parse(text: &str) -> Result<MachineArn, ApiError> {
        let name = resource(text, "stateMachine")?;
        let mut parts = name.splitn(3, ':');
        let machine = parts.next().unwrap_or_default();
        let qualifier = parts.next();
        if machine.is_empty() || qualifier == Some("") || parts.next().is_some() {
            return Err(invalid(text));
        }
        let behind = qualifier.map_or(0, |qualifier| qualifier.len() + 1);
        Ok(MachineArn {
            text: text.to_owned(),
            machine: text[..text.len() - behind].to_owned(),
            qualifier: qualifier.map(Qualifier::parse),
            labelled: machine.contains('/'),
        })
    }

    /// The number of the version that is named.
    pub(crate) fn version(&self) -> Option<u64> {
        match &self.qualifier {
            Some(Qualifier::Version(number)) => Some(*number),
            Some(Qualifier::Alias(_)) | None => None,
        }
    }

    /// The alias that is named.
    pub(crate) fn alias(&self) -> Option<&str> {
        match &self.qualifier {
            Some(Qualifier::Alias(alias)) => Some(alias),
            Some(Qualifier::Version(_)) | None => None,
        }
    }

    /// The ARN, for operations that labels are not allowed in (API reference, section 1.10).
    pub(crate) fn without_label(self) -> Result<MachineArn, ApiError> {
        if self.labelled {
            return Err(ApiError::Validation {
                message: format!(
                    "The operation does not support labelled state machine ARNs: '{}'",
                    self.text
                ),
                reason: Some("API_DOES_NOT_SUPPORT_LABELED_ARNS"),
            });
        }
        Ok(self)
    }
}

/// Checks the ARN of a Standard execution. Errors: `InvalidArn`.
pub(crate) fn check_execution_arn(text: &str) -> Result<(), ApiError> {
    match resource(text, "execution")?.split_once(':') {
        Some((machine, name)) if !machine.is_empty() && !name.is_empty() && !name.contains(':') => Ok(()),
        Some(_) | None => Err(invalid(text)),
    }
}

/// Checks the ARN of a role. Whether there is such a role is nobody's business here. Errors: `InvalidArn`.
pub(crate) fn check_role_arn(text: &str) -> Result<(), ApiError> {
    if text.starts_with("arn:") { Ok(()) } else { Err(invalid(text)) }
}

/// Checks the ARN of an activity. Errors: `InvalidArn`.
pub(crate) fn check_activity_arn(text: &str) -> Result<(), ApiError> {
    match resource(text, "activity")? {
        name if !name.is_empty() && !name.contains(':') => Ok(()),
        _ => Err(invalid(text)),
    }
}

/// Checks the ARN of a map run. Errors: `InvalidArn`.
pub(crate) fn check_map_run_arn(text: &str) -> Result<(), ApiError> {
    let parts = resource(text, "mapRun")?.split_once(':');
    let labelled = parts.and_then(|(labelled, id)| Some((labelled.split_once('/')?, id)));
    match labelled {
        Some(((machine, label), id)) if ![machine, label, id].contains(&"") && !id.contains(':') => Ok(()),
        Some(_) | None => Err(invalid(text)),
    }
}

/// The ARN of a machine of this server.
pub(crate) fn machine_arn(identity: &Identity, name: &str) -> String {
    format!("arn:aws:states:{}:{}:stateMachine:{name}", identity.region, identity.account)
}

/// The ARN of a version or an alias of a machine.
pub(crate) fn qualified_arn(machine_arn: &str, qualifier: impl std::fmt::Display) -> String {
    format!("{machine_arn}:{qualifier}")
}

/// The ARN of an execution of a machine.
pub(crate) fn execution_arn(machine_arn: &str, name: &str) -> String {
    // No other section of an ARN that this server has given out can hold this text.
    format!("{}:{name}", machine_arn.replacen(":stateMachine:", ":execution:", 1))
}

/// The ARN of an Express execution of a machine, but for the id at its end.
pub(crate) fn express_arn(machine_arn: &str, name: &str) -> String {
    format!("{}:{name}", machine_arn.replacen(":stateMachine:", ":express:", 1))
}

/// The ARN of a module as a Lambda function.
pub(crate) fn function_arn(identity: &Identity, name: &str) -> String {
    format!("arn:aws:lambda:{}:{}:function:{name}", identity.region, identity.account)
}

/// Whether an ARN is short enough to be a key of the store.
pub(crate) fn fits_a_key(arn: &str) -> bool {
    arn.len() <= stepwell_store::limits::KEY_BYTES
}

/// Refuses an ARN that could not be stored: characters outside ASCII take several bytes each.
pub(crate) fn check_key(arn: &str) -> Result<(), ApiError> {
    if fits_a_key(arn) {
        return Ok(());
    }
    let longest = stepwell_store::limits::KEY_BYTES;
    Err(ApiError::validation(format!(
        "The ARN would have {} bytes, over {longest}: use a shorter name",
        arn.len()
    )))
}

/// The resource type of an ARN of Step Functions, if it is one of `wanted`. Errors: `InvalidArn`.
pub(crate) fn kind<'a>(text: &str, wanted: &[&'a str]) -> Result<&'a str, ApiError> {
    let (kind, _) = sections(text)?;
    let found = wanted.iter().find(|wanted| **wanted == kind);
    found.copied().ok_or_else(|| wrong_kind(kind))
}

/// What follows the resource type, if that is `wanted`.
fn resource<'a>(text: &'a str, wanted: &str) -> Result<&'a str, ApiError> {
    let (kind, name) = sections(text)?;
    if kind == wanted { Ok(name) } else { Err(wrong_kind(kind)) }
}

fn wrong_kind(kind: &str) -> ApiError {
    ApiError::InvalidArn(format!("Resource type not valid in this context: {kind}"))
}

/// The resource type, and what follows it.
fn sections(text: &str) -> Result<(&str, &str), ApiError> {
    let rest = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)).ok_or_else(|| invalid(text))?;
    let mut sections = rest.splitn(4, ':');
    let (region, account) = (sections.next().unwrap_or_default(), sections.next().unwrap_or_default());
    let (Some(kind), Some(name)) = (sections.next(), sections.next()) else { return Err(invalid(text)) };
    if region.is_empty() || account.is_empty() {
        return Err(invalid(text));
    }
    Ok((kind, name))
}

fn invalid(text: &str) -> ApiError {
    ApiError::InvalidArn(format!("Invalid ARN prefix: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "arn:aws:states:us-east-1:123456789012";

    #[test]
    fn machines_may_be_qualified_or_labelled() {
        for (tail, machine, version, alias) in [
            ("m", "m", None, None),
            ("m:7", "m", Some(7), None),
            ("m:live", "m", None, Some("live")),
            ("m:07", "m", None, Some("07")),
            ("m:99999999999999999999", "m", None, Some("99999999999999999999")),
            ("m/label", "m/label", None, None),
        ] {
            let arn = MachineArn::parse(&format!("{PREFIX}:stateMachine:{tail}")).unwrap();
            assert_eq!((arn.version(), arn.alias()), (version, alias), "{tail}");
            assert_eq!(arn.machine, format!("{PREFIX}:stateMachine:{machine}"));
            let labelled = arn.labelled;
            assert_eq!((labelled, arn.without_label().is_err()), (tail == "m/label", labelled), "{tail}");
        }
    }

    #[test]
    fn wrong_arns_are_told_apart() {
        let message = |arn: &str| MachineArn::parse(arn).unwrap_err().to_string();
        for wrong in ["", "x", "arn:aws:states", "arn:aws:s3:::bucket", "arn:aws:states:r:a:stateMachine"] {
            assert_eq!(message(wrong), format!("Invalid Arn: 'Invalid ARN prefix: {wrong}'"));
        }
        for tail in ["stateMachine:", "stateMachine::1", "stateMachine:m:1:2"] {
            assert!(message(&format!("{PREFIX}:{tail}")).contains("Invalid ARN prefix"), "{tail}");
        }
        let express = message(&format!("{PREFIX}:express:m:e:u"));
        assert_eq!(express, "Invalid Arn: 'Resource type not valid in this context: express'");
    }

    #[test]
    fn execution_arns_have_two_names() {
        assert!(check_execution_arn(&format!("{PREFIX}:execution:m:e")).is_ok());
        assert!(check_execution_arn("arn:aws-cn:states:cn-north-1:123456789012:execution:m/l:e").is_ok());
        for tail in ["execution:m", "execution:m:", "execution::e", "execution:m:e:x", "stateMachine:m"] {
            assert!(check_execution_arn(&format!("{PREFIX}:{tail}")).is_err(), "{tail}");
        }
    }

    #[test]
    fn map_run_arns_have_a_label_and_an_id() {
        assert!(check_map_run_arn(&format!("{PREFIX}:mapRun:m/label:id")).is_ok());
        for tail in
            ["mapRun:m:id", "mapRun:m/:id", "mapRun:/l:id", "mapRun:m/l", "mapRun:m/l:", "execution:m/l:id"]
        {
            assert!(check_map_run_arn(&format!("{PREFIX}:{tail}")).is_err(), "{tail}");
        }
    }

    #[test]
    fn an_execution_belongs_to_its_machine() {
        let identity = Identity { account: "123456789012".into(), region: "us-east-1".into() };
        let machine = machine_arn(&identity, "m");
        assert_eq!(machine, format!("{PREFIX}:stateMachine:m"));
        assert_eq!(execution_arn(&machine, "e"), format!("{PREFIX}:execution:m:e"));
        assert!(check_execution_arn(&execution_arn(&machine, "e")).is_ok());
        assert_eq!(express_arn(&machine, "e"), format!("{PREFIX}:express:m:e"));
    }
}

//! Short names on the command line become ARNs (AWS Step Functions API, ARN forms of machines and executions).
//!
//! Anything that begins with `arn:` passes unchanged: judging ARNs is the server's work, and it must stay possible to
//! send it a wrong one.

use clap::Args;

use super::exit::Failure;

/// The account and region that short names and the server's own ARNs carry.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Account and region")]
pub(crate) struct Identity {
    /// Account in ARNs, 12 digits
    #[arg(long, global = true, value_name = "DIGITS", env = "STEPWELL_ACCOUNT")]
    #[arg(default_value = "123456789012", value_parser = parse_account)]
    pub(crate) account: String,
    /// Region in ARNs
    #[arg(long, global = true, value_name = "REGION", env = "STEPWELL_REGION")]
    #[arg(default_value = "us-east-1", value_parser = parse_region)]
    pub(crate) region: String,
}

pub(super) fn parse_account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account is exactly 12 digits".to_owned())
    }
}

fn parse_region(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.is_empty() && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("a region is made of a-z, 0-9 and -, like us-east-1".to_owned())
    }
}

impl Identity {
    /// `NAME`, `NAME:VERSION` or `NAME:ALIAS` as an ARN; an ARN as it is.
    pub(crate) fn machine_arn(&self, text: &str) -> Result<String, Failure> {
        if is_arn(text) {
            return Ok(text.to_owned());
        }
        if text.is_empty() {
            return Err(Failure::Usage("the state machine's name is empty".to_owned()));
        }
        Ok(format!("arn:aws:states:{}:{}:stateMachine:{text}", self.region, self.account))
    }

    /// `MACHINE:NAME` as an execution ARN; an ARN as it is.
    pub(crate) fn execution_arn(&self, text: &str) -> Result<String, Failure> {
        if is_arn(text) {
            return Ok(text.to_owned());
        }
        match text.split_once(':') {
            Some((machine, name)) if !machine.is_empty() && !name.is_empty() && !name.contains(':') => {
                Ok(format!("arn:aws:states:{}:{}:execution:{machine}:{name}", self.region, self.account))
            }
            Some(_) | None => {
                Err(Failure::Usage(format!("`{text}` names no execution: give MACHINE:NAME or an ARN")))
            }
        }
    }

    /// The role that machines get when none is named; Stepwell stores it and grants nothing by it.
    pub(crate) fn default_role_arn(&self) -> String {
        format!("arn:aws:iam::{}:role/stepwell", self.account)
    }
}

/// An execution's ARN in the short form that the commands accept, `MACHINE:NAME`; other ARNs as they are.
pub(crate) fn short_execution(arn: &str) -> &str {
    let mut parts = arn.splitn(7, ':');
    match (parts.nth(5), parts.next()) {
        (Some("execution" | "express"), Some(rest)) => rest,
        (Some(_) | None, _) => arn,
    }
}

fn is_arn(text: &str) -> bool {
    text.starts_with("arn:")
}

#[cfg(test)]
mod tests {
    use super::{Identity, parse_account, parse_region, short_execution};

    fn identity() -> Identity {
        Identity { account: "111122223333".into(), region: "eu-west-1".into() }
    }

    #[test]
    fn machine_names_become_arns() {
        let base = "arn:aws:states:eu-west-1:111122223333:stateMachine";
        for name in ["order", "order:3", "order:live", "größe"] {
            assert_eq!(identity().machine_arn(name).unwrap(), format!("{base}:{name}"));
        }
        let given = "arn:aws:states:us-east-1:123456789012:stateMachine:order";
        assert_eq!(identity().machine_arn(given).unwrap(), given);
        assert_eq!(identity().machine_arn("").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn execution_names_become_arns() {
        let arn = identity().execution_arn("order:run-1").unwrap();
        assert_eq!(arn, "arn:aws:states:eu-west-1:111122223333:execution:order:run-1");
        assert_eq!(short_execution(&arn), "order:run-1");
        assert_eq!(identity().execution_arn(&arn).unwrap(), arn);
        for wrong in ["order", ":run", "order:", "a:b:c", ""] {
            let failure = identity().execution_arn(wrong).unwrap_err();
            assert_eq!(failure.exit_code(), 2, "{wrong}");
            assert!(failure.to_string().contains("MACHINE:NAME"), "{failure}");
        }
    }

    #[test]
    fn short_names_leave_other_arns_alone() {
        let machine = "arn:aws:states:eu-west-1:111122223333:stateMachine:order";
        assert_eq!(short_execution(machine), machine);
        assert_eq!(short_execution("arn:aws:states:r:a:express:order:run:uuid"), "order:run:uuid");
        assert_eq!(short_execution(""), "");
    }

    #[test]
    fn accounts_and_regions_are_checked() {
        assert!(parse_account("000000000000").is_ok());
        for wrong in ["", "12345678901", "1234567890123", "12345678901x", "１２３４"] {
            assert!(parse_account(wrong).is_err(), "{wrong}");
        }
        assert!(parse_region("us-gov-west-1").is_ok());
        assert!(parse_region("").is_err());
        assert!(parse_region("us east").is_err());
    }
}

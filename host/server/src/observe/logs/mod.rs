//! Logs of executions: which events, in which form, and where (API: LoggingConfiguration).

mod files;
mod level;
mod writer;

use stepwell_asl::HistoryEvent;
use stepwell_store::LogChoice;

pub(crate) use self::files::{Line, LogFiles, Position};
pub(super) use self::level::record;
pub(super) use self::writer::Writer;

/// Whether an event is to be logged.
pub(super) fn takes(choice: &LogChoice, event: &HistoryEvent) -> bool {
    level::has(choice.level, &event.type_name())
}

/// A log group, as a destination's ARN names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupName {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
}

impl GroupName {
    /// Reads `arn:PARTITION:logs:REGION:ACCOUNT:log-group:NAME`, with `:*` behind it or not.
    pub(crate) fn parse(arn: &str) -> Option<GroupName> {
        let mut sections = arn.splitn(7, ':');
        let mut next = || sections.next();
        let is_arn = next() == Some("arn") && next().is_some_and(|partition| partition.starts_with("aws"));
        if !is_arn || next() != Some("logs") {
            return None;
        }
        let (region, account) = (next()?.to_owned(), next()?.to_owned());
        let is_group = next() == Some("log-group");
        let name = next()?;
        let name = name.strip_suffix(":*").unwrap_or(name);
        (is_group && is_name(name)).then(|| GroupName { account, region, name: name.to_owned() })
    }

    /// Its ARN, without `:*`.
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:logs:{}:{}:log-group:{}", self.region, self.account, self.name)
    }
}

/// Whether a group may have this name (CloudWatch Logs API: LogGroupName).
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/#".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_from_their_arns() {
        let group = GroupName::parse("arn:aws:logs:us-east-1:123456789012:log-group:/aws/x#1:*").unwrap();
        assert_eq!((group.name.as_str(), group.account.as_str()), ("/aws/x#1", "123456789012"));
        assert_eq!(GroupName::parse(&group.arn()), Some(group));
        for wrong in [
            "",
            "arn:aws:s3:us-east-1:1:log-group:g:*",
            "arn:aws:logs:us-east-1:1:log-stream:g",
            "arn:aws:logs:us-east-1:1:log-group:",
            "arn:aws:logs:us-east-1:1:log-group:a b",
            "arn:aws:logs:us-east-1:1:log-group:g:log-stream:s",
        ] {
            assert_eq!(GroupName::parse(wrong), None, "{wrong}");
        }
    }
}

//! The `Resource` of a Task: what it names, how it is waited for, and how its history events are called.
//!
//! It must never judge whether the named thing exists or can be run: the host knows what it can run.

/// A Task's resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`: the parameters go to the function as they are.
    Function {
        /// The ARN as written.
        arn: String,
    },
    /// `arn:aws:states:REGION:ACCOUNT:activity:NAME`: a worker polls for the task.
    Activity {
        /// The ARN as written.
        arn: String,
    },
    /// `arn:aws:states:::SERVICE:ACTION[PATTERN]`: an integration.
    Integration {
        /// The ARN as written.
        arn: String,
        /// Such as `lambda` or `aws-sdk:s3`.
        service: String,
        /// Such as `invoke`, with the pattern's suffix where there is one.
        action: String,
        /// How its result comes.
        pattern: Pattern,
    },
}

/// How the result of an integration comes (API reference, section 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// The response is the result.
    RequestResponse,
    /// `.sync`, `.sync:2`: the end of the job that was started.
    RunAJob,
    /// `.waitForTaskToken`: somebody sends it with the task's token.
    WaitForTaskToken,
}

impl Resource {
    /// Parses a resource ARN, of any partition; `None` when it is none.
    pub fn parse(text: &str) -> Option<Resource> {
        let parts: Vec<&str> = text.split(':').collect();
        let arn = text.to_owned();
        let (["arn", partition, service, region, account], rest) = parts.split_at_checked(5)? else {
            return None;
        };
        if !partition.starts_with("aws") {
            return None;
        }
        match (*service, *region, *account, rest) {
            ("lambda", _, _, ["function", name] | ["function", name, _]) if !name.is_empty() => {
                Some(Resource::Function { arn })
            }
            ("states", _, _, ["activity", name]) if !name.is_empty() => Some(Resource::Activity { arn }),
            ("states", "", "", ["aws-sdk", service, action @ ..]) => {
                integration(arn, format!("aws-sdk:{service}"), &action.join(":"))
            }
            ("states", "", "", [service, action @ ..]) => {
                integration(arn, (*service).to_owned(), &action.join(":"))
            }
            _ => None,
        }
    }

    /// The ARN as written.
    pub fn as_str(&self) -> &str {
        match self {
            Resource::Function { arn } | Resource::Activity { arn } | Resource::Integration { arn, .. } => {
                arn
            }
        }
    }

    /// What `States.DataLimitExceeded` blames: the ARN of a function, the service of an integration (recorded).
    pub(crate) fn origin(&self) -> &str {
        match self {
            Resource::Function { arn } | Resource::Activity { arn } => arn,
            Resource::Integration { service, .. } => service,
        }
    }

    /// Whether a task has a token: a job may be ended with it as well, beside its own end (recorded).
    pub(crate) fn gives_token(&self) -> bool {
        match self {
            Resource::Function { .. } => false,
            Resource::Activity { .. } => true,
            Resource::Integration { pattern, .. } => match pattern {
                Pattern::RequestResponse => false,
                Pattern::RunAJob | Pattern::WaitForTaskToken => true,
            },
        }
    }

    /// Whether somebody outside ends the task with its token, and can send heartbeats until then.
    pub(crate) fn has_token(&self) -> bool {
        match self {
            Resource::Function { .. } => false,
            Resource::Activity { .. } => true,
            Resource::Integration { pattern, .. } => *pattern == Pattern::WaitForTaskToken,
        }
    }
}

fn integration(arn: String, service: String, action: &str) -> Option<Resource> {
    let (name, suffix) = action.split_once('.').unwrap_or((action, ""));
    let pattern = match suffix {
        "" => Pattern::RequestResponse,
        "sync" | "sync:2" => Pattern::RunAJob,
        "waitForTaskToken" => Pattern::WaitForTaskToken,
        _ => return None,
    };
    let complete = !service.is_empty() && !name.is_empty() && !name.contains(':');
    complete.then(|| Resource::Integration { arn, service, action: action.to_owned(), pattern })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_say_what_they_are() {
        let integration =
            |service: &str, action: &str, pattern| Some((service.to_owned(), action.to_owned(), pattern));
        for (text, expected) in [
            ("arn:aws-cn:states:::lambda:invoke", integration("lambda", "invoke", Pattern::RequestResponse)),
            (
                "arn:aws:states:::lambda:invoke.waitForTaskToken",
                integration("lambda", "invoke.waitForTaskToken", Pattern::WaitForTaskToken),
            ),
            (
                "arn:aws:states:::states:startExecution.sync:2",
                integration("states", "startExecution.sync:2", Pattern::RunAJob),
            ),
            (
                "arn:aws:states:::aws-sdk:s3:getObject",
                integration("aws-sdk:s3", "getObject", Pattern::RequestResponse),
            ),
            ("arn:aws:states:::lambda:invoke.later", None),
            ("arn:aws:states:::lambda", None),
            ("arn:aws:states:::", None),
            ("arn:gcp:states:::lambda:invoke", None),
        ] {
            let parsed = match Resource::parse(text) {
                Some(Resource::Integration { service, action, pattern, .. }) => {
                    Some((service, action, pattern))
                }
                Some(Resource::Function { .. } | Resource::Activity { .. }) | None => None,
            };
            assert_eq!(parsed, expected, "{text}");
        }
        for (text, origin) in [
            ("arn:aws:lambda:us-east-1:123456789012:function:charge", true),
            ("arn:aws:lambda:us-east-1:123456789012:function:charge:2", true),
            ("arn:aws:states:us-east-1:123456789012:activity:a", true),
            ("arn:aws:lambda:us-east-1:123456789012:function:", false),
            ("arn:aws:lambda:us-east-1:123456789012:function:a:b:c", false),
            ("charge", false),
            ("", false),
        ] {
            assert_eq!(
                Resource::parse(text).map(|resource| resource.origin() == text),
                origin.then_some(true),
                "{text}"
            );
        }
    }
}

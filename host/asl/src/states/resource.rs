//! The `Resource` of a Task: what it names, and how its history events are called.
//!
//! It must never judge whether the named thing exists: that is known at run time only.

/// A Task's resource that this release can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`: the parameters go to the function as they are.
    Function {
        /// The ARN as written.
        arn: String,
    },
    /// `arn:aws:states:::lambda:invoke`: the optimised integration.
    Integration {
        /// The ARN as written.
        arn: String,
        /// Such as `lambda`.
        service: String,
        /// Such as `invoke`, with the pattern's suffix where there is one.
        action: String,
    },
}

/// Why a resource is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResourceError {
    /// No resource ARN at all.
    NotRecognized,
    /// Legal in ASL; this release has no such integration.
    NotSupported,
}

impl Resource {
    /// Parses a resource ARN; the partition may be any that AWS has.
    pub(crate) fn parse(text: &str) -> Result<Resource, ResourceError> {
        let parts: Vec<&str> = text.split(':').collect();
        let arn = text.to_owned();
        match parts.as_slice() {
            ["arn", partition, "lambda", _, _, "function", name, ..]
                if partition.starts_with("aws") && !name.is_empty() && parts.len() <= 8 =>
            {
                Ok(Resource::Function { arn })
            }
            ["arn", partition, "states", "", "", service, action] if partition.starts_with("aws") => {
                match (*service, *action) {
                    ("lambda", "invoke") => Ok(Resource::Integration {
                        arn,
                        service: "lambda".to_owned(),
                        action: "invoke".to_owned(),
                    }),
                    _ => Err(ResourceError::NotSupported),
                }
            }
            ["arn", partition, "states", ..] if partition.starts_with("aws") && parts.len() >= 7 => {
                Err(ResourceError::NotSupported)
            }
            _ => Err(ResourceError::NotRecognized),
        }
    }

    /// The ARN as written.
    pub fn as_str(&self) -> &str {
        match self {
            Resource::Function { arn } | Resource::Integration { arn, .. } => arn,
        }
    }

    /// What `States.DataLimitExceeded` blames: the ARN of a function, the service of an integration (recorded).
    pub(crate) fn origin(&self) -> &str {
        match self {
            Resource::Function { arn } => arn,
            Resource::Integration { service, .. } => service,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_it_can_run() {
        for (text, expected) in [
            (
                "arn:aws:lambda:us-east-1:123456789012:function:charge",
                Ok("arn:aws:lambda:us-east-1:123456789012:function:charge"),
            ),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:charge:2",
                Ok("arn:aws:lambda:us-east-1:123456789012:function:charge:2"),
            ),
            ("arn:aws-cn:states:::lambda:invoke", Ok("lambda")),
            ("arn:aws:states:::lambda:invoke.waitForTaskToken", Err(ResourceError::NotSupported)),
            ("arn:aws:states:::sqs:sendMessage", Err(ResourceError::NotSupported)),
            ("arn:aws:states:us-east-1:123456789012:activity:a", Err(ResourceError::NotSupported)),
            ("arn:aws:states:::aws-sdk:s3:getObject", Err(ResourceError::NotSupported)),
            ("arn:aws:lambda:us-east-1:123456789012:function:", Err(ResourceError::NotRecognized)),
            ("charge", Err(ResourceError::NotRecognized)),
            ("", Err(ResourceError::NotRecognized)),
        ] {
            let parsed = Resource::parse(text);
            assert_eq!(
                parsed.as_ref().map(Resource::origin),
                expected.as_ref().map(|origin| *origin),
                "{text}"
            );
        }
    }
}

//! How a client command can fail, and the exit code and hint that belong to each way.
//!
//! The codes are documented in `stepwell --help` and are part of the interface: scripts test them. They must never be
//! renumbered.

use std::io;

/// Why a client command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The request worked, its outcome is bad: a failed execution, a definition with errors.
    #[error("{message}")]
    NotSucceeded {
        /// What was found.
        message: String,
        /// Where to look next.
        hint: Option<String>,
    },
    /// The command line, or a file or JSON text named on it, is wrong. Nothing was sent.
    #[error("{0}")]
    Usage(String),
    /// The server answered with an error, or with something that is no answer of this API.
    #[error("{code}: {message}")]
    Refused {
        /// The API's error code without its namespace, or `HTTP <status>` if there was none.
        code: String,
        /// The server's own words.
        message: String,
    },
    /// No connection, or it broke before the answer was complete.
    #[error("cannot reach {endpoint}: {reason}")]
    Unreachable {
        /// The `--endpoint` in use.
        endpoint: String,
        /// What the network said.
        reason: String,
    },
    /// Connected, but no answer came in time.
    #[error("{endpoint} did not answer within {seconds} s")]
    NoAnswer {
        /// The `--endpoint` in use.
        endpoint: String,
        /// How long the request waited.
        seconds: u64,
    },
    /// Standard output could not be written (a full disk, for example; a closed pipe is no failure).
    #[error("cannot write the result: {0}")]
    Output(io::Error),
}

impl Failure {
    /// The exit code of the process.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NotSucceeded { .. } | Self::Output(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused { .. } => 3,
            Self::Unreachable { .. } | Self::NoAnswer { .. } => 4,
        }
    }

    /// A refusal of what a file says, as the file's fault.
    pub(crate) fn in_file(self, file: &str) -> Failure {
        if let Self::Refused { code, message } = self {
            return Self::Usage(format!("{file}: {code}: {message}"));
        }
        self
    }

    /// What the reader can do about it, if that is not obvious from the message.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Self::NotSucceeded { hint, .. } => hint.as_deref(),
            Self::Unreachable { .. } => {
                Some("start a server with `stepwell serve`, or name another with --endpoint URL")
            }
            Self::Usage(_) | Self::Refused { .. } | Self::NoAnswer { .. } | Self::Output(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn each_failure_has_its_documented_exit_code() {
        let refused = Failure::Refused { code: "InvalidName".into(), message: "Invalid Name: 'a b'".into() };
        let unreachable = Failure::Unreachable { endpoint: "http://h:1".into(), reason: "refused".into() };
        let silent = Failure::NoAnswer { endpoint: "http://h:1".into(), seconds: 5 };
        for (failure, code, text) in [
            (Failure::NotSucceeded { message: "FAILED".into(), hint: None }, 1, "FAILED"),
            (Failure::Output(std::io::Error::other("disk full")), 1, "cannot write the result: disk full"),
            (Failure::Usage("a.json:1:2: bad".into()), 2, "a.json:1:2: bad"),
            (refused, 3, "InvalidName: Invalid Name: 'a b'"),
            (unreachable, 4, "cannot reach http://h:1: refused"),
            (silent, 4, "http://h:1 did not answer within 5 s"),
        ] {
            assert_eq!(failure.exit_code(), code, "{failure}");
            assert_eq!(failure.to_string(), text);
        }
    }

    #[test]
    fn an_unreachable_server_comes_with_a_hint() {
        let failure = Failure::Unreachable { endpoint: "http://h:1".into(), reason: "refused".into() };
        assert!(failure.hint().unwrap().contains("stepwell serve"));
        assert_eq!(Failure::Usage(String::new()).hint(), None);
    }
}

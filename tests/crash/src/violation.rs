//! What was promised and not kept, with its evidence. A violation must never be without the name of what it is about.

use std::fmt;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What it is about: the ARN of an execution, the name of a secret, a file.
    pub about: String,
    /// What was acknowledged, or what must hold.
    pub promised: String,
    /// What was found instead.
    pub found: String,
}

impl Violation {
    /// A violation from its three parts.
    pub fn new(about: impl Into<String>, promised: impl Into<String>, found: impl Into<String>) -> Violation {
        Violation { about: about.into(), promised: promised.into(), found: found.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}\n    promised: {}\n    found:    {}",
            self.about,
            shortened(&self.promised),
            shortened(&self.found)
        )
    }
}

/// Longest part of a printed violation, in bytes: a history of megabytes helps nobody.
const SHOWN_BYTES: usize = 8 << 10;

fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(SHOWN_BYTES);
    if end == text.len() { text.to_owned() } else { format!("{}... ({} bytes)", &text[..end], text.len()) }
}

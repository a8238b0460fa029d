//! The regular expressions of filters, `/pattern/flags`. The crate `regex-lite` is linear in the text, and its
//! ASCII classes and case folding are Java's defaults; what it lacks (look-around, back-references, `\p{..}`)
//! is refused when the path is parsed. Must never match without a price: a big pattern visits more.

use regex_lite::{Regex, RegexBuilder};

use super::limits::PATTERN_CLASSES;

/// The flags of Java's patterns. Those that `regex-lite` has no switch for change nothing in ASCII texts.
pub(super) const FLAGS: &str = "dixmsuU";

/// A compiled pattern. It has to match a whole text.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: Regex,
    visits_per_byte: usize,
}

impl Pattern {
    /// Compiles a pattern; `None` if it is not one, or larger than the largest class.
    pub(super) fn new(text: &str, flags: &str) -> Option<Self> {
        // The line break keeps the closing parenthesis out of a comment that the flag `x` allows.
        let end = if flags.contains('x') { "\n)" } else { ")" };
        let whole = format!(r"\A(?:{text}{end}\z");
        PATTERN_CLASSES.iter().find_map(|(compiled_bytes, visits_per_byte)| {
            let regex = RegexBuilder::new(&whole)
                .case_insensitive(flags.contains('i'))
                .ignore_whitespace(flags.contains('x'))
                .multi_line(flags.contains('m'))
                .dot_matches_new_line(flags.contains('s'))
                .size_limit(*compiled_bytes)
                .build();
            regex.ok().map(|regex| Self { regex, visits_per_byte: *visits_per_byte })
        })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Returns what matching `text` costs, in visits.
    pub(super) fn visits(&self, text: &str) -> usize {
        text.len().saturating_mul(self.visits_per_byte)
    }
}

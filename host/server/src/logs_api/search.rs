//! Filter patterns of FilterLogEvents, the part of their grammar for unstructured text: words that must all be there, `?`
//! before words of which one must, `-` before words that must not, quotes around phrases.

/// A pattern, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    /// Reads a pattern; none of one whose grammar is not known here.
    pub(super) fn parse(text: &str) -> Option<Pattern> {
        let mut pattern = Pattern::default();
        let mut rest = text.trim();
        if rest.starts_with(['{', '[', '%']) {
            return None;
        }
        while !rest.is_empty() {
            let sign = rest.chars().next().filter(|sign| matches!(sign, '?' | '-'));
            rest = sign.map_or(rest, |_| &rest[1..]);
            let (term, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
            };
            let group = match sign {
                Some('?') => &mut pattern.any,
                Some(_) => &mut pattern.none,
                None => &mut pattern.all,
            };
            group.push(term.to_owned());
            rest = after.trim_start();
        }
        Some(pattern)
    }

    /// Whether a line has what is asked for.
    pub(super) fn matches(&self, line: &str) -> bool {
        let has = |term: &String| line.contains(term.as_str());
        self.all.iter().all(has)
            && (self.any.is_empty() || self.any.iter().any(has))
            && !self.none.iter().any(has)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns_find_what_they_say() {
        for (pattern, line, found) in [
            ("", "anything", true),
            ("one two", "two and one", true),
            ("one two", "one", false),
            ("?one ?two", "two", true),
            ("?one ?two", "three", false),
            ("one -two", "one two", false),
            ("\"one two\"", "one two", true),
            ("\"one two\"", "two one", false),
            ("-\"one two\" one", "two one", true),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(line), found, "{pattern}: {line}");
        }
        for unknown in ["{ $.id = 1 }", "[a, b]", "%x%", "\"open"] {
            assert_eq!(Pattern::parse(unknown), None, "{unknown}");
        }
    }
}

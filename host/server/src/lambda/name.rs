//! Names of functions: a name, a partial or a full ARN, each with an optional qualifier (API: NamespacedFunctionName).
//!
//! Account and region in an ARN are not compared with the server's: definitions written for AWS go on working. It must
//! never decide whether the named thing exists.

use super::error::LambdaError;
use super::request::Call;
use crate::api::arn;
use crate::limits;
use crate::server::Identity;

/// The qualifier of what was uploaded last.
pub(crate) const LATEST: &str = "$LATEST";

const NAME_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?\
                            ([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?";
const QUALIFIER_PATTERN: &str = "(|[a-zA-Z0-9$_-]+)";
const ALIAS_PATTERN: &str = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)";
const VERSION_PATTERN: &str = "(\\$LATEST|[0-9]+)";

/// Which function a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// A version, an alias or `$LATEST`, if one was named.
    pub(crate) qualifier: Option<String>,
}

impl Target {
    /// Reads `functionName` and `qualifier`, the last members that an operation reads: every violation is told.
    pub(crate) fn read(call: &mut Call) -> Result<Target, LambdaError> {
        let text = call.fields.required_text("functionName", 1, limits::FUNCTION_NAME_CHARACTERS);
        let parsed = parse(&text);
        match &parsed {
            None if text.is_empty() => {}
            None => call.fields.pattern("functionName", &text, NAME_PATTERN),
            Some(target) if target.name.len() > limits::MODULE_NAME_CHARACTERS => {
                call.fields.too_long("functionName", &target.name, limits::MODULE_NAME_CHARACTERS);
            }
            Some(_) => {}
        }
        let qualifier = call.fields.text("qualifier", 1, limits::QUALIFIER_CHARACTERS);
        if let Some(qualifier) = qualifier.as_deref().filter(|qualifier| !is_qualifier(qualifier)) {
            call.fields.pattern("qualifier", qualifier, QUALIFIER_PATTERN);
        }
        call.fields.check()?;
        let Some(target) = parsed else {
            return Err(LambdaError::InvalidParameterValue("The function has no name".to_owned()));
        };
        match (target.qualifier, qualifier) {
            (Some(derived), Some(named)) if derived != named => Err(LambdaError::InvalidParameterValue(
                "The derived qualifier from the function name does not match the specified qualifier."
                    .to_owned(),
            )),
            (derived, named) => Ok(Target { name: target.name, qualifier: named.or(derived) }),
        }
    }

    /// The name, for operations on the function as a whole.
    pub(crate) fn unqualified(self) -> Result<String, LambdaError> {
        match self.qualifier.as_deref() {
            None | Some(LATEST) => Ok(self.name),
            Some(_) => Err(LambdaError::InvalidParameterValue(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
                 operation. Please specify either a function name or an unqualified function ARN."
                    .to_owned(),
            )),
        }
    }

    /// Its ARN, with the qualifier as it was named.
    pub(crate) fn arn(&self, identity: &Identity) -> String {
        qualified_arn(identity, &self.name, self.qualifier.as_deref())
    }

    /// What clients are told about a function, a version or an alias that is not there.
    pub(crate) fn not_found(&self, identity: &Identity) -> LambdaError {
        LambdaError::ResourceNotFound(format!("Function not found: {}", self.arn(identity)))
    }
}

/// The ARN of a function, or of a version or an alias of one.
pub(crate) fn qualified_arn(identity: &Identity, name: &str, qualifier: Option<&str>) -> String {
    let arn = arn::function_arn(identity, name);
    qualifier.map_or(arn.clone(), |qualifier| format!("{arn}:{qualifier}"))
}

/// Reads a required name of an alias; violations are noted.
pub(crate) fn alias(call: &mut Call, member: &str) -> String {
    let alias = call.fields.required_text(member, 1, limits::QUALIFIER_CHARACTERS);
    let digits_only = alias.bytes().all(|byte| byte.is_ascii_digit());
    if !alias.is_empty() && (digits_only || !alias.bytes().all(is_name_byte)) {
        call.fields.pattern(member, &alias, ALIAS_PATTERN);
    }
    alias
}

/// Reads the number of a version, or `$LATEST`; violations are noted.
pub(crate) fn version(call: &mut Call, member: &str) -> Option<String> {
    let version = call.fields.text(member, 1, limits::VERSION_CHARACTERS)?;
    if !version.is_empty() && !is_version(&version) {
        call.fields.pattern(member, &version, VERSION_PATTERN);
    }
    Some(version)
}

/// Whether a qualifier names `$LATEST` or a version, and no alias.
pub(crate) fn is_version(qualifier: &str) -> bool {
    qualifier == LATEST || (!qualifier.is_empty() && qualifier.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads a name or an ARN.
pub(crate) fn parse(text: &str) -> Option<Target> {
    let mut parts: Vec<&str> = text.split(':').collect();
    if parts.first() == Some(&"arn") {
        if !parts.get(1)?.starts_with("aws") || *parts.get(2)? != "lambda" {
            return None;
        }
        parts.drain(..3);
    }
    // Each of these may be missing. A name may look like a region or an account, too: with nothing but a qualifier behind
    // it, it is the name.
    for (prefix, parts_behind) in [(is_region as fn(&str) -> bool, 2), (is_account, 2), (is_function_word, 1)]
    {
        if parts.len() > parts_behind && prefix(parts[0]) {
            parts.remove(0);
        }
    }
    let (name, qualifier) = match parts.as_slice() {
        [name] => (*name, None),
        [name, qualifier] => (*name, Some(*qualifier)),
        _ => return None,
    };
    let right = is_name(name) && qualifier.is_none_or(is_qualifier);
    right.then(|| Target { name: name.to_owned(), qualifier: qualifier.map(str::to_owned) })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_name_byte)
}

fn is_qualifier(text: &str) -> bool {
    text == LATEST || is_name(text)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

/// Such as `us-east-1`, `us-gov-west-1` or `eusc-de-east-1`. Names of functions may look similar.
fn is_region(text: &str) -> bool {
    let letters = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let text = text.strip_prefix("eusc-").unwrap_or(text);
    match text.split('-').collect::<Vec<_>>()[..] {
        [country, direction, number] => country.len() == 2 && letters(country) && is_part(direction, number),
        [country, kind, direction, number] => {
            let kind = kind == "gov" || kind.strip_prefix("iso").is_some_and(|rest| rest.len() <= 1);
            country.len() == 2 && letters(country) && kind && is_part(direction, number)
        }
        _ => false,
    }
}

/// The end of a region's name, such as `east` and `1`.
fn is_part(direction: &str, number: &str) -> bool {
    let digit = number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit());
    digit && !direction.is_empty() && direction.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_function_word(text: &str) -> bool {
    text == "function"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_in_many_ways() {
        for (text, name, qualifier) in [
            ("charge", "charge", None),
            ("charge:live", "charge", Some("live")),
            ("charge:$LATEST", "charge", Some("$LATEST")),
            ("function:charge", "charge", None),
            ("123456789012:function:charge", "charge", None),
            ("us-east-1:123456789012:function:charge:7", "charge", Some("7")),
            ("arn:aws:lambda:us-east-1:123456789012:function:charge", "charge", None),
            ("arn:aws-cn:lambda:cn-north-1:123456789012:function:charge:2", "charge", Some("2")),
            ("arn:aws:lambda:us-gov-west-1:123456789012:function:function", "function", None),
            ("123456789012", "123456789012", None),
            ("us-east-1", "us-east-1", None),
            ("t-a-b-0:live", "t-a-b-0", Some("live")),
            ("my-task-1:2", "my-task-1", Some("2")),
        ] {
            let expected = Target { name: name.to_owned(), qualifier: qualifier.map(str::to_owned) };
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in
            ["", "a b", "a.b", "a:", ":a", "a:b:c", "a:b c", "ü", "arn:aws:s3:::x", "arn:aws:lambda", "a/b"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn versions_are_numbers() {
        for (text, expected) in [("1", true), ("$LATEST", true), ("live", false), ("1a", false), ("", false)]
        {
            assert_eq!(is_version(text), expected, "{text}");
        }
    }
}

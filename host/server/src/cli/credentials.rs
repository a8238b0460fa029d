//! What the command line signs its requests with: an access key, from a flag and the environment.
//!
//! A secret must never be an argument: other users of a machine see the arguments of all processes.

use super::exit::Failure;
use crate::auth::sigv4::Credentials;

/// The region, if nothing names another.
const REGION: &str = "us-east-1";

/// Finds an access key: the flag or `STEPWELL_ACCESS_KEY` with `STEPWELL_SECRET_ACCESS_KEY`, or what AWS clients use. None
/// if there is none: then requests are not signed. `variable` reads the environment.
///
/// Errors: `Usage`, when the secret of a named key is missing.
pub(super) fn find(
    access_key: Option<&str>,
    region: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Credentials>, Failure> {
    let secret = variable("STEPWELL_SECRET_ACCESS_KEY").or_else(|| variable("AWS_SECRET_ACCESS_KEY"));
    let (key_id, secret) = match (access_key, variable("AWS_ACCESS_KEY_ID"), secret) {
        (Some(key_id), _, Some(secret)) => (key_id.to_owned(), secret),
        (Some(key_id), _, None) => {
            return Err(Failure::Usage(format!(
                "the secret of the access key {key_id} is missing: set STEPWELL_SECRET_ACCESS_KEY"
            )));
        }
        (None, Some(key_id), Some(secret)) => (key_id, secret),
        (None, Some(_) | None, _) => return Ok(None),
    };
    // Not AWS_REGION: ARNs that this command line makes do not heed it either.
    let region = region.map(str::to_owned).or_else(|| variable("STEPWELL_REGION"));
    let region = region.unwrap_or_else(|| REGION.to_owned());
    Ok(Some(Credentials { key_id, secret, region }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(
        access_key: Option<&str>,
        region: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Option<[String; 3]> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let found = find(access_key, region, variable).ok()?;
        Some(found.map_or_else(Default::default, |found| [found.key_id, found.secret, found.region]))
    }

    #[test]
    fn the_flag_wins_and_a_key_needs_its_secret() {
        let both = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("STEPWELL_REGION", "r")];
        let three = |id: &str, secret: &str, region: &str| Some([id, secret, region].map(str::to_owned));
        assert_eq!(found(None, None, &both), three("a", "b", "r"));
        assert_eq!(found(Some("c"), Some("s"), &both), three("c", "b", "s"));
        assert_eq!(found(Some("c"), None, &[("STEPWELL_SECRET_ACCESS_KEY", "d")]), three("c", "d", REGION));
        assert_eq!(found(Some("c"), None, &[]), None);
        assert_eq!(found(None, None, &both[..1]), three("", "", ""));
    }
}

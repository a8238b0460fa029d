//! Whether a rule makes sense, and whether a request fits one.

use crate::manifest::HttpRule;

/// Tells whether host and networks of a rule make sense; names the wrong member and says why.
pub(crate) fn check_rule(rule: &HttpRule) -> Result<(), (&'static str, String)> {
    if rule.host.is_empty() {
        return Err(("host", "must not be empty".to_owned()));
    }
    if rule.networks.iter().any(|network| network.parse::<ipnet::IpNet>().is_err()) {
        return Err(("networks", "networks are written like 10.1.0.0/16".to_owned()));
    }
    Ok(())
}

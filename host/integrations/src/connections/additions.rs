//! What a connection adds to a request: headers, query and members of the body. Its values win over those of a task.
//!
//! It must never be printed.

use super::auth_parameters::{AuthParameters, Parameter};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Names and values, in the order in which they are added.
#[derive(Clone, Default)]
pub(crate) struct Additions {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Vec<(String, String)>,
    /// The access token among the headers.
    pub(crate) token: Option<String>,
}

impl Additions {
    pub(super) fn of(auth: &AuthParameters, token: Option<&str>) -> Additions {
        let mut additions = Additions { token: token.map(str::to_owned), ..Additions::default() };
        if let Some(basic) = &auth.basic {
            additions.authorization(basic_authorization(&basic.username, &basic.password));
        }
        if let Some(key) = &auth.api_key {
            additions.headers.push((key.api_key_name.clone(), key.api_key_value.clone()));
        }
        if let Some(token) = token {
            additions.authorization(format!("Bearer {token}"));
        }
        if let Some(parameters) = &auth.invocation {
            // What lets the request in comes first, and in the place of a header of the same name.
            let is_new = |(name, _): &(String, String)| {
                !additions.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
            };
            let more: Vec<_> = pairs(&parameters.headers).into_iter().filter(is_new).collect();
            additions.headers.extend(more);
            additions.query = pairs(&parameters.query);
            additions.body = pairs(&parameters.body);
        }
        additions
    }

    fn authorization(&mut self, value: String) {
        self.headers.push(("authorization".to_owned(), value));
    }
}

/// The value of `Authorization` for a user (RFC 7617).
pub(super) fn basic_authorization(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn pairs(parameters: &[Parameter]) -> Vec<(String, String)> {
    parameters.iter().map(|one| (one.key.clone(), one.value.clone())).collect()
}

//! `GET /openapi.json`: a description of Stepwell's own endpoints (OpenAPI 3.1), for whoever writes a client.
//!
//! The document is a file, so that it can be read and reviewed as it is served; the tests hold it to the routes and to the
//! table of policies, and `tests/clients/test_openapi.py` to what the server answers. It must never describe an endpoint
//! of an AWS API: their models do.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

/// The document.
const DESCRIPTION: &str = include_str!("openapi.json");

/// `GET /openapi.json`.
pub(super) async fn show() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], DESCRIPTION).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Map, Value};

    use super::DESCRIPTION;
    use crate::auth::policy::{Policies, STEPWELL};

    /// The files that name addresses.
    const ROUTES: [&str; 2] = [include_str!("mod.rs"), include_str!("../server.rs")];

    fn paths() -> Map<String, Value> {
        let document: Value = serde_json::from_str(DESCRIPTION).unwrap();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        document["paths"].as_object().unwrap().clone()
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let named = |text: &'static str| {
            let after = text.split(".route(\"").skip(1);
            after.filter_map(|rest| rest.split('"').next())
        };
        let routes: BTreeSet<&str> = ROUTES.into_iter().flat_map(named).filter(|path| *path != "/").collect();
        let paths = paths();
        assert_eq!(routes, paths.keys().map(String::as_str).collect());
    }

    #[test]
    fn policies_and_names_are_those_of_the_table() {
        let mut described = BTreeSet::new();
        for (path, methods) in paths() {
            for (method, operation) in methods.as_object().unwrap() {
                let policy = operation["x-stepwell-policy"].as_str().map(str::to_owned);
                let name = operation["operationId"].as_str().unwrap().to_owned();
                if policy.is_none() {
                    assert_eq!(
                        operation["security"],
                        Value::Array(Vec::new()),
                        "{name} is open to everybody"
                    );
                    continue;
                }
                described.insert((method.to_uppercase(), path.clone(), name, policy));
            }
        }
        let name_of = |policies: Policies| policies.names().first().map(|name| (*name).to_owned());
        let table = STEPWELL.iter().map(|(method, path, name, needs)| {
            (method.to_string(), (*path).to_owned(), (*name).to_owned(), name_of(needs.policies))
        });
        assert_eq!(described, table.collect());
    }
}

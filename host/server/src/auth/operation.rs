//! Which operation a request asks for, before anything of its body is read.
//!
//! It must see what the router and the tables of both APIs see: the same header, the same path.

use axum::extract::{MatchedPath, Request};

use super::policy::{self, Needs, Service};
use crate::{api, json_services, lambda, logs_api};

/// An operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) service: Service,
    /// As the service calls it.
    pub(crate) name: String,
    pub(crate) needs: Needs,
}

impl Operation {
    /// What a request asks for; none of what anybody may know, such as the server's health.
    pub(crate) fn of(request: &Request) -> Option<Operation> {
        let path = request.uri().path();
        let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let (service, name) = match matched {
            Some("/healthz") => return None,
            Some("/") => targeted(request),
            Some(matched) => {
                let (name, needs) = policy::endpoint(request.method(), matched);
                return Some(Operation { service: Service::Stepwell, name: name.to_owned(), needs });
            }
            None if lambda::begins_with_a_date(path) => {
                let name = lambda::operation(request.method().as_str(), path).unwrap_or("Unknown");
                (Service::Lambda, name)
            }
            None => {
                let needs = policy::endpoint(request.method(), "").1;
                return Some(Operation { service: Service::Stepwell, name: "Unknown".to_owned(), needs });
            }
        };
        let needs = policy::needs(policy::operations(service), name);
        Some(Operation { service, name: name.to_owned(), needs })
    }

    /// As policies of AWS name it: `states:StartExecution`.
    pub(crate) fn action(&self) -> String {
        format!("{}:{}", self.service.name(), self.name)
    }
}

/// Service and operation of a `POST /`, by the header that names them.
fn targeted(request: &Request) -> (Service, &str) {
    if let Some(name) = logs_api::operation(request.headers()) {
        return (Service::Logs, name);
    }
    let own = || (Service::States, api::operation(request.headers()));
    json_services::operation(request.headers()).unwrap_or_else(own)
}

/// Service and operation of a request, as names of the tables only; none of what is not counted.
pub(crate) fn operation_label(request: &Request) -> Option<(&'static str, &'static str)> {
    let known = |table: &[(&'static str, Needs)], name: &str| {
        table.iter().find(|(known, _)| *known == name).map_or("Unknown", |(known, _)| *known)
    };
    let path = request.uri().path();
    let (service, name) = match request.extensions().get::<MatchedPath>().map(MatchedPath::as_str) {
        Some("/healthz") => return None,
        Some("/") => {
            let (service, name) = targeted(request);
            (service, known(policy::operations(service), name))
        }
        Some(matched) => (Service::Stepwell, policy::endpoint(request.method(), matched).0),
        None if lambda::begins_with_a_date(path) => {
            (Service::Lambda, lambda::operation(request.method().as_str(), path).unwrap_or("Unknown"))
        }
        None => (Service::Stepwell, "Unknown"),
    };
    Some((service.name(), name))
}

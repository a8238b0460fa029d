//! Which operation a request asks for, before anything of its body is read.
//!
//! It must see what the router and the tables of both APIs see: the same header, the same path.

use axum::extract::{MatchedPath, Request};

use super::policy::{self, EVENTS, LAMBDA, LOGS, Needs, STATES, Service};
use crate::{api, events_api, lambda, logs_api};

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
        let (service, name, needs) = match matched {
            Some("/healthz") => return None,
            Some("/") => {
                if let Some(name) = logs_api::operation(request.headers()) {
                    let needs = policy::needs(&LOGS, name);
                    return Some(Operation { service: Service::Logs, name: name.to_owned(), needs });
                }
                if let Some(name) = events_api::operation(request.headers()) {
                    let needs = policy::needs(&EVENTS, name);
                    return Some(Operation { service: Service::Events, name: name.to_owned(), needs });
                }
                let name = api::operation(request.headers());
                (Service::States, name.to_owned(), policy::needs(&STATES, name))
            }
            Some(matched) => {
                let (name, needs) = policy::endpoint(request.method(), matched);
                (Service::Stepwell, name.to_owned(), needs)
            }
            None if lambda::begins_with_a_date(path) => {
                let name = lambda::operation(request.method().as_str(), path).unwrap_or("Unknown");
                (Service::Lambda, name.to_owned(), policy::needs(&LAMBDA, name))
            }
            None => (Service::Stepwell, "Unknown".to_owned(), policy::endpoint(request.method(), "").1),
        };
        Some(Operation { service, name, needs })
    }

    /// As policies of AWS name it: `states:StartExecution`.
    pub(crate) fn action(&self) -> String {
        format!("{}:{}", self.service.name(), self.name)
    }
}

/// Service and operation of a request, as names of the tables only; none of what is not counted.
pub(crate) fn operation_label(request: &Request) -> Option<(&'static str, &'static str)> {
    let known = |table: &[(&'static str, Needs)], name: &str| {
        table.iter().find(|(known, _)| *known == name).map_or("Unknown", |(known, _)| *known)
    };
    let path = request.uri().path();
    let (service, name) = match request.extensions().get::<MatchedPath>().map(MatchedPath::as_str) {
        Some("/healthz") => return None,
        Some("/") => match logs_api::operation(request.headers()) {
            Some(name) => (Service::Logs, known(&LOGS, name)),
            None if events_api::operation(request.headers()).is_some() => {
                let name = events_api::operation(request.headers()).unwrap_or_default();
                (Service::Events, known(&EVENTS, name))
            }
            None => (Service::States, known(&STATES, api::operation(request.headers()))),
        },
        Some(matched) => (Service::Stepwell, policy::endpoint(request.method(), matched).0),
        None if lambda::begins_with_a_date(path) => {
            (Service::Lambda, lambda::operation(request.method().as_str(), path).unwrap_or("Unknown"))
        }
        None => (Service::Stepwell, "Unknown"),
    };
    Some((service.name(), name))
}

//! Routing of aliases (API: RoutingConfigurationList): one or two versions of one machine, whose weights make 100.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stepwell_store::{MachineAliasRecord, MachineRecord, MachineRoute};

use super::arn::{MachineArn, qualified_arn};
use super::constraints::Fields;
use super::error::ApiError;
use crate::limits;
use crate::server::Server;

const MEMBER: &str = "routingConfiguration";
const REASON: &str = "INVALID_ROUTING_CONFIGURATION";
/// Weights are percent.
const WHOLE: u32 = 100;

/// Routing as asked for.
#[derive(Debug)]
pub(super) struct Routing(Vec<(String, u8)>);

impl Routing {
    /// Reads the member; violations are noted in `fields`.
    pub(super) fn read(fields: &mut Fields) -> Option<Routing> {
        let items = fields.list(MEMBER)?;
        let mut routes = Vec::new();
        for number in 1..=items.len() {
            let path = |name: &str| format!("{MEMBER}.{number}.member.{name}");
            let arn = fields.required_text(&path("stateMachineVersionArn"), 1, limits::ARN_CHARACTERS);
            fields.require(&path("weight"));
            let weight = fields.integer(&path("weight"), 0, i64::from(WHOLE));
            routes.push((arn, weight.and_then(|weight| u8::try_from(weight).ok()).unwrap_or_default()));
        }
        let shown = |(arn, weight): &(String, u8)| {
            format!("RoutingConfigurationListItem(stateMachineVersionArn={arn}, weight={weight})")
        };
        let shown: Vec<String> = routes.iter().map(shown).collect();
        fields.length(MEMBER, &format!("[{}]", shown.join(", ")), routes.len(), 1, limits::ROUTES);
        Some(Routing(routes))
    }

    /// The ARN of the machine whose versions are named, and the versions.
    /// Errors: `InvalidArn`, `ValidationException`.
    pub(super) fn check(&self) -> Result<(MachineArn, Vec<MachineRoute>), ApiError> {
        let mut routes = Vec::new();
        let mut machines = Vec::new();
        for (text, weight) in &self.0 {
            let arn = MachineArn::parse(text)?.without_label()?;
            if let Some(version) = arn.version() {
                routes.push(MachineRoute { version, weight: *weight });
            }
            machines.push(arn);
        }
        if routes.len() < self.0.len() {
            return Err(self.wrong("must contain state machine version ARNs"));
        }
        if self.0.iter().map(|(arn, _)| arn).collect::<BTreeSet<_>>().len() < self.0.len() {
            return Err(self.wrong("must contain distinct state machine version ARNs"));
        }
        if machines.windows(2).any(|pair| pair[0].machine != pair[1].machine) {
            return Err(self.wrong("must contain versions of one state machine"));
        }
        let sum: u32 = routes.iter().map(|route| u32::from(route.weight)).sum();
        if sum != WHOLE {
            let weights: Vec<String> = routes.iter().map(|route| route.weight.to_string()).collect();
            let weights = weights.join(", ");
            return Err(invalid(format!(
                "Sum of routing configuration weights must equal {WHOLE}. Received: [{weights}]"
            )));
        }
        let machine = machines.into_iter().next().ok_or(ApiError::Internal)?;
        Ok((MachineArn::parse(&machine.machine)?, routes))
    }

    fn wrong(&self, rule: &str) -> ApiError {
        let arns: Vec<&str> = self.0.iter().map(|(arn, _)| arn.as_str()).collect();
        invalid(format!("Routing configuration {rule}. Received: [{}]", arns.join(", ")))
    }
}

fn invalid(message: String) -> ApiError {
    ApiError::Validation { message, reason: Some(REASON) }
}

/// Whether two routings send executions the same ways.
pub(super) fn is_same(one: &[MachineRoute], other: &[MachineRoute]) -> bool {
    one.len() == other.len() && one.iter().all(|route| other.contains(route))
}

/// Errors: `ResourceNotFound`, for a version that does not exist.
pub(super) async fn check_versions(
    server: &Server,
    record: &MachineRecord,
    routes: &[MachineRoute],
) -> Result<(), ApiError> {
    for route in routes {
        if server.store.machine_version(record.id, route.version).await?.is_none() {
            return Err(ApiError::ReferenceNotFound(qualified_arn(&record.arn, route.version)));
        }
    }
    Ok(())
}

/// The version that an execution takes; `random` is evenly spread.
pub(super) fn choose(alias: &MachineAliasRecord, random: u32) -> Option<u64> {
    let mut left = random % WHOLE;
    for route in &alias.routes {
        match left.checked_sub(u32::from(route.weight)) {
            None => return Some(route.version),
            Some(rest) => left = rest,
        }
    }
    alias.routes.last().map(|route| route.version)
}

/// As the API shows it.
pub(super) fn to_json(record: &MachineRecord, routes: &[MachineRoute]) -> Value {
    let items = routes.iter().map(|route| {
        json!({
            "stateMachineVersionArn": qualified_arn(&record.arn, route.version),
            "weight": route.weight,
        })
    });
    Value::Array(items.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell_asl::Timestamp;
    use stepwell_store::MachineId;

    const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:m";

    fn routing(routes: &[(&str, u8)]) -> Result<(MachineArn, Vec<MachineRoute>), ApiError> {
        let items: Vec<Value> = routes
            .iter()
            .map(|(tail, weight)| {
                json!({"stateMachineVersionArn": format!("{MACHINE}{tail}"), "weight": weight})
            })
            .collect();
        let mut fields = Fields::parse(json!({MEMBER: items}).to_string().as_bytes()).unwrap();
        let routing = Routing::read(&mut fields).unwrap();
        fields.check()?;
        routing.check()
    }

    #[test]
    fn versions_share_a_hundred() {
        let (machine, routes) = routing(&[(":1", 30), (":2", 70)]).unwrap();
        assert_eq!(machine.text, MACHINE);
        assert_eq!(routes.iter().map(|route| route.version).collect::<Vec<_>>(), [1, 2]);
        assert!(routing(&[(":1", 100)]).is_ok() && routing(&[(":1", 100), (":2", 0)]).is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_with_what_was_given() {
        for (routes, message) in [
            (&[("", 100)][..], "must contain state machine version ARNs. Received: [<m>]"),
            (&[(":live", 100)], "must contain state machine version ARNs. Received: [<m>:live]"),
            (
                &[(":1", 50), (":1", 50)],
                "must contain distinct state machine version ARNs. Received: [<m>:1, <m>:1]",
            ),
            (
                &[(":1", 50), ("x:1", 50)],
                "must contain versions of one state machine. Received: [<m>:1, <m>x:1]",
            ),
        ] {
            let error = routing(routes).unwrap_err();
            let message = message.replace("<m>", MACHINE);
            assert_eq!(error.to_string(), format!("Routing configuration {message}"));
            assert_eq!(error.to_json()["reason"], REASON);
        }
        let sum = routing(&[(":1", 50), (":2", 51)]).unwrap_err().to_string();
        assert_eq!(sum, "Sum of routing configuration weights must equal 100. Received: [50, 51]");
        let three = routing(&[(":1", 50), (":2", 50), (":3", 101)]).unwrap_err().to_string();
        assert!(three.starts_with(
            "2 validation errors detected: Value '101' at 'routingConfiguration.3.member.weight'"
        ));
        assert!(three.contains("Value '[RoutingConfigurationListItem(stateMachineVersionArn="), "{three}");
    }

    #[test]
    fn each_version_gets_its_share() {
        let route = |version, weight| MachineRoute { version, weight };
        let mut alias = MachineAliasRecord {
            machine: MachineId([0; 16]),
            name: "live".into(),
            description: None,
            routes: vec![route(1, 25), route(2, 75)],
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        };
        let first = |alias: &MachineAliasRecord| (0..1000).filter(|n| choose(alias, *n) == Some(1)).count();
        assert_eq!(first(&alias), 250);
        alias.routes = vec![route(1, 0), route(2, 100)];
        assert_eq!(first(&alias), 0);
        assert!(is_same(&alias.routes, &[route(2, 100), route(1, 0)]));
        assert!(!is_same(&alias.routes, &[route(2, 99), route(1, 1)]));
    }
}

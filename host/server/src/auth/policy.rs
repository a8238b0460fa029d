//! Policies of access keys, and the one table that says which of them each operation needs.
//!
//! What is not in the table needs `admin`: an operation that somebody adds and forgets here is closed, not open.

use axum::http::Method;

/// A set of policies. Each includes what it builds on: `run` and `deploy` include `read`, `admin` includes all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policies(u8);

impl Policies {
    /// Look at everything but values of secrets.
    pub(crate) const READ: Policies = Policies(0b0001);
    /// Start, stop and answer executions, and call modules.
    pub(crate) const RUN: Policies = Policies(0b0011);
    /// Create, change and delete machines, modules and secrets.
    pub(crate) const DEPLOY: Policies = Policies(0b0101);
    /// Everything, access keys too.
    pub(crate) const ADMIN: Policies = Policies(0b1111);

    /// Every policy by its name.
    pub(crate) const NAMES: [(&'static str, Policies); 4] =
        [("read", Self::READ), ("run", Self::RUN), ("deploy", Self::DEPLOY), ("admin", Self::ADMIN)];

    /// Reads names; none of an unknown one or of no names.
    pub(crate) fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Policies> {
        let mut all = Policies(0);
        for name in names {
            let (_, policy) = Self::NAMES.into_iter().find(|(known, _)| *known == name)?;
            all = all.and(policy);
        }
        (all.0 != 0).then_some(all)
    }

    const fn and(self, other: Policies) -> Policies {
        Policies(self.0 | other.0)
    }

    /// Whether these allow what needs `needed`.
    pub(crate) fn allow(self, needed: Policies) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// The fewest names that say the same.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let held = Self::NAMES.into_iter().filter(|(_, policy)| self.allow(*policy));
        let held: Vec<(&str, Policies)> = held.collect();
        let implied = |one: Policies| held.iter().any(|(_, other)| *other != one && other.allow(one));
        held.iter().filter(|(_, policy)| !implied(*policy)).map(|(name, _)| *name).collect()
    }
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.names().join("+"))
    }
}

/// Which API an operation belongs to; its name is the service in a signature's scope and before the colon of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// `POST /` with `X-Amz-Target`.
    States,
    /// The same with other targets: log groups.
    Logs,
    /// The same: EventBridge.
    Events,
    /// Paths that begin with a date.
    Lambda,
    /// Stepwell's own endpoints.
    Stepwell,
}

impl Service {
    /// Its name in a scope.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Service::States => "states",
            Service::Logs => "logs",
            Service::Events => "events",
            Service::Lambda => "lambda",
            Service::Stepwell => "stepwell",
        }
    }
}

/// The table of a service's operations; Stepwell's own have another one, see [`endpoint`].
pub(crate) fn operations(service: Service) -> &'static [(&'static str, Needs)] {
    match service {
        Service::States => &STATES,
        Service::Logs => &LOGS,
        Service::Events => &EVENTS,
        Service::Lambda => &LAMBDA,
        Service::Stepwell => &[],
    }
}

/// What an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) policies: Policies,
    /// Whether it is about the whole server: only keys of the server's own account may do it.
    pub(crate) whole_server: bool,
}

const fn account(policies: Policies) -> Needs {
    Needs { policies, whole_server: false }
}

const READ: Needs = account(Policies::READ);
const RUN: Needs = account(Policies::RUN);
const DEPLOY: Needs = account(Policies::DEPLOY);
/// Runs what the caller brings along: who may only run, and who may only deploy, may not.
const DEPLOY_AND_RUN: Needs = account(Policies::DEPLOY.and(Policies::RUN));
const ADMIN: Needs = account(Policies::ADMIN);
/// Looks at the whole server, and so at all accounts.
const READ_SERVER: Needs = Needs { policies: Policies::READ, whole_server: true };
const SERVER: Needs = Needs { policies: Policies::ADMIN, whole_server: true };

/// Operations of Step Functions: all of the model, offered here or not.
const STATES: [(&str, Needs); 37] = [
    ("CreateActivity", DEPLOY),
    ("CreateStateMachine", DEPLOY),
    ("CreateStateMachineAlias", DEPLOY),
    ("DeleteActivity", DEPLOY),
    ("DeleteStateMachine", DEPLOY),
    ("DeleteStateMachineAlias", DEPLOY),
    ("DeleteStateMachineVersion", DEPLOY),
    ("DescribeActivity", READ),
    ("DescribeExecution", READ),
    ("DescribeMapRun", READ),
    ("DescribeStateMachine", READ),
    ("DescribeStateMachineAlias", READ),
    ("DescribeStateMachineForExecution", READ),
    ("GetActivityTask", RUN),
    ("GetExecutionHistory", READ),
    ("ListActivities", READ),
    ("ListExecutions", READ),
    ("ListMapRuns", READ),
    ("ListStateMachineAliases", READ),
    ("ListStateMachineVersions", READ),
    ("ListStateMachines", READ),
    ("ListTagsForResource", READ),
    ("PublishStateMachineVersion", DEPLOY),
    ("RedriveExecution", RUN),
    ("SendTaskFailure", RUN),
    ("SendTaskHeartbeat", RUN),
    ("SendTaskSuccess", RUN),
    ("StartExecution", RUN),
    ("StartSyncExecution", RUN),
    ("StopExecution", RUN),
    ("TagResource", DEPLOY),
    ("TestState", DEPLOY_AND_RUN),
    ("UntagResource", DEPLOY),
    ("UpdateMapRun", RUN),
    ("UpdateStateMachine", DEPLOY),
    ("UpdateStateMachineAlias", DEPLOY),
    ("ValidateStateMachineDefinition", READ),
];

/// Operations of CloudWatch Logs that are offered here.
pub(crate) const LOGS: [(&str, Needs); 11] = [
    ("CreateLogGroup", DEPLOY),
    ("DeleteLogGroup", DEPLOY),
    ("DeleteRetentionPolicy", DEPLOY),
    ("DescribeLogGroups", READ),
    ("DescribeLogStreams", READ),
    ("FilterLogEvents", READ),
    ("GetLogEvents", READ),
    ("ListTagsForResource", READ),
    ("PutRetentionPolicy", DEPLOY),
    ("TagResource", DEPLOY),
    ("UntagResource", DEPLOY),
];

/// Operations of EventBridge: all of the model, offered here or not.
const EVENTS: [(&str, Needs); 57] = [
    ("ActivateEventSource", DEPLOY),
    ("CancelReplay", DEPLOY),
    ("CreateApiDestination", DEPLOY),
    ("CreateArchive", DEPLOY),
    ("CreateConnection", DEPLOY),
    ("CreateEndpoint", DEPLOY),
    ("CreateEventBus", DEPLOY),
    ("CreatePartnerEventSource", DEPLOY),
    ("DeactivateEventSource", DEPLOY),
    ("DeauthorizeConnection", DEPLOY),
    ("DeleteApiDestination", DEPLOY),
    ("DeleteArchive", DEPLOY),
    ("DeleteConnection", DEPLOY),
    ("DeleteEndpoint", DEPLOY),
    ("DeleteEventBus", DEPLOY),
    ("DeletePartnerEventSource", DEPLOY),
    ("DeleteRule", DEPLOY),
    ("DescribeApiDestination", READ),
    ("DescribeArchive", READ),
    ("DescribeConnection", READ),
    ("DescribeEndpoint", READ),
    ("DescribeEventBus", READ),
    ("DescribeEventSource", READ),
    ("DescribePartnerEventSource", READ),
    ("DescribeReplay", READ),
    ("DescribeRule", READ),
    ("DisableRule", DEPLOY),
    ("EnableRule", DEPLOY),
    ("ListApiDestinations", READ),
    ("ListArchives", READ),
    ("ListConnections", READ),
    ("ListEndpoints", READ),
    ("ListEventBuses", READ),
    ("ListEventSources", READ),
    ("ListPartnerEventSourceAccounts", READ),
    ("ListPartnerEventSources", READ),
    ("ListReplays", READ),
    ("ListRuleNamesByTarget", READ),
    ("ListRules", READ),
    ("ListTagsForResource", READ),
    ("ListTargetsByRule", READ),
    ("PutEvents", RUN),
    ("PutPartnerEvents", RUN),
    ("PutPermission", DEPLOY),
    ("PutRule", DEPLOY),
    ("PutTargets", DEPLOY),
    ("RemovePermission", DEPLOY),
    ("RemoveTargets", DEPLOY),
    ("StartReplay", DEPLOY),
    ("TagResource", DEPLOY),
    ("TestEventPattern", READ),
    ("UntagResource", DEPLOY),
    ("UpdateApiDestination", DEPLOY),
    ("UpdateArchive", DEPLOY),
    ("UpdateConnection", DEPLOY),
    ("UpdateEndpoint", DEPLOY),
    ("UpdateEventBus", DEPLOY),
];

/// Operations of Lambda that are offered here.
const LAMBDA: [(&str, Needs); 32] = [
    ("AddPermission", DEPLOY),
    ("CreateAlias", DEPLOY),
    ("CreateFunction", DEPLOY),
    ("DeleteAlias", DEPLOY),
    ("DeleteFunction", DEPLOY),
    ("DeleteFunctionConcurrency", DEPLOY),
    ("GetAccountSettings", READ),
    ("GetAlias", READ),
    ("GetFunction", READ),
    ("GetFunctionCodeSigningConfig", READ),
    ("GetFunctionConcurrency", READ),
    ("GetFunctionConfiguration", READ),
    ("GetFunctionEventInvokeConfig", READ),
    ("GetFunctionRecursionConfig", READ),
    ("GetFunctionUrlConfig", READ),
    ("GetPolicy", READ),
    ("GetProvisionedConcurrencyConfig", READ),
    ("GetRuntimeManagementConfig", READ),
    ("Invoke", RUN),
    ("ListAliases", READ),
    ("ListFunctionUrlConfigs", READ),
    ("ListFunctions", READ),
    ("ListTags", READ),
    ("ListVersionsByFunction", READ),
    ("PublishVersion", DEPLOY),
    ("PutFunctionConcurrency", DEPLOY),
    ("RemovePermission", DEPLOY),
    ("TagResource", DEPLOY),
    ("UntagResource", DEPLOY),
    ("UpdateAlias", DEPLOY),
    ("UpdateFunctionCode", DEPLOY),
    ("UpdateFunctionConfiguration", DEPLOY),
];

/// Stepwell's own endpoints: method, path as the router has it, name of the action.
#[rustfmt::skip] // a table
pub(crate) const STEPWELL: [(Method, &str, &str, Needs); 28] = [
    (Method::GET, "/modules", "ListModules", READ),
    (Method::GET, "/modules/{name}", "GetModule", READ),
    (Method::PUT, "/modules/{name}", "PutModule", DEPLOY),
    (Method::DELETE, "/modules/{name}", "DeleteModule", DEPLOY),
    (Method::GET, "/modules/{name}/code", "GetModuleCode", READ),
    (Method::GET, "/modules/{name}/manifest", "GetManifest", READ),
    (Method::PUT, "/modules/{name}/manifest", "PutManifest", DEPLOY),
    (Method::GET, "/modules/{name}/versions", "ListModuleVersions", READ),
    (Method::POST, "/modules/{name}/versions", "PublishModuleVersion", DEPLOY),
    (Method::DELETE, "/modules/{name}/versions/{number}", "DeleteModuleVersion", DEPLOY),
    (Method::GET, "/modules/{name}/aliases", "ListModuleAliases", READ),
    (Method::GET, "/modules/{name}/aliases/{alias}", "GetModuleAlias", READ),
    (Method::PUT, "/modules/{name}/aliases/{alias}", "PutModuleAlias", DEPLOY),
    (Method::DELETE, "/modules/{name}/aliases/{alias}", "DeleteModuleAlias", DEPLOY),
    (Method::GET, "/secrets", "ListSecrets", READ),
    (Method::PUT, "/secrets/{name}", "PutSecret", DEPLOY),
    (Method::DELETE, "/secrets/{name}", "DeleteSecret", DEPLOY),
    (Method::GET, "/executions/{arn}/log", "GetExecutionLog", READ),
    (Method::GET, "/api/executions/{arn}/wait", "WaitForExecution", READ),
    (Method::POST, "/jsonata", "EvaluateExpression", READ),
    (Method::GET, "/metrics", "GetMetrics", READ_SERVER),
    (Method::GET, "/api/clock", "GetClock", READ),
    (Method::POST, "/api/clock/advance", "AdvanceClock", SERVER),
    (Method::GET, "/api/store/export", "ExportStore", SERVER),
    (Method::GET, "/openapi.json", "GetDescription", READ),
    (Method::GET, "/api/keys", "ListAccessKeys", ADMIN),
    (Method::POST, "/api/keys", "CreateAccessKey", ADMIN),
    (Method::DELETE, "/api/keys/{id}", "RevokeAccessKey", ADMIN),
];

/// What an operation by its name needs.
pub(crate) fn needs(table: &[(&str, Needs)], name: &str) -> Needs {
    table.iter().find(|(known, _)| *known == name).map_or(SERVER, |(_, needs)| *needs)
}

/// The action and what it needs, of one of Stepwell's own endpoints.
pub(crate) fn endpoint(method: &Method, path: &str) -> (&'static str, Needs) {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let found = STEPWELL.iter().find(|(known, at, _, _)| known == method && *at == path);
    found.map_or(("Unknown", SERVER), |(_, _, name, needs)| (name, *needs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str) -> Policies {
        Policies::parse([name]).unwrap()
    }

    #[test]
    fn each_policy_includes_what_it_builds_on_and_nothing_else() {
        let names = ["read", "run", "deploy", "admin"];
        for (name, allowed) in [
            ("read", [true, false, false, false]),
            ("run", [true, true, false, false]),
            ("deploy", [true, false, true, false]),
            ("admin", [true, true, true, true]),
        ] {
            assert_eq!(names.map(|needed| policy(name).allow(policy(needed))), allowed, "{name}");
            assert_eq!(policy(name).names(), [name]);
        }
        let both = Policies::parse(["deploy", "run", "read"]).unwrap();
        assert_eq!(both.names(), ["run", "deploy"]);
        assert!(both.allow(DEPLOY_AND_RUN.policies) && !both.allow(Policies::ADMIN));
        for one in ["run", "deploy", "read"] {
            assert!(!policy(one).allow(DEPLOY_AND_RUN.policies), "{one}");
        }
        assert!(Policies::parse(["read", "root"]).is_none() && Policies::parse([]).is_none());
    }

    #[test]
    fn what_is_in_no_table_is_closed() {
        assert_eq!(needs(&STATES, "DropEverything"), SERVER);
        assert_eq!(endpoint(&Method::PATCH, "/modules").1, SERVER);
        assert_eq!(endpoint(&Method::GET, "/secrets/{name}").1, SERVER);
        assert_eq!(endpoint(&Method::HEAD, "/modules"), ("ListModules", READ));
    }

    #[test]
    fn whatever_changes_something_needs_more_than_read() {
        let reads = ["Describe", "Filter", "Get", "List", "TestEvent", "Validate"];
        for (name, needs) in STATES.iter().chain(&LAMBDA).chain(&LOGS).chain(&EVENTS) {
            let is_read = reads.iter().any(|word| name.starts_with(word)) && *name != "GetActivityTask";
            assert_eq!(*needs == READ, is_read, "{name}");
        }
        for (method, _, name, needs) in &STEPWELL {
            let is_read =
                *method == Method::GET && !["ExportStore", "GetMetrics", "ListAccessKeys"].contains(name);
            assert_eq!(*needs == READ, is_read || *name == "EvaluateExpression", "{name}");
        }
    }
}

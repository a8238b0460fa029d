//! What the tasks of a server can call, put together as its command line says.
//!
//! It must never open anything that the server does not close: what needs the store gets it from `data`.

use std::sync::Arc;

use anyhow::Context as _;
use stepwell_executor::{Clock, Integration};
use stepwell_integrations::{
    AwsSdk, Background, Executions, Functions, Integrations, Lambda, MemberCase, MockConfig, Mocks,
    NestedExecutions, Service, ServiceIntegration,
};

use crate::cli::serve_args::ServeArgs;
use crate::own_service::OwnService;

/// Services by their names in resources, such as `sqs` or `aws-sdk:sqs`.
pub(super) type Services = Vec<(&'static str, Arc<dyn ServiceIntegration>)>;

/// Everything that tasks can call, behind the mocks, where there are any.
pub(super) fn integration(
    functions: Arc<dyn Functions>,
    clock: &Arc<dyn Clock>,
    mocks: Option<Arc<MockConfig>>,
    services: Services,
    (calls, own): (Arc<dyn Background>, &Arc<OwnService>),
) -> Arc<dyn Integration> {
    let lambda = Lambda::new(functions, Arc::clone(clock)).with_background(calls);
    let executions = Arc::clone(own) as Arc<dyn Executions>;
    let sdk = AwsSdk::new(Arc::clone(own) as Arc<dyn Service>, "Sfn", MemberCase::Camel);
    let integrations = Integrations::new(lambda)
        .with("states", Arc::new(NestedExecutions::new(executions, Arc::clone(clock))))
        .with("aws-sdk:sfn", Arc::new(sdk));
    let with = |all: Integrations, (name, service)| all.with(name, service);
    let integrations = Arc::new(services.into_iter().fold(integrations, with));
    match mocks {
        Some(mocks) => Arc::new(Mocks::new(mocks, integrations)),
        None => integrations,
    }
}

/// The mocks that the command line names.
pub(super) fn mocks(args: &ServeArgs) -> anyhow::Result<Option<Arc<MockConfig>>> {
    let Some(path) = &args.mock_config else { return Ok(None) };
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the mocks in {shown}"))?;
    let config = MockConfig::parse(&text).with_context(|| format!("the mocks in {shown} cannot be used"))?;
    Ok(Some(Arc::new(config)))
}

//! What tasks call: Lambda functions, and services of AWS in their optimised and `aws-sdk:` forms.
//!
//! An integration turns a task's parameters into a call and the reply into the task's result, in the shapes and with
//! the error names of Step Functions. What answers the call is a [`Service`]: one that this server has itself, or a real
//! endpoint. This crate must never know wasmtime or axum: what a function is made of, and who else may call a service,
//! is the server's affair.

mod aws_sdk;
mod connections;
mod http;
mod http_client;
mod integrations;
mod invocation;
pub mod items;
mod lambda;
mod limits;
mod mocks;
pub mod objects;
pub mod results;
pub mod sdk_metadata;

mod service;
mod states;

pub use aws_sdk::{AwsSdk, MemberCase};
pub use connections::{Connections, SealedText, Sealing};
pub use http::{Exchange, Exchanges, HttpTaskConfig, HttpTasks, Watch};
pub use http_client::HttpClient;
pub use integrations::{Integrations, ServiceIntegration, ServiceTask};
pub use invocation::log_tail;
pub use lambda::{Background, FunctionCall, FunctionError, FunctionReply, Functions, Lambda};
pub use mocks::{MockConfig, MockConfigError, Mocks};
pub use service::{Service, ServiceCall, ServiceError, Task};
pub use states::{Executions, NestedExecutions};

//! A service as AWS has it: operations with JSON in and JSON out, whatever stands behind them.
//!
//! Members of inputs, outputs and errors have the names and the case of the service's own API model. An implementation
//! must never believe a caller's account from anything but the call itself.

use async_trait::async_trait;
use serde_json::Value;
use stepwell_asl::Timestamp;

/// One call of an operation.
#[derive(Clone, Debug)]
pub struct ServiceCall {
    /// Name of the operation in the service's model, such as `SendMessage`.
    pub operation: String,
    /// Its input.
    pub input: Value,
    /// The account that calls: 12 digits.
    pub account: String,
    /// The region that it calls in.
    pub region: String,
    /// The task that calls; none for a client.
    pub task: Option<Task>,
}

/// A task that calls a service.
#[derive(Clone, Debug)]
pub struct Task {
    /// ARN of its execution.
    pub execution_arn: String,
    /// Name of its state.
    pub state_name: String,
    /// Retries made before this attempt.
    pub attempt: u32,
    /// The same for every run of this attempt: a crash may run it twice, and what can be told apart by it must be done
    /// once only.
    pub idempotency_key: String,
    /// When the state's `TimeoutSeconds` runs out.
    pub deadline: Option<Timestamp>,
}

/// Why a call gave no output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// The error's name in the service's model, such as `QueueDoesNotExist`.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// HTTP status: 4xx is the caller's fault, 5xx the service's.
    pub status: u16,
}

impl ServiceError {
    /// An error of the caller.
    pub fn client(code: impl Into<String>, message: impl Into<String>) -> ServiceError {
        ServiceError { code: code.into(), message: message.into(), status: 400 }
    }

    /// A failure of the service.
    pub fn server(code: impl Into<String>, message: impl Into<String>) -> ServiceError {
        ServiceError { code: code.into(), message: message.into(), status: 500 }
    }
}

/// A service, built in or behind an endpoint. Dropping the future of a call gives the call up.
#[async_trait]
pub trait Service: Send + Sync {
    /// Whether it has this operation.
    fn offers(&self, operation: &str) -> bool;

    /// Runs one call to its end.
    async fn call(&self, call: ServiceCall) -> Result<Value, ServiceError>;
}

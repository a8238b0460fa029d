//! Calls of functions that clients make themselves: answered at once, or later in the background.
//!
//! What waits in the background is in memory alone and is lost when the server stops; a call whose outcome matters
//! belongs into an execution. It must never hold more than its bound.

use std::sync::Arc;
use std::time::Duration;

use stepwell_asl::StatesError;
use stepwell_integrations::{Background, FunctionCall, FunctionError, FunctionReply, Functions};
use tokio::sync::{Semaphore, TryAcquireError};

use super::error::LambdaError;
use super::name::Target;
use crate::limits;

/// What calls may take, unless a module's manifest says less: told to clients, enforced elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallBounds {
    /// Time of one call.
    pub timeout: Duration,
    /// Linear memory of one call.
    pub memory_bytes: u64,
    /// Calls at the same time, of all modules together.
    pub concurrent_calls: u32,
}

/// Makes calls. Cheap to clone.
#[derive(Clone)]
pub struct Calls {
    functions: Arc<dyn Functions>,
    pub(crate) bounds: CallBounds,
    /// One permit per KiB of what waits in the background.
    room: Arc<Semaphore>,
    /// Before the second try and before the third.
    pauses: [Duration; 2],
}

/// A call that a client asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) target: Target,
    /// The function's ARN: calls that wait take turns by it.
    pub(crate) arn: String,
    /// JSON text.
    pub(crate) payload: String,
    pub(crate) request_id: String,
}

impl Calls {
    /// Calls `functions`.
    pub fn new(functions: Arc<dyn Functions>, bounds: CallBounds) -> Calls {
        let room = Arc::new(Semaphore::new(limits::EVENTS_KIB));
        Calls { functions, bounds, room, pauses: limits::EVENT_PAUSES }
    }

    /// Runs a call to its end.
    pub(crate) async fn call(&self, wish: Wish) -> FunctionReply {
        self.functions.call(function_call(wish, 0)).await
    }

    /// Runs a call in the background, and again if it fails, twice at most. Errors: TooManyRequests.
    pub(crate) fn call_later(&self, wish: Wish) -> Result<(), LambdaError> {
        self.later(function_call(wish, 0))
    }

    fn later(&self, call: FunctionCall) -> Result<(), LambdaError> {
        let kib = call.payload.len().div_ceil(1_024).max(limits::EVENT_KIB);
        let room = u32::try_from(kib).map_err(|_| LambdaError::TooManyRequests)?;
        let room = match Arc::clone(&self.room).try_acquire_many_owned(room) {
            Ok(room) => room,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                return Err(LambdaError::TooManyRequests);
            }
        };
        let (functions, pauses) = (Arc::clone(&self.functions), self.pauses);
        tokio::spawn(async move {
            run(functions.as_ref(), call, pauses).await;
            drop(room);
        });
        Ok(())
    }
}

/// Calls of type `Event` that tasks make.
impl Background for Calls {
    fn call_later(&self, call: FunctionCall) -> Result<(), StatesError> {
        let (size, most) = (call.payload.len(), limits::EVENT_BYTES);
        if size > most {
            let cause = format!(
                "{size} byte payload is too large for the Event invocation type (limit {most} bytes)"
            );
            return Err(StatesError::new("Lambda.RequestTooLargeException", cause));
        }
        // It is its own call now, which the time of the task does not end.
        let call = FunctionCall { deadline: None, attempt: 0, ..call };
        self.later(call)
            .map_err(|error| StatesError::new("Lambda.TooManyRequestsException", error.to_string()))
    }
}

/// Runs a call until it succeeds or has been tried often enough.
async fn run(functions: &dyn Functions, call: FunctionCall, pauses: [Duration; 2]) {
    let mut pauses = pauses.into_iter();
    for attempt in 0.. {
        let (name, request_id) = (&call.name, &call.idempotency_key);
        let reply = functions.call(FunctionCall { attempt, ..call.clone() }).await;
        let Err(error) = reply.result else { return };
        let error = described(&error);
        let Some(pause) = pauses.next() else {
            tracing::warn!(name, request_id, error, "a call in the background failed for the last time");
            return;
        };
        tracing::info!(name, request_id, error, "a call in the background failed and is made again");
        tokio::time::sleep(pause).await;
    }
}

/// The name of an error; its cause may be long, and holds what the client sent.
fn described(error: &FunctionError) -> &str {
    match error {
        FunctionError::NotFound => "the function does not exist any more",
        FunctionError::Failed(error) => error.error.as_deref().unwrap_or_default(),
        FunctionError::Service(cause) => cause,
    }
}

fn function_call(wish: Wish, attempt: u32) -> FunctionCall {
    FunctionCall {
        task_token: None,
        name: wish.target.name,
        qualifier: wish.target.qualifier,
        payload: wish.payload,
        // No execution: these stay empty.
        execution_arn: String::new(),
        state_name: String::new(),
        queue: wish.arn,
        attempt,
        idempotency_key: wish.request_id,
        deadline: None,
        // Whoever calls by himself takes the newest.
        pinned_at: None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use async_trait::async_trait;

    /// Fails `failures` times, then succeeds; notes the attempts.
    struct Failing {
        failures: usize,
        attempts: Mutex<Vec<u32>>,
    }

    #[async_trait]
    impl Functions for Failing {
        async fn call(&self, call: FunctionCall) -> FunctionReply {
            let mut attempts = self.attempts.lock().unwrap();
            attempts.push(call.attempt);
            let failed = attempts.len() <= self.failures;
            let error = FunctionError::Failed(StatesError::new("Boom", "x"));
            let result = if failed { Err(error) } else { Ok("{}".to_owned()) };
            FunctionReply { result, log: Vec::new(), executed_version: None }
        }
    }

    fn wish(payload: &str) -> Wish {
        let target = Target { name: "f".into(), qualifier: None };
        Wish { target, arn: "arn".into(), payload: payload.into(), request_id: "r".into() }
    }

    #[tokio::test]
    async fn a_call_in_the_background_is_tried_three_times() {
        for (failures, attempts) in [(0, vec![0]), (1, vec![0, 1]), (9, vec![0, 1, 2])] {
            let functions = Failing { failures, attempts: Mutex::default() };
            run(&functions, function_call(wish("{}"), 0), [Duration::ZERO; 2]).await;
            assert_eq!(*functions.attempts.lock().unwrap(), attempts);
        }
    }

    #[tokio::test]
    async fn the_background_is_bounded() {
        let functions = Arc::new(Failing { failures: usize::MAX, attempts: Mutex::default() });
        let bounds = CallBounds { timeout: Duration::ZERO, memory_bytes: 0, concurrent_calls: 1 };
        let calls = Calls::new(functions, bounds);
        let accepted = (0..limits::EVENTS_KIB).take_while(|_| calls.call_later(wish("{}")).is_ok()).count();
        assert_eq!(accepted, limits::EVENTS_KIB / limits::EVENT_KIB);
        assert!(matches!(calls.call_later(wish("{}")), Err(LambdaError::TooManyRequests)));
    }
}

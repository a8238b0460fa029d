//! Lambda functions are modules: the adapter between the executor's `Functions` and the sandbox.
//!
//! It must never hide a failure of the host behind an error that a module could have chosen itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use stepwell_asl::{StatesError, Timestamp};
use stepwell_executor::{Clock, VirtualClock};
use stepwell_integrations::{FunctionCall, FunctionError, FunctionReply, Functions};
use stepwell_sandbox::{Call, CallContext, CallError, CallHost, LogLevel};
use stepwell_store::LogLine;

use crate::auth::account::account_of;
use crate::limits;
use crate::modules::{Modules, ResolveError, Resolved};

/// Runs modules by their names.
pub struct SandboxFunctions {
    modules: Arc<Modules>,
    clock: Arc<dyn Clock>,
    call_timeout: Duration,
}

impl SandboxFunctions {
    /// An adapter that gives each call at most `call_timeout`.
    pub fn new(modules: Arc<Modules>, clock: Arc<dyn Clock>, call_timeout: Duration) -> SandboxFunctions {
        SandboxFunctions { modules, clock, call_timeout }
    }

    /// The name as it is stored: a call finds the modules of the account that its execution belongs to and no others.
    /// A call that is no task's has the ARN of its function in place of one.
    fn stored_name(&self, call: &FunctionCall) -> String {
        let arn = if call.execution_arn.is_empty() { &call.queue } else { &call.execution_arn };
        let names = self.modules.accounts().names_of(account_of(arn).unwrap_or_default());
        // A name that no module can have is not found.
        names.stored(&call.name).unwrap_or_default()
    }

    /// The configured time, or what is left until the state's deadline if that is less.
    fn timeout(&self, deadline: Option<Timestamp>) -> Duration {
        let Some(deadline) = deadline else { return self.call_timeout };
        let left = deadline.0.saturating_sub(self.clock.now().0);
        self.call_timeout.min(Duration::from_millis(u64::try_from(left).unwrap_or_default()))
    }
}

#[async_trait]
impl Functions for SandboxFunctions {
    async fn call(&self, call: FunctionCall) -> FunctionReply {
        let name = self.stored_name(&call);
        let resolved =
            self.modules.resolve(&name, call.qualifier.as_deref(), call.pinned_at, &call.idempotency_key);
        // Held until the call has ended: its content stays that long, whatever becomes of the name.
        let resolved: Arc<Resolved> = match resolved.await {
            Ok(resolved) => resolved,
            Err(error) => {
                let result = Err(unresolved(&call.name, &error));
                return FunctionReply { result, log: Vec::new(), executed_version: None };
            }
        };
        let host = Arc::new(CallLog::new(&call, Arc::clone(&self.clock)));
        let (module, deadline) = (call.name, call.deadline);
        let sandboxed = Call {
            input: call.payload,
            context: CallContext {
                execution_arn: call.execution_arn,
                state_name: call.state_name,
                attempt: call.attempt,
                idempotency_key: call.idempotency_key,
                task_token: call.task_token.clone(),
            },
            grants: Arc::clone(&resolved.grants),
            queue: Arc::from(call.queue.as_str()),
            timeout: self.timeout(deadline),
            host: Arc::clone(&host) as Arc<dyn CallHost>,
        };
        // Dropping this future drops the call: the sandbox ends it.
        let result = self.modules.sandbox().invoke(&resolved.sha256, sandboxed).await;
        let result = result.map(|output| output.result).map_err(|error| {
            // The state's own time-out, seen here a moment before the executor's timer.
            let met_deadline = self.timeout(deadline) < limits::DEADLINE_SLACK;
            if met_deadline && matches!(error, CallError::Timeout { .. }) {
                return FunctionError::Failed(StatesError::timeout());
            }
            failure(&module, &error)
        });
        let executed_version = Some(resolved.executed_version.clone());
        FunctionReply { result, log: host.take(), executed_version }
    }

    async fn look_up(&self, call: &FunctionCall) -> Result<(), FunctionError> {
        let name = self.stored_name(call);
        let (qualifier, key) = (call.qualifier.as_deref(), &call.idempotency_key);
        let resolved = self.modules.resolve(&name, qualifier, call.pinned_at, key).await;
        resolved.map(drop).map_err(|error| unresolved(&call.name, &error))
    }
}

/// What a workflow sees of a call that could not begin.
fn unresolved(module: &str, error: &ResolveError) -> FunctionError {
    if let Some(name) = error.name() {
        return FunctionError::Failed(StatesError::new(name, error.to_string()));
    }
    if matches!(error, ResolveError::NotFound) {
        return FunctionError::NotFound;
    }
    tracing::error!(module, %error, "the host could not find out what a module runs");
    FunctionError::Service(error.to_string())
}

/// What a workflow sees of a call that gave no result.
fn failure(module: &str, error: &CallError) -> FunctionError {
    if matches!(error, CallError::Overloaded) {
        return FunctionError::Failed(StatesError::new("Lambda.TooManyRequestsException", error.to_string()));
    }
    if error.is_host_failure() {
        tracing::error!(module, %error, "the host could not run a module");
        return FunctionError::Service(error.to_string());
    }
    FunctionError::Failed(StatesError::new(error.name(), error.cause()))
}

/// Collects what one call logs.
struct CallLog {
    state: String,
    attempt: u32,
    clock: Arc<dyn Clock>,
    lines: Mutex<Vec<LogLine>>,
}

impl CallLog {
    fn new(call: &FunctionCall, clock: Arc<dyn Clock>) -> CallLog {
        let lines = Mutex::new(Vec::new());
        CallLog { state: call.state_name.clone(), attempt: call.attempt, clock, lines }
    }

    /// The lines so far, leaving none.
    fn take(&self) -> Vec<LogLine> {
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn line(&self, level: &str, message: String) -> LogLine {
        let state = self.state.clone();
        LogLine { at: self.clock.now(), level: level.to_owned(), state, attempt: self.attempt, message }
    }
}

impl CallHost for CallLog {
    fn log(&self, level: LogLevel, message: &str) {
        let level = match level {
            LogLevel::Trace => "trace",
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < limits::LOG_LINES {
            lines.push(self.line(level, message.to_owned()));
        } else if lines.len() == limits::LOG_LINES {
            let message = format!("more than {} lines were logged; the rest is lost", limits::LOG_LINES);
            lines.push(self.line("warn", message));
        }
    }

    /// Nobody counts heartbeats yet: a call ends by its own time-out.
    fn heartbeat(&self) {}

    fn clock_ahead(&self) -> Duration {
        self.clock.as_virtual().map(VirtualClock::offset).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> Timestamp {
            Timestamp(1_000)
        }
    }

    fn call() -> FunctionCall {
        FunctionCall {
            task_token: None,
            name: "m".into(),
            qualifier: None,
            payload: "{}".into(),
            execution_arn: "e".into(),
            queue: "m".into(),
            state_name: "S".into(),
            attempt: 2,
            idempotency_key: "k".into(),
            deadline: None,
            pinned_at: None,
        }
    }

    #[test]
    fn lines_carry_their_place_and_are_bounded() {
        let log = CallLog::new(&call(), Arc::new(Noon));
        (0..limits::LOG_LINES + 5).for_each(|_| log.log(LogLevel::Warn, "x"));
        let lines = log.take();
        assert_eq!(lines.len(), limits::LOG_LINES + 1);
        let expected = LogLine {
            at: Timestamp(1_000),
            level: "warn".into(),
            state: "S".into(),
            attempt: 2,
            message: "x".into(),
        };
        assert_eq!(lines[0], expected);
        assert!(lines[limits::LOG_LINES].message.contains("the rest is lost"));
        assert!(log.take().is_empty());
    }

    #[test]
    fn the_modules_own_errors_keep_their_names_and_the_hosts_do_not() {
        let task = CallError::Task { error: "CardDeclined".into(), cause: "no money".into() };
        assert_eq!(failure("m", &task), FunctionError::Failed(StatesError::new("CardDeclined", "no money")));
        let large = failure("m", &CallError::ResultTooLarge { limit_bytes: 1 });
        assert!(matches!(large, FunctionError::Failed(error) if error.is("Sandbox.ResultTooLarge")));
        for error in [CallError::Host("disk".into()), CallError::UnknownModule { digest: "d".into() }] {
            assert!(matches!(failure("m", &error), FunctionError::Service(_)));
        }
    }
}

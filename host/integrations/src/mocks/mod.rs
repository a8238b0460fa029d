//! Mocks in place of what tasks call, for executions that were started for a test case (Developer Guide, "Using mocked
//! service integrations", as Step Functions Local has them).
//!
//! An execution without a test case must never get a mocked answer.

mod config;

pub use config::{MockConfig, MockConfigError};

use crate::limits;
use async_trait::async_trait;
use config::Answer;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use stepwell_asl::{Resource, StatesError};
use stepwell_executor::{Integration, TaskOutcome, TaskRequest};

/// Answers the tasks of test cases; hands everything else on.
pub struct Mocks {
    config: Arc<MockConfig>,
    inner: Arc<dyn Integration>,
    counts: Mutex<Counts>,
}

/// How often the tasks of each state of each test run were begun. In memory: after a restart counting begins anew.
#[derive(Default)]
struct Counts {
    by_run: HashMap<String, HashMap<String, Vec<String>>>,
    /// The runs in the order in which they came: the oldest are forgotten.
    order: VecDeque<String>,
}

impl Counts {
    /// The number of an invocation of a state in a test run, from 0. The same key has the same number.
    fn number(&mut self, run: &str, state: &str, key: &str) -> usize {
        if !self.by_run.contains_key(run) {
            self.order.push_back(run.to_owned());
            if self.order.len() > limits::MOCKED_RUNS {
                self.order.pop_front().map(|oldest| self.by_run.remove(&oldest));
            }
        }
        let keys = self.by_run.entry(run.to_owned()).or_default().entry(state.to_owned()).or_default();
        keys.iter().position(|known| known == key).unwrap_or_else(|| {
            keys.push(key.to_owned());
            keys.len() - 1
        })
    }
}

impl Mocks {
    /// Mocks as `config` has them in front of `inner`.
    pub fn new(config: Arc<MockConfig>, inner: Arc<dyn Integration>) -> Mocks {
        Mocks { config, inner, counts: Mutex::default() }
    }
}

#[async_trait]
impl Integration for Mocks {
    /// Everything: whether a state is mocked depends on the test case that an execution is started for.
    fn runs(&self, _resource: &Resource) -> bool {
        true
    }

    async fn run(&self, request: TaskRequest) -> TaskOutcome {
        match self.mocked(&request) {
            Some(result) => TaskOutcome { result, log: Vec::new() },
            None => self.inner.run(request).await,
        }
    }

    async fn finish(&self, request: TaskRequest, submission: Value) -> TaskOutcome {
        self.inner.finish(request, submission).await
    }

    async fn stop(&self, request: TaskRequest, submission: Option<Value>) {
        self.inner.stop(request, submission).await;
    }

    fn mocked(&self, request: &TaskRequest) -> Option<Result<Value, StatesError>> {
        let case = request.test_case.as_deref()?;
        let state = &request.state_name;
        let response = self.config.response(&case.machine, &case.name, state)?;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let number = counts.number(&case.run, state, &request.idempotency_key);
        Some(match response.answer(number) {
            Some(Answer::Return(value)) => Ok(value.clone()),
            Some(Answer::Throw { error, cause }) => {
                Err(StatesError::reported(Some(error.clone()), cause.clone()))
            }
            None => Err(StatesError::runtime(format!(
                "The mocked response '{}' of state '{state}' has no answer for invocation {number} (counted from 0)",
                response.name()
            ))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use stepwell_asl::TestCase;

    struct Real;

    #[async_trait]
    impl Integration for Real {
        fn runs(&self, _: &Resource) -> bool {
            false
        }

        async fn run(&self, _: TaskRequest) -> TaskOutcome {
            TaskOutcome { result: Ok(json!("real")), log: Vec::new() }
        }
    }

    fn mocks() -> Mocks {
        let config = json!({
            "StateMachines": {"M": {"TestCases": {"C": {"S": "R"}}}},
            "MockedResponses": {"R": {"0": {"Throw": {"Error": "E", "Cause": "c"}}, "1-2": {"Return": {"ok": true}}}},
        });
        Mocks::new(Arc::new(MockConfig::of(&config).unwrap()), Arc::new(Real))
    }

    fn request(case: Option<&str>, state: &str, run: &str, key: &str) -> TaskRequest {
        let case =
            case.map(|name| Box::new(TestCase { machine: "M".into(), name: name.into(), run: run.into() }));
        TaskRequest {
            execution_arn: "e".into(),
            state_name: state.into(),
            resource: "arn:aws:states:::glue:startJobRun".into(),
            parameters: json!({}),
            attempt: 0,
            idempotency_key: key.into(),
            deadline: None,
            pinned_at: None,
            task_token: None,
            test_case: case,
        }
    }

    #[tokio::test]
    async fn invocations_are_counted_by_run_and_told_apart_by_their_keys() {
        let mocks = mocks();
        let failed = Err(StatesError::reported(Some("E".to_owned()), Some("c".to_owned())));
        assert_eq!(mocks.run(request(Some("C"), "S", "run 1", "a")).await.result, failed);
        assert_eq!(mocks.run(request(Some("C"), "S", "run 1", "a")).await.result, failed, "the same again");
        for key in ["b", "c"] {
            assert_eq!(
                mocks.run(request(Some("C"), "S", "run 1", key)).await.result,
                Ok(json!({"ok": true}))
            );
        }
        let beyond = mocks.run(request(Some("C"), "S", "run 1", "d")).await.result.unwrap_err();
        assert!(beyond.cause.unwrap().contains("no answer for invocation 3"));
        assert_eq!(mocks.run(request(Some("C"), "S", "run 2", "a")).await.result, failed);
    }

    #[tokio::test]
    async fn what_is_not_mocked_is_real() {
        let mocks = mocks();
        for request in [
            request(None, "S", "r", "a"),
            request(Some("C"), "T", "r", "a"),
            request(Some("D"), "S", "r", "a"),
        ] {
            assert_eq!(mocks.run(request).await.result, Ok(json!("real")));
        }
    }
}

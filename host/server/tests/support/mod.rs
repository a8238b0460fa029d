//! A whole server in this process: memory backend, a port of its own, functions that the tests play themselves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};
use stepwell_asl::StatesError;
use stepwell_executor::{Executor, ExecutorConfig, SystemClock};
use stepwell_integrations::{FunctionCall, FunctionError, FunctionReply, Functions, Integrations, Lambda};
use stepwell_jsonata::Jsonata;
use stepwell_sandbox::{Sandbox, SandboxConfig};
use stepwell_server::{
    CallBounds, Calls, Identity, Modules, ModulesConfig, ResourceBounds, Resources, SandboxExpressions,
    SandboxFunctions, SecretKey, Server,
};
use stepwell_store::{Backend, LogLine, MemoryBackend, Store};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Account of every test server, as in the recordings.
pub(crate) const ACCOUNT: &str = "111111111111";
/// Region of every test server.
pub(crate) const REGION: &str = "us-east-1";
/// Largest upload that test servers take, in bytes.
pub(crate) const MODULE_BYTES: usize = 100_000;
/// The name of the data directory that test servers offer.
pub(crate) const DIRECTORY: &str = "data";
/// Longest wait for anything to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// The evaluator of all servers in this process. It is compiled once for all test binaries.
static JSONATA: LazyLock<Arc<Jsonata>> = LazyLock::new(|| {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jsonata");
    Arc::new(Jsonata::new(Some(kept)))
});

/// Who answers calls of functions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Callee {
    /// [`PlayedFunctions`].
    Played,
    /// Modules in the sandbox.
    Modules,
}

/// A running server. Dropping it stops it.
pub(crate) struct TestServer {
    /// `http://127.0.0.1:PORT`.
    pub(crate) endpoint: String,
    agent: ureq::Agent,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// HTTP status.
    pub(crate) status: u16,
    /// The body; `Null` if it is empty.
    pub(crate) body: Value,
    headers: Vec<(String, String)>,
}

impl Reply {
    /// A header by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The error's code without its namespace.
    pub(crate) fn code(&self) -> &str {
        let code = self.body["__type"].as_str().unwrap_or_default();
        code.rsplit('#').next().unwrap_or_default()
    }

    /// The error's message.
    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// A member that holds a text.
    pub(crate) fn text(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_else(|| panic!("no {member} in {self:?}")).to_owned()
    }
}

impl TestServer {
    /// Starts a server on an empty store.
    pub(crate) fn start() -> TestServer {
        TestServer::start_on(Arc::new(MemoryBackend::new()), Callee::Played)
    }

    /// Starts a server on a store that may be older than it.
    pub(crate) fn start_on(backend: Arc<dyn Backend>, callee: Callee) -> TestServer {
        TestServer::start_bounded(backend, callee, None)
    }

    /// The same where accounts may have so much, or as much as they like.
    pub(crate) fn start_bounded(
        backend: Arc<dyn Backend>,
        callee: Callee,
        bounds: Option<ResourceBounds>,
    ) -> TestServer {
        let (ready, address) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(serve(backend, callee, bounds, &ready, stopped));
        });
        let address = address.recv().expect("the server has started");
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
        TestServer {
            endpoint: format!("http://{address}"),
            agent: config.into(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Calls an operation.
    pub(crate) fn call(&self, operation: &str, input: &Value) -> Reply {
        let target = format!("AWSStepFunctions.{operation}");
        self.post(&[("X-Amz-Target", &target)], input.to_string().as_bytes())
    }

    /// Calls an operation that must succeed.
    pub(crate) fn ok(&self, operation: &str, input: &Value) -> Reply {
        let reply = self.call(operation, input);
        assert_eq!(reply.status, 200, "{operation} {input}: {reply:?}");
        reply
    }

    /// Calls an operation that must fail: its code and its message.
    pub(crate) fn refused(&self, operation: &str, input: &Value) -> (String, String) {
        let reply = self.call(operation, input);
        assert!(reply.status >= 400, "{operation} {input}: {reply:?}");
        assert_eq!(reply.header("x-amzn-errortype"), Some(reply.code()), "{reply:?}");
        (reply.code().to_owned(), reply.message().to_owned())
    }

    /// `POST /` as it is.
    pub(crate) fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send("POST", "/", headers, Some(body))
    }

    /// Any request.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Reply {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.endpoint));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match body {
            Some(body) => self.agent.run(request.body(body).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let headers = answer.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let text = answer.body_mut().with_config().limit(1 << 30).read_to_string().unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        Reply { status: answer.status().as_u16(), body, headers }
    }

    /// Creates a machine; its ARN.
    pub(crate) fn machine(&self, name: &str, definition: &Value) -> String {
        let input = json!({"name": name, "definition": definition.to_string(), "roleArn": role()});
        self.ok("CreateStateMachine", &input).text("stateMachineArn")
    }

    /// Starts an execution; its ARN.
    pub(crate) fn execution(&self, machine: &str, input: &str) -> String {
        self.ok("StartExecution", &json!({"stateMachineArn": machine, "input": input})).text("executionArn")
    }

    /// Waits for the end of an execution, and describes it.
    pub(crate) fn ended(&self, execution: &str) -> Value {
        let input = json!({"executionArn": execution});
        wait_for(|| {
            let reply = self.ok("DescribeExecution", &input);
            (reply.body["status"] != "RUNNING").then_some(reply.body)
        })
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Idle connections would keep the server waiting.
        self.agent = ureq::Agent::new_with_defaults();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the server panicked");
        }
    }
}

/// Asks until there is an answer.
pub(crate) fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "waited for {PATIENCE:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Any role.
pub(crate) fn role() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/test")
}

/// A machine that passes its input on.
pub(crate) fn pass() -> Value {
    json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}})
}

/// A machine that waits for a minute.
pub(crate) fn wait_a_minute() -> Value {
    json!({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 60, "End": true}}})
}

/// A machine that calls a function.
pub(crate) fn task(function: &str) -> Value {
    let resource = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}");
    json!({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": resource, "End": true}}})
}

async fn serve(
    backend: Arc<dyn Backend>,
    callee: Callee,
    resource_bounds: Option<ResourceBounds>,
    ready: &mpsc::Sender<SocketAddr>,
    stopped: oneshot::Receiver<()>,
) {
    let store = Store::new(backend);
    let clock = Arc::new(SystemClock);
    let directory = tempfile::tempdir().unwrap();
    let mut config = SandboxConfig::new(directory.path().join("modules"));
    config.max_concurrent_calls = 8;
    let sandbox = Sandbox::open(config).unwrap();
    let directories = BTreeMap::from([(DIRECTORY.to_owned(), directory.path().to_owned())]);
    // The same for every server: one that is started again opens what the one before it has made.
    let key = directory.path().join("key");
    std::fs::write(&key, "07".repeat(32)).unwrap();
    let modules = Modules::new(ModulesConfig {
        store: store.clone(),
        sandbox,
        clock: clock.clone(),
        max_bytes: MODULE_BYTES,
        secret_key: SecretKey::from_file(key).unwrap(),
        directories,
    });
    let functions: Arc<dyn Functions> = match callee {
        Callee::Played => Arc::new(PlayedFunctions::default()),
        Callee::Modules => {
            let timeout = Duration::from_secs(10);
            Arc::new(SandboxFunctions::new(Arc::clone(&modules), clock.clone(), timeout))
        }
    };
    let bounds =
        CallBounds { timeout: Duration::from_secs(10), memory_bytes: 256 << 20, concurrent_calls: 8 };
    let calls = Calls::new(Arc::clone(&functions), bounds);
    let integration = Arc::new(Integrations::new(Lambda::new(functions, clock.clone())));
    let resources = match resource_bounds {
        Some(bounds) => Resources::counted(&store, bounds).await.unwrap(),
        None => Resources::unbounded(),
    };
    let open_executions = resources.open_executions.clone();
    let config = ExecutorConfig { shards: 2, open_executions, ..ExecutorConfig::default() };
    let jsonata = Arc::clone(&JSONATA);
    let expressions = Arc::new(SandboxExpressions::new(Arc::clone(&jsonata)));
    let executor = Executor::open(store.clone(), integration, expressions, clock.clone(), config).unwrap();
    let identity = Identity { account: ACCOUNT.into(), region: REGION.into() };
    let server = Server::new(store, executor.clone(), modules, calls, jsonata, clock, identity);
    let server = server.with_resources(resources);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    ready.send(listener.local_addr().unwrap()).unwrap();
    let stop = async move { drop(stopped.await) };
    Arc::new(server).serve(listener, stop).await.unwrap();
    executor.shut_down(Duration::ZERO).await;
}

/// Functions that need no module, by name: `echo` returns its payload, `chatty` logs two lines and returns null,
/// `fail` fails, `block` never answers. Others do not exist.
#[derive(Default)]
struct PlayedFunctions {
    calls: Mutex<u64>,
}

#[async_trait]
impl Functions for PlayedFunctions {
    async fn call(&self, call: FunctionCall) -> FunctionReply {
        let number = {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            *calls
        };
        let mut log = Vec::new();
        let result = match call.name.as_str() {
            "echo" => Ok(call.payload),
            "fail" => Err(FunctionError::Failed(StatesError::new("Boom", format!("call {number}")))),
            "block" => std::future::pending().await,
            "chatty" => {
                for (level, message) in [("info", "one"), ("warn", "two")] {
                    log.push(LogLine {
                        at: stepwell_asl::Timestamp(1_500),
                        level: level.into(),
                        state: call.state_name.clone(),
                        attempt: call.attempt,
                        message: message.into(),
                    });
                }
                Ok("null".to_owned())
            }
            _ => Err(FunctionError::NotFound),
        };
        FunctionReply { result, log, executed_version: None }
    }
}

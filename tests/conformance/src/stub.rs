//! The functions of a case, played in process: the behaviours of the recorded handlers.

use async_trait::async_trait;
use serde::Serialize as _;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;
use stepwell_asl::StatesError;
use stepwell_integrations::{FunctionCall, FunctionError, FunctionReply, Functions};

/// Functions by name.
#[derive(Debug, Default)]
pub struct Stubs(BTreeMap<String, Value>);

impl Stubs {
    /// The functions that `specifications` describe.
    pub fn new(specifications: &[Value]) -> Stubs {
        let named = specifications
            .iter()
            .map(|one| (one["name"].as_str().unwrap_or_default().to_owned(), one.clone()));
        Stubs(named.collect())
    }

    /// The specification as the configuration of the stub module.
    pub fn module_configuration(specification: &Value) -> Value {
        let fields = ["behaviour", "value", "seconds", "char", "count"].into_iter();
        let given = fields.filter_map(|name| Some((name.to_owned(), specification.get(name)?.clone())));
        let mut configuration = Value::Object(given.collect());
        if specification["behaviour"] == "raise" {
            let (error, cause) = raised(specification);
            configuration["error"] = json!(error);
            configuration["cause"] = json!(cause);
        }
        configuration
    }
}

/// The error name is the payload's `errorType`, the cause its whole text (Lambda function errors).
fn raised(specification: &Value) -> (String, String) {
    let payload = specification["error_payload"].as_str().unwrap_or_default();
    let payload = payload.replace("<uuid>", "11111111-2222-3333-4444-555555555555");
    let parsed: Value = serde_json::from_str(&payload).unwrap_or_default();
    (parsed["errorType"].as_str().unwrap_or("Lambda.Unknown").to_owned(), payload)
}

#[async_trait]
impl Functions for Stubs {
    async fn call(&self, call: FunctionCall) -> FunctionReply {
        let Some(stub) = self.0.get(&call.name) else {
            return FunctionReply {
                result: Err(FunctionError::NotFound),
                log: Vec::new(),
                executed_version: None,
            };
        };
        let result = match stub["behaviour"].as_str().unwrap_or_default() {
            "return_event" => Ok(python_text(&serde_json::from_str(&call.payload).unwrap_or_default())),
            "return_const" => Ok(python_text(&stub["value"])),
            "return_const_repeat" => {
                let count = usize::try_from(stub["count"].as_u64().unwrap_or_default()).unwrap_or_default();
                Ok(json!(stub["char"].as_str().unwrap_or_default().repeat(count)).to_string())
            }
            "sleep_then_return_event" => {
                tokio::time::sleep(Duration::from_secs(stub["seconds"].as_u64().unwrap_or_default())).await;
                Ok(call.payload)
            }
            "raise" => {
                let (error, cause) = raised(stub);
                Err(FunctionError::Failed(StatesError::new(error, cause)))
            }
            other => {
                Err(FunctionError::Service(format!("the stand-in does not know the behaviour {other:?}")))
            }
        };
        FunctionReply { result, log: Vec::new(), executed_version: None }
    }
}

/// JSON as the recorded handlers wrote it: Python puts a space behind commas and colons, and recordings hold the
/// length of the text.
fn python_text(value: &Value) -> String {
    struct Python;
    impl Formatter for Python {
        fn begin_array_value<W: ?Sized + Write>(
            &mut self,
            writer: &mut W,
            first: bool,
        ) -> std::io::Result<()> {
            if first { Ok(()) } else { writer.write_all(b", ") }
        }
        fn begin_object_key<W: ?Sized + Write>(
            &mut self,
            writer: &mut W,
            first: bool,
        ) -> std::io::Result<()> {
            if first { Ok(()) } else { writer.write_all(b", ") }
        }
        fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
            writer.write_all(b": ")
        }
    }
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, Python);
    value.serialize(&mut serializer).unwrap_or_else(|error| panic!("{error}"));
    String::from_utf8_lossy(&text).into_owned()
}

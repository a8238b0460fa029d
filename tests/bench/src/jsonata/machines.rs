//! The machines of the hostile load: a quick one in each query language, that come to the same, and those that hold a
//! hostile expression.

use crate::chain;
use serde_json::{Map, Value, json};
use stepwell_executor::StartRequest;
use stepwell_store::{MachineId, MachineRecord};

/// Pass states of a quick machine.
const STATES: u64 = 4;
const ACCOUNT: &str = "us-east-1:123456789012";

/// The query language of a quick machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    JsonPath,
    Jsonata,
}

impl Language {
    pub(super) const ALL: [Language; 2] = [Language::JsonPath, Language::Jsonata];

    /// Its name in definitions.
    pub(super) fn name(self) -> &'static str {
        match self {
            Language::JsonPath => "JSONPath",
            Language::Jsonata => "JSONata",
        }
    }

    /// What a state makes of its input: three fields as they are, a sum and a text.
    fn state(self) -> Value {
        match self {
            Language::JsonPath => json!({"Type": "Pass", "Parameters": {
                "orderId.$": "$.orderId",
                "customer.$": "$.customer",
                "items.$": "$.items",
                "total.$": "States.MathAdd($.total, 1)",
                "note.$": "States.Format('{} for {}', $.orderId, $.customer)",
            }}),
            Language::Jsonata => json!({"Type": "Pass", "Output": {
                "orderId": "{% $states.input.orderId %}",
                "customer": "{% $states.input.customer %}",
                "items": "{% $states.input.items %}",
                "total": "{% $states.input.total + 1 %}",
                "note": "{% $states.input.orderId & ' for ' & $states.input.customer %}",
            }}),
        }
    }
}

/// `total` in the output of the quick execution with this number: each state adds one.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub(super) fn total(number: u64) -> f64 {
    (number + STATES) as f64
}

/// A chain of Pass states.
pub(super) fn definition(language: Language) -> String {
    let states: Map<String, Value> = (1..=STATES)
        .map(|number| {
            let mut state = language.state();
            if number < STATES {
                state["Next"] = json!(format!("Shape{}", number + 1));
            } else {
                state["End"] = json!(true);
            }
            (format!("Shape{number}"), state)
        })
        .collect();
    json!({"QueryLanguage": language.name(), "StartAt": "Shape1", "States": states}).to_string()
}

/// One state with the expression.
pub(super) fn hostile_definition(expression: &str) -> String {
    let state = json!({"Type": "Pass", "Output": format!("{{% {expression} %}}"), "End": true});
    json!({"QueryLanguage": "JSONata", "StartAt": "Want", "States": {"Want": state}}).to_string()
}

/// The record of the machine with this name, of at most 16 bytes.
pub(super) fn machine(name: &str) -> MachineRecord {
    let mut id = [0; 16];
    for (byte, letter) in id.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    MachineRecord {
        id: MachineId(id),
        arn: format!("arn:aws:states:{ACCOUNT}:stateMachine:{name}"),
        name: name.to_owned(),
        ..chain::machine()
    }
}

/// Starts the execution with this number.
pub(super) fn request(machine: &MachineRecord, number: u64) -> StartRequest {
    let input_value = json!({
        "orderId": format!("order-{number:012}"),
        "items": [{"sku": "CUP-07", "count": 2}, {"sku": "TEA-19", "count": 1}],
        "customer": "c-1042",
        "total": number,
    });
    StartRequest {
        machine: machine.clone().into(),
        name: number.to_string(),
        fresh_name: false,
        execution_arn: arn(&machine.name, number),
        region: "us-east-1".to_owned(),
        input: input_value.to_string(),
        input_value,
        trace_header: None,
        version: None,
        test_case: None,
        alias: None,
        starter: None,
    }
}

/// The ARN of the execution with this number.
pub(super) fn arn(machine: &str, number: u64) -> String {
    format!("arn:aws:states:{ACCOUNT}:execution:{machine}:{number}")
}

//! The machine that runs while the server is killed, and what each of its inputs must lead to.
//!
//! Every step that a crash could disturb is in it: slow tasks, retries with a back-off that grows, a Choice, a Wait,
//! errors that are caught, errors that are not. The result follows from the input alone: it must never depend on how
//! often a task ran.

use serde_json::{Value, json};
use stepwell_it::{Client, Visit, function_arn, guest, linear_history_problems, stub, visits};

/// Name of the machine.
pub(super) const MACHINE: &str = "survivor";

/// Lengths of the slow task, in milliseconds.
const NAPS: [usize; 3] = [50, 200, 400];
/// Seconds of the Wait state, and of the first back-off.
const PAUSE_SECONDS: u64 = 1;
/// Clocks are stored in milliseconds; the API's seconds are floating point.
const CLOCK_SLACK_SECONDS: f64 = 0.001_5;

/// What an input is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Ends at the first attempt.
    Small,
    /// Two retries, then the Wait.
    BusyAndLarge,
    /// An error that is caught: the execution succeeds.
    Declined,
    /// More retries than allowed, caught, and led to a Fail state.
    StaysBusy,
    /// Fails its retries and is not caught.
    Broken,
    /// One retry, then the Wait.
    Large,
}

/// How an execution must end.
struct Expected {
    status: &'static str,
    error: Option<&'static str>,
    output: Option<Value>,
    path: Vec<Visit>,
}

/// Uploads the modules.
pub(super) fn install(client: &Client) {
    for milliseconds in NAPS {
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let seconds = milliseconds as f64 / 1_000.0;
        let behaviour = json!({"behaviour": "sleep_then_return_event", "seconds": seconds});
        client.install(&format!("nap-{milliseconds}"), &stub(&behaviour));
    }
    client.install("charge-card", &guest("charge_card"));
    let broken = json!({"behaviour": "raise", "error": "Broken", "cause": "broken on purpose"});
    client.install("broken", &stub(&broken));
}

pub(super) fn definition() -> Value {
    let mut states = json!({
        "PickNap": {"Type": "Choice", "Choices": [], "Default": "Unavailable"},
        "Route": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.kind", "StringEquals": "Broken", "Next": "Break"}],
            "Default": "Charge",
        },
        "Break": {
            "Type": "Task", "Resource": function_arn("broken"), "End": true,
            "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": PAUSE_SECONDS, "MaxAttempts": 1}],
        },
        "Charge": {
            "Type": "Task", "Resource": function_arn("charge-card"), "TimeoutSeconds": 30,
            "Parameters": {"orderId.$": "$.orderId", "amountCents.$": "$.amountCents", "card.$": "$.card"},
            "Retry": [{
                "ErrorEquals": ["PaymentGatewayBusy"], "IntervalSeconds": PAUSE_SECONDS, "MaxAttempts": 2,
                "BackoffRate": 1.5, "MaxDelaySeconds": 2, "JitterStrategy": "FULL",
            }],
            "Catch": [
                {"ErrorEquals": ["CardDeclined"], "ResultPath": "$.problem", "Next": "Declined"},
                {"ErrorEquals": ["PaymentGatewayBusy"], "ResultPath": "$.problem", "Next": "Unavailable"},
            ],
            "ResultPath": "$.charge", "Next": "IsLarge",
        },
        "IsLarge": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.charge.amountCents", "NumericGreaterThan": 1_000, "Next": "Hold"}],
            "Default": "Settle",
        },
        "Hold": {"Type": "Wait", "Seconds": PAUSE_SECONDS, "Next": "Settle"},
        "Settle": {
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "echo", "Payload": {"charge.$": "$.charge", "nap.$": "$.nap"}},
            "ResultSelector": {"charge.$": "$.Payload.charge", "nap.$": "$.Payload.nap"},
            "ResultPath": "$.settled", "Next": "Done",
        },
        "Done": {
            "Type": "Pass", "End": true,
            "Parameters": {
                "outcome": "SETTLED", "number.$": "$.settled.nap.number",
                "chargeId.$": "$.settled.charge.chargeId", "attempts.$": "$.settled.charge.attempts",
            },
        },
        "Declined": {
            "Type": "Pass", "End": true,
            "Parameters": {"outcome": "DECLINED", "number.$": "$.nap.number", "error.$": "$.problem.Error"},
        },
        "Unavailable": {"Type": "Fail", "Error": "PaymentUnavailable", "Cause": "the gateway stayed busy"},
    });
    for milliseconds in NAPS {
        let name = format!("Nap{milliseconds}");
        let choices = states["PickNap"]["Choices"].as_array_mut().expect("an array");
        choices.push(json!({"Variable": "$.napMilliseconds", "NumericEquals": milliseconds, "Next": name}));
        states[name] = json!({
            "Type": "Task", "Resource": function_arn(&format!("nap-{milliseconds}")), "Next": "Route",
            "Parameters": {"number.$": "$.number"}, "ResultPath": "$.nap",
        });
    }
    json!({"StartAt": "PickNap", "States": states})
}

fn kind(number: usize) -> Kind {
    use Kind::{Broken, BusyAndLarge, Declined, Large, Small, StaysBusy};
    [Small, BusyAndLarge, Declined, StaysBusy, Broken, Large, Small][number % 7]
}

fn nap(number: usize) -> usize {
    NAPS[number % NAPS.len()]
}

pub(super) fn input(number: usize) -> Value {
    let (busy_attempts, amount_cents) = match kind(number) {
        Kind::Small | Kind::Declined | Kind::Broken => (0, 500),
        Kind::BusyAndLarge => (2, 5_000),
        Kind::StaysBusy => (9, 500),
        Kind::Large => (1, 5_000),
    };
    let card = if kind(number) == Kind::Declined { "4000000000000002" } else { "4242424242424242" };
    json!({
        "number": number,
        "kind": format!("{:?}", kind(number)),
        "napMilliseconds": nap(number),
        "orderId": format!("order-{number}"),
        "amountCents": amount_cents,
        "card": {"number": card, "busyAttempts": busy_attempts},
    })
}

fn expected(number: usize) -> Expected {
    let visit = |state: &str, scheduled, exited| Visit { state: state.to_owned(), scheduled, exited };
    let nap = format!("Nap{}", nap(number));
    let mut path = vec![visit("PickNap", 0, true), visit(&nap, 1, true), visit("Route", 0, true)];
    let settled = |attempts: usize| {
        json!({
            "outcome": "SETTLED", "number": number,
            "chargeId": format!("charge-order-{number}"), "attempts": attempts,
        })
    };
    let mut settle = |attempts: usize, hold: bool| {
        path.push(visit("Charge", attempts, true));
        path.push(visit("IsLarge", 0, true));
        path.extend(hold.then(|| visit("Hold", 0, true)));
        path.extend([visit("Settle", 1, true), visit("Done", 0, true)]);
        ("SUCCEEDED", None, Some(settled(attempts)))
    };
    let (status, error, output) = match kind(number) {
        Kind::Small => settle(1, false),
        Kind::Large => settle(2, true),
        Kind::BusyAndLarge => settle(3, true),
        Kind::Declined => {
            path.extend([visit("Charge", 1, true), visit("Declined", 0, true)]);
            let output = json!({"outcome": "DECLINED", "number": number, "error": "CardDeclined"});
            ("SUCCEEDED", None, Some(output))
        }
        Kind::StaysBusy => {
            path.extend([visit("Charge", 3, true), visit("Unavailable", 0, false)]);
            ("FAILED", Some("PaymentUnavailable"), None)
        }
        Kind::Broken => {
            path.push(visit("Break", 2, false));
            ("FAILED", Some("Broken"), None)
        }
    };
    Expected { status, error, output, path }
}

/// Everything that is wrong with an execution that has ended.
pub(super) fn problems(number: usize, description: &Value, history: &[Value]) -> Vec<String> {
    let expected = expected(number);
    let mut problems = linear_history_problems(history);
    let mut differ = |what: &str, found: &Value, wanted: &Value| {
        if found != wanted {
            problems.push(format!("{what} is {found}, not {wanted}"));
        }
    };
    differ("status", &description["status"], &json!(expected.status));
    differ("error", &description["error"], &json!(expected.error));
    let output: Option<Value> =
        description["output"].as_str().and_then(|text| serde_json::from_str(text).ok());
    differ("output", &json!(output), &json!(expected.output));
    let visits = visits(history);
    if visits != expected.path {
        problems.push(format!("the path is {visits:?}, not {:?}", expected.path));
    }
    problems.extend(early_wakes(history));
    problems
}

/// Waits and back-offs without jitter that were shorter than asked for.
fn early_wakes(history: &[Value]) -> Vec<String> {
    let pairs = history.windows(2).filter(|pair| {
        let names = [&pair[0]["type"], &pair[1]["type"]].map(|kind| kind.as_str().unwrap_or_default());
        let broken = pair[0]["lambdaFunctionFailedEventDetails"]["error"] == "Broken";
        names == ["WaitStateEntered", "WaitStateExited"]
            || broken && names == ["LambdaFunctionFailed", "LambdaFunctionScheduled"]
    });
    let seconds = |event: &Value| event["timestamp"].as_f64().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "a second")]
    let pause = PAUSE_SECONDS as f64 - CLOCK_SLACK_SECONDS;
    pairs
        .filter(|pair| seconds(&pair[1]) - seconds(&pair[0]) < pause)
        .map(|pair| format!("event {} came too early after {}", pair[1], pair[0]))
        .collect()
}

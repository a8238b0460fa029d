//! Tests of the requests and of the order of trials; what an evaluator says is played here.

use std::sync::mpsc;
use std::time::Duration;

use stepwell_asl::jsonata::Evaluation;

use super::*;

/// Says always the same.
struct Says(Result<Option<Value>, EvaluationError>);

impl Evaluator for Says {
    fn evaluate(&self, _: &Evaluation<'_>) -> Result<Option<Value>, EvaluationError> {
        self.0.clone()
    }
}

/// Tells the moment and the values that it is given.
struct Repeats;

impl Evaluator for Repeats {
    fn evaluate(&self, evaluation: &Evaluation<'_>) -> Result<Option<Value>, EvaluationError> {
        Ok(Some(json!([evaluation.now.0, evaluation.seed, evaluation.bindings])))
    }
}

fn parsed(body: &Value) -> Result<TrialRequest, String> {
    TrialRequest::parse(body.to_string().as_bytes()).map_err(|error| {
        assert_eq!((error.code(), error.status().as_u16()), ("ValidationException", 400), "{error}");
        error.to_string()
    })
}

fn answered(body: &Value, evaluator: &dyn Evaluator) -> Value {
    parsed(body).unwrap().answer(evaluator, (Timestamp(5), 7))
}

#[test]
fn absent_members_have_their_defaults_and_null_is_absent() {
    let expected =
        TrialRequest { expression: "1".into(), states: json!({}), variables: Map::new(), evaluate: true };
    assert_eq!(parsed(&json!({"expression": "1"})), Ok(expected));
    let nulls = json!({"expression": "1", "states": null, "variables": null, "evaluate": null});
    assert_eq!(parsed(&nulls), parsed(&json!({"expression": "1"})));
}

#[test]
fn every_violation_names_its_member() {
    for (body, member, constraint) in [
        (json!({}), "expression", "Member must not be null"),
        (json!({"expression": 1}), "expression", "Member must be a string"),
        (json!({"expression": " ".repeat((1 << 20) + 1)}), "expression", "at most 1048576 bytes"),
        (json!({"expression": "1", "states": []}), "states", "Member must be an object"),
        (json!({"expression": "1", "variables": "x"}), "variables", "Member must be an object"),
        (json!({"expression": "1", "evaluate": "true"}), "evaluate", "Member must be a boolean"),
        (json!({"expression": "1", "inputs": 1}), "inputs", "one of [expression, states, "),
        (json!({"expression": "1", "states": {"inputs": 1}}), "states.inputs", "one of [input, result, "),
        (json!({"expression": "1", "variables": {"$a": 1}}), "variables.$a", "without '$'"),
        (json!({"expression": "1", "variables": {"states": 1}}), "variables.states", "is reserved"),
    ] {
        let message = parsed(&body).unwrap_err();
        assert!(message.starts_with("1 validation error detected: Value "), "{message}");
        assert!(message.contains(&format!("at '{member}' failed")), "{message}");
        assert!(message.contains(constraint), "{message}");
    }
    let message = parsed(&json!({"a": 1, "states": 1})).unwrap_err();
    assert!(message.starts_with("3 validation errors detected: "), "{message}");
}

#[test]
fn an_answer_to_nonsense_is_short() {
    let many: Map<String, Value> =
        (0..1_000).map(|n| (format!("{n}{}", "x".repeat(9_999)), json!(n))).collect();
    assert!(parsed(&Value::Object(many)).unwrap_err().len() < 5_000);
    for body in ["", "[]", "nonsense", "{\"expression\":", "\u{0}"] {
        assert_eq!(
            TrialRequest::parse(body.as_bytes()).unwrap_err().code(),
            "SerializationException",
            "{body}"
        );
    }
}

#[test]
fn a_trial_has_exactly_one_outcome() {
    let thrown =
        |code: Option<&str>| EvaluationError::Thrown { code: code.map(str::to_owned), message: "m".into() };
    for (said, member, expected) in [
        (Ok(Some(json!([null]))), "value", json!([null])),
        (Ok(Some(json!(null))), "value", json!(null)),
        (Ok(None), "undefined", json!(true)),
        (Err(thrown(Some("D3137"))), "error", json!({"code": "D3137", "message": "m"})),
        (Err(thrown(None)), "error", json!({"message": "m"})),
        (Err(EvaluationError::Exceeded("too much".into())), "error", json!({"message": "too much"})),
        (
            Err(EvaluationError::Unsupported),
            "error",
            json!({"message": EvaluationError::Unsupported.to_string()}),
        ),
    ] {
        let answer = answered(&json!({"expression": "$states.input + $rate"}), &Says(said));
        let expected = json!({"valid": true, "variables": ["rate", "states"], member: expected});
        assert_eq!(answer, expected);
    }
    let unasked = answered(&json!({"expression": "1", "evaluate": false}), &Says(Ok(None)));
    assert_eq!(unasked, json!({"valid": true, "variables": []}));
}

#[test]
fn what_cannot_be_parsed_has_a_place_and_no_outcome() {
    let answer = answered(&json!({"expression": "$sum($states.input.a]"}), &Says(Ok(None)));
    assert_eq!((&answer["valid"], &answer["error"]["position"]), (&json!(false), &json!(21)));
    assert!(answer["error"]["message"].as_str().unwrap().contains("\"]\""), "{answer}");
    assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    let refused = answered(&json!({"expression": "$eval('1')"}), &Says(Ok(None)));
    assert_eq!((&refused["valid"], refused["error"].get("code")), (&json!(false), None), "{refused}");
}

#[test]
fn the_top_level_is_warned_about() {
    for (expression, what) in [("b.c", Some("'b'")), ("$", Some("$ ")), ("$states.input.b", None)] {
        let answer = answered(&json!({"expression": expression, "evaluate": false}), &Says(Ok(None)));
        let warning = answer.get("warning").map(|warning| warning.as_str().unwrap());
        assert_eq!(warning.is_some(), what.is_some(), "{answer}");
        assert!(warning.unwrap_or_default().contains(what.unwrap_or_default()), "{answer}");
    }
}

#[test]
fn values_and_the_moment_reach_the_evaluator() {
    let body = json!({
        "expression": "$states.input + $rate", "states": {"input": 1}, "variables": {"rate": 2, "other": 3}
    });
    let expected = json!([5, 7, [["rate", "2"], ["states", "{\"input\":1}"]]]);
    assert_eq!(answered(&body, &Repeats)["value"], expected);
}

#[tokio::test]
async fn trials_have_their_turn_and_those_who_leave_take_none() {
    let trials = Arc::new(Trials::new(Arc::new(Jsonata::new(None))));
    let (finish, may_finish) = mpsc::channel::<()>();
    let (began, has_begun) = tokio::sync::oneshot::channel();
    let first = Arc::clone(&trials);
    let first = tokio::spawn(async move {
        let work = move |_: &Jsonata| {
            let _ = began.send(());
            let _ = may_finish.recv();
            Ok(1)
        };
        first.run(work).await
    });
    has_begun.await.unwrap();
    // The caller leaves; its work keeps the turn.
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(trials.turn.available_permits(), 0);
    let (done, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
    let waiting: Vec<_> = (0..limits::TRIALS)
        .map(|number| {
            let (trials, done) = (Arc::clone(&trials), done.clone());
            tokio::spawn(async move {
                let _ = done.send(trials.run(move |_| Ok(number)).await.unwrap());
            })
        })
        .collect();
    while trials.places.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(trials.run(|_| Ok(())).await, Err(ApiError::Throttling)));
    // All but the last leave too: it is not kept waiting by what they would have done.
    let (last, gone) = waiting.split_last().unwrap();
    gone.iter().for_each(tokio::task::JoinHandle::abort);
    while trials.places.available_permits() + 1 < limits::TRIALS {
        tokio::task::yield_now().await;
    }
    assert!(!last.is_finished());
    finish.send(()).unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(20), outcomes.recv()).await.unwrap();
    assert_eq!(outcome, Some(limits::TRIALS - 1));
    assert!(outcomes.try_recv().is_err());
}

#[tokio::test]
async fn a_panic_is_an_error_and_gives_the_turn_back() {
    let trials = Trials::new(Arc::new(Jsonata::new(None)));
    let broken = trials.run(|_| -> Result<(), ApiError> { panic!("on purpose") }).await;
    assert!(matches!(broken, Err(ApiError::Internal)));
    assert_eq!(trials.run(|_| Ok(2)).await.unwrap(), 2);
}

//! What a well-behaved module sees and says.

use crate::guests::{Fixture, Recorder, call_for, guest, stub};
use std::sync::Arc;
use stepwell_sandbox::{CallError, LogLevel};

#[tokio::test]
async fn an_event_comes_back_byte_for_byte() {
    let fixture = Fixture::new();
    for event in [r#"{"z":1.0,"a":[12345678901234567890,"é"]}"#, "null", "7"] {
        let result = fixture.run(stub(r#"{"behaviour":"return_event"}"#), event).await;
        assert_eq!(result.as_deref(), Ok(event));
    }
    assert_eq!(fixture.run(guest("stub"), "[]").await.as_deref(), Ok("[]"));
}

#[tokio::test]
async fn the_context_arrives() {
    let context = Fixture::new().run(stub(r#"{"behaviour":"return_context"}"#), "{}").await.unwrap();
    let (known, remaining) = context.split_once(r#","remainingMilliseconds":"#).unwrap();
    let expected = r#"{"executionArn":"arn:aws:states:us-east-1:123456789012:execution:orders:1","stateName":"Charge \"card\"","attempt":2,"idempotencyKey":"orders/1/7","taskToken":"token""#;
    assert_eq!(known, expected);
    let remaining: u64 = remaining.trim_end_matches('}').parse().unwrap();
    assert!((5_000..=10_000).contains(&remaining), "{remaining}");
}

#[tokio::test]
async fn constants_errors_and_long_results() {
    let fixture = Fixture::new();
    let constant = stub(r#"{"behaviour":"return_const","value":{"b":1.50,"a":null}}"#);
    assert_eq!(fixture.run(constant, "1").await.as_deref(), Ok(r#"{"b":1.50,"a":null}"#));
    let raise = stub(r#"{"behaviour":"raise","error":"Exception","cause":"{\"errorMessage\":\"why\"}"}"#);
    let error = fixture.run(raise, "1").await.unwrap_err();
    assert_eq!((error.name(), error.cause()), ("Exception", r#"{"errorMessage":"why"}"#.to_owned()));
    let repeat = stub(r#"{"behaviour":"return_const_repeat","char":"a","count":263168}"#);
    assert_eq!(fixture.run(repeat, "1").await.unwrap().len(), 263_170);
    let sleep = stub(r#"{"behaviour":"sleep_then_return_event","seconds":0.01}"#);
    assert_eq!(fixture.run(sleep, "true").await.as_deref(), Ok("true"));
}

#[tokio::test]
async fn log_lines_outputs_and_heartbeats_reach_the_host() {
    let fixture = Fixture::new();
    let wasm = stub(r#"{"behaviour":"log_and_heartbeat"}"#);
    let digest = fixture.install(wasm).await.unwrap().digest;
    let host = Arc::new(Recorder::default());
    fixture.sandbox.invoke(&digest, call_for("{}", Arc::clone(&host))).await.unwrap();
    let expected = [
        (LogLevel::Trace, "trace {}"),
        (LogLevel::Debug, "debug {}"),
        (LogLevel::Info, "info {}"),
        (LogLevel::Warn, "warn {}"),
        (LogLevel::Error, "error {}"),
        (LogLevel::Info, "stdout {}"),
        (LogLevel::Warn, "stderr {}"),
    ];
    assert_eq!(*host.lines.lock().unwrap(), expected.map(|(level, text)| (level, text.to_owned())));
    assert_eq!(*host.beats.lock().unwrap(), 1);
}

#[tokio::test]
async fn input_that_does_not_fit_is_named() {
    let error = Fixture::new().run(guest("reserve_stock"), r#"{"orderId":7}"#).await.unwrap_err();
    assert_eq!(error.name(), "InvalidInput");
    assert!(error.cause().starts_with("invalid type: integer `7`, expected a string"), "{}", error.cause());
}

#[tokio::test]
async fn the_order_tasks_play_their_parts() {
    let fixture = Fixture::new();
    let order = r#"{"orderId":"1","items":[{"sku":"CUP","quantity":2}]}"#;
    let reserved = fixture.run(guest("reserve_stock"), order).await;
    assert_eq!(reserved.as_deref(), Ok(r#"{"reservationId":"reservation-1","totalCents":1598}"#));
    // The fixture's calls are third attempts: two busy ones are over, a third is not.
    let payment = |busy: u32| {
        format!(r#"{{"orderId":"1","amountCents":5,"card":{{"number":"4242","busyAttempts":{busy}}}}}"#)
    };
    let charged = fixture.run(guest("charge_card"), &payment(2)).await;
    assert_eq!(charged.as_deref(), Ok(r#"{"chargeId":"charge-1","amountCents":5,"attempts":3}"#));
    let busy = fixture.run(guest("charge_card"), &payment(3)).await.unwrap_err();
    assert_eq!(busy.name(), "PaymentGatewayBusy");
    let shipment = r#"{"orderId":"1","address":{"city":"Base","country":"AQ","postcode":"1"}}"#;
    let refused = fixture.run(guest("ship_order"), shipment).await;
    let cause = "nobody delivers to Base, AQ".to_owned();
    assert_eq!(refused, Err(CallError::Task { error: "NoCourier".into(), cause }));
    let refund = r#"{"charge":{"chargeId":"charge-1","amountCents":5},"problem":{"Error":"NoCourier"}}"#;
    let refunded = fixture.run(guest("refund_card"), refund).await;
    assert_eq!(refunded.as_deref(), Ok(r#"{"refundId":"refund-1","amountCents":5,"reason":"NoCourier"}"#));
}

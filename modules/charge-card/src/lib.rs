//! Lesson 2: failures that are worth another try, and attempts.
//!
//! A busy gateway raises `PaymentGatewayBusy`, which the workflow lists under `Retry`; a declined card raises
//! `CardDeclined`, which it catches, because trying again would not help. `context()` says which attempt this is and
//! gives the idempotency key with which a payment provider recognises a repeated request.
//!
//! The example has no network, so the order itself says how often the gateway is busy.

use serde::{Deserialize, Serialize};
use stepwell::{TaskContext, TaskError, log};

/// What the workflow hands over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    order_id: String,
    amount_cents: u64,
    card: Card,
}

/// The card, and how the pretended gateway behaves for it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Card {
    number: String,
    /// How many attempts find the gateway busy before one gets through.
    #[serde(default)]
    busy_attempts: u32,
}

/// What the workflow gets back.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Charge {
    charge_id: String,
    amount_cents: u64,
    attempts: u32,
}

/// Cards that end in these digits are declined, as payment providers' test cards do.
const DECLINED_ENDING: &str = "0002";

/// Charges the card once.
#[stepwell::task]
fn charge_card(payment: Payment) -> Result<Charge, TaskError> {
    charge(&payment, &stepwell::context())
}

/// Does the work with the context passed in, so that tests choose the attempt.
fn charge(payment: &Payment, context: &TaskContext) -> Result<Charge, TaskError> {
    if context.attempt < payment.card.busy_attempts {
        log::warn!("gateway busy at attempt {}", context.attempt);
        let cause = format!("the payment gateway was busy at attempt {}", context.attempt);
        return Err(TaskError::new("PaymentGatewayBusy", cause));
    }
    if payment.card.number.ends_with(DECLINED_ENDING) {
        return Err(TaskError::new("CardDeclined", format!("order {}: card declined", payment.order_id)));
    }
    log::info!("charging {} cents with key {}", payment.amount_cents, context.idempotency_key);
    Ok(Charge {
        charge_id: format!("charge-{}", payment.order_id),
        amount_cents: payment.amount_cents,
        attempts: context.attempt + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(number: &str, busy_attempts: u32) -> Payment {
        let card = Card { number: number.into(), busy_attempts };
        Payment { order_id: "7".into(), amount_cents: 500, card }
    }

    fn attempt(attempt: u32) -> TaskContext {
        TaskContext { attempt, ..stepwell::context() }
    }

    #[test]
    fn is_busy_as_often_as_asked_and_then_charges() {
        let payment = payment("4242424242424242", 2);
        assert_eq!(charge(&payment, &attempt(0)).unwrap_err().error, "PaymentGatewayBusy");
        assert_eq!(charge(&payment, &attempt(1)).unwrap_err().error, "PaymentGatewayBusy");
        let expected = Charge { charge_id: "charge-7".into(), amount_cents: 500, attempts: 3 };
        assert_eq!(charge(&payment, &attempt(2)), Ok(expected));
    }

    #[test]
    fn declines_the_test_card_for_good() {
        let payment = payment("4000000000000002", 0);
        assert_eq!(charge(&payment, &attempt(0)).unwrap_err().error, "CardDeclined");
        assert_eq!(charge_card(payment).unwrap_err().error, "CardDeclined");
    }
}

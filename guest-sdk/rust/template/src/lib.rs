//! The task of {{name}}: charges a card, and declines large sums.

use serde::{Deserialize, Serialize};
use stepwell::{TaskError, log};

/// What the workflow hands over.
#[derive(Deserialize)]
struct Payment {
    order: String,
    cents: u64,
}

/// What the workflow gets back.
#[derive(Debug, PartialEq, Serialize)]
struct Charge {
    id: String,
    cents: u64,
}

#[stepwell::task]
fn charge_card(payment: Payment) -> Result<Charge, TaskError> {
    if payment.cents > 100_000 {
        return Err(TaskError::new("CardDeclined", format!("{} cents is too much", payment.cents)));
    }
    log::info!("attempt {} charges {} cents", stepwell::context().attempt, payment.cents);
    Ok(Charge { id: format!("charge-{}", payment.order), cents: payment.cents })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_sums_are_charged() {
        let charged = charge_card(Payment { order: "7".into(), cents: 1_999 });
        assert_eq!(charged, Ok(Charge { id: "charge-7".into(), cents: 1_999 }));
    }

    #[test]
    fn large_sums_are_declined() {
        let error = charge_card(Payment { order: "7".into(), cents: 100_001 }).unwrap_err();
        assert_eq!(error.error, "CardDeclined");
    }
}

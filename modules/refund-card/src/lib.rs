//! Lesson 3: undoing an earlier step.
//!
//! A workflow has no transaction to roll back: it compensates. This task takes what `charge-card` returned, together
//! with the error that a `Catch` recorded, and gives the money back. Running it twice names the same refund.

use serde::{Deserialize, Serialize};
use stepwell::{TaskError, log};

/// What the workflow hands over.
#[derive(Deserialize)]
struct Compensation {
    charge: Charge,
    problem: Problem,
}

/// The part of the charge that a refund needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Charge {
    charge_id: String,
    amount_cents: u64,
}

/// What a Catcher writes to its ResultPath: the error output of the States Language.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Problem {
    error: String,
    #[serde(default)]
    cause: String,
}

/// What the workflow gets back.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Refund {
    refund_id: String,
    amount_cents: u64,
    reason: String,
}

/// Refunds the whole charge.
#[stepwell::task]
fn refund_card(compensation: Compensation) -> Result<Refund, TaskError> {
    let Compensation { charge, problem } = compensation;
    // The charge's own number at the end of the refund's: whoever reads the books sees what belongs together.
    let number = charge.charge_id.strip_prefix("charge-").ok_or_else(|| {
        TaskError::new("UnknownCharge", format!("{:?} is not a charge of this shop", charge.charge_id))
    })?;
    log::info!("refunding {}: {}: {}", charge.charge_id, problem.error, problem.cause);
    Ok(Refund {
        refund_id: format!("refund-{number}"),
        amount_cents: charge.amount_cents,
        reason: problem.error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compensation(charge_id: &str) -> Compensation {
        Compensation {
            charge: Charge { charge_id: charge_id.into(), amount_cents: 500 },
            problem: Problem { error: "NoCourier".into(), cause: "too far".into() },
        }
    }

    #[test]
    fn gives_the_whole_amount_back() {
        let expected = Refund { refund_id: "refund-7".into(), amount_cents: 500, reason: "NoCourier".into() };
        assert_eq!(refund_card(compensation("charge-7")), Ok(expected));
    }

    #[test]
    fn refuses_a_charge_it_does_not_know() {
        assert_eq!(refund_card(compensation("7")).unwrap_err().error, "UnknownCharge");
    }
}

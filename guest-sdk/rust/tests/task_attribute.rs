//! The attribute as a module's author meets it: only `stepwell` and `serde`, and the function stays callable.

use serde::{Deserialize, Serialize};
use stepwell::{TaskError, log};

#[derive(Deserialize)]
struct Order {
    amount: u32,
}

#[derive(Debug, PartialEq, Serialize)]
struct Receipt {
    charged: u32,
    attempt: u32,
}

#[stepwell::task]
fn charge(order: Order) -> Result<Receipt, TaskError> {
    let Order { amount } = order;
    log::info!("charging {amount}");
    stepwell::heartbeat();
    if amount > 100 {
        return Err(TaskError::new("CardDeclined", format!("{amount} is too much")));
    }
    Ok(Receipt { charged: amount, attempt: stepwell::context().attempt })
}

mod without_input {
    #[stepwell::task]
    pub(super) fn tick() -> Result<(), std::num::ParseIntError> {
        "7".parse::<u8>().map(drop)
    }
}

#[test]
fn the_function_stays_callable() {
    assert_eq!(charge(Order { amount: 5 }), Ok(Receipt { charged: 5, attempt: 0 }));
    assert_eq!(charge(Order { amount: 101 }), Err(TaskError::new("CardDeclined", "101 is too much")));
    assert_eq!(without_input::tick(), Ok(()));
}

//! Lesson 4: `?`, the log and signs of life.
//!
//! Any standard error converts into a `TaskError` with `?`: a postcode that is not a number fails the task as
//! `TaskFailed` with the parser's message as its cause. `NoCourier` is a name of its own, because the workflow does
//! something about it: it refunds the card.

use serde::{Deserialize, Serialize};
use std::num::ParseIntError;
use stepwell::{TaskError, log};

/// What the workflow hands over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shipment {
    order_id: String,
    address: Address,
}

/// Where the parcel goes.
#[derive(Deserialize)]
struct Address {
    city: String,
    /// Two letters, ISO 3166.
    country: String,
    postcode: String,
}

/// What the workflow gets back.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Label {
    tracking_number: String,
    courier: &'static str,
}

/// Finds a courier and prints a label.
#[stepwell::task]
fn ship_order(shipment: Shipment) -> Result<Label, TaskError> {
    let address = &shipment.address;
    let zone = zone(&address.postcode)?;
    // A state with HeartbeatSeconds would notice a task that hangs here.
    stepwell::heartbeat();
    let courier = courier(&address.country).ok_or_else(|| {
        TaskError::new("NoCourier", format!("nobody delivers to {}, {}", address.city, address.country))
    })?;
    log::info!("{} goes to {} with {courier}", shipment.order_id, address.city);
    Ok(Label { tracking_number: format!("{}-{zone:02}-{}", address.country, shipment.order_id), courier })
}

/// Returns the delivery zone: the last two digits of the postcode.
fn zone(postcode: &str) -> Result<u32, ParseIntError> {
    Ok(postcode.parse::<u32>()? % 100)
}

/// Returns who delivers to a country. Nobody goes to Antarctica.
fn courier(country: &str) -> Option<&'static str> {
    match country {
        "PT" | "ES" | "FR" => Some("Andorinha"),
        "AQ" => None,
        _ => Some("Albatross"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipment(country: &str, postcode: &str) -> Shipment {
        let address =
            Address { city: "Somewhere".into(), country: country.into(), postcode: postcode.into() };
        Shipment { order_id: "7".into(), address }
    }

    #[test]
    fn prints_a_label() {
        let expected = Label { tracking_number: "PT-05-7".into(), courier: "Andorinha" };
        assert_eq!(ship_order(shipment("PT", "1105")), Ok(expected));
    }

    #[test]
    fn names_the_failure_that_the_workflow_catches() {
        let error = ship_order(shipment("AQ", "1")).unwrap_err();
        assert_eq!(error, TaskError::new("NoCourier", "nobody delivers to Somewhere, AQ"));
    }

    #[test]
    fn converts_a_parser_error() {
        let error = ship_order(shipment("PT", "A1")).unwrap_err();
        assert_eq!(error, TaskError::new("TaskFailed", "invalid digit found in string"));
    }
}

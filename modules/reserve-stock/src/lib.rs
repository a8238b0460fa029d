//! Lesson 1: types in and out, and failures by name.
//!
//! serde decodes the state's input into [`Order`] and encodes the [`Reservation`] that becomes its result. What goes
//! wrong has a name (`OutOfStock`, `UnknownItem`), so the workflow decides with `Catch` what to do about it.

use serde::{Deserialize, Serialize};
use stepwell::{TaskError, log};

/// What the workflow hands over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    order_id: String,
    items: Vec<Item>,
}

/// One line of an order.
#[derive(Deserialize)]
struct Item {
    sku: String,
    quantity: u64,
}

/// What the workflow gets back.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reservation {
    reservation_id: String,
    total_cents: u64,
}

/// An article of the shop.
struct Article {
    sku: &'static str,
    price_cents: u64,
    in_stock: u64,
}

/// The shop. A real task would ask a warehouse.
const SHELF: &[Article] = &[
    Article { sku: "CUP", price_cents: 799, in_stock: 40 },
    Article { sku: "TEAPOT", price_cents: 2_499, in_stock: 12 },
    Article { sku: "SAMOVAR", price_cents: 64_900, in_stock: 3 },
];

/// Reserves every item of the order, or none.
#[stepwell::task]
fn reserve_stock(order: Order) -> Result<Reservation, TaskError> {
    let mut total_cents: u64 = 0;
    for item in &order.items {
        let line_cents = price(item)?;
        total_cents = total_cents
            .checked_add(line_cents)
            .ok_or_else(|| TaskError::new("OutOfStock", "nobody has that much on the shelf"))?;
    }
    log::info!("{}: {} lines, {total_cents} cents", order.order_id, order.items.len());
    // Derived from the order, not random: running the task again after a crash names the same reservation.
    Ok(Reservation { reservation_id: format!("reservation-{}", order.order_id), total_cents })
}

/// Returns the price of one line, when the shelf has enough.
fn price(item: &Item) -> Result<u64, TaskError> {
    let article = SHELF
        .iter()
        .find(|article| article.sku == item.sku)
        .ok_or_else(|| TaskError::new("UnknownItem", format!("{} is not in the catalogue", item.sku)))?;
    if item.quantity > article.in_stock {
        let cause = format!("{} of {} wanted, {} left", item.quantity, item.sku, article.in_stock);
        return Err(TaskError::new("OutOfStock", cause));
    }
    Ok(article.price_cents * item.quantity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(sku: &str, quantity: u64) -> Order {
        let items = vec![Item { sku: sku.into(), quantity }, Item { sku: "CUP".into(), quantity: 1 }];
        Order { order_id: "7".into(), items }
    }

    #[test]
    fn adds_up_the_lines() {
        let reservation = reserve_stock(order("TEAPOT", 2));
        let expected = Reservation { reservation_id: "reservation-7".into(), total_cents: 5_797 };
        assert_eq!(reservation, Ok(expected));
    }

    #[test]
    fn names_what_is_missing() {
        let error = reserve_stock(order("SAMOVAR", 4)).unwrap_err();
        assert_eq!(error, TaskError::new("OutOfStock", "4 of SAMOVAR wanted, 3 left"));
        assert_eq!(reserve_stock(order("UNICORN", 1)).unwrap_err().error, "UnknownItem");
    }
}

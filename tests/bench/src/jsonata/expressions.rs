//! The expressions that are measured and the order that they read; and one of them, ready to be evaluated as users do
//! it: through `Trial`, JSON text in and a `Value` out.

use anyhow::{Context as _, anyhow};
use serde_json::{Map, Value, json};
use stepwell_asl::Timestamp;
use stepwell_asl::jsonata::{Evaluator, Trial};

/// An expression and what it is an example of.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// Its name in the table.
    pub name: &'static str,
    /// The expression.
    pub expression: &'static str,
}

/// What fields of state machines typically hold. All of them read the order.
pub const EXAMPLES: [Example; 6] = [
    Example {
        name: "arithmetic",
        expression: "$states.input.shipping.cost + $states.input.total * (1 + $states.input.tax)",
    },
    Example {
        name: "filter, map, sum",
        expression: "$sum($states.input.lines[count > 1 and group = 'kitchen'].(count * price))",
    },
    Example {
        name: "object, strings",
        expression: "{
            'id': $uppercase($states.input.orderId),
            'to': $states.input.customer.name & ' <' & $lowercase($states.input.customer.email) & '>',
            'city': $trim($states.input.shipping.address.city),
            'names': $split($states.input.customer.name, ' '),
            'short': $substring($states.input.note, 0, 10)
        }",
    },
    Example {
        name: "sort, projection",
        expression: "$states.input.lines^(>price, sku).{'sku': sku, 'price': price}",
    },
    Example {
        name: "$map, $reduce",
        expression: "(
            $parts := $map($states.input.lines, function($line, $index) {
                {'position': $index + 1, 'worth': $line.count * $line.price}
            });
            $reduce($parts, function($sum, $part) { $sum + $part.worth * $part.position }, 0)
        )",
    },
    Example {
        name: "$replace, date",
        expression: "$replace($states.input.note, /[a-z]+-([0-9]+)/, 'no. $1') & ', '
            & $fromMillis($states.input.placedAt, '[D01].[M01].[Y0001] [H01]:[m01]')",
    },
];

/// The order: about 1.5 KB, a dozen lines.
pub fn order() -> Value {
    let names = ["Cup", "Tea", "Pot", "Jug", "Tin", "Mat"];
    let line = |number: u32| {
        let name = names[usize::try_from(number).unwrap_or_default() % names.len()];
        json!({
            "sku": format!("{}-{number:02}", name.to_uppercase()),
            "name": format!("{name}, size {number}"),
            "count": number % 4 + 1,
            "price": 3.25 * f64::from((number * 7) % 11 + 1),
            "group": if number.is_multiple_of(3) { "garden" } else { "kitchen" },
        })
    };
    json!({
        "orderId": "order-000000001042",
        "placedAt": 1_790_000_000_000_u64,
        "customer": {"id": "c-1042", "name": "Ada Lovelace", "email": "Ada.Lovelace@Example.com", "tier": "gold"},
        "shipping": {
            "cost": 4.95,
            "address": {"street": "Oudegracht 112", "zip": "3511 AW", "city": " Utrecht ", "country": "NL"},
        },
        "tax": 0.21,
        "total": 129.5,
        "note": "gift for c-1042, together with order-1041 and order-1039",
        "lines": (1..=12).map(line).collect::<Vec<_>>(),
    })
}

/// An expression, parsed, with what `$states` holds.
pub struct Ready {
    trial: Trial,
    states: Value,
    variables: Map<String, Value>,
}

impl Ready {
    /// Parses an expression that is to read `input`.
    pub fn new(expression: &str, input: &Value) -> anyhow::Result<Ready> {
        let trial = Trial::parse(expression).map_err(|error| anyhow!("{expression} is refused: {error}"))?;
        Ok(Ready { trial, states: json!({"input": input}), variables: Map::new() })
    }

    /// What `$states` holds.
    pub fn states(&self) -> &Value {
        &self.states
    }

    /// Evaluates it once. Having no value is an error here.
    pub fn evaluate(&self, evaluator: &dyn Evaluator) -> anyhow::Result<Value> {
        let (now, seed) = (Timestamp(1_790_000_000_000), 1);
        let value = self.trial.evaluate(&self.states, &self.variables, (now, seed), evaluator);
        value.map_err(|error| anyhow!("an evaluation failed: {error}"))?.context("an evaluation gave nothing")
    }
}

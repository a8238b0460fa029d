//! ItemBatcher of a distributed Map state: several items in the input of one child execution (specification,
//! "ItemBatcher"; API reference, section 6.9).
//!
//! An item is never split: one that is too large for a batch has one of its own.

use super::amount::Amount;
use crate::context_object::ContextObject;
use crate::definition::Fields;
use crate::json_size::json_bytes;
use crate::jsonata::{Scope, States};
use crate::limits;
use crate::payload::Payload;
use crate::states_error::StatesError;
use serde_json::{Map, Value};

/// Groups items.
#[derive(Clone, Debug)]
pub(crate) struct ItemBatcher {
    most_items: Option<Amount>,
    most_bytes: Option<Amount>,
    /// BatchInput: what every batch has beside its items.
    input: Option<Payload>,
}

impl ItemBatcher {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<ItemBatcher> {
        let mut batcher = fields.nested("ItemBatcher")?;
        let names = [
            "MaxItemsPerBatch",
            "MaxItemsPerBatchPath",
            "MaxInputBytesPerBatch",
            "MaxInputBytesPerBatchPath",
        ];
        if !names.iter().any(|name| batcher.has(name)) {
            batcher.problem_here(format!("One of these fields is required: [{}]", names.join(", ")));
        }
        let [items, items_path, bytes, bytes_path] = names;
        let most_items = Amount::count(&mut batcher, items, items_path, 1..=limits::READER_ITEMS);
        let most_bytes = Amount::count(&mut batcher, bytes, bytes_path, 1..=limits::BATCH_BYTES);
        let input = Payload::parse(&mut batcher, "BatchInput", Scope::Input);
        batcher.finish();
        Some(ItemBatcher { most_items, most_bytes, input })
    }

    /// The inputs of the child executions for `items`.
    pub(crate) fn batches(
        &self,
        effective_input: &Value,
        items: Vec<Value>,
        context: &ContextObject<'_>,
    ) -> Result<Vec<Value>, StatesError> {
        let amount = |amount: &Option<Amount>, name: &str| {
            Amount::resolve(amount.as_ref(), name, None, effective_input, context)
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a cast saturates
        let most = |amount: Option<f64>| amount.map_or(usize::MAX, |most| (most as usize).max(1));
        let most_items = most(amount(&self.most_items, "MaxItemsPerBatch")?);
        let most_bytes = most(amount(&self.most_bytes, "MaxInputBytesPerBatch")?);
        let states = States::of_input(effective_input);
        let input =
            self.input.as_ref().map(|input| input.evaluate(effective_input, &states, context)).transpose()?;
        let batch = |items: Vec<Value>| {
            let mut batch = Map::new();
            batch.extend(input.as_ref().map(|input| ("BatchInput".to_owned(), input.clone())));
            batch.insert("Items".to_owned(), Value::Array(items));
            Value::Object(batch)
        };
        let empty_bytes = json_bytes(&batch(Vec::new()));
        let (mut batches, mut open, mut bytes) = (Vec::new(), Vec::new(), empty_bytes);
        for item in items {
            // A comma goes with all but the first.
            let more = json_bytes(&item) + 1;
            if !open.is_empty() && (open.len() >= most_items || bytes + more > most_bytes.saturating_add(1)) {
                let full = batch(std::mem::take(&mut open));
                context.count_copied(&full)?;
                batches.push(full);
                bytes = empty_bytes;
            }
            bytes += more;
            open.push(item);
        }
        if !open.is_empty() {
            batches.push(batch(open));
        }
        Ok(batches)
    }
}

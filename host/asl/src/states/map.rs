//! The Map state (specification, "Map State"): the same states for every item of an array, in this execution
//! (inline mode). Distributed mode is read, and refused as not supported.
//!
//! Older definitions say Iterator and Parameters for ItemProcessor and ItemSelector.

use super::amount::Amount;
use super::completion::Completion;
use super::distributed::{self, Distributed, Mode};
use super::{Exit, Handlers, Next};
use crate::assign::Assign;
use crate::context_object::ContextObject;
use crate::data_flow::{Paths, ResultFlow, select};
use crate::definition::{Fields, StateGraph};
use crate::execution::Items;
use crate::inspection::Stage;
use crate::jsonata::{Scope, States, Template};
use crate::payload::Payload;
use crate::query_path::QueryPath;
use crate::retry::{Catcher, Retrier, parse_list};
use crate::states::State;
use crate::states_error::StatesError;
use indexmap::IndexMap;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Runs the same states for every item.
#[derive(Clone, Debug)]
pub(crate) struct MapState {
    /// Its states have moved into the machine.
    processor: StateGraph,
    items_path: Option<QueryPath>,
    /// Items, in JSONata.
    items: Option<Template>,
    item_selector: Option<Payload>,
    max_concurrency: Option<Amount>,
    /// ToleratedFailureCount and ToleratedFailurePercentage: they count in distributed mode only; elsewhere their
    /// values are checked and that is all.
    tolerated: [Option<Amount>; 2],
    retriers: Vec<Retrier>,
    catchers: Vec<Catcher>,
    distributed: Distributed,
    completion: Completion,
}

/// The numbers that bound the iterations of a Map state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MapBounds {
    /// How many may run at a time; 0 for as many as the quota allows.
    pub(crate) concurrency: u64,
    tolerated_count: Option<f64>,
    tolerated_percentage: Option<f64>,
}

impl MapBounds {
    /// Whether so many failed iterations fail the state; of how many may not be known.
    #[allow(clippy::cast_precision_loss)] // nobody has 2^53 iterations
    pub(crate) fn are_exceeded_by(&self, failures: u64, iterations: Option<usize>) -> bool {
        let count = match (self.tolerated_count, self.tolerated_percentage) {
            (None, None) => Some(0.0),
            (count, _) => count,
        };
        let share = iterations.filter(|iterations| *iterations > 0);
        let share = share.map(|iterations| failures as f64 * 100.0 / iterations as f64);
        count.is_some_and(|count| failures as f64 > count)
            || self.tolerated_percentage.zip(share).is_some_and(|(most, share)| share > most)
    }
}

impl MapState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<MapState> {
        let (processor, mode) = parse_processor(fields);
        let paths = Paths::parse(fields, Scope::Result);
        let items_path = fields.path("ItemsPath");
        let items = parse_items(fields);
        let item_selector = parse_selector(fields);
        let max_concurrency = Amount::count(fields, "MaxConcurrency", "MaxConcurrencyPath", 0..=u64::MAX);
        let tolerated = [
            Amount::count(fields, "ToleratedFailureCount", "ToleratedFailureCountPath", 0..=u64::MAX),
            Amount::percentage(fields, "ToleratedFailurePercentage", "ToleratedFailurePercentagePath"),
        ];
        let distributed = Distributed::parse(fields, mode);
        let flow = ResultFlow::parse_result(fields);
        let assign = Assign::parse(fields, Scope::Result);
        let retriers = parse_list(fields, "Retry", Retrier::parse);
        let catchers = parse_list(fields, "Catch", Catcher::parse);
        let next = Next::parse(fields);
        Some(MapState {
            processor: processor?,
            items_path,
            items,
            item_selector,
            max_concurrency,
            tolerated,
            distributed,
            retriers,
            catchers,
            completion: Completion { paths, flow, assign, next: next?, has_result: true },
        })
    }

    /// The first state of every iteration.
    pub(crate) fn start_at(&self) -> &str {
        &self.processor.start_at
    }

    /// What the iterations are made from.
    pub(crate) fn items(&self, raw: &Value, context: &ContextObject<'_>) -> Result<Items, StatesError> {
        let effective = self.completion.paths.input(raw, context)?;
        let selected = match (&self.items, &self.items_path) {
            (Some(items), _) => items.evaluate(&States::of_input(raw), context)?,
            (None, Some(path)) => select(path, &effective, context)?.into_owned(),
            (None, None) => effective.as_ref().clone(),
        };
        if selected.is_array() {
            context.inspect(Stage::ItemsPath, &selected);
        }
        match selected {
            Value::Array(items) => Ok(Items { effective_input: effective.into_owned(), items }),
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_)) => {
                if let Some(Template::Expression(place, expression)) = &self.items {
                    return Err(expression.unexpected(place, "array", &other));
                }
                // A path into the context object is shown without its first `$` (recorded).
                if let Some(path) = self.items_path.as_ref().and_then(QueryPath::in_context) {
                    let cause = format!("Reference path \"{path}\" must point to array.");
                    return Err(StatesError::runtime(cause));
                }
                let cause = format!("Map state input must be an array but was: {other}");
                Err(StatesError::runtime(cause))
            }
        }
    }

    /// The numbers that bound its iterations.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // never negative; a cast saturates
    pub(crate) fn bounds(
        &self,
        input: &Value,
        context: &ContextObject<'_>,
    ) -> Result<MapBounds, StatesError> {
        let resolve = |amount: &Option<Amount>, name: &str, maximum: Option<f64>| {
            Amount::resolve(amount.as_ref(), name, maximum, input, context)
        };
        let [count, percentage] = &self.tolerated;
        let tolerated_count = resolve(count, "ToleratedFailureCount", None)?;
        if let Some(count) = tolerated_count {
            context.inspect(Stage::ToleratedFailureCount, &json!(count as u64));
        }
        let tolerated_percentage = resolve(percentage, "ToleratedFailurePercentage", Some(100.0))?;
        if let Some(percentage) = tolerated_percentage {
            context.inspect(Stage::ToleratedFailurePercentage, &json!(percentage));
        }
        let concurrency = resolve(&self.max_concurrency, "MaxConcurrency", None)?;
        let concurrency = concurrency.unwrap_or_default() as u64;
        context.inspect(Stage::MaxConcurrency, &json!(concurrency));
        Ok(MapBounds { concurrency, tolerated_count, tolerated_percentage })
    }

    /// The fields of distributed mode.
    pub(crate) fn distributed(&self) -> &Distributed {
        &self.distributed
    }

    /// What InputPath selects.
    pub(crate) fn effective_input(
        &self,
        raw: &Value,
        context: &ContextObject<'_>,
    ) -> Result<Value, StatesError> {
        self.completion.paths.input(raw, context).map(Cow::into_owned)
    }

    /// Whether the inputs of iterations are more than the items.
    pub(crate) fn selects_items(&self) -> bool {
        self.item_selector.is_some()
    }

    /// The input of one iteration; `context` holds its item.
    pub(crate) fn iteration_input(
        &self,
        effective_input: &Value,
        item: &Value,
        context: &ContextObject<'_>,
    ) -> Result<Value, StatesError> {
        match &self.item_selector {
            Some(payload) => payload.evaluate(effective_input, &States::of_input(effective_input), context),
            None => Ok(item.clone()),
        }
    }

    /// The exit with the outputs of all iterations.
    pub(crate) fn joined(
        &self,
        raw: &Value,
        outputs: Value,
        context: &ContextObject<'_>,
    ) -> Result<Exit, StatesError> {
        self.completion.exit(raw, outputs, context)
    }

    pub(super) fn handlers(&self) -> Handlers<'_> {
        Handlers { retriers: &self.retriers, catchers: &self.catchers }
    }

    pub(super) fn take_nested(&mut self) -> IndexMap<String, State> {
        std::mem::take(&mut self.processor.states)
    }
}

/// Reads the states of an iteration, and how they are run.
pub(super) fn parse_processor(fields: &mut Fields<'_>) -> (Option<StateGraph>, Mode) {
    fields.only_one_of("ItemProcessor", "Iterator");
    let mut name = "ItemProcessor";
    if fields.has("Iterator") {
        // Known also beside an ItemProcessor, where it is refused already.
        fields.get("Iterator");
        name = if fields.has("ItemProcessor") { "ItemProcessor" } else { "Iterator" };
    } else {
        fields.require(&["ItemProcessor"]);
    }
    let Some(mut processor) = fields.nested(name) else { return (None, Mode::Inline) };
    let mode = distributed::parse_mode(&mut processor);
    let graph = StateGraph::parse(&mut processor);
    processor.finish();
    (graph, mode)
}

fn parse_selector(fields: &mut Fields<'_>) -> Option<Payload> {
    fields.only_one_of("ItemSelector", "Parameters");
    let selector = Payload::parse(fields, "ItemSelector", Scope::Input);
    let parameters = fields.payload_template("Parameters").map(Payload::JsonPath);
    selector.or(parameters)
}

/// Items, of a state in JSONata: an array, or an expression that makes one.
fn parse_items(fields: &mut Fields<'_>) -> Option<Template> {
    if !fields.is_jsonata() {
        return None;
    }
    let items = fields.template("Items", Scope::Input)?;
    if matches!(items, Template::Object(_)) || matches!(&items, Template::Literal(value) if !value.is_array())
    {
        fields.problem("Items", "Expected value of type Array");
        return None;
    }
    Some(items)
}

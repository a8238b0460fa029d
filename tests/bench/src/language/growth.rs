//! What a transition costs while a Map state grows: the real executor over the store in memory, one execution at a time,
//! tasks that end at once.
//!
//! The baseline is the Map of the smallest size in the same round. Every size runs the same number of items, in a store of
//! its own, so that only the size of the Map differs; and what an ended execution leaves in the store is removed
//! within its window. All of it runs on one thread: how often the threads of a runtime wake each other depends on how
//! long they have had to do, and would pass for a cost of large Maps.

use super::machines::FUNCTION;
use crate::chain;
use crate::quiet::QuietWatch;
use crate::sample::{Plan, Sample, Window};
use crate::watched::WatchedBackend;
use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stepwell_asl::limits::MAP_CONCURRENCY_CAP;
use stepwell_asl::{Quotas, Resource, Status};
use stepwell_executor::{
    Executor, ExecutorConfig, Integration, NoExpressions, StartRequest, SystemClock, TaskOutcome, TaskRequest,
};
use stepwell_store::{Changes, MachineRecord, Store};
use tokio::runtime::Builder;

/// Longest time that one execution may take.
const EXECUTION_LIMIT: Duration = Duration::from_mins(5);
/// Room for the history of the largest Map; the default ends at 25,000 events.
const HISTORY_EVENTS: u64 = 1_000_000;

/// A kind of Map state.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name in the table.
    pub name: &'static str,
    /// `MaxConcurrency`; 0 for as many as the quota allows, which is set to its highest.
    pub max_concurrency: u64,
    /// Whether an ItemSelector makes each iteration's input, from the context object.
    pub selector: bool,
}

/// The kinds that are measured.
pub const KINDS: [Kind; 3] = [
    Kind { name: "40 at a time", max_concurrency: 40, selector: false },
    Kind { name: "1,000 at a time", max_concurrency: 0, selector: false },
    Kind { name: "40, ItemSelector", max_concurrency: 40, selector: true },
];

/// One kind of Map state, in several sizes.
#[derive(Clone, Debug)]
pub struct Level {
    /// The kind.
    pub kind: Kind,
    /// Items of the Maps.
    pub sizes: Vec<u64>,
    /// The rounds; in each of them what every size cost, in the order of `sizes`.
    pub rounds: Vec<Vec<Cost>>,
    /// Share of the processors that others used meanwhile; none when unknown.
    pub others: Option<f64>,
}

/// What one size cost.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    /// Transitions: calls of `step` whose history is committed.
    pub sample: Sample,
    /// Items of all executions together.
    pub items: u64,
    /// Bytes committed.
    pub bytes: u64,
}

/// Measures one kind in several sizes, on this thread alone. Must not be called from within a runtime.
pub fn measure(kind: Kind, sizes: &[u64], plan: Plan) -> anyhow::Result<Level> {
    let runtime = Builder::new_current_thread().enable_time().build().context("no runtime")?;
    let most = sizes.iter().copied().max().context("no sizes")?;
    for items in sizes {
        runtime.block_on(block(kind, *items, most / items))?;
    }
    let (mut rounds, quiet) = (Vec::new(), QuietWatch::start());
    for _ in 0..plan.rounds.max(1) {
        let mut costs = Vec::new();
        for items in sizes {
            let (mut cost, begun) = (Cost::default(), Instant::now());
            while cost.bytes == 0 || begun.elapsed() < plan.window {
                let more = runtime.block_on(block(kind, *items, most / items))?;
                cost.sample.add(more.sample);
                cost.items += more.items;
                cost.bytes += more.bytes;
            }
            costs.push(cost);
        }
        rounds.push(costs);
    }
    Ok(Level { kind, sizes: sizes.to_vec(), rounds, others: quiet.others() })
}

/// Runs so many executions, one after the other, in a new store. Setting up and tearing down is not counted.
async fn block(kind: Kind, items: u64, executions: u64) -> anyhow::Result<Cost> {
    let backend = Arc::new(WatchedBackend::memory());
    let store = Store::new(Arc::clone(&backend) as _);
    let mut changes = Changes::new();
    changes.machine(&machine(), &definition(kind), None)?;
    store.commit(changes).await?;
    let quotas =
        Quotas { history_events: HISTORY_EVENTS, map_concurrency: MAP_CONCURRENCY_CAP, ..Quotas::default() };
    let config = ExecutorConfig { quotas, ..ExecutorConfig::default() };
    let (echo, expressions, clock) = (Arc::new(Echo), Arc::new(NoExpressions), Arc::new(SystemClock));
    let executor = Executor::open(store.clone(), echo, expressions, clock, config)?;
    let requests: Vec<StartRequest> = (0..executions).map(|number| request(number, items)).collect();

    let (window, before) = (Window::open(), backend.committed());
    for request in requests {
        executor.start(request).await.context("an execution could not be started")?;
        let ended = tokio::time::timeout(EXECUTION_LIMIT, backend.vacant.acquire()).await;
        ended.context("an execution does not end")??.forget();
    }
    let after = backend.committed();
    let sample = window.close(|| after.transitions - before.transitions, Vec::new);

    for number in 0..executions {
        check(&store, number, items).await?;
    }
    executor.shut_down(Duration::from_secs(10)).await;
    store.close().await?;
    Ok(Cost { sample, items: executions * items, bytes: after.bytes - before.bytes })
}

/// Checks that an execution did all of its work: a Map of Lambda tasks leaves seven events for each item, and six more.
async fn check(store: &Store, number: u64, items: u64) -> anyhow::Result<()> {
    let arn = arn(number);
    let id = store.execution_id(&arn).await?.with_context(|| format!("{arn} is not stored"))?;
    let standing = store.standing(id).await?.with_context(|| format!("{arn} stands nowhere"))?;
    let output = standing.output.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let outputs = output.as_ref().and_then(Value::as_array).map_or(0, Vec::len) as u64;
    let complete = outputs == items && standing.last_event_id == 7 * items + 6;
    ensure!(
        complete && standing.status == Status::Succeeded,
        "{arn}: {outputs} outputs of {items}, {} events, {:?}, {:?}",
        standing.last_event_id,
        standing.status,
        standing.cause
    );
    Ok(())
}

fn definition(kind: Kind) -> String {
    let mut each = json!({
        "Type": "Map",
        "MaxConcurrency": kind.max_concurrency,
        "ItemProcessor": {"StartAt": "Work", "States": {
            "Work": {"Type": "Task", "Resource": FUNCTION, "End": true},
        }},
        "End": true,
    });
    if kind.selector {
        each["ItemSelector"] = json!({"n.$": "$$.Map.Item.Value.n", "i.$": "$$.Map.Item.Index"});
    }
    json!({"StartAt": "Each", "States": {"Each": each}}).to_string()
}

fn machine() -> MachineRecord {
    MachineRecord {
        arn: "arn:aws:states:us-east-1:123456789012:stateMachine:map".to_owned(),
        name: "map".to_owned(),
        ..chain::machine()
    }
}

/// Small items: ten thousand of them fit into a payload.
fn request(number: u64, items: u64) -> StartRequest {
    let input_value: Value = (0..items).map(|n| json!({"n": n})).collect();
    StartRequest {
        machine: machine().into(),
        name: number.to_string(),
        fresh_name: false,
        execution_arn: arn(number),
        region: "us-east-1".to_owned(),
        input: input_value.to_string(),
        input_value,
        trace_header: None,
        version: None,
        test_case: None,
        alias: None,
        starter: None,
    }
}

fn arn(number: u64) -> String {
    format!("arn:aws:states:us-east-1:123456789012:execution:map:{number}")
}

/// Answers a task with its input, at once.
struct Echo;

#[async_trait]
impl Integration for Echo {
    fn runs(&self, _: &Resource) -> bool {
        true
    }

    async fn run(&self, request: TaskRequest) -> TaskOutcome {
        TaskOutcome { result: Ok(request.parameters), log: Vec::new() }
    }
}

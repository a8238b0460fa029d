//! Executions that begin more branches at once than one batch of the store holds.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

#[path = "simulation/shop.rs"]
#[allow(dead_code, reason = "the simulation needs more of it")]
mod shop;

use serde_json::json;
use shop::{PausedClock, Shop, arn, machine, request};
use std::sync::Arc;
use stepwell_asl::{Quotas, Status};
use stepwell_executor::{Executor, ExecutorConfig, NoExpressions, StartRequest};
use stepwell_store::{Changes, MemoryBackend, Store};
use tokio::time::{Duration, Instant, sleep};

/// Looks at the executions; half a second of virtual time apart.
const ROUNDS: usize = 1_000;

async fn all_ended(store: &Store) -> bool {
    matches!(store.open_executions(None, 1).await, Ok(open) if open.is_empty())
}

/// Executions that begin a thousand branches each, all in one turn: more than one batch holds.
async fn begin_at_once(count: u64) {
    let memory = Arc::new(MemoryBackend::new());
    let store = Store::new(Arc::<MemoryBackend>::clone(&memory));
    let definition = r#"{"StartAt": "All", "States": {"All": {"Type": "Map", "ItemsPath": "$.items", "End": true,
      "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Wait", "Seconds": 1, "End": true}}}}}}"#;
    let mut changes = Changes::new();
    changes.machine(&machine(), definition, None).unwrap();
    store.commit(changes).await.unwrap();
    let clock = Arc::new(PausedClock(Instant::now()));
    let quotas = Quotas { map_concurrency: 1_000, ..Quotas::default() };
    let config = ExecutorConfig { shards: 1, quotas, ..ExecutorConfig::default() };
    let executor =
        Executor::open(store.clone(), Arc::<Shop>::default(), Arc::new(NoExpressions), clock, config)
            .unwrap();
    let items: Vec<u64> = (0..1_000).collect();
    let input_value = json!({ "items": items });
    let starts = (0..count).map(|number| {
        let (input, input_value) = (input_value.to_string(), input_value.clone());
        executor.start(StartRequest { input, input_value, ..request(number) })
    });
    for started in futures_util::future::join_all(starts).await {
        started.unwrap();
    }
    for _ in 0..ROUNDS {
        if all_ended(&store).await {
            break;
        }
        sleep(Duration::from_millis(500)).await;
    }
    for number in 0..count {
        let id = store.execution_id(&arn(number)).await.unwrap().unwrap();
        let standing = store.standing(id).await.unwrap().unwrap();
        assert_eq!(standing.status, Status::Succeeded);
    }
}

#[test]
fn executions_that_begin_more_branches_than_a_batch_holds_run_side_by_side() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(begin_at_once(20));
}

//! A seeded simulation of the executor over a store that fails and crashes by a plan, in virtual time.
//!
//! Whatever strikes, nothing that was acknowledged is lost, every transition happens once, histories are whole, replaying
//! the journal comes to what is stored, and every execution ends with the result that its input asks for.
//!
//! A run is reproduced by its seed, the order of all faults and every history included: one thread drives everything,
//! tokio's paused clock is the only time, ids and the randomness of executions follow from the seed. What is not part of it:
//! machines that use JSONata, whose steps are taken on threads of their own (`tests/lane`).
//!
//! `STEPWELL_STEPS=n` makes at least so many steps (`make simulate`), `STEPWELL_SEED=n` begins with that seed.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

mod check;
mod client;
mod shop;
mod tally;

use client::Client;
use shop::{DEFINITION, PausedClock, Shop, World, arn, machine};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use stepwell_asl::Status;
use stepwell_executor::{Allotment, Executor, ExecutorConfig, NoExpressions};
use stepwell_store::fault::{Fault, FaultBackend, FaultPlan};
use stepwell_store::{Backend, Changes, ExecutionId, KeyRange, MemoryBackend, Space, Store, holder_of};
use tally::{FAULTS, Tally};
use tokio::time::{Duration, Instant, sleep};

/// Steps of the test that everybody runs: some seconds.
const STEPS: u64 = 10_000;
const FIRST_SEED: u64 = 1;
/// A run that needs more lives than this is stuck.
const LIVES: u64 = 1_000;
/// Looks at all executions in one life, half a second of virtual time apart; one that takes longer is stuck.
const ROUNDS: usize = 1_000;
/// Executions of a client that nobody else here knows.
const UNKNOWN_OPEN: u64 = 1_000;
/// How often the progress of a long simulation is told, in runs.
const RUNS_PER_LINE: u64 = 100;

/// One run, and what its seed decides beside the faults.
struct Run {
    seed: u64,
    orders: u64,
    shards: usize,
    /// Orders that may be open at the same time.
    most_open: u64,
    plan: FaultPlan,
}

impl Run {
    fn of(seed: u64) -> Run {
        // A slow commit is one of 50 ms, of half a second, or longer than a shard is patient.
        let slow_for = [50, 500, 6_000][usize::try_from(seed % 3).unwrap()];
        // Some runs have few faults, so that long journals and checkpoints come about.
        let often = [0.04, 0.02, 0.005][usize::try_from(seed / 3 % 3).unwrap()];
        let plan = FaultPlan {
            full: often,
            unknown_lost: often,
            unknown_stored: often,
            crash_before: often,
            crash_after: often,
            slow: often,
            slow_for: Duration::from_millis(slow_for),
            ..FaultPlan::every(seed)
        };
        let (orders, shards) = (20 + seed % 41, usize::try_from(1 + seed % 4).unwrap());
        let most_open = if seed.is_multiple_of(5) { orders / 2 } else { orders };
        Run { seed, orders, shards, most_open, plan }
    }
}

impl World {
    /// Begins a life.
    async fn open(&self, run: &Run, life: u64, backend: Arc<dyn Backend>, truth: &Store) -> Life {
        let store = Store::new(backend);
        // Some that nobody knows are always open: then it shows when one is given back twice.
        let mut held = truth.count_held_running().await.unwrap();
        *held.entry(holder_of(&arn(0)).to_owned()).or_default() += UNKNOWN_OPEN;
        let open_executions = Allotment::bounded(UNKNOWN_OPEN + run.most_open, held);
        let (shop, clock) = (Arc::<Shop>::clone(&self.shop), Arc::clone(&self.clock));
        let seed = Some((run.seed << 16) + life);
        let counted = open_executions.clone();
        let config =
            ExecutorConfig { shards: run.shards, seed, open_executions, ..ExecutorConfig::default() };
        let executor = Executor::open(store.clone(), shop, Arc::new(NoExpressions), clock, config).unwrap();
        Life { store, executor, open: counted }
    }
}

/// One life of the executor.
struct Life {
    store: Store,
    executor: Executor,
    open: Allotment,
}

impl Life {
    /// What is counted as open is what is open.
    async fn check_open(&self, truth: &Store) {
        let running = truth.count_running().await.unwrap();
        assert_eq!(self.open.held(&arn(0)), Some(UNKNOWN_OPEN + running), "counted as open");
    }
}

/// One life: asks for everything again and again, until all have ended or the process "dies". Whether all have ended.
async fn live(run: &Run, client: &mut Client, life: &Life, backend: &FaultBackend, truth: &Store) -> bool {
    for _ in 0..ROUNDS {
        let ended = client.look(run.orders, &life.executor, truth).await;
        if backend.crashed() {
            return false;
        }
        if ended as u64 == run.orders {
            return true;
        }
        sleep(Duration::from_millis(500)).await;
    }
    panic!("stuck; faults: {:?}", backend.struck());
}

async fn simulate(run: &Run) -> Tally {
    let begun = Instant::now();
    let memory = Arc::new(MemoryBackend::new());
    let truth = Store::new(Arc::<MemoryBackend>::clone(&memory));
    let mut changes = Changes::new();
    changes.machine(&machine(), DEFINITION, None).unwrap();
    truth.commit(changes).await.unwrap();
    let world = World { clock: Arc::new(PausedClock(begun)), shop: Arc::default() };
    let (mut tally, mut client) = (Tally { runs: 1, ..Tally::default() }, Client::default());
    let mut backend = FaultBackend::new(Arc::<MemoryBackend>::clone(&memory), run.plan);
    let mut life = 0;
    loop {
        assert!(life < LIVES, "not done after {LIVES} lives; faults: {:?}", backend.struck());
        let shared = Arc::new(backend);
        let this = world.open(run, life, Arc::<FaultBackend>::clone(&shared), &truth).await;
        let done = live(run, &mut client, &this, &shared, &truth).await;
        this.executor.shut_down(Duration::ZERO).await;
        if done {
            this.check_open(&truth).await;
            tally.strike(&shared.struck());
            break;
        }
        backend = shared.restart().await;
        check::check_open(&truth, life, &mut tally).await;
        life += 1;
    }
    tally.commits = memory.stats().await.unwrap().last_commit;
    tally.acknowledged = client.acknowledged;
    tally.virtual_milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap();
    check::check(&truth, run.orders, &client, &mut tally).await;
    check_leftovers(&world, run, life + 1, &memory).await;
    check::check_all_records(&memory).await;
    tally
}

/// The parts of ended executions go; what failed commits and crashes have left, with the next start.
async fn check_leftovers(world: &World, run: &Run, life: u64, memory: &Arc<MemoryBackend>) {
    let truth = Store::new(Arc::<MemoryBackend>::clone(memory));
    let backend = Arc::<MemoryBackend>::clone(memory);
    let Life { store, executor, .. } = world.open(run, life, backend, &truth).await;
    for _ in 0..ROUNDS {
        if store.leftovers(1).await.unwrap().is_empty() {
            break;
        }
        sleep(Duration::from_millis(1)).await;
    }
    executor.shut_down(Duration::ZERO).await;
    let mut next = Some(KeyRange::all());
    while let Some(range) = next {
        let page = memory.scan(Space::new(b'p'), range, false, 1_000).await.unwrap();
        next = page.next;
        for (key, _) in page.items {
            let standing = store.standing(ExecutionId(*key.first_chunk().unwrap())).await.unwrap().unwrap();
            // A redrive goes on from the parts of the others; they go with their execution.
            assert_ne!(standing.status, Status::Succeeded, "parts that nothing will ever remove");
        }
    }
}

/// One run on a runtime of its own; a failure says how to repeat it.
fn run(seed: u64) -> Tally {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(simulate(&Run::of(seed)))
    }));
    outcome.unwrap_or_else(|failure| {
        println!(
            "seed {seed} failed; repeat it with\n  STEPWELL_SEED={seed} STEPWELL_STEPS=1 \
             cargo test -p stepwell-executor --test simulation nothing_acknowledged -- --nocapture"
        );
        resume_unwind(failure)
    })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[test]
fn nothing_acknowledged_is_lost_and_no_transition_happens_twice_whatever_strikes_the_store() {
    let (first, steps) = (number("STEPWELL_SEED"), number("STEPWELL_STEPS"));
    let (first, steps) = (first.unwrap_or(FIRST_SEED), steps.unwrap_or(STEPS));
    println!("at least {steps} steps; the first seed is {first}");
    let (began, mut total) = (std::time::Instant::now(), Tally::default());
    for seed in first.. {
        total.add(&run(seed));
        if total.runs % RUNS_PER_LINE == 0 {
            println!("{} steps, last seed {seed}, digest {:016x}", total.steps, total.digest);
        }
        if total.steps >= steps {
            break;
        }
    }
    println!("{total}\n{:.1} s", began.elapsed().as_secs_f64());
    if steps >= STEPS {
        for fault in FAULTS {
            assert!(total.struck(fault) > 0, "{fault:?} never struck");
        }
    }
}

#[test]
fn a_seed_makes_the_same_faults_and_the_same_histories_again() {
    let first = run(9);
    assert!(first.struck(Fault::CrashAfter) > 0);
    assert_eq!(first, run(9));
    assert_ne!(first.digest, run(10).digest);
}

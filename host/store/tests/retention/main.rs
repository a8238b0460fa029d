//! Removal of closed executions, and the check of what the records say: after any mixture of starts, transitions,
//! failed commits, crashes and removals every execution is there as a whole or not at all, a name stands for one
//! execution at most, and the check finds nothing; and it finds each kind of damage.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

mod damage;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use stepwell_asl::{EventKind, Timestamp};
use stepwell_store::fault::FaultPlan;
use stepwell_store::{
    Backend, Changes, Closed, ExecutionId, KeyRange, Space, Store, StoreError, check_records,
};
use world::World;

const SEEDS: u64 = 16;
const ROUNDS: u32 = 150;

/// The spaces that hold something of an execution.
const OF_EXECUTIONS: &[u8; 9] = b"njgicpqtr";

async fn keys(world: &World, space: u8) -> Vec<Vec<u8>> {
    let (mut keys, mut next) = (Vec::new(), Some(KeyRange::all()));
    while let Some(range) = next {
        let page = world.inner.scan(Space::new(space), range, false, 1_000).await.unwrap();
        keys.extend(page.items.into_iter().map(|(key, _)| key.to_vec()));
        next = page.next;
    }
    keys
}

async fn simulate(seed: u64) -> World {
    let mut world = World::new(seed).await;
    let faults = FaultPlan { full: 0.05, unknown_lost: 0.05, unknown_stored: 0.05, ..FaultPlan::none() };
    world.twin.set_plan(FaultPlan { crash_before: 0.03, crash_after: 0.03, ..faults });
    for round in 0..ROUNDS {
        let action = world.random.u8(0..12);
        match action {
            0..3 => drop(world.start().await),
            3..9 => world.go_on().await,
            9 => {
                let before = Timestamp(world.now.0 - world.random.i64(0..200_000));
                let batches = world.random.usize(1..5);
                world.remove(before, batches).await;
            }
            10 => {
                for id in world.store.leftovers(3).await.unwrap() {
                    if world.store.sweep(id).await.is_err() {
                        break;
                    }
                }
                if world.twin.crashed() {
                    world.reopen().await;
                }
            }
            _ => world.reopen().await,
        }
        // Transitions are the other tests' matter.
        if action >= 9 || round % 16 == 0 {
            world.check(&format!("seed {seed}, round {round}, faults {:?}", world.twin.struck())).await;
        }
    }
    let journal = keys(&world, b'j').await;
    // What was never asked to go is there, unless its start was never stored.
    for id in world.begun.keys().filter(|id| !world.doomed.contains(id)) {
        let gone = world.store.standing(*id).await.unwrap().is_none();
        let never_stored = journal.iter().all(|key| key[..16] != id.0);
        assert_eq!(gone, never_stored, "seed {seed}: {id:?}");
    }
    world.twin.set_plan(FaultPlan::none());
    for id in world.live.keys().copied().collect::<Vec<_>>() {
        world.stop(id).await;
    }
    world.remove(Timestamp(world.now.0 + 1), usize::MAX).await;
    world.check(&format!("seed {seed}, at the end")).await;
    for space in OF_EXECUTIONS {
        assert_eq!(keys(&world, *space).await, Vec::<Vec<u8>>::new(), "seed {seed}: {}", char::from(*space));
    }
    world
}

#[tokio::test]
async fn an_execution_is_there_as_a_whole_or_not_at_all() {
    let only = std::env::var("STEPWELL_SEED").ok().and_then(|seed| seed.parse().ok());
    let (mut reused, mut half_removed, mut removed) = (0, 0, 0);
    for seed in only.map_or(0..SEEDS, |seed: u64| seed..seed + 1) {
        println!("seed {seed}; repeat with STEPWELL_SEED={seed}");
        let world = simulate(seed).await;
        reused += world.reused;
        half_removed += world.half_removed;
        removed += world.doomed.len();
    }
    println!("{removed} removed, {half_removed} seen half removed, {reused} names used again");
    assert!(only.is_some() || (reused > 50 && half_removed > 5), "{reused} {half_removed}: too tame");
}

/// A world with one long execution that has ended: its id, when, and its name.
async fn ended() -> (World, Closed, String) {
    let mut world = World::new(1).await;
    let id = loop {
        if let Some(id) = world.start().await
            && world.begun[&id].contains(":m2:")
        {
            break id;
        }
    };
    for other in world.live.keys().copied().filter(|other| *other != id).collect::<Vec<_>>() {
        world.stop(other).await;
    }
    while world.live.contains_key(&id) {
        world.now.0 += 1;
        world.go_on().await;
    }
    let at = world.store.standing(id).await.unwrap().unwrap().stopped_at.unwrap();
    let arn = world.begun[&id].clone();
    (world, Closed { at, id }, arn)
}

/// Starts an execution with this very name.
async fn start_again(world: &mut World, arn: &str) -> ExecutionId {
    loop {
        if let Some(id) = world.start().await
            && world.begun[&id] == arn
        {
            return id;
        }
    }
}

#[tokio::test]
async fn a_long_execution_goes_in_batches_and_its_name_with_the_first() {
    let (mut world, closed, arn) = ended().await;
    let first = world.store.remove(&[closed]).await.unwrap();
    assert_eq!(first.executions, 0, "more than one batch: {first:?}");
    assert!(first.records > 100 && first.bytes > 10_000, "{first:?}");
    assert_eq!(world.store.execution_id(&arn).await.unwrap(), None);
    assert_eq!(world.store.standing(closed.id).await.unwrap(), None);
    assert!(world.store.load(closed.id).await.unwrap().is_none());
    let found = check_records(Arc::new(world.inner.clone()), &mut |_| {}).await.unwrap();
    assert!(found.is_sound() && found.half_removed == 1, "{found:?}");
    // The name is free, and what the rest of the removal takes is none of the new one's.
    let again = start_again(&mut world, &arn).await;
    world.reopen().await;
    let before = world.store.expired(None, Timestamp(i64::MAX), 10).await.unwrap();
    assert!(before.contains(&closed), "a removal that was cut short goes on: {before:?}");
    let mut batches = 0;
    while world.store.remove(&[closed]).await.unwrap().executions == 0 {
        batches += 1;
        assert!(batches < 10);
    }
    assert_eq!(world.store.execution_id(&arn).await.unwrap(), Some(again));
    assert!(world.store.standing(again).await.unwrap().unwrap().is_running());
    assert!(keys(&world, b'j').await.iter().all(|key| key[..16] != closed.id.0));
    // Once more is as good as once.
    assert_eq!(world.store.remove(&[closed]).await.unwrap().executions, 1);
    world.check("removed").await;
}

#[tokio::test]
async fn the_name_of_a_new_execution_is_not_taken_by_a_removal_that_comes_late() {
    let (mut world, closed, arn) = ended().await;
    // Two removers have read the same name; one is faster, and somebody starts anew.
    let slow = Arc::new(stepwell_store::fault::FaultBackend::new(
        Arc::new(world.inner.clone()),
        FaultPlan { delay_turns: 200, ..FaultPlan::none() },
    ));
    let slow = Store::new(slow);
    let late = tokio::spawn(async move { slow.remove(&[closed]).await });
    // It reads, and its commit is on its way.
    tokio::task::yield_now().await;
    assert!(world.store.execution_id(&arn).await.unwrap().is_some(), "too early");
    while world.store.remove(&[closed]).await.unwrap().executions == 0 {}
    let again = start_again(&mut world, &arn).await;
    assert_eq!(late.await.unwrap(), Err(StoreError::Conflict));
    assert_eq!(world.store.execution_id(&arn).await.unwrap(), Some(again));
    world.check("late").await;
}

#[tokio::test]
async fn a_name_that_stands_for_another_execution_stays() {
    let (world, closed, arn) = ended().await;
    // No server writes this: a damaged store, or one that was put together by hand.
    let mut batch = stepwell_store::Batch::new();
    batch.put(Space::new(b'n'), arn.clone(), vec![9; 16]);
    world.inner.commit(batch).await.unwrap();
    while world.store.remove(&[closed]).await.unwrap().executions == 0 {}
    assert_eq!(world.store.execution_id(&arn).await.unwrap(), Some(ExecutionId([9; 16])));
}

#[tokio::test]
async fn what_has_not_ended_is_refused() {
    let mut world = World::new(1).await;
    let id = loop {
        if let Some(id) = world.start().await {
            break id;
        }
    };
    let before: Vec<_> = everything(&world).await;
    for at in [Timestamp(0), world.now] {
        let refused = world.store.remove(&[Closed { at, id }]).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    }
    // A damaged store lists it as closed.
    let mut batch = stepwell_store::Batch::new();
    let key = [&(1_u64 << 63).to_be_bytes(), id.0.as_slice()].concat();
    batch.put(Space::new(b'r'), key.clone(), Vec::new());
    world.inner.commit(batch).await.unwrap();
    let listed = world.store.expired(None, Timestamp(1), 10).await.unwrap();
    assert_eq!(listed, [Closed { at: Timestamp(0), id }]);
    let refused = world.store.remove(&listed).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    let mut batch = stepwell_store::Batch::new();
    batch.delete(Space::new(b'r'), key);
    world.inner.commit(batch).await.unwrap();
    assert_eq!(everything(&world).await, before);
}

async fn everything(world: &World) -> Vec<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    for space in OF_EXECUTIONS {
        all.extend(keys(world, *space).await.into_iter().map(|key| (*space, key)));
    }
    all
}

#[tokio::test]
async fn many_short_executions_share_a_batch_and_one_that_is_damaged_stops_nobody() {
    let mut world = World::new(2).await;
    let mut ids = BTreeSet::new();
    while ids.len() < 12 {
        if let Some(id) = world.start().await {
            let mut changes = Changes::new();
            world.now.0 += 10;
            world.apply(id, &EventKind::Stop { error: None, cause: None }, &mut changes);
            world.commit(&[id], changes).await;
            ids.insert(id);
        }
    }
    let expired = world.store.expired(None, Timestamp(i64::MAX), 100).await.unwrap();
    assert_eq!(expired.len(), 12);
    let paged = world.store.expired(Some(expired[3]), expired[9].at, 4).await.unwrap();
    assert_eq!(paged, expired[4..8]);
    assert_eq!(world.store.expired(None, Timestamp(i64::MIN), 4).await.unwrap(), []);
    let mut batch = stepwell_store::Batch::new();
    let first = [expired[5].id.0.as_slice(), &1_u64.to_be_bytes()].concat();
    batch.put(Space::new(b'j'), first, "?");
    world.inner.commit(batch).await.unwrap();
    assert_eq!(world.store.remove(&expired).await.unwrap().executions, 5, "those before it");
    assert!(matches!(world.store.remove(&expired[5..]).await, Err(StoreError::Corrupt { .. })));
    assert_eq!(world.store.remove(&expired[6..]).await.unwrap().executions, 6, "those behind it");
    assert_eq!(world.store.expired(None, Timestamp(i64::MAX), 100).await.unwrap(), [expired[5]]);
}

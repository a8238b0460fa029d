//! The fault-injecting twin: what it may and may not do to a commit.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

use std::sync::Arc;

use stepwell_store::{
    Backend, Batch, CommitSeq, MemoryBackend, Space, StoreError,
    fault::{Fault, FaultBackend, FaultPlan},
};

const SPACE: Space = Space::new(b'F');

fn put(number: u32) -> Batch {
    let mut batch = Batch::new();
    batch.put(SPACE, number.to_be_bytes().to_vec(), "v");
    batch
}

async fn stored(backend: &dyn Backend, number: u32) -> bool {
    backend.get(SPACE, &number.to_be_bytes()).await.unwrap().is_some()
}

fn twin(plan: FaultPlan) -> FaultBackend {
    FaultBackend::new(Arc::new(MemoryBackend::new()), plan)
}

/// Commits so many batches one after another, restarting after each crash.
async fn commits(mut twin: FaultBackend, count: u32) -> (FaultBackend, Vec<Result<CommitSeq, StoreError>>) {
    let mut answers = Vec::new();
    for number in 0..count {
        answers.push(twin.commit(put(number)).await);
        if twin.crashed() {
            assert!(matches!(twin.get(SPACE, b"").await, Err(StoreError::Poisoned { .. })));
            twin = twin.restart().await;
        }
    }
    (twin, answers)
}

#[tokio::test]
async fn an_acknowledged_commit_is_stored_and_a_full_one_is_not() {
    for seed in 0..20 {
        let (twin, answers) = commits(twin(FaultPlan::every(seed)), 300).await;
        let (mut unknown_stored, mut unknown_lost) = (0, 0);
        for (number, answer) in (0..).zip(&answers) {
            match (answer, stored(&twin, number).await) {
                (Ok(_), true) | (Err(StoreError::Full), false) => {}
                (Err(StoreError::Unknown), true) => unknown_stored += 1,
                (Err(StoreError::Unknown), false) => unknown_lost += 1,
                (answer, stored) => panic!("seed {seed}: {answer:?}, but stored: {stored}"),
            }
        }
        let faults = twin.struck();
        let count = |wanted: &[Fault]| faults.iter().filter(|fault| wanted.contains(fault)).count();
        assert_eq!(unknown_stored, count(&[Fault::UnknownStored, Fault::CrashAfter]), "seed {seed}");
        assert_eq!(unknown_lost, count(&[Fault::UnknownLost, Fault::CrashBefore]), "seed {seed}");
        for fault in
            [Fault::Full, Fault::UnknownStored, Fault::UnknownLost, Fault::CrashBefore, Fault::CrashAfter]
        {
            assert!(faults.contains(&fault), "seed {seed}: no {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_seed_decides_everything() {
    let (first, answers) = commits(twin(FaultPlan::every(3)), 200).await;
    let (second, again) = commits(twin(FaultPlan::every(3)), 200).await;
    let (third, _) = commits(twin(FaultPlan::every(4)), 200).await;
    assert_eq!((first.struck(), answers), (second.struck(), again));
    assert_ne!(first.struck(), third.struck());
}

#[tokio::test]
async fn a_crash_drops_what_is_not_stored_yet() {
    let twin = Arc::new(twin(FaultPlan { delay_turns: 50, ..FaultPlan::none() }));
    let mut fatal = twin.fatal();
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let twin = Arc::clone(&twin);
            tokio::spawn(async move { twin.commit(put(number)).await })
        })
        .collect();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let next = twin.restart().await;
    let (mut kept, mut dropped) = (0, 0);
    for (number, task) in (0..).zip(tasks) {
        match (task.await.unwrap(), stored(&next, number).await) {
            (Ok(_), true) => kept += 1,
            (Err(StoreError::Unknown), false) => dropped += 1,
            (answer, stored) => panic!("{answer:?}, but stored: {stored}"),
        }
    }
    assert!(
        kept > 0 && dropped > 0,
        "{kept} kept, {dropped} dropped: the crash came at no interesting moment"
    );
    assert_eq!(fatal.wait().await, "a crash was injected");
    assert!(matches!(twin.commit(put(0)).await, Err(StoreError::Poisoned { .. })));
    assert_eq!(next.fatal().reason(), None);
    next.commit(put(1000)).await.unwrap();
}

#[tokio::test]
async fn a_plan_can_change_on_the_way() {
    let twin = twin(FaultPlan::none());
    twin.commit(put(1)).await.unwrap();
    twin.set_plan(FaultPlan { full: 1.0, ..FaultPlan::none() });
    assert_eq!(twin.commit(put(2)).await, Err(StoreError::Full));
    twin.set_plan(FaultPlan::none());
    twin.commit(put(3)).await.unwrap();
    assert_eq!(twin.struck(), [Fault::Full]);
}

/// The clock of the runtime stands still unless everyone waits: only the plan decides how long a commit takes.
#[tokio::test]
async fn a_slow_commit_takes_its_time_and_is_stored() {
    tokio::time::pause();
    let slow_for = std::time::Duration::from_secs(30);
    let twin = twin(FaultPlan { slow: 1.0, slow_for, ..FaultPlan::none() });
    let begun = tokio::time::Instant::now();
    twin.commit(put(1)).await.unwrap();
    assert!(begun.elapsed() >= slow_for);
    assert!(stored(&twin, 1).await);
    assert_eq!(twin.struck(), [Fault::Slow]);

    // Who dies while it waits has stored nothing.
    let twin = Arc::new(twin);
    let writer = Arc::clone(&twin);
    let commit = tokio::spawn(async move { writer.commit(put(2)).await });
    tokio::task::yield_now().await;
    let next = twin.restart().await;
    assert_eq!(commit.await.unwrap(), Err(StoreError::Unknown));
    assert!(!stored(&next, 2).await);
}

//! Many calls at once: they queue, they do not starve each other, and an abandoned call ends.

use crate::guests::{Fixture, Recorder, call, call_for, guest, stub};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stepwell_sandbox::{Call, CallHost, LogLevel};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

#[tokio::test]
async fn calls_beyond_the_pool_queue() {
    let fixture = Fixture::with(|config| config.max_concurrent_calls = 8);
    let sleeper = stub(r#"{"behaviour":"sleep_then_return_event","seconds":0.05}"#);
    let digest = fixture.install(sleeper).await.unwrap().digest;
    let started = Instant::now();
    let mut calls = JoinSet::new();
    for number in 0..40 {
        let (sandbox, digest) = (fixture.sandbox.clone(), digest.clone());
        calls.spawn(async move {
            let result = sandbox.invoke(&digest, call(&number.to_string())).await;
            assert_eq!(result.unwrap().result, number.to_string());
        });
    }
    calls.join_all().await;
    // Forty sleeps, eight at a time, are five rounds of 50 ms.
    assert!(started.elapsed() >= Duration::from_millis(250), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_calls_are_in_flight_without_a_thread_each() {
    let fixture = Fixture::with(|config| config.max_concurrent_calls = 10_000);
    let sleeper = stub(r#"{"behaviour":"sleep_then_return_event","seconds":8}"#);
    let digest: Arc<str> = fixture.install(sleeper).await.unwrap().digest.into();
    let slots = fixture.sandbox.call_slots();
    let mut calls = JoinSet::new();
    for _ in 0..10_000 {
        let (sandbox, digest) = (fixture.sandbox.clone(), Arc::clone(&digest));
        calls.spawn(async move {
            let patient = Call { timeout: Duration::from_mins(2), ..call("1") };
            sandbox.invoke(&digest, patient).await.unwrap();
        });
    }
    // All that the system's bound on memory maps lets run at once do, and the rest waits.
    let waiting = 10_000 - slots as usize;
    while fixture.sandbox.running_calls() < slots as usize || fixture.sandbox.waiting_calls() != waiting {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    assert!(threads < 200, "{threads} threads");
    while let Some(ended) = calls.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn busy_guests_leave_turns_for_a_light_call() {
    let fixture = Fixture::new();
    let light = fixture.install(guest("stub")).await.unwrap().digest;
    let busy = fixture.install(guest("hostile")).await.unwrap().digest;
    let mut loops = eight_busy_guests(&fixture, &busy).await;
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(fixture.sandbox.invoke(&light, call("1")).await.unwrap().result, "1");
    }
    let took = started.elapsed();
    println!("20 light calls beside 8 busy guests: {took:?}");
    // Without yields the first light call would wait for the loops' whole hour.
    assert!(took < Duration::from_secs(20), "{took:?}");
    loops.shutdown().await;
}

#[tokio::test]
async fn an_abandoned_call_frees_its_place() {
    let fixture = Fixture::with(|config| config.max_concurrent_calls = 8);
    let busy = fixture.install(guest("hostile")).await.unwrap().digest;
    for _ in 0..3 {
        let mut loops = eight_busy_guests(&fixture, &busy).await;
        let ninth = fixture.sandbox.invoke(&busy, call(r#"{"do":"env"}"#));
        let waited = tokio::time::timeout(Duration::from_millis(100), ninth).await;
        assert!(waited.is_err(), "a ninth call ran beside eight others");
        loops.shutdown().await;
    }
    let answer = fixture.sandbox.invoke(&busy, call(r#"{"do":"env"}"#)).await;
    assert!(answer.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn a_closed_sandbox_ends_its_guests() {
    let fixture = Fixture::new();
    let digest = fixture.install(guest("hostile")).await.unwrap().digest;
    let (gone, mut all_gone) = tokio::sync::mpsc::channel::<()>(1);
    let host = Arc::new(Listener { started: Semaphore::new(0), _gone: gone });
    let sandbox = fixture.sandbox.clone();
    let for_call = Arc::clone(&host) as Arc<dyn CallHost>;
    let endless = Call { timeout: Duration::from_hours(1), host: for_call, ..call(r#"{"do":"loop"}"#) };
    let guest = tokio::spawn(async move { sandbox.invoke(&digest, endless).await });
    drop(host.started.acquire().await.unwrap());
    guest.abort();
    assert!(guest.await.unwrap_err().is_cancelled());
    drop((fixture, host));
    // The channel closes when the guest's store, which holds the last listener, is gone.
    let closed = tokio::time::timeout(Duration::from_secs(20), all_gone.recv()).await;
    assert_eq!(closed, Ok(None));
}

/// Tells when a guest has started, and, by being dropped, when it is gone.
struct Listener {
    started: Semaphore,
    _gone: tokio::sync::mpsc::Sender<()>,
}

impl CallHost for Listener {
    fn log(&self, _: LogLevel, _: &str) {}

    fn heartbeat(&self) {
        self.started.add_permits(1);
    }
}

/// Starts eight endless loops and returns when all of them run.
async fn eight_busy_guests(fixture: &Fixture, digest: &str) -> JoinSet<()> {
    let host = Arc::new(Recorder::default());
    let mut loops = JoinSet::new();
    for _ in 0..8 {
        let (sandbox, digest) = (fixture.sandbox.clone(), digest.to_owned());
        let endless = call_for(r#"{"do":"loop"}"#, Arc::clone(&host));
        let endless = Call { timeout: Duration::from_hours(1), ..endless };
        loops.spawn(async move { panic!("a loop ended: {:?}", sandbox.invoke(&digest, endless).await) });
    }
    drop(host.started.acquire_many(8).await.unwrap());
    loops
}

#[tokio::test]
async fn calls_of_a_module_that_is_not_loaded_load_it_once() {
    let fixture = Fixture::new();
    let digest = fixture.install(guest("stub")).await.unwrap().digest;
    let fixture = fixture.restart();
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let (sandbox, digest) = (fixture.sandbox.clone(), digest.clone());
        calls.spawn(async move { sandbox.invoke(&digest, call("1")).await.unwrap().result });
    }
    assert!(calls.join_all().await.iter().all(|result| result == "1"));
}

//! The bounds that a manifest and the settings put on calls, and who waits for whom.

use crate::guests::{Fixture, Recorder, call, call_for, call_with, guest, stub};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stepwell_sandbox::{Call, CallError, Grants, Limits, LogLevel, Manifest};
use tokio::task::JoinSet;

/// Calls a guest under a manifest with these limits.
async fn limited(name: &str, input: &str, limits: Limits) -> Result<String, CallError> {
    let fixture = Fixture::new();
    let digest = fixture.install(guest(name)).await.unwrap().digest;
    let manifest = Manifest { limits, ..Manifest::default() };
    fixture.sandbox.invoke(&digest, call_with(input, manifest)).await.map(|output| output.result)
}

#[tokio::test]
async fn processor_time_ends() {
    let limits = Limits { cpu_milliseconds: Some(50), ..Limits::default() };
    let started = Instant::now();
    let error = limited("hostile", r#"{"do":"loop"}"#, limits).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(error.name(), "Sandbox.CpuExceeded");
    assert!(error.cause().contains("more than 50 ms of a processor; it was at"), "{}", error.cause());
    // Waiting is not computing.
    let slept = limited("hostile", r#"{"do":"sleep","seconds":0.3}"#, limits).await;
    assert_eq!(slept.as_deref(), Ok(r#""slept""#));
}

#[tokio::test]
async fn a_manifest_tightens_time_memory_and_result() {
    let limits = Limits { timeout_milliseconds: Some(30), ..Limits::default() };
    let error = limited("hostile", r#"{"do":"loop"}"#, limits).await.unwrap_err();
    assert!(error.cause().contains("did not finish within 30 ms"), "{}", error.cause());
    let limits = Limits { memory_mib: Some(3), ..Limits::default() };
    let error = limited("hostile", r#"{"do":"allocate"}"#, limits).await.unwrap_err();
    assert!(
        matches!(error, CallError::OutOfMemory { limit_bytes, .. } if limit_bytes == 3 << 20),
        "{error:?}"
    );
    let limits = Limits { result_kib: Some(1), ..Limits::default() };
    let error = limited("hostile", r#"{"do":"big-result","bytes":2000}"#, limits).await.unwrap_err();
    assert_eq!(error, CallError::ResultTooLarge { limit_bytes: 1 << 10 });
    let error = limited("command", r#"{"do":"flood","to":"stdout","bytes":2000}"#, limits).await.unwrap_err();
    assert_eq!(error, CallError::ResultTooLarge { limit_bytes: 1 << 10 });
}

#[tokio::test]
async fn tables_end() {
    let limits = Limits { table_elements: Some(1), ..Limits::default() };
    let error = limited("hostile", "null", limits).await.unwrap_err();
    assert!(matches!(error, CallError::TableExceeded { limit: 1, .. }), "{error:?}");
    assert_eq!(error.name(), "Sandbox.TableExceeded");
}

#[tokio::test]
async fn a_flood_of_output_ends() {
    let limits = Limits { output_kib: Some(100), ..Limits::default() };
    for (name, input) in [
        ("hostile", r#"{"do":"spam-log","bytes":1000000}"#),
        ("command", r#"{"do":"flood","to":"stderr","bytes":1000000}"#),
    ] {
        let error = limited(name, input, limits).await.unwrap_err();
        assert_eq!(error, CallError::OutputExceeded { limit_bytes: 100 << 10 }, "{name}");
    }
}

#[tokio::test]
async fn what_broke_a_call_is_in_its_log() {
    let fixture = Fixture::new();
    let digest = fixture.install(guest("hostile")).await.unwrap().digest;
    let host = Arc::new(Recorder::default());
    fixture.sandbox.invoke(&digest, call_for(r#"{"do":"trap"}"#, Arc::clone(&host))).await.unwrap_err();
    let lines = host.lines.lock().unwrap();
    let (level, last) = lines.last().unwrap();
    assert_eq!(*level, LogLevel::Error);
    assert!(last.starts_with("Sandbox.Trap: ") && last.contains("give_up"), "{last}");
}

#[tokio::test]
async fn secrets_reach_the_module_and_neither_log_nor_history() {
    let fixture = Fixture::new();
    let digest = fixture.install(guest("command")).await.unwrap().digest;
    let secrets = [("API_KEY".to_owned(), "hunter2-hunter2".to_owned())];
    let grants = Arc::new(Grants { secrets: secrets.into(), ..Grants::default() });
    let with = |input: &str, host: &Arc<Recorder>| Call {
        grants: Arc::clone(&grants),
        ..call_for(input, Arc::clone(host))
    };
    let host = Arc::new(Recorder::default());
    // It has the secret, as its failed attempt to give it away shows.
    let error = fixture.sandbox.invoke(&digest, with(r#"{"do":"echo"}"#, &host)).await.unwrap_err();
    assert_eq!(error, CallError::SecretInResult { variable: "API_KEY".into() });
    let told = r#"{"do":"exit","code":1,"error":"Bad","cause":"the key hunter2-hunter2 is wrong"}"#;
    let error = fixture.sandbox.invoke(&digest, with(told, &host)).await.unwrap_err();
    assert_eq!(error.cause(), "the key *** is wrong");
    assert!(!format!("{:?}{grants:?}", host.lines.lock().unwrap()).contains("hunter2"));
}

#[tokio::test]
async fn a_modules_own_bound_on_calls_queues_the_rest() {
    let fixture = Fixture::new();
    let sleeper = stub(r#"{"behaviour":"sleep_then_return_event","seconds":0.05}"#);
    let digest = fixture.install(sleeper).await.unwrap().digest;
    let limits = Limits { concurrent_calls: Some(2), ..Limits::default() };
    let manifest = Manifest { limits, ..Manifest::default() };
    let started = Instant::now();
    let mut calls = JoinSet::new();
    for number in 0..6 {
        let (sandbox, digest, manifest) = (fixture.sandbox.clone(), digest.clone(), manifest.clone());
        calls.spawn(async move {
            sandbox.invoke(&digest, call_with(&number.to_string(), manifest)).await.unwrap();
        });
    }
    calls.join_all().await;
    assert!(started.elapsed() >= Duration::from_millis(150), "{:?}", started.elapsed());
}

#[tokio::test]
async fn nobodys_calls_keep_anothers_waiting() {
    let fixture = Fixture::with(|config| config.max_concurrent_calls = 8);
    let sleeper = stub(r#"{"behaviour":"sleep_then_return_event","seconds":0.02}"#);
    let digest = fixture.install(sleeper).await.unwrap().digest;
    let mut many = JoinSet::new();
    for _ in 0..200 {
        let (sandbox, digest) = (fixture.sandbox.clone(), digest.clone());
        many.spawn(async move { sandbox.invoke(&digest, call("1")).await.unwrap() });
    }
    while fixture.sandbox.waiting_calls() < 100 {
        tokio::task::yield_now().await;
    }
    let few = Call { queue: Arc::from("few"), ..call("1") };
    fixture.sandbox.invoke(&digest, few).await.unwrap();
    // It took its turn: most of the others still wait.
    assert!(fixture.sandbox.waiting_calls() > 50, "{}", fixture.sandbox.waiting_calls());
    many.join_all().await;
}

#[tokio::test]
async fn too_many_waiting_calls_are_refused() {
    let fixture = Fixture::with(|config| {
        config.max_concurrent_calls = 8;
        config.max_waiting_calls = 2;
    });
    let sleeper = stub(r#"{"behaviour":"sleep_then_return_event","seconds":0.2}"#);
    let digest = fixture.install(sleeper).await.unwrap().digest;
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (sandbox, digest) = (fixture.sandbox.clone(), digest.clone());
        calls.spawn(async move { sandbox.invoke(&digest, call("1")).await });
    }
    let outcomes = calls.join_all().await;
    let refused = outcomes.iter().filter(|outcome| **outcome == Err(CallError::Overloaded)).count();
    assert_eq!((refused, outcomes.iter().filter(|outcome| outcome.is_ok()).count()), (10, 10));
}

#[tokio::test]
async fn memory_of_all_calls_is_bounded() {
    // Room for two calls of 20 MiB, but not for three.
    let fixture = Fixture::with(|config| config.total_memory_bytes = 48 << 20);
    let digest = fixture.install(guest("hostile")).await.unwrap().digest;
    let input = r#"{"do":"hold","mebibytes":16,"seconds":0.2}"#;
    let mut calls = JoinSet::new();
    for _ in 0..4 {
        let (sandbox, digest) = (fixture.sandbox.clone(), digest.clone());
        calls.spawn(async move { sandbox.invoke(&digest, call(input)).await });
    }
    let outcomes = calls.join_all().await;
    let refused: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(!refused.is_empty() && refused.len() < 4, "{outcomes:?}");
    assert!(refused.iter().all(|error| error.name() == "Sandbox.HostOutOfMemory"), "{refused:?}");
    // By now it is known what such a call uses: the rest waits instead of failing.
    let mut calls = JoinSet::new();
    for _ in 0..4 {
        let (sandbox, digest) = (fixture.sandbox.clone(), digest.clone());
        calls.spawn(async move { sandbox.invoke(&digest, call(input)).await });
    }
    assert!(calls.join_all().await.iter().all(Result::is_ok));
}

//! The wall clock jumps while the server runs: deadlines follow it, what is waited for does not hang, and no history
//! runs backwards.
//!
//! The jumps are libfaketime's, loaded into the server's process: its wall clock only, the monotonic one stays. Where
//! the library is missing the tests are skipped by name (Debian: `apt-get install libfaketime`).

use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use stepwell_crash::engine::Engine;
use stepwell_crash::population::{sleepers, slept};
use stepwell_it::{Client, Server, announce, soon};

/// Where Debian and others put the library, for programs with threads.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];
/// Longest time for what is due, on a machine that is busy with other work.
const LIMIT: Duration = Duration::from_mins(1);
/// An hour: no test waits for it.
const HOUR: i64 = 3_600;

/// A server whose wall clock is ours.
struct Shifted {
    server: Server,
    offset: PathBuf,
    _directory: tempfile::TempDir,
}

impl Shifted {
    /// None if it cannot be done here.
    fn start(test: &str) -> Option<Shifted> {
        let Some(library) = LIBRARIES.iter().find(|path| std::fs::exists(path).unwrap_or(false)) else {
            announce(&format!("SKIPPED {test}: there is no libfaketime"));
            return None;
        };
        let directory = tempfile::tempdir().expect("a temporary directory");
        let offset = directory.path().join("offset");
        std::fs::write(&offset, "+0").expect("the offset");
        let mut setup = Engine::Sled.setup(&directory.path().join("data"));
        let file = offset.to_string_lossy().into_owned();
        let settings = [
            ("LD_PRELOAD", (*library).to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", file),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        setup.environment = settings.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Some(Shifted { server: setup.start(), offset, _directory: directory })
    }

    /// Sets the clock to so many seconds beside the machine's, and waits until the server's answers show it.
    fn shift(&self, seconds: i64) {
        let next = self.offset.with_extension("next");
        std::fs::write(&next, format!("{seconds:+}")).expect("the offset");
        std::fs::rename(&next, &self.offset).expect("the offset");
        let client = self.client();
        let pass = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}});
        let machine = client.create_machine("probe", &pass);
        soon("the clock of the server to jump", || {
            let request = json!({"stateMachineArn": machine, "name": format!("probe-{}", fastrand::u64(..)), "input": "{}"});
            let started = client.expect("StartExecution", &request);
            let shown = started["startDate"].as_f64().unwrap_or_default();
            let real = time::OffsetDateTime::now_utc().unix_timestamp();
            #[expect(clippy::cast_precision_loss, reason = "seconds of this century fit")]
            let away = (shown - (real + seconds) as f64).abs();
            (away < 60.0).then_some(())
        });
    }

    fn client(&self) -> Client {
        self.server.client()
    }
}

#[test]
fn a_clock_that_jumps_forward_makes_deadlines_due() {
    let Some(shifted) = Shifted::start("clock forward") else { return };
    let client = shifted.client();
    let hours = sleepers(&client, 3_600, 5);
    let days = sleepers(&client, 86_400, 2);
    shifted.shift(HOUR + 10);
    for arn in &hours {
        assert_eq!(client.ended(arn, LIMIT)["status"], "SUCCEEDED");
        let found = slept(&client, arn);
        assert!(found >= 3_600.0, "{arn} slept for {found} s by the wall clock");
    }
    // A day is still far away, also for a server that was asked a moment later.
    for arn in &days {
        assert_eq!(client.describe(arn)["status"], "RUNNING");
    }
}

#[test]
fn a_clock_that_jumps_back_stops_nothing_and_dates_no_event_before_its_cause() {
    let Some(shifted) = Shifted::start("clock backward") else { return };
    let client = shifted.client();
    let before = sleepers(&client, 2, 5);
    shifted.shift(-HOUR);
    // What begins now is timed by the new clock.
    let begun = Instant::now();
    let after = sleepers(&client, 1, 5);
    for arn in &after {
        assert_eq!(client.ended(arn, LIMIT)["status"], "SUCCEEDED");
        assert!(slept(&client, arn) >= 1.0 - 0.001_5);
    }
    assert!(begun.elapsed() >= Duration::from_secs(1), "a second by the monotonic clock, too");
    // What began before waits for its own moment by the wall clock. It can be stopped, read, and ends when the clock
    // is set right again.
    let stopped = client.expect("StopExecution", &json!({"executionArn": before[0]}));
    assert!(stopped["stopDate"].is_number());
    sound(&client, &before[0]);
    shifted.shift(0);
    for arn in &before[1..] {
        assert_eq!(client.ended(arn, LIMIT)["status"], "SUCCEEDED");
        sound(&client, arn);
    }
}

#[test]
fn a_restart_behind_the_clock_of_the_store_serves_and_ends_everything() {
    let Some(mut shifted) = Shifted::start("clock behind the store") else { return };
    shifted.shift(HOUR);
    let client = shifted.client();
    let arns = sleepers(&client, 1, 3);
    shifted.server.kill9();
    std::fs::write(&shifted.offset, "+0").expect("the offset");
    let client = shifted.server.restart();
    for arn in &arns {
        sound(&client, arn);
    }
    shifted.shift(HOUR);
    for arn in &arns {
        assert_eq!(client.ended(arn, LIMIT)["status"], "SUCCEEDED");
        sound(&client, arn);
    }
}

/// Ids without a gap and timestamps that never run backwards, of an execution that runs or has ended.
fn sound(client: &Client, arn: &str) {
    let description = client.describe(arn);
    let history = client.history(arn).expect("the history");
    let problems = stepwell_crash::judge::problems(&description, &history);
    assert!(problems.is_empty(), "{arn}: {problems:?}");
}

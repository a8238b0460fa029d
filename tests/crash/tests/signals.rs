//! Signals under load: stopped for a while and continued, asked to end, asked twice.
//!
//! What must hold: nothing acknowledged is lost, a timer that was due meanwhile fires late and once, and a server that
//! was asked to end does so with exit code 0 unless it is pressed.

use fastrand::Rng;
use std::time::Duration;
use stepwell_crash::engine::{ENGINES, Engine};
use stepwell_crash::population::{Population, sleepers, slept};
use stepwell_crash::{long_form, seed};
use stepwell_it::{Server, announce};

/// Executions of the load.
const EXECUTIONS: usize = 60;
/// Longest time for a timer of seconds that is due, on a machine that is busy with other work.
const LIMIT: Duration = Duration::from_mins(1);
/// Seconds of the timers that become due while the server stands still.
const NAP_SECONDS: u64 = 1;
/// Clocks are stored in milliseconds; the API's seconds are floating point.
const SLACK_SECONDS: f64 = 0.001_5;

/// On every engine that the server offers.
fn on_each_engine(test: &str, run: impl Fn(&mut Population, &mut Rng)) {
    for engine in
        ENGINES.into_iter().filter(|engine| engine.offered_or_skipped(&format!("{test} on {engine}")))
    {
        run_on(engine, test, &run);
    }
}

fn run_on(engine: Engine, test: &str, run: &impl Fn(&mut Population, &mut Rng)) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut random = Rng::with_seed(seed(&format!("{test} on {engine}")));
    let mut population = Population::on(engine, &directory);
    run(&mut population, &mut random);
    let figures = population.assert_whole();
    announce(&format!("{test} on {engine}: {} executions ended right", figures.ended));
}

#[test]
fn a_server_that_stood_still_goes_on_and_its_timers_fire_once() {
    on_each_engine("sigstop", |population, random| {
        let client = population.server.client();
        let arns = sleepers(&client, NAP_SECONDS, 20);
        if long_form() {
            // Without calls: the minute counts for their time limits, because it passes for everyone else.
            population.server.pause();
            std::thread::sleep(Duration::from_mins(1));
            population.server.resume();
        }
        let before = Duration::from_millis(random.u64(20..400));
        population.under_load(EXECUTIONS, random, |server| {
            std::thread::sleep(before);
            server.pause();
            // The time that it must not notice; nothing is synchronised by it.
            std::thread::sleep(Duration::from_secs(3));
            server.resume();
        });
        for arn in &arns {
            assert_eq!(client.ended(arn, LIMIT)["status"], "SUCCEEDED");
            #[expect(clippy::cast_precision_loss, reason = "a second")]
            let wanted = NAP_SECONDS as f64;
            let found = slept(&client, arn);
            assert!(found + SLACK_SECONDS >= wanted, "{arn} slept for {found} s, not {wanted}");
        }
        assert!(population.server.runs());
    });
}

#[test]
fn a_server_that_is_asked_to_end_under_load_ends_well() {
    on_each_engine("sigterm", |population, random| {
        let before = Duration::from_millis(random.u64(20..800));
        population.under_load_breaking(EXECUTIONS, random, |server| {
            std::thread::sleep(before);
            let status = server.terminate();
            assert_eq!(status.code(), Some(0), "{status}");
        });
        population.server.restart();
    });
}

#[test]
fn a_server_that_is_asked_twice_ends_too_and_loses_nothing() {
    on_each_engine("sigterm twice", |population, random| {
        let (before, between) = (random.u64(20..800), random.u64(0..50));
        population.under_load_breaking(EXECUTIONS, random, |server: &mut Server| {
            std::thread::sleep(Duration::from_millis(before));
            server.ask_to_stop();
            std::thread::sleep(Duration::from_millis(between));
            let status = if server.runs() { server.terminate() } else { server.wait_for_end() };
            // It may take the second signal for impatience; it must not die of it without having said why.
            assert!(status.code().is_some(), "{status}");
        });
        population.server.restart();
    });
}

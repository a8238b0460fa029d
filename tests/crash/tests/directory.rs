//! What happens to the data directory from outside: read-only, removed, replaced, claimed by a second server.
//!
//! The server refuses with a reason, or goes on; what it acknowledged while its data was in place is there when the
//! data is in place again.

use serde_json::json;
use std::fs;
use std::process::Command;
use stepwell_crash::engine::{ENGINES, Engine};
use stepwell_crash::population::Population;
use stepwell_it::{CallFailure, SmallVolume, announce, machine_arn};

/// Starts that are tried while the directory is not what it was.
const TRIES: usize = 200;
/// Executions that are there before.
const BEFORE: usize = 10;
/// Size of a volume, in MiB.
const VOLUME_MIB: u32 = 256;
/// A user without any rights.
const NOBODY: &str = "65534";

/// What starting new work came to.
#[derive(Debug, Default)]
struct Tried {
    acknowledged: usize,
    /// The message of the first refusal.
    refused: Option<String>,
    /// The connection broke: the server has ended.
    ended: bool,
}

/// Runs a test on every engine that the server offers.
fn on_each_engine(test: &str, run: impl Fn(Engine)) {
    for engine in ENGINES {
        if engine.offered_or_skipped(&format!("{test} on {engine}")) {
            run(engine);
        }
    }
}

/// Creates executions of a Pass machine until one is refused; those that are acknowledged are not in the journal.
fn try_to_start(population: &Population) -> Tried {
    let client = population.server.client();
    let mut tried = Tried::default();
    for number in 0..TRIES {
        let name = format!("x-{}-{number}", fastrand::u64(..));
        let request = json!({"stateMachineArn": machine_arn("chain"), "name": name, "input": "{}"});
        match client.call("StartExecution", &request) {
            Ok(_) => tried.acknowledged += 1,
            Err(CallFailure::Refused(refusal)) => {
                assert!((500..600).contains(&refusal.status), "a client may try again: {refusal:?}");
                assert!(refusal.message.len() > 20, "{refusal:?}");
                tried.refused = Some(refusal.message);
                return tried;
            }
            Err(CallFailure::Broken(_)) => {
                tried.ended = true;
                return tried;
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    tried
}

fn shell(command: &mut Command) {
    let done = command.output().expect("the command");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn small(engine: Engine, directory: &tempfile::TempDir) -> Population {
    let mut population = Population::on(engine, directory);
    population.start(BEFORE).expect("executions start");
    population.assert_whole();
    population
}

#[test]
fn a_read_only_volume_is_refused_by_name_and_nothing_is_called_damaged() {
    let volume = match SmallVolume::mount(VOLUME_MIB) {
        Ok(volume) => volume,
        Err(reason) => return announce(&format!("SKIPPED read-only volume: cannot mount tmpfs: {reason}")),
    };
    on_each_engine("read-only volume", |engine| {
        let data = volume.path().join(format!("data-{engine}"));
        let mut population = Population::new(engine.setup(&data));
        population.start(BEFORE).expect("executions start");
        population.assert_whole();
        population.server.kill9();
        shell(Command::new("mount").args(["-o", "remount,ro"]).arg(volume.path()));
        let said = population.server.try_restart().err();
        shell(Command::new("mount").args(["-o", "remount,rw"]).arg(volume.path()));
        let said = said.expect("there is nowhere to write");
        assert!(said.contains(&*data.to_string_lossy()), "{said}");
        assert!(said.to_lowercase().contains("read-only"), "{said}");
        assert!(!said.contains("damaged") && !said.contains("panicked"), "{said}");
        population.server.restart();
        population.assert_whole();
    });
}

#[test]
fn directories_that_become_read_only_under_the_server_lose_nothing() {
    if !rustix::process::geteuid().is_root() {
        return announce("SKIPPED read-only directories: only root can start the server as somebody else");
    }
    on_each_engine("read-only directories", |engine| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let data = directory.path().join("data");
        fs::create_dir_all(&data).expect("the data directory");
        shell(Command::new("chmod").arg("755").arg(directory.path()));
        shell(Command::new("chown").arg(NOBODY).arg(&data));
        let mut setup = engine.setup(&data);
        setup.wrapper = ["setpriv", "--reuid", NOBODY, "--clear-groups"].map(str::to_owned).to_vec();
        let mut population = Population::new(setup);
        population.start(BEFORE).expect("executions start");
        population.assert_whole();
        let mode = |mode: &str| {
            shell(Command::new("find").arg(&data).args(["-type", "d", "-exec", "chmod", mode, "{}", "+"]));
        };
        mode("a-w");
        let tried = try_to_start(&population);
        announce(&format!("read-only directories on {engine}: {tried:?}"));
        population.read_all(&population.server.client()).expect("reading goes on");
        population.assert_no_violation();
        mode("u+w");
        population.server.kill9();
        population.server.restart();
        assert_acknowledged(&population);
    });
}

#[test]
fn a_removed_directory_ends_the_acknowledgements() {
    on_each_engine("removed directory", |engine| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut population = small(engine, &directory);
        fs::remove_dir_all(population.server.data()).expect("the data goes");
        let tried = try_to_start(&population);
        announce(&format!("removed directory on {engine}: {tried:?}"));
        assert!(tried.ended || tried.refused.is_some(), "{TRIES} starts were acknowledged into nothing");
        assert_ends_with_reason(&mut population);
    });
}

#[test]
fn a_replaced_directory_does_not_mix_two_stores() {
    on_each_engine("replaced directory", |engine| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut population = small(engine, &directory);
        let data = population.server.data().to_owned();
        let away = directory.path().join("away");
        fs::rename(&data, &away).expect("the data moves");
        fs::create_dir_all(&data).expect("an empty directory");
        let tried = try_to_start(&population);
        announce(&format!("replaced directory on {engine}: {tried:?}"));
        if population.server.runs() {
            population.server.kill9();
        }
        // What was acknowledged is where the data went.
        fs::remove_dir_all(&data).expect("the other directory goes");
        fs::rename(&away, &data).expect("the data moves back");
        population.server.restart();
        assert_acknowledged(&population);
    });
}

#[test]
fn a_second_server_on_the_same_store_is_refused_by_name() {
    on_each_engine("second server", |engine| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut population = small(engine, &directory);
        let rival = population.server.rival();
        let errors = String::from_utf8_lossy(&rival.stderr);
        assert!(rival.status.code().is_some_and(|code| code != 0), "{:?}: {errors}", rival.status);
        assert!(errors.contains("held by another running server"), "{errors}");
        assert!(errors.contains(&*directory.path().to_string_lossy()), "{errors}");
        population.assert_whole();
    });
}

/// Nothing of the journal is missing or changed.
fn assert_acknowledged(population: &Population) {
    let refused = population.read_all(&population.server.client()).expect("answers");
    assert!(refused.is_empty(), "{refused:?}");
    population.assert_no_violation();
}

/// A server that has stopped for good ends by itself, and has named the store and the reason.
fn assert_ends_with_reason(population: &mut Population) {
    let status = population.server.wait_for_end();
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    let said = population.server.output();
    let reason = said.lines().rfind(|line| line.contains("the store has stopped"));
    let data = population.server.data().to_string_lossy().into_owned();
    assert!(reason.is_some() && said.contains(&data) && !said.contains("panicked"), "{status}: {said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.starts_with("stepwell:"), "{status}: {said}");
    announce(&format!("the last words: {last}"));
}

//! A full disk: new work is refused with a reason, nothing that was answered is lost, and the service resumes by
//! itself when there is space again.

use crate::{QUICK, assert_works, install_echo};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use stepwell_it::{CallFailure, Client, Refusal, Server, Setup, SmallVolume, announce, guest, soon};

/// Size of the volume, in MiB: modules, their compiled form and a young store fit with room to spare.
const VOLUME_MIB: u32 = 160;
/// What the server leaves free, in MiB.
const RESERVE_MIB: u64 = 32;
/// Room above the reserve that the executions of the test fill, in bytes.
const ROOM_BYTES: u64 = 48 << 20;
/// Length of each input, in bytes.
const INPUT_BYTES: usize = 64 << 10;
/// Longer than the store waits with what it does beside commits: it follows them once a second.
const HOUSEKEEPING: Duration = Duration::from_millis(3_500);
/// More executions than the room can hold.
const EXECUTIONS: usize = 2_000;

/// A server on a volume of its own.
struct OnVolume {
    volume: SmallVolume,
    server: Server,
}

/// What `--store` is given.
const ENGINES: [&str; 2] = ["sled:{data}", "redb:{data}/store.redb"];

/// Starts a server on a small volume; without one the test `name` is skipped, by its name.
fn serve_on_small_volume(name: &str, store: &str) -> Option<OnVolume> {
    let volume = match SmallVolume::mount(VOLUME_MIB) {
        Ok(volume) => volume,
        Err(reason) => {
            announce(&format!("SKIPPED full_disk: cannot mount tmpfs for {name}: {reason}"));
            return None;
        }
    };
    let data = volume.path().join("data");
    std::fs::create_dir(&data).expect("the folder of the store");
    let flags = ["--min-free-mib", &RESERVE_MIB.to_string()];
    let server =
        Setup { data: Some(data), store: store.to_owned(), ..Setup::default() }.flags(&flags).start();
    Some(OnVolume { volume, server })
}

#[test]
fn a_full_disk_refuses_new_work_loses_nothing_and_heals_by_itself() {
    ENGINES.into_iter().for_each(refuses_new_work);
}

fn refuses_new_work(store: &str) {
    let Some(OnVolume { volume, mut server }) = serve_on_small_volume("refuses_new_work", store) else {
        return;
    };
    let client = server.client();
    let echo = install_echo(&client);
    let waiter = {
        let wait = json!({"Type": "Wait", "Seconds": 2, "End": true});
        let machine = client.create_machine("waits", &json!({"StartAt": "Wait", "States": {"Wait": wait}}));
        client.start(&machine, "before", &json!({}))
    };

    settle(&client, &echo);
    let filler = volume.fill((RESERVE_MIB << 20) + ROOM_BYTES);
    let mut acknowledged = BTreeMap::new();
    let refusal = start_until_refused(&client, &echo, &mut acknowledged);
    assert_is_about_the_disk(&refusal);
    assert!(!acknowledged.is_empty(), "the room above the reserve took nothing");
    // Reading goes on, and so does everything that was answered.
    for (arn, input) in &acknowledged {
        assert_eq!(client.describe(arn)["input"], *input, "{arn}");
    }

    // Worse: not a byte is left. The server still answers, and still only refuses.
    drop(filler);
    let filler = volume.fill(0);
    assert!(volume.free_bytes() < RESERVE_MIB << 20, "{} bytes are still free", volume.free_bytes());
    let refusal = start_until_refused(&client, &echo, &mut acknowledged);
    assert_is_about_the_disk(&refusal);
    assert!(server.runs());

    drop(filler);
    soon("new work after space was freed", || {
        let input = json!({"stateMachineArn": echo, "name": "healed", "input": "{}"});
        client.call("StartExecution", &input).ok()
    });
    assert_works(&client, &echo, "after-the-full-disk");
    assert_eq!(client.ended(&waiter, QUICK)["status"], "SUCCEEDED");
    assert_all_there(&client, &acknowledged);
    server.kill9();
    assert_all_there(&server.restart(), &acknowledged);
    announce(&format!(
        "full_disk on {store}: {} executions acknowledged before it was full",
        acknowledged.len()
    ));
}

/// The moment at which a store needs its first blocks for everything: the first seconds of its life.
#[test]
fn a_disk_without_a_byte_left_does_not_end_a_server_that_has_just_begun() {
    ENGINES.into_iter().for_each(just_begun);
}

fn just_begun(store: &str) {
    let Some(OnVolume { volume, mut server }) = serve_on_small_volume("just_begun", store) else { return };
    let client = server.client();
    let echo = install_echo(&client);
    let filler = volume.fill(0);
    let begun = Instant::now();
    while begun.elapsed() < HOUSEKEEPING {
        assert!(server.runs(), "the server ended");
        let request = json!({"stateMachineArn": echo, "input": "{}"});
        let refusal = client.call("StartExecution", &request).expect_err("there is no space").refusal();
        assert_is_about_the_disk(&refusal);
    }
    drop(filler);
    soon("new work after space was freed", || {
        client.call("StartExecution", &json!({"stateMachineArn": echo, "input": "{}"})).ok()
    });
    assert_works(&client, &echo, "after-the-full-disk");
}

#[test]
fn an_upload_to_a_full_disk_is_refused_with_the_reason() {
    ENGINES.into_iter().for_each(upload);
}

fn upload(store: &str) {
    let Some(OnVolume { volume, mut server }) = serve_on_small_volume("upload", store) else { return };
    let client = server.client();
    let echo = install_echo(&client);
    settle(&client, &echo);
    let filler = volume.fill(0);
    let reply = client.put_module("hostile", &guest("hostile")).expect("an answer");
    let text = String::from_utf8_lossy(&reply.body).to_lowercase();
    assert!((500..600).contains(&reply.status), "HTTP {}: {text}", reply.status);
    assert!(text.contains("space") || text.contains("disk"), "{text}");
    assert!(server.runs());
    drop(filler);
    client.install("hostile", &guest("hostile"));
    soon("new work after space was freed", || {
        client.call("StartExecution", &json!({"stateMachineArn": echo, "input": "{}"})).ok()
    });
    assert_works(&client, &echo, "after-the-upload");
}

#[test]
fn a_start_on_a_full_disk_does_not_call_the_data_damaged() {
    ENGINES.into_iter().for_each(start);
}

fn start(store: &str) {
    let Some(OnVolume { volume, mut server }) = serve_on_small_volume("start", store) else { return };
    let client = server.client();
    let echo = install_echo(&client);
    let arn = client.start(&echo, "before", &json!({"before": true}));
    client.ended(&arn, QUICK);
    settle(&client, &echo);
    let filler = volume.fill(0);
    server.kill9();
    // It may start, or say that there is no space; whoever reads "damaged" throws good data away.
    match server.try_restart() {
        Ok(client) => assert_eq!(client.describe(&arn)["status"], "SUCCEEDED"),
        Err(said) => {
            assert!(!said.contains("damaged") && !said.contains("restore"), "{said}");
            assert!(said.contains("space"), "{said}");
        }
    }
    drop(filler);
    if server.runs() {
        server.kill9();
    }
    let client = server.restart();
    assert_eq!(client.describe(&arn)["status"], "SUCCEEDED");
    assert_works(&client, &echo, "after-the-full-disk");
}

/// Runs executions for longer than the store's housekeeping takes, so that all of its files have their blocks.
fn settle(client: &Client, echo: &str) {
    let begun = Instant::now();
    for number in 0.. {
        if begun.elapsed() > HOUSEKEEPING {
            return;
        }
        assert_works(client, echo, &format!("settle-{number}"));
    }
}

/// Starts executions until one is refused; what was answered goes to `acknowledged`, by ARN.
fn start_until_refused(client: &Client, echo: &str, acknowledged: &mut BTreeMap<String, String>) -> Refusal {
    let first = acknowledged.len();
    for number in first..first + EXECUTIONS {
        let input = json!({"number": number, "load": "x".repeat(INPUT_BYTES)}).to_string();
        let request = json!({"stateMachineArn": echo, "name": format!("load-{number}"), "input": input});
        match client.call("StartExecution", &request) {
            Ok(started) => {
                acknowledged.insert(started["executionArn"].as_str().expect("an ARN").to_owned(), input);
            }
            Err(CallFailure::Refused(refusal)) => return refusal,
            Err(CallFailure::Broken(reason)) => panic!("the connection broke: {reason}"),
        }
    }
    panic!("{EXECUTIONS} executions were accepted, and the disk is still not full");
}

fn assert_is_about_the_disk(refusal: &Refusal) {
    assert!((500..600).contains(&refusal.status), "a client may try again: {refusal:?}");
    assert!(!refusal.code.is_empty(), "{refusal:?}");
    assert!(refusal.message.contains("disk is nearly full"), "{refusal:?}");
}

/// Every execution that was answered ends, with its own input as its output.
fn assert_all_there(client: &Client, acknowledged: &BTreeMap<String, String>) {
    for (arn, input) in acknowledged {
        let execution = client.ended(arn, QUICK);
        assert_eq!(
            (&execution["status"], &execution["output"]),
            (&json!("SUCCEEDED"), &json!(input)),
            "{arn}"
        );
    }
}

//! A full disk: new work is refused with a reason, nothing that was answered is lost, and the service resumes by
//! itself when there is space again.

use crate::{QUICK, assert_works, install_echo};
use serde_json::json;
use std::collections::BTreeMap;
use stepwell_it::{CallFailure, Client, Refusal, Setup, SmallVolume, announce, soon};

/// Size of the volume, in MiB: modules, their compiled form and a young store fit with room to spare.
const VOLUME_MIB: u32 = 160;
/// What the server leaves free, in MiB.
const RESERVE_MIB: u64 = 32;
/// Room above the reserve that the executions of the test fill, in bytes.
const ROOM_BYTES: u64 = 48 << 20;
/// Length of each input, in bytes.
const INPUT_BYTES: usize = 64 << 10;
/// More executions than the room can hold.
const EXECUTIONS: usize = 2_000;

#[test]
fn a_full_disk_refuses_new_work_loses_nothing_and_heals_by_itself() {
    let volume = match SmallVolume::mount(VOLUME_MIB) {
        Ok(volume) => volume,
        Err(reason) => {
            announce(&format!("SKIPPED full_disk: cannot mount tmpfs: {reason}"));
            return;
        }
    };
    let data = volume.path().join("data");
    let flags = ["--min-free-mib", &RESERVE_MIB.to_string()];
    let mut server = Setup { data: Some(data), ..Setup::default() }.flags(&flags).start();
    let client = server.client();
    let echo = install_echo(&client);
    let waiter = {
        let wait = json!({"Type": "Wait", "Seconds": 2, "End": true});
        let machine = client.create_machine("waits", &json!({"StartAt": "Wait", "States": {"Wait": wait}}));
        client.start(&machine, "before", &json!({}))
    };

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
    announce(&format!("full_disk: {} executions acknowledged before the disk was full", acknowledged.len()));
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

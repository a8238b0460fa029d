//! What clients see when the store refuses or fails.

use std::sync::Arc;

use serde_json::json;
use stepwell_store::MemoryBackend;
use stepwell_store::fault::{FaultBackend, FaultPlan};

use crate::support::{Callee, TestServer, pass, role, wait_a_minute};

#[test]
fn a_full_disk_refuses_new_work_until_there_is_room() {
    let backend = Arc::new(FaultBackend::new(Arc::new(MemoryBackend::new()), FaultPlan::none()));
    let server = TestServer::start_on(backend.clone(), Callee::Played);
    let machine = server.machine("m", &wait_a_minute());
    backend.set_plan(FaultPlan { full: 1.0, ..FaultPlan::none() });
    let create = json!({"name": "n", "definition": pass().to_string(), "roleArn": role()});
    for (operation, input) in [
        ("StartExecution", json!({"stateMachineArn": machine, "name": "e"})),
        ("CreateStateMachine", create.clone()),
        ("UpdateStateMachine", json!({"stateMachineArn": machine, "roleArn": format!("{}-2", role())})),
    ] {
        let reply = server.call(operation, &input);
        assert_eq!((reply.status, reply.code()), (503, "ServiceUnavailable"), "{operation}");
        assert!(reply.message().contains("disk is nearly full"), "{reply:?}");
    }
    assert_eq!(
        server.ok("DescribeStateMachine", &json!({"stateMachineArn": machine})).body["roleArn"],
        role()
    );
    backend.set_plan(FaultPlan::none());
    server.ok("StartExecution", &json!({"stateMachineArn": machine, "name": "e"}));
    server.ok("CreateStateMachine", &create);
}

#[test]
fn a_failed_store_makes_the_server_unhealthy() {
    let backend = Arc::new(FaultBackend::new(Arc::new(MemoryBackend::new()), FaultPlan::none()));
    let server = TestServer::start_on(backend.clone(), Callee::Played);
    backend.crash();
    let health = server.send("GET", "/healthz", &[], None);
    assert_eq!((health.status, &health.body["status"]), (503, &json!("failed")));
    assert!(health.body["reason"].is_string());
    let reply = server.call("ListStateMachines", &json!({}));
    assert_eq!((reply.status, reply.code()), (503, "ServiceUnavailable"));
}

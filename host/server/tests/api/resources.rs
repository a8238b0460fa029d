//! What an account may have where that is bounded: machines, activities, open executions; after deletions, ends and
//! restarts as well.

use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use stepwell_server::ResourceBounds;
use stepwell_store::MemoryBackend;

use crate::support::{ACCOUNT, Callee, REGION, TestServer, pass, role, wait_a_minute, wait_for};

const BOUNDS: ResourceBounds = ResourceBounds { machines: 2, activities: 2, open_executions: 2 };
const MACHINES: &str = "State Machine Limit Exceeded: 'The account has 2 state machines in this region, which is as many \
                        as are allowed: delete some first'";
const ACTIVITIES: &str = "Activity Limit Exceeded: 'The account has 2 activities in this region, which is as many as are \
                          allowed: delete some first'";
const EXECUTIONS: &str = "Execution Limit Exceeded: 'The account has 2 open executions in this region, which is as many \
                          as are allowed: some must end or be stopped first'";

fn start_on(backend: &Arc<MemoryBackend>) -> TestServer {
    TestServer::start_bounded(Arc::clone(backend) as _, Callee::Played, Some(BOUNDS))
}

fn refused_with(message: &str, code: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

fn arn(kind: &str, name: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:{kind}:{name}")
}

fn machine(name: &str, definition: &Value) -> Value {
    json!({"name": name, "definition": definition.to_string(), "roleArn": role()})
}

#[test]
fn so_many_machines_and_no_more() {
    let backend = Arc::new(MemoryBackend::new());
    let too_many = refused_with(MACHINES, "StateMachineLimitExceeded");
    let delete = |server: &TestServer, name: &str| {
        server.ok("DeleteStateMachine", &json!({"stateMachineArn": arn("stateMachine", name)}));
    };
    let server = start_on(&backend);
    for name in ["a", "b"] {
        server.machine(name, &wait_a_minute());
    }
    assert_eq!(server.refused("CreateStateMachine", &machine("c", &pass())), too_many);
    // What is there already is no other one, and what is refused for another reason takes no place.
    server.ok("CreateStateMachine", &machine("a", &wait_a_minute()));
    assert_eq!(server.refused("CreateStateMachine", &machine("a", &pass())).0, "StateMachineAlreadyExists");
    delete(&server, "b");
    delete(&server, "b");
    server.machine("c", &pass());
    assert_eq!(server.refused("CreateStateMachine", &machine("d", &pass())), too_many);
    // One that is being deleted is there until its executions have ended.
    let started = server.ok("StartExecution", &json!({"stateMachineArn": arn("stateMachine", "a")}));
    delete(&server, "a");
    assert_eq!(server.refused("CreateStateMachine", &machine("d", &pass())), too_many);
    drop(server);
    let server = start_on(&backend);
    assert_eq!(server.refused("CreateStateMachine", &machine("d", &pass())), too_many);
    server.ok("StopExecution", &json!({"executionArn": started.text("executionArn")}));
    wait_for(|| (server.call("CreateStateMachine", &machine("d", &pass())).status == 200).then_some(()));
    assert_eq!(server.refused("CreateStateMachine", &machine("e", &pass())), too_many);
}

#[test]
fn so_many_activities_and_no_more() {
    let backend = Arc::new(MemoryBackend::new());
    let too_many = refused_with(ACTIVITIES, "ActivityLimitExceeded");
    let server = start_on(&backend);
    let delete = |server: &TestServer, name: &str| {
        server.ok("DeleteActivity", &json!({"activityArn": arn("activity", name)}));
    };
    for name in ["a", "b", "a"] {
        server.ok("CreateActivity", &json!({"name": name}));
    }
    assert_eq!(server.refused("CreateActivity", &json!({"name": "c"})), too_many);
    for name in ["b", "b", "none"] {
        delete(&server, name);
    }
    server.ok("CreateActivity", &json!({"name": "c"}));
    assert_eq!(server.refused("CreateActivity", &json!({"name": "d"})), too_many);
    drop(server);
    let server = start_on(&backend);
    assert_eq!(server.refused("CreateActivity", &json!({"name": "d"})), too_many);
    delete(&server, "a");
    // Who come together are counted one by one, and so are those who delete the same.
    let created = || {
        let tries = ["e", "f", "g", "h"];
        thread::scope(|scope| {
            let create = |name| server.call("CreateActivity", &json!({"name": name})).status == 200;
            let created = tries.map(|name| scope.spawn(move || create(name)));
            created.map(|created| created.join().unwrap()).into_iter().filter(|created| *created).count()
        })
    };
    assert_eq!(created(), 1);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| delete(&server, "c"));
        }
    });
    assert!(created() <= 2, "the one that is there already, and one more");
    assert_eq!(server.ok("ListActivities", &json!({})).body["activities"].as_array().unwrap().len(), 2);
}

#[test]
fn so_many_open_executions_and_no_more() {
    let backend = Arc::new(MemoryBackend::new());
    let server = start_on(&backend);
    let too_many = refused_with(EXECUTIONS, "ExecutionLimitExceeded");
    let waits = json!({"stateMachineArn": server.machine("waits", &wait_a_minute())});
    let mut express = machine("express", &pass());
    express["type"] = json!("EXPRESS");
    let express =
        json!({"stateMachineArn": server.ok("CreateStateMachine", &express).text("stateMachineArn")});
    let first = server.ok("StartExecution", &waits).text("executionArn");
    let second = server.ok("StartExecution", &waits).text("executionArn");
    assert_eq!(server.refused("StartExecution", &waits), too_many);
    // Those are not among them.
    server.ok("StartExecution", &express);
    server.ok("StartSyncExecution", &express);
    server.ok("StopExecution", &json!({"executionArn": first}));
    server.ok("StartExecution", &waits);
    assert_eq!(server.refused("RedriveExecution", &json!({"executionArn": first})), too_many);
    drop(server);
    let server = start_on(&backend);
    assert_eq!(server.refused("StartExecution", &waits), too_many);
    server.ok("StopExecution", &json!({"executionArn": second}));
    server.ok("RedriveExecution", &json!({"executionArn": first}));
    assert_eq!(server.refused("StartExecution", &waits), too_many);
}

//! Modules: uploads, refusals, and a task that a real module runs.

use std::sync::Arc;

use serde_json::json;
use stepwell_store::MemoryBackend;

use crate::support::{ACCOUNT, Callee, MODULE_BYTES, REGION, Reply, TestServer, task};

/// A component whose `run` returns its input, or fails with error `Refused` when the input is not an object.
/// `$salt` makes contents differ.
const MODULE: &str = r#"
(component
  (core module $m
    (memory (export "memory") 2)
    (data (i32.const 64) "Refused$salt")
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (global.get $free))
      (global.set $free (i32.and (i32.add (i32.add (local.get $at) (local.get 3)) (i32.const 7)) (i32.const -8)))
      (local.get $at))
    (func (export "run") (param $text i32) (param $length i32) (result i32)
      (if (i32.eq (i32.load8_u (local.get $text)) (i32.const 123))
        (then
          (i32.store8 (i32.const 16) (i32.const 0))
          (i32.store (i32.const 20) (local.get $text))
          (i32.store (i32.const 24) (local.get $length)))
        (else
          (i32.store8 (i32.const 16) (i32.const 1))
          (i32.store (i32.const 20) (i32.const 64))
          (i32.store (i32.const 24) (i32.const 7))
          (i32.store (i32.const 28) (local.get $text))
          (i32.store (i32.const 32) (local.get $length))))
      (i32.const 16)))
  (core instance $i (instantiate $m))
  (type $error (record (field "error" string) (field "cause" string)))
  (func $run (param "input" string) (result (result string (error $error)))
    (canon lift (core func $i "run") (memory $i "memory") (realloc (func $i "realloc"))))
  (component $shim
    (type $e (record (field "error" string) (field "cause" string)))
    (import "import-type-task-error" (type $t (eq $e)))
    (import "import-func-run" (func $f (param "input" string) (result (result string (error $t)))))
    (export $x "task-error" (type $e))
    (export "run" (func $f) (func (param "input" string) (result (result string (error $x))))))
  (instance $handler (instantiate $shim
    (with "import-type-task-error" (type $error))
    (with "import-func-run" (func $run))))
  (export "stepwell:task/handler@0.1.0" (instance $handler)))
"#;

fn module(salt: &str) -> Vec<u8> {
    wat::parse_str(MODULE.replace("$salt", salt)).unwrap()
}

fn put(server: &TestServer, name: &str, wasm: &[u8]) -> Reply {
    server.send("PUT", &format!("/modules/{name}"), &[("Content-Type", "application/wasm")], Some(wasm))
}

fn get(server: &TestServer, path: &str) -> Reply {
    server.send("GET", path, &[], None)
}

#[test]
fn a_module_is_stored_replaced_and_removed() {
    let server = TestServer::start();
    let wasm = module("");
    let created = put(&server, "charge-card", &wasm);
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.header("content-type"), Some("application/json"));
    let body = &created.body;
    assert_eq!(body["name"], "charge-card");
    assert_eq!(body["arn"], format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:charge-card"));
    assert_eq!((&body["kind"], &body["sizeBytes"]), (&json!("component"), &json!(wasm.len())));
    assert_eq!((body["sha256"].as_str().map(str::len), &body["imports"]), (Some(64), &json!([])));
    assert!(body["createdAt"].as_str().unwrap().ends_with('Z'), "{body}");
    assert_eq!(get(&server, "/modules/charge-card").body, *body);

    let replaced = put(&server, "charge-card", &module("2"));
    assert_eq!((replaced.status, &replaced.body["createdAt"]), (200, &body["createdAt"]));
    assert_ne!(replaced.body["sha256"], body["sha256"]);
    put(&server, "a", &wasm);
    let listed = get(&server, "/modules").body;
    let names: Vec<_> = listed["modules"].as_array().unwrap().iter().map(|module| &module["name"]).collect();
    assert_eq!(names, ["a", "charge-card"]);

    let removed = server.send("DELETE", "/modules/charge-card", &[], None);
    assert_eq!((removed.status, removed.body), (204, json!(null)));
    let gone = get(&server, "/modules/charge-card");
    assert_eq!((gone.status, gone.code()), (404, "ModuleDoesNotExist"));
    assert_eq!(server.send("DELETE", "/modules/charge-card", &[], None).status, 404);
}

#[test]
fn what_is_no_module_is_refused_with_the_reason() {
    let server = TestServer::start();
    for (wasm, reason) in [
        (b"fn main() {}".to_vec(), "this is not WebAssembly"),
        (Vec::new(), "this is not WebAssembly"),
        (wat::parse_str("(module)").unwrap(), "this is a core module"),
        (wat::parse_str("(component)").unwrap(), "does not export stepwell:task/handler"),
    ] {
        let reply = put(&server, "m", &wasm);
        assert_eq!((reply.status, reply.code()), (400, "InvalidModule"), "{reply:?}");
        assert!(reply.message().contains(reason), "{reply:?}");
    }
    let large = put(&server, "m", &vec![0; MODULE_BYTES + 1]);
    assert_eq!((large.status, large.code()), (413, "RequestEntityTooLargeException"));
    assert!(large.message().contains(&MODULE_BYTES.to_string()), "{large:?}");
    for name in ["a.b", "a%20b", "%C3%BC", &"n".repeat(65)] {
        assert_eq!(put(&server, name, &module("")).code(), "InvalidName", "{name}");
    }
    assert_eq!(get(&server, "/modules").body, json!({"modules": []}));
}

#[test]
fn a_task_runs_the_module_that_its_resource_names() {
    let server = TestServer::start_on(Arc::new(MemoryBackend::new()), Callee::Modules);
    assert_eq!(put(&server, "echo", &module("")).status, 201);
    let machine = server.machine("m", &task("echo"));
    let succeeded = server.ended(&server.execution(&machine, "{\"a\":1}"));
    assert_eq!((&succeeded["status"], &succeeded["output"]), (&json!("SUCCEEDED"), &json!("{\"a\":1}")));
    let failed = server.ended(&server.execution(&machine, "[7]"));
    assert_eq!((&failed["error"], &failed["cause"]), (&json!("Refused"), &json!("[7]")));

    for qualifier in ["$LATEST", "1"] {
        let machine = server.machine(&format!("m{}", qualifier.len()), &task(&format!("echo:{qualifier}")));
        let ended = server.ended(&server.execution(&machine, "{}"));
        let expected = if qualifier == "1" { "FAILED" } else { "SUCCEEDED" };
        assert_eq!(ended["status"], expected, "{ended}");
    }
}

#[test]
fn a_content_lives_as_long_as_a_name_needs_it() {
    let server = TestServer::start_on(Arc::new(MemoryBackend::new()), Callee::Modules);
    put(&server, "a", &module(""));
    put(&server, "b", &module(""));
    let machine = server.machine("m", &task("b"));
    server.send("DELETE", "/modules/a", &[], None);
    assert_eq!(server.ended(&server.execution(&machine, "{}"))["status"], "SUCCEEDED");
    put(&server, "b", &module("2"));
    assert_eq!(server.ended(&server.execution(&machine, "{}"))["status"], "SUCCEEDED");
    server.send("DELETE", "/modules/b", &[], None);
    let failed = server.ended(&server.execution(&machine, "{}"));
    assert_eq!(failed["error"], "Lambda.ResourceNotFoundException");
}

//! Modules: uploads, refusals, versions, aliases, secrets, and tasks that real modules run.

use std::io::{Cursor, Write as _};
use std::sync::Arc;

use serde_json::{Value, json};
use stepwell_store::MemoryBackend;
use zip::write::SimpleFileOptions;

use crate::support::{ACCOUNT, Callee, DIRECTORY, MODULE_BYTES, REGION, Reply, TestServer, task};

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
    assert_eq!((&body["version"], &body["adapted"]), (&json!("$LATEST"), &json!(false)));
    assert_eq!(body["warnings"], json!(null));
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
        (wat::parse_str("(component)").unwrap(), "exports none of stepwell:task/handler"),
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

    for (qualifier, status) in [("$LATEST", "SUCCEEDED"), ("1", "FAILED")] {
        let machine = server.machine(&format!("m{}", qualifier.len()), &task(&format!("echo:{qualifier}")));
        let ended = server.ended(&server.execution(&machine, "{}"));
        assert_eq!(ended["status"], status, "{ended}");
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

/// A zip archive with these entries.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn send(server: &TestServer, method: &str, path: &str, body: &Value) -> Reply {
    server.send(method, path, &[("Content-Type", "application/json")], Some(body.to_string().as_bytes()))
}

fn delete(server: &TestServer, path: &str) -> Reply {
    server.send("DELETE", path, &[], None)
}

#[test]
fn an_archive_brings_its_manifest() {
    let server = TestServer::start();
    let manifest = json!({"environment": {"MODE": "test"}, "limits": {"memoryMib": 64}});
    let text = manifest.to_string();
    let packed = archive(&[("README", b"r"), ("a/m.wasm", &module("")), ("stepwell.json", text.as_bytes())]);
    let created = put(&server, "m?publish=true", &packed);
    assert_eq!((created.status, &created.body["publishedVersion"]), (201, &json!("1")), "{created:?}");
    let read = get(&server, "/modules/m/manifest").body;
    assert_eq!((&read["environment"], &read["limits"]), (&manifest["environment"], &manifest["limits"]));
    assert_eq!(get(&server, "/modules/m").body["manifest"], read);
    // Without one it stays; another takes its place for `$LATEST` only.
    put(&server, "m", &module("2"));
    assert_eq!(get(&server, "/modules/m/manifest").body, read);
    let set = send(&server, "PUT", "/modules/m/manifest", &json!({"clock": "fixed"}));
    assert_eq!((set.status, &set.body["manifest"]["clock"]), (200, &json!("fixed")));
    assert_eq!(get(&server, "/modules/m/manifest?qualifier=1").body, read);

    let two = archive(&[("a.wasm", &module("")), ("b.wasm", &module("2"))]);
    let refused = put(&server, "m", &two);
    assert_eq!((refused.status, refused.code()), (400, "InvalidModule"));
    assert!(refused.message().contains("several .wasm files"), "{refused:?}");
    assert_eq!(put(&server, "m?handler=b", &two).status, 200);
    let bomb = archive(&[("m.wasm", &vec![0; MODULE_BYTES + 1])]);
    assert!(put(&server, "m", &bomb).message().contains("more than the 100000 bytes"));
}

#[test]
fn what_is_wrong_with_a_request_is_named() {
    let server = TestServer::start();
    put(&server, "m", &module(""));
    for (body, member) in [
        (json!({"htp": []}), "unknown field `htp`"),
        (json!({"http": [{"host": ""}]}), "http[0].host"),
        (json!({"environment": {"1A": "x"}}), "environment.1A"),
        (json!({"limits": {"memoryMib": 0}}), "limits.memoryMib"),
        (json!([["-v"]]), "is not a JSON object"),
    ] {
        let refused = send(&server, "PUT", "/modules/m/manifest", &body);
        assert_eq!((refused.status, refused.code()), (400, "InvalidManifest"), "{body}");
        assert!(refused.message().contains(member), "{refused:?}");
    }
    assert_eq!(send(&server, "POST", "/modules/m/versions", &json!({})).status, 201);
    let alias = "/modules/m/aliases/live";
    for (path, body, member) in [
        (alias, json!({}), "missing field `version`"),
        (alias, json!({"version": "one"}), "version: "),
        (alias, json!({"version": 0}), "version: "),
        (alias, json!({"version": 1, "weight": {}}), "unknown field `weight`"),
        (alias, json!({"version": 1, "weights": {"x": 0.1}}), "weights.x: "),
        (alias, json!({"version": 1, "weights": {"2": 0.1, "3": 0.1}}), "weights: "),
        (alias, json!({"version": 1, "weights": {"1": 0.1}}), "weights: "),
        (alias, json!({"version": "$LATEST", "weights": {"1": 0.1}}), "weights: "),
        ("/modules/m/aliases/12", json!({"version": 1}), "alias: "),
    ] {
        let refused = send(&server, "PUT", path, &body);
        assert_eq!((refused.status, refused.code()), (400, "InvalidRequest"), "{path} {body}");
        assert!(refused.message().contains(member), "{refused:?}");
    }
    let refused = send(&server, "POST", "/modules/m/versions", &json!(["x"]));
    assert!(refused.message().contains("is not an object"), "{refused:?}");
    let refused = send(&server, "POST", "/modules/m/versions", &json!({"descripton": "x"}));
    assert!(refused.message().contains("unknown field `descripton`"), "{refused:?}");
    for path in ["/modules/m?qualifer=1", "/modules/m/manifest?x=1"] {
        let refused = get(&server, path);
        assert_eq!((refused.status, refused.code()), (400, "InvalidRequest"), "{path}");
    }
    for (method, path, code) in [
        ("GET", "/modules/n/manifest", "ModuleDoesNotExist"),
        ("PUT", "/modules/n/manifest", "ModuleDoesNotExist"),
        ("POST", "/modules/n/versions", "ModuleDoesNotExist"),
        ("GET", "/modules/n/versions", "ModuleDoesNotExist"),
        ("GET", "/modules/n/aliases", "ModuleDoesNotExist"),
        ("GET", "/modules/m?qualifier=9", "ModuleVersionDoesNotExist"),
        ("GET", "/modules/m/aliases/live", "ModuleVersionDoesNotExist"),
        ("DELETE", "/modules/m/aliases/live", "ModuleVersionDoesNotExist"),
        ("DELETE", "/modules/m/versions/9", "ModuleVersionDoesNotExist"),
        ("DELETE", "/modules/m/versions/x", "ModuleVersionDoesNotExist"),
    ] {
        let body = (method != "GET" && method != "DELETE").then_some(&b"{}"[..]);
        let missing = server.send(method, path, &[], body);
        assert_eq!((missing.status, missing.code()), (404, code), "{method} {path}");
    }
}

#[test]
fn an_alias_switches_new_attempts_and_the_version_that_ran_is_told() {
    let server = TestServer::start_on(Arc::new(MemoryBackend::new()), Callee::Modules);
    for salt in ["1", "2"] {
        assert!([200, 201].contains(&put(&server, "m?publish=true", &module(salt)).status));
    }
    let again = send(&server, "POST", "/modules/m/versions", &json!({"description": "same"}));
    assert_eq!((again.status, &again.body["version"]), (200, &json!("2")));
    let alias = |version: &str| {
        send(&server, "PUT", "/modules/m/aliases/live", &json!({"version": version, "description": "d"}))
    };
    let set = alias("1");
    assert_eq!(set.status, 201, "{set:?}");
    assert_eq!(set.body["arn"], format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:m:live"));
    let resource = "arn:aws:states:::lambda:invoke";
    let definition = json!({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": resource,
        "Parameters": {"FunctionName": "m:live", "Payload": {}}, "OutputPath": "$.ExecutedVersion", "End": true}}});
    let machine = server.machine("invoke", &definition);
    let executed = || server.ended(&server.execution(&machine, "{}"))["output"].clone();
    assert_eq!(executed(), "\"1\"");
    assert_eq!(alias("2").status, 200);
    assert_eq!(executed(), "\"2\"");

    let refused = delete(&server, "/modules/m/versions/2");
    assert_eq!((refused.status, refused.code()), (409, "VersionInUse"));
    assert!(refused.message().contains("alias live"), "{refused:?}");
    assert_eq!(delete(&server, "/modules/m/versions/1").status, 204);
    let versions = get(&server, "/modules/m/versions").body;
    assert_eq!(
        (versions["versions"].as_array().unwrap().len(), &versions["versions"][0]["version"]),
        (1, &json!("2"))
    );
    let aliases = get(&server, "/modules/m/aliases").body;
    assert_eq!(
        (&aliases["aliases"][0]["alias"], &aliases["aliases"][0]["description"]),
        (&json!("live"), &json!("d"))
    );
    assert_eq!(get(&server, "/modules/m?qualifier=live").body["version"], "2");
    assert_eq!(delete(&server, "/modules/m/aliases/live").status, 204);
    let failed = server.ended(&server.execution(&machine, "{}"));
    assert_eq!(failed["error"], "Lambda.ResourceNotFoundException");
}

#[test]
fn secrets_are_written_and_never_read() {
    let server = TestServer::start_on(Arc::new(MemoryBackend::new()), Callee::Modules);
    put(&server, "echo", &module(""));
    let manifest = json!({"secrets": {"KEY": "stripe"}});
    let set = send(&server, "PUT", "/modules/echo/manifest", &manifest);
    assert!(set.body["warnings"][0].as_str().unwrap().contains("secret stripe"), "{set:?}");
    let machine = server.machine("m", &task("echo"));
    let failed = server.ended(&server.execution(&machine, "{}"));
    assert_eq!(failed["error"], "Sandbox.MissingSecret");
    assert!(
        failed["cause"].as_str().unwrap().contains("the secret stripe, which does not exist"),
        "{failed}"
    );

    let secret = |value: &[u8]| server.send("PUT", "/secrets/stripe", &[], Some(value));
    let created = secret(b"s3cret-value");
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(secret(b"s3cret-value").status, 200);
    let listed = get(&server, "/secrets");
    assert_eq!(listed.body["secrets"][0]["name"], "stripe");
    for answer in [&created, &listed, &get(&server, "/modules/echo")] {
        assert!(!answer.body.to_string().contains("s3cret"), "{answer:?}");
    }
    assert_eq!(server.send("GET", "/secrets/stripe", &[], None).status, 405);
    assert_eq!(server.ended(&server.execution(&machine, "{}"))["status"], "SUCCEEDED");

    let long = vec![b'x'; (64 << 10) + 1];
    for (path, value, field) in [
        ("/secrets/a.b", &b"s3cret"[..], "name: "),
        ("/secrets/a", &b""[..], "value: is empty"),
        ("/secrets/a", &b"s3cret\xff"[..], "value: is not UTF-8"),
        ("/secrets/a", &long[..], "value: is longer than 64 KiB"),
    ] {
        let refused = server.send("PUT", path, &[], Some(value));
        assert_eq!((refused.status, refused.code()), (400, "InvalidSecret"), "{path}");
        assert!(refused.message().starts_with(field) && !refused.message().contains("s3cret"), "{refused:?}");
    }
    assert_eq!(delete(&server, "/secrets/stripe").status, 204);
    let missing = delete(&server, "/secrets/stripe");
    assert_eq!((missing.status, missing.code()), (404, "SecretDoesNotExist"));
    assert_eq!(server.ended(&server.execution(&machine, "{}"))["error"], "Sandbox.MissingSecret");
}

#[test]
fn a_directory_that_the_server_does_not_offer_is_named() {
    let server = TestServer::start_on(Arc::new(MemoryBackend::new()), Callee::Modules);
    put(&server, "echo", &module(""));
    let machine = server.machine("m", &task("echo"));
    for (name, error) in [(DIRECTORY, json!(null)), ("models", json!("Sandbox.MissingDirectory"))] {
        let manifest = json!({"directories": [{"name": name, "path": "/data"}]});
        let set = send(&server, "PUT", "/modules/echo/manifest", &manifest);
        assert_eq!((set.status, set.body["warnings"].is_null()), (200, error.is_null()), "{set:?}");
        assert_eq!(server.ended(&server.execution(&machine, "{}"))["error"], error);
    }
}

//! Uploads that are no modules, and functions that do not exist.

use crate::{QUICK, assert_failed, assert_works, install_echo, one_task};
use serde_json::json;
use stepwell_it::{Server, function_arn, guest};

/// The smallest core module: the header and nothing else.
const EMPTY_CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// The header of a component, and nothing else.
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

#[test]
fn what_is_no_task_module_is_refused_with_the_reason() {
    let server = Server::start();
    let client = server.client();
    let echo = install_echo(&client);
    let whole = guest("stub");
    let mut damaged = whole.clone();
    // Near the beginning are types and imports; further on, it could be text that nobody checks.
    damaged[1_000..1_064].fill(0xff);
    for (name, bytes, reason) in [
        ("text", &b"#!/bin/sh\necho no wasm\n"[..], "not WebAssembly"),
        ("core", EMPTY_CORE_MODULE, "core module"),
        ("nothing-exported", EMPTY_COMPONENT, "exports none of"),
        ("cut", &whole[..whole.len() / 2], ""),
        ("header-only", &whole[..4], ""),
        ("damaged", &damaged, ""),
    ] {
        let reply = client.put_module(name, bytes).expect("an answer");
        let text = String::from_utf8_lossy(&reply.body);
        assert!((400..500).contains(&reply.status), "{name}: HTTP {}: {text}", reply.status);
        assert!(!reply.refusal().message.is_empty() && text.contains(reason), "{name}: {text}");
        let kept = client.send("GET", &format!("/modules/{name}"), &[], b"").expect("an answer");
        assert_eq!(kept.status, 404, "{name}: {}", String::from_utf8_lossy(&kept.body));
    }
    let empty = client.put_module("empty", b"").expect("an answer");
    assert!((400..500).contains(&empty.status), "HTTP {}", empty.status);
    assert_works(&client, &echo, "after-bad-uploads");
}

#[test]
fn a_refused_upload_leaves_the_module_as_it_was() {
    let server = Server::start();
    let client = server.client();
    let echo = install_echo(&client);
    let reply = client.put_module("echo", EMPTY_CORE_MODULE).expect("an answer");
    assert!((400..500).contains(&reply.status), "HTTP {}", reply.status);
    assert_works(&client, &echo, "still-the-old-module");
}

#[test]
fn the_command_line_names_the_reason_too() {
    let server = Server::start();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("core.wasm");
    std::fs::write(&file, EMPTY_CORE_MODULE).expect("the file");
    let put = server.command_line(&["module", "put", "core", file.to_str().expect("a plain path")]);
    let errors = String::from_utf8_lossy(&put.stderr);
    assert_eq!(put.status.code(), Some(3), "{errors}");
    assert!(errors.contains("core module"), "{errors}");
}

#[test]
fn a_function_that_does_not_exist_fails_the_task_by_name() {
    let server = Server::start();
    let client = server.client();
    let echo = install_echo(&client);
    let absent = client.create_machine("absent", &one_task("nobody"));
    let execution = client.ended(&client.start(&absent, "e", &json!({})), QUICK);
    let cause = assert_failed(&client, &execution, "Lambda.ResourceNotFoundException");
    assert!(cause.contains("Function not found") && cause.contains(&function_arn("nobody")), "{cause}");

    let deleted = client.send("DELETE", "/modules/echo", &[], b"").expect("an answer");
    assert!((200..300).contains(&deleted.status), "HTTP {}", deleted.status);
    let execution = client.ended(&client.start(&echo, "after-delete", &json!({})), QUICK);
    assert_failed(&client, &execution, "Lambda.ResourceNotFoundException");

    // It exists again: so does every machine that calls it.
    client.install("echo", &guest("stub"));
    assert_works(&client, &echo, "uploaded-again");
}

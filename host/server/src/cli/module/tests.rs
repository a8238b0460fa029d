//! What the commands send and show.

use super::super::test_responder::Responder;
use super::super::test_support::{self, Ran};

const MODULE: &str = r#"{"name":"charge","arn":"arn:aws:lambda:us-east-1:123456789012:function:charge",
        "sha256":"9f86d081884c7d659a2feaa0c55ad015","kind":"component","sizeBytes":1500000,
        "compileMilliseconds":231,"createdAt":"2026-11-22T16:32:28Z","updatedAt":"2026-11-22T16:32:28Z",
        "imports":["wasi:cli/environment@0.2.6","wasi:http/types@0.2.6"]}"#;

#[test]
fn modules_are_listed_as_a_table() {
    let body = format!("{{\"modules\":[{MODULE}]}}");
    let responder = Responder::start([(200, &body)]);
    let Ran { standard, code, .. } = test_support::run(&responder.endpoint, &["module", "list"]);
    let expected = "\
NAME    KIND          SIZE  COMPILED IN  SHA-256       UPDATED (UTC)
charge  component  1.4 MiB       231 ms  9f86d081884c  2026-11-22 16:32:28
";
    assert_eq!((standard.as_str(), code), (expected, 0));
}

#[test]
fn an_upload_sends_the_file_and_shows_the_module() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("charge.wasm");
    std::fs::write(&file, b"\0asm\x0d\0\x01\0").unwrap();
    let responder = Responder::start([(201, MODULE)]);
    let ran = test_support::run(&responder.endpoint, &["module", "put", "charge", file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.diagnostic);
    assert!(ran.standard.contains("imports      wasi:cli/environment@0.2.6\n"), "{}", ran.standard);
    assert!(ran.standard.contains("\n             wasi:http/types@0.2.6\n"), "{}", ran.standard);
    let request = &responder.requests()[0];
    assert_eq!(request.body, b"\0asm\x0d\0\x01\0");
    assert_eq!(request.line, "PUT /modules/charge HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/wasm"));
}

#[test]
fn a_file_that_is_no_module_is_not_sent() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("charge.rs");
    std::fs::write(&file, "fn main() {}").unwrap();
    let responder = Responder::start([]);
    let ran = test_support::run(&responder.endpoint, &["module", "put", "charge", file.to_str().unwrap()]);
    assert_eq!(ran.code, 2);
    assert!(ran.diagnostic.contains("charge.rs: not a WebAssembly file"), "{}", ran.diagnostic);
    assert!(responder.requests().is_empty());
}

#[test]
fn deleting_says_what_is_gone_and_a_refusal_why_not() {
    let missing = r#"{"__type":"ResourceNotFoundException","message":"no module `x`"}"#;
    let responder = Responder::start([(204, ""), (404, missing)]);
    let ran = test_support::run(&responder.endpoint, &["module", "delete", "charge"]);
    assert_eq!((ran.standard.as_str(), ran.code), ("deleted charge\n", 0));
    let ran = test_support::run(&responder.endpoint, &["module", "delete", "x"]);
    assert_eq!((ran.standard.as_str(), ran.code), ("", 3));
    assert_eq!(ran.diagnostic, "error: ResourceNotFoundException: no module `x`\n");
}

const GRANTED: &str = r#"{"name":"charge","arn":"arn","version":"3","kind":"command","adapted":true,
    "sha256":"9f86d081884c7d659a2feaa0c55ad015","sizeBytes":7,"compileMilliseconds":1,
    "createdAt":"2026-11-22T16:32:28Z","updatedAt":"2026-11-22T16:32:28Z","imports":[],"description":"first",
    "manifest":{"environment":{"MODE":"test"},"secrets":{"KEY":"stripe"},"clock":"coarse","random":"seeded",
      "http":[{"scheme":"https","host":"a.b","port":1,"methods":["GET","HEAD"],"networks":["10.0.0.0/8"]}],
      "scratch":{"sizeMib":16,"path":"/tmp"},"directories":[{"name":"models","path":"/m"}],
      "limits":{"memoryMib":64}},"warnings":["the secret stripe does not exist"]}"#;

fn wasm(directory: &tempfile::TempDir) -> String {
    let file = directory.path().join("charge.wasm");
    std::fs::write(&file, b"\0asm\x0d\0\x01\0").unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn what_a_module_may_reach_is_shown() {
    let responder = Responder::start([(200, GRANTED)]);
    let Ran { standard, diagnostic, code } =
        test_support::run(&responder.endpoint, &["module", "get", "charge:live"]);
    assert_eq!(code, 0, "{diagnostic}");
    assert_eq!(diagnostic, "warning: the secret stripe does not exist\n");
    for line in [
        "kind         command, adapted from a core module",
        "version      3",
        "description  first",
        "variable MODE=test",
        "variable KEY, the secret stripe",
        "GET, HEAD https://a.b:1 (in 10.0.0.0/8)",
        "scratch /tmp of 16 MiB",
        "/m, the data directory models",
        "random seeded",
        "memoryMib 64",
    ] {
        assert!(standard.contains(line), "{line}: {standard}");
    }
    assert!(!standard.contains("coarse"), "{standard}");
    assert_eq!(responder.requests()[0].line, "GET /modules/charge?qualifier=live HTTP/1.1");
}

#[test]
fn flags_that_grant_something_send_an_archive() {
    let directory = tempfile::tempdir().unwrap();
    let file = wasm(&directory);
    let responder = Responder::start([(201, GRANTED)]);
    let flags = ["--env", "MODE=test", "--allow-http", "https://a.b", "--arg", "-v", "--publish"];
    let arguments: Vec<&str> = ["module", "put", "charge", &file].into_iter().chain(flags).collect();
    let ran = test_support::run(&responder.endpoint, &arguments);
    assert_eq!(ran.code, 0, "{}", ran.diagnostic);
    let request = &responder.requests()[0];
    assert_eq!(request.line, "PUT /modules/charge?publish=true HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/zip"));
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&request.body)).unwrap();
    let mut manifest = String::new();
    std::io::Read::read_to_string(&mut archive.by_name("stepwell.json").unwrap(), &mut manifest).unwrap();
    let expected = serde_json::json!({"environment": {"MODE": "test"}, "arguments": ["-v"],
        "http": [{"scheme": "https", "host": "a.b"}]});
    assert_eq!(serde_json::from_str::<serde_json::Value>(&manifest).unwrap(), expected);
    assert_eq!(archive.by_name("bootstrap.wasm").unwrap().size(), 8);

    let packed = directory.path().join("charge.zip");
    std::fs::write(&packed, &request.body).unwrap();
    let packed = packed.to_str().unwrap();
    let responder = Responder::start([(201, GRANTED)]);
    assert_eq!(test_support::run(&responder.endpoint, &["module", "put", "charge", packed]).code, 0);
    assert_eq!(responder.requests()[0].body, request.body);
    let both = ["module", "put", "charge", packed, "--env", "A=b"];
    let ran = test_support::run(&responder.endpoint, &both);
    assert_eq!(ran.code, 2);
    assert!(ran.diagnostic.contains("carries its manifest itself"), "{}", ran.diagnostic);
}

#[test]
fn versions_and_aliases_have_their_addresses() {
    let versions = format!("{{\"versions\":[{GRANTED}]}}");
    let alias = r#"{"name":"charge","alias":"live","version":"3","weights":{"4":0.1},"description":"",
        "updatedAt":"2026-11-22T16:32:28Z"}"#;
    let aliases = format!("{{\"aliases\":[{alias}]}}");
    let responder = Responder::start([
        (201, GRANTED),
        (200, &versions),
        (201, alias),
        (200, &aliases),
        (204, ""),
        (204, ""),
        (200, "{}"),
    ]);
    let run = |arguments: &[&str]| {
        let ran = test_support::run(&responder.endpoint, arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.diagnostic);
        ran.standard
    };
    run(&["module", "publish", "charge", "--description", "first"]);
    let expected = "\
VERSION  KIND     SIZE  SHA-256       PUBLISHED (UTC)      DESCRIPTION
      3  command   7 B  9f86d081884c  2026-11-22 16:32:28  first
";
    assert_eq!(run(&["module", "versions", "charge"]), expected);
    let set = run(&["module", "alias", "set", "charge", "live", "3", "--weight", "4=0.1"]);
    assert_eq!(set, "charge:live is version 3, version 4 for a share of 0.1 of the calls\n");
    assert!(run(&["module", "alias", "list", "charge"]).contains("live   version 3, version 4 for"));
    assert_eq!(run(&["module", "alias", "delete", "charge", "live"]), "deleted charge:live\n");
    assert_eq!(run(&["module", "delete", "charge:3"]), "deleted charge:3\n");
    assert_eq!(run(&["module", "manifest", "get", "charge:$LATEST"]), "{}\n");
    let lines: Vec<String> = responder.requests().into_iter().map(|request| request.line).collect();
    let expected = [
        "POST /modules/charge/versions HTTP/1.1",
        "GET /modules/charge/versions HTTP/1.1",
        "PUT /modules/charge/aliases/live HTTP/1.1",
        "GET /modules/charge/aliases HTTP/1.1",
        "DELETE /modules/charge/aliases/live HTTP/1.1",
        "DELETE /modules/charge/versions/3 HTTP/1.1",
        "GET /modules/charge/manifest?qualifier=%24LATEST HTTP/1.1",
    ];
    assert_eq!(lines, expected);
    assert_eq!(responder.requests()[0].json(), serde_json::json!({"description": "first"}));
    let body = serde_json::json!({"version": "3", "weights": {"4": 0.1}});
    assert_eq!(responder.requests()[2].json(), body);
}

#[test]
fn an_alias_is_not_deleted_by_mistake() {
    let responder = Responder::start([]);
    let ran = test_support::run(&responder.endpoint, &["module", "delete", "charge:live"]);
    assert_eq!(ran.code, 2);
    assert!(ran.diagnostic.contains("stepwell module alias delete charge live"), "{}", ran.diagnostic);
}

//! Permissions, tags, concurrency, and what tools read of every function.

use serde_json::{Value, json};

use crate::client::{FUNCTIONS, arn, module};
use crate::support::TestServer;

#[test]
fn permissions_are_kept_and_read_back() {
    let server = TestServer::start();
    server.function("f", &module(""));
    let nothing = (
        404,
        "ResourceNotFoundException".to_owned(),
        "The resource you requested does not exist.".to_owned(),
    );
    assert_eq!(server.failed("GET", "/f/policy", &Value::Null), nothing);
    let permission = json!({
        "StatementId": "events", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com",
        "SourceArn": "arn:aws:events:us-east-1:111111111111:rule/r", "SourceAccount": "111111111111",
    });
    let added = server.done(201, "POST", "/f/policy", &permission);
    let statement: Value = serde_json::from_str(&added.text("Statement")).unwrap();
    assert_eq!(statement["Principal"], json!({"Service": "events.amazonaws.com"}));
    assert_eq!(statement["Resource"], arn("f"));
    let read = server.done(200, "GET", "/f/policy", &Value::Null);
    let policy: Value = serde_json::from_str(&read.text("Policy")).unwrap();
    assert_eq!((&policy["Version"], &policy["Statement"]), (&json!("2012-10-17"), &json!([statement])));
    assert_eq!(server.failed("POST", "/f/policy", &permission).1, "ResourceConflictException");
    assert_eq!(server.failed("GET", "/f/policy?Qualifier=7", &Value::Null).0, 404);
    assert_eq!(server.failed("DELETE", "/f/policy/nothing", &Value::Null).0, 404);
    assert_eq!(server.failed("DELETE", "/f/policy/events?RevisionId=x", &Value::Null).0, 412);
    let revision = read.text("RevisionId");
    server.done(204, "DELETE", &format!("/f/policy/events?RevisionId={revision}"), &Value::Null);
    assert_eq!(server.failed("GET", "/f/policy", &Value::Null), nothing);
}

#[test]
fn tags_are_set_and_removed() {
    let server = TestServer::start();
    server.function("f", &module(""));
    let path = format!("/2017-03-31/tags/{}", arn("f").replace(':', "%3A"));
    let tags = || server.lambda("GET", &path, &Value::Null).body;
    assert_eq!(tags(), json!({"Tags": {}}));
    assert_eq!(server.lambda("POST", &path, &json!({"Tags": {"a b": "1", "c": "2", "d": ""}})).status, 204);
    assert_eq!(tags(), json!({"Tags": {"a b": "1", "c": "2", "d": ""}}));
    let removed = server.lambda("DELETE", &format!("{path}?tagKeys=a%20b&tagKeys=d&tagKeys=x"), &Value::Null);
    assert_eq!(removed.status, 204, "{removed:?}");
    assert_eq!(tags(), json!({"Tags": {"c": "2"}}));
    let many: serde_json::Map<String, Value> =
        (0..50).map(|index| (format!("k{index}"), json!("v"))).collect();
    assert_eq!(server.failed_at("POST", &path, &json!({"Tags": many})).0, 400);
    for (resource, status) in [("nobody", 400), (&arn("nobody"), 404), (&arn("f:1"), 400)] {
        let path = format!("/2017-03-31/tags/{resource}");
        assert_eq!(server.failed_at("GET", &path, &Value::Null).0, status, "{resource}");
    }
}

#[test]
fn concurrency_is_the_manifests() {
    let server = TestServer::start();
    server.function("f", &module(""));
    let (set, read) = ("/2017-10-31/functions/f/concurrency", "/2019-09-30/functions/f/concurrency");
    assert_eq!(server.lambda("GET", read, &Value::Null).body, json!({}));
    let wanted = json!({"ReservedConcurrentExecutions": 3});
    assert_eq!(server.lambda("PUT", set, &wanted).body, wanted);
    assert_eq!(server.lambda("GET", read, &Value::Null).body, wanted);
    assert_eq!(server.done(200, "GET", "/f", &Value::Null).body["Concurrency"], wanted);
    let manifest = server.send("GET", "/modules/f/manifest", &[], None).body;
    assert!(manifest.to_string().contains("\"concurrentCalls\":3"), "{manifest}");
    assert_eq!(server.lambda("DELETE", set, &Value::Null).status, 204);
    assert_eq!(server.lambda("GET", read, &Value::Null).body, json!({}));
    assert_eq!(server.failed_at("PUT", set, &json!({"ReservedConcurrentExecutions": 0})).0, 400);
}

#[test]
fn what_tools_refresh_is_answered() {
    let server = TestServer::start();
    server.function("f", &module(""));
    for (path, expected) in [
        (
            "/2020-06-30/functions/f/code-signing-config",
            json!({"CodeSigningConfigArn": "", "FunctionName": "f"}),
        ),
        (
            "/2021-07-20/functions/f/runtime-management-config",
            json!({"UpdateRuntimeOn": "Auto", "FunctionArn": arn("f")}),
        ),
        ("/2024-08-31/functions/f/recursion-config", json!({"RecursiveLoop": "Terminate"})),
        ("/2021-10-31/functions/f/urls", json!({"FunctionUrlConfigs": []})),
    ] {
        let reply = server.lambda("GET", path, &Value::Null);
        assert_eq!((reply.status, reply.body), (200, expected), "{path}");
        assert_eq!(server.failed_at("GET", &path.replace("/f/", "/nobody/"), &Value::Null).0, 404, "{path}");
    }
    for (path, code) in [
        ("/2021-10-31/functions/f/url", "ResourceNotFoundException"),
        ("/2019-09-25/functions/f/event-invoke-config", "ResourceNotFoundException"),
        (
            "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=%24LATEST",
            "ProvisionedConcurrencyConfigNotFoundException",
        ),
    ] {
        let (status, found, _) = server.failed_at("GET", path, &Value::Null);
        assert_eq!((status, found.as_str()), (404, code), "{path}");
    }
    let settings = server.lambda("GET", "/2016-08-19/account-settings", &Value::Null).body;
    assert_eq!(settings["AccountUsage"]["FunctionCount"], 1);
    assert_eq!(settings["AccountLimit"]["ConcurrentExecutions"], 8);
    assert_eq!(server.lambda("GET", &format!("{FUNCTIONS}/"), &Value::Null).status, 200);
}

//! Versions and aliases, with the share of calls that a second version gets.

use std::sync::Arc;

use serde_json::{Value, json};
use stepwell_store::MemoryBackend;

use crate::client::{arn, base64, creation, module, sha256};
use crate::support::{Callee, TestServer};

#[test]
fn a_version_never_changes() {
    let server = TestServer::start();
    let mut wanted = creation("f", &module(""));
    wanted["Publish"] = json!(true);
    let first = server.done(201, "POST", "", &wanted).body;
    assert_eq!((&first["Version"], &first["FunctionArn"]), (&json!("1"), &json!(arn("f:1"))));
    let same = server.done(201, "POST", "/f/versions", &json!({})).body;
    assert_eq!(same["Version"], "1");
    // Neither tags nor permissions are part of a version.
    let permission = json!({"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*"});
    server.done(201, "POST", "/f/policy", &permission);
    assert_eq!(server.done(201, "POST", "/f/versions", &json!({})).body["Version"], "1");

    let code = json!({"ZipFile": base64(&module("2"))});
    server.done(200, "PUT", "/f/code", &code);
    let stale = json!({"CodeSha256": sha256(&module(""))});
    let (_, refusal, message) = server.failed("POST", "/f/versions", &stale);
    assert_eq!(refusal, "InvalidParameterValueException", "{message}");
    let publish = json!({"CodeSha256": sha256(&module("2")), "Description": "second"});
    let second = server.done(201, "POST", "/f/versions", &publish).body;
    assert_eq!((&second["Version"], &second["Description"]), (&json!("2"), &json!("second")));
    let read = server.done(200, "GET", "/f?Qualifier=1", &Value::Null).body;
    assert_eq!(read["Configuration"]["CodeSha256"], sha256(&module("")));
    assert_eq!(server.done(200, "GET", "/f:2/configuration", &Value::Null).body, second);

    let listed = server.done(200, "GET", "/f/versions?MaxItems=2", &Value::Null).body;
    let marker = listed["NextMarker"].as_str().unwrap();
    let rest = server.done(200, "GET", &format!("/f/versions?Marker={marker}"), &Value::Null).body;
    let versions = [&listed, &rest].map(|page| page["Versions"].as_array().unwrap().clone()).concat();
    let names: Vec<_> = versions.iter().map(|version| version["Version"].as_str().unwrap()).collect();
    assert_eq!(names, ["$LATEST", "1", "2"]);

    let (status, _, message) = server.failed("DELETE", "/f?Qualifier=%24LATEST", &Value::Null);
    assert_eq!(status, 400, "{message}");
    server.done(204, "DELETE", "/f?Qualifier=1", &Value::Null);
    let (status, _, message) = server.failed("GET", "/f?Qualifier=1", &Value::Null);
    assert_eq!((status, message), (404, format!("Function not found: {}", arn("f:1"))));
}

#[test]
fn an_alias_stands_for_a_version() {
    let server = TestServer::start_on(Arc::new(MemoryBackend::new()), Callee::Modules);
    server.function("f", &module(""));
    server.done(201, "POST", "/f/versions", &json!({}));
    server.done(200, "PUT", "/f/code", &json!({"ZipFile": base64(&module("2"))}));
    server.done(201, "POST", "/f/versions", &json!({}));
    let wanted = json!({"Name": "live", "FunctionVersion": "1", "Description": "what is live"});
    let alias = server.done(201, "POST", "/f/aliases", &wanted).body;
    assert_eq!(alias["AliasArn"], arn("f:live"));
    assert_eq!((&alias["FunctionVersion"], &alias["Name"]), (&json!("1"), &json!("live")));
    assert_eq!(server.done(200, "GET", "/f/aliases/live", &Value::Null).body, alias);
    assert_eq!(server.invoke("f:live", &[], "{}").header("x-amz-executed-version"), Some("1"));
    let read = server.done(200, "GET", "/f/configuration?Qualifier=live", &Value::Null).body;
    assert_eq!((&read["FunctionArn"], &read["Version"]), (&json!(arn("f:live")), &json!("1")));

    let taken = server.failed("POST", "/f/aliases", &wanted);
    assert_eq!(taken.1, "ResourceConflictException");
    assert_eq!(taken.2, format!("Alias already exists: {}", arn("f:live")));
    let (status, _, message) = server.failed("DELETE", "/f?Qualifier=1", &Value::Null);
    assert_eq!(status, 409, "{message}");

    let stale = json!({"FunctionVersion": "2", "RevisionId": "x"});
    assert_eq!(server.failed("PUT", "/f/aliases/live", &stale).0, 412);
    let moved = server.done(200, "PUT", "/f/aliases/live", &json!({"FunctionVersion": "2"})).body;
    assert_eq!((&moved["FunctionVersion"], &moved["Description"]), (&json!("2"), &json!("what is live")));
    assert_eq!(server.invoke("f:live", &[], "{}").header("x-amz-executed-version"), Some("2"));

    server.done(201, "POST", "/f/aliases", &json!({"Name": "beta", "FunctionVersion": "$LATEST"}));
    let names = |path: &str| -> Vec<String> {
        let listed = server.done(200, "GET", path, &Value::Null).body;
        listed["Aliases"]
            .as_array()
            .unwrap()
            .iter()
            .map(|alias| alias["Name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("/f/aliases"), ["beta", "live"]);
    assert_eq!(names("/f/aliases?FunctionVersion=2"), ["live"]);
    server.done(204, "DELETE", "/f/aliases/live", &Value::Null);
    server.done(204, "DELETE", "/f/aliases/live", &Value::Null);
    let (status, code, message) = server.failed("GET", "/f/aliases/live", &Value::Null);
    assert_eq!((status, code.as_str()), (404, "ResourceNotFoundException"));
    assert_eq!(message, format!("Cannot find alias arn: {}", arn("f:live")));
}

#[test]
fn a_second_version_gets_its_share() {
    let server = TestServer::start_on(Arc::new(MemoryBackend::new()), Callee::Modules);
    server.function("f", &module(""));
    server.done(201, "POST", "/f/versions", &json!({}));
    server.done(200, "PUT", "/f/code", &json!({"ZipFile": base64(&module("2"))}));
    server.done(201, "POST", "/f/versions", &json!({}));
    let weights = json!({"AdditionalVersionWeights": {"2": 0.5}});
    let wanted = json!({"Name": "live", "FunctionVersion": "1", "RoutingConfig": weights});
    let alias = server.done(201, "POST", "/f/aliases", &wanted).body;
    assert_eq!(alias["RoutingConfig"], weights);
    let mut second = 0;
    for _ in 0..200 {
        let reply = server.invoke("f:live", &[], "{}");
        second += usize::from(reply.header("x-amz-executed-version") == Some("2"));
    }
    // Six standard deviations to both sides.
    assert!((58..=142).contains(&second), "{second} of 200");
    // Absent: it stays. Empty: it goes.
    let kept = server.done(200, "PUT", "/f/aliases/live", &json!({"Description": "x"})).body;
    assert_eq!(kept["RoutingConfig"], weights);
    let gone = server.done(200, "PUT", "/f/aliases/live", &json!({"RoutingConfig": {}})).body;
    assert!(gone.get("RoutingConfig").is_none(), "{gone}");

    for (weights, part) in [
        (json!({"2": 0.1, "3": 0.1}), "more than one version"),
        (json!({"1": 0.1}), "the same"),
        (json!({"2": 1.5}), "from 0 to 1"),
        (json!({"live": 0.1}), "no number"),
    ] {
        let wanted = json!({"RoutingConfig": {"AdditionalVersionWeights": weights}});
        let (status, _, message) = server.failed("PUT", "/f/aliases/live", &wanted);
        assert!(status == 400 && message.contains(part), "{part}: {message}");
    }
    let (status, _, message) = server.failed("PUT", "/f/aliases/live", &json!({"FunctionVersion": "9"}));
    assert_eq!((status, message), (404, format!("Function not found: {}", arn("f:9"))));
    let (_, code, _) = server.failed("POST", "/f/aliases", &json!({"Name": "12", "FunctionVersion": "1"}));
    assert_eq!(code, "ValidationException");
}

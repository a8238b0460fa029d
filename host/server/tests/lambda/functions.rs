//! Functions: created, read, changed, listed, deleted.

use serde_json::{Value, json};

use crate::client::{FUNCTIONS, arn, base64, creation, module, sha256, zip};
use crate::support::{MODULE_BYTES, REGION, TestServer, role};

#[test]
fn a_function_is_created_and_read_back() {
    let server = TestServer::start();
    let wasm = module("");
    let mut wanted = creation("charge", &wasm);
    wanted["Timeout"] = json!(7);
    wanted["MemorySize"] = json!(128);
    wanted["Description"] = json!("charges a card");
    wanted["Environment"] = json!({"Variables": {"MODE": "test"}});
    wanted["Tags"] = json!({"Team": "a"});
    let created = server.done(201, "POST", "", &wanted).body;
    assert_eq!(created["FunctionArn"], arn("charge"));
    for (member, expected) in [
        ("FunctionName", json!("charge")),
        ("Runtime", json!("provided.al2023")),
        ("Role", json!(role())),
        ("Handler", json!("bootstrap")),
        ("Timeout", json!(7)),
        ("MemorySize", json!(128)),
        ("Description", json!("charges a card")),
        ("Environment", json!({"Variables": {"MODE": "test"}})),
        ("CodeSha256", json!(sha256(&wasm))),
        ("CodeSize", json!(wasm.len())),
        ("Version", json!("$LATEST")),
        ("State", json!("Active")),
        ("LastUpdateStatus", json!("Successful")),
        ("PackageType", json!("Zip")),
        ("Architectures", json!(["x86_64"])),
    ] {
        assert_eq!(created[member], expected, "{member}");
    }
    let modified = created["LastModified"].as_str().unwrap();
    assert!(modified.ends_with("+0000") && modified.len() == 28, "{modified}");

    let read = server.done(200, "GET", "/charge", &Value::Null).body;
    assert_eq!((&read["Configuration"], &read["Tags"]), (&created, &json!({"Team": "a"})));
    assert_eq!(server.done(200, "GET", "/charge/configuration", &Value::Null).body, created);
    let by_arn = arn("charge").replace(':', "%3A");
    assert_eq!(server.done(200, "GET", &format!("/{by_arn}/configuration"), &Value::Null).body, created);
    let latest = server.done(200, "GET", "/charge/configuration?Qualifier=%24LATEST", &Value::Null).body;
    assert_eq!(latest["FunctionArn"], arn("charge:$LATEST"));

    // What it is made of: the module, with what counts in its manifest.
    let manifest = server.send("GET", "/modules/charge/manifest", &[], None).body;
    assert!(manifest.to_string().contains("\"timeoutMilliseconds\":7000"), "{manifest}");
    let location = read["Code"]["Location"].as_str().unwrap();
    assert!(location.starts_with(&server.endpoint), "{location}");
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let mut code = agent.get(location).call().unwrap();
    assert_eq!(code.body_mut().read_to_vec().unwrap(), wasm);
}

#[test]
fn members_that_were_not_sent_are_the_servers() {
    let server = TestServer::start();
    let created = server.function("f", &module(""));
    assert_eq!((&created["Timeout"], &created["MemorySize"]), (&json!(10), &json!(256)));
    assert!(created.get("Environment").is_none(), "{created}");
    // A module that came another way.
    server.send("PUT", "/modules/own", &[], Some(&module("2")));
    let own = server.done(200, "GET", "/own/configuration", &Value::Null).body;
    assert_eq!((&own["CodeSha256"], own.get("Role")), (&json!(sha256(&module("2"))), None));
}

#[test]
fn an_archive_is_unpacked_and_its_manifest_counts() {
    let server = TestServer::start();
    let manifest = br#"{"environment": {"A": "1", "B": "2"}, "limits": {"memoryMib": 64}}"#;
    let file = zip(&[("x/task.wasm", &module("")), ("stepwell.json", manifest), ("README", b"")]);
    let mut wanted = creation("zipped", &file);
    wanted["Timeout"] = json!(3);
    let created = server.done(201, "POST", "", &wanted).body;
    // The digest of what was sent: tools compare it with the file they have.
    assert_eq!(created["CodeSha256"], sha256(&file));
    assert_eq!(created["CodeSize"], file.len());
    assert_eq!((&created["Timeout"], &created["MemorySize"]), (&json!(3), &json!(64)));
    assert_eq!(created["Environment"]["Variables"], json!({"A": "1", "B": "2"}));

    // New code without a manifest leaves it; a manifest leaves the configuration that it does not mention.
    let update =
        |file: &[u8]| server.done(200, "PUT", "/zipped/code", &json!({"ZipFile": base64(file)})).body;
    let plain = update(&module("2"));
    assert_eq!((&plain["CodeSha256"], &plain["MemorySize"]), (&json!(sha256(&module("2"))), &json!(64)));
    let other =
        update(&zip(&[("task.wasm", &module("3")), ("stepwell.json", br#"{"environment": {"C": "3"}}"#)]));
    assert_eq!(other["Environment"]["Variables"], json!({"C": "3"}));
    assert_eq!((&other["Timeout"], &other["MemorySize"]), (&json!(3), &json!(64)));
}

#[test]
fn changes_count_revisions() {
    let server = TestServer::start();
    let created = server.function("f", &module(""));
    let stale = json!({"Timeout": 5, "RevisionId": "00000000-0000-0000-0000-000000000000"});
    let (status, code, _) = server.failed("PUT", "/f/configuration", &stale);
    assert_eq!((status, code.as_str()), (412, "PreconditionFailedException"));
    let wanted =
        json!({"Timeout": 5, "RevisionId": created["RevisionId"], "Environment": {"Variables": {"A": "1"}}});
    let changed = server.done(200, "PUT", "/f/configuration", &wanted).body;
    assert_eq!((&changed["Timeout"], &changed["Role"]), (&json!(5), &json!(role())));
    assert_ne!(changed["RevisionId"], created["RevisionId"]);

    let code = json!({"ZipFile": base64(&module("2")), "RevisionId": created["RevisionId"]});
    assert_eq!(server.failed("PUT", "/f/code", &code).0, 412);
    let code = json!({"ZipFile": base64(&module("2")), "DryRun": true});
    assert_eq!(server.done(200, "PUT", "/f/code", &code).body["CodeSha256"], created["CodeSha256"]);
    let code = json!({"ZipFile": base64(&module("2")), "RevisionId": changed["RevisionId"]});
    let updated = server.done(200, "PUT", "/f/code", &code).body;
    assert_eq!(updated["CodeSha256"], sha256(&module("2")));
    assert_eq!(updated["Environment"], changed["Environment"]);
    let cleared = server.done(200, "PUT", "/f/configuration", &json!({"Environment": {}})).body;
    assert!(cleared.get("Environment").is_none() && cleared["Timeout"] == 5, "{cleared}");
}

#[test]
fn functions_are_listed_by_name_in_pages() {
    let server = TestServer::start();
    for name in ["c", "a", "b"] {
        server.function(name, &module(""));
    }
    server.done(201, "POST", "/b/versions", &json!({}));
    let names = |path: &str| {
        let mut names = Vec::new();
        let mut marker = String::new();
        loop {
            let page = server.lambda("GET", &format!("{FUNCTIONS}{path}&Marker={marker}"), &Value::Null);
            assert_eq!(page.status, 200, "{page:?}");
            let items = page.body["Functions"].as_array().unwrap().clone();
            names.extend(items.iter().map(|item| {
                let arn = item["FunctionArn"].as_str().unwrap().to_owned();
                arn.rsplit_once("function:").unwrap().1.to_owned()
            }));
            match page.body["NextMarker"].as_str() {
                Some(next) => next.clone_into(&mut marker),
                None => return names,
            }
        }
    };
    for size in 1..=4 {
        assert_eq!(names(&format!("?MaxItems={size}")), ["a", "b", "c"], "{size}");
        let all = names(&format!("/?FunctionVersion=ALL&MaxItems={size}"));
        assert_eq!(all, ["a:$LATEST", "b:$LATEST", "b:1", "c:$LATEST"], "{size}");
    }
    let (_, code, message) = server.failed("GET", "?Marker=x", &Value::Null);
    assert_eq!(code, "InvalidParameterValueException", "{message}");
}

#[test]
fn a_deleted_function_is_gone() {
    let server = TestServer::start();
    server.function("f", &module(""));
    assert_eq!(server.done(204, "DELETE", "/f", &Value::Null).body, Value::Null);
    let missing = (404, "ResourceNotFoundException".to_owned(), format!("Function not found: {}", arn("f")));
    for (method, path) in [
        ("GET", "/f"),
        ("GET", "/f/configuration"),
        ("DELETE", "/f"),
        ("GET", "/f/versions"),
        ("GET", "/f/aliases"),
        ("GET", "/f/policy"),
        ("PUT", "/f/configuration"),
    ] {
        assert_eq!(server.failed(method, path, &json!({})), missing, "{method} {path}");
    }
    let code = json!({"ZipFile": base64(&module(""))});
    assert_eq!(server.failed("PUT", "/f/code", &code), missing);
    assert_eq!(server.function("f", &module(""))["Version"], "$LATEST");
}

#[test]
fn refusals_say_why() {
    let server = TestServer::start();
    server.function("taken", &module(""));
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut wanted = creation("f", &module(""));
        edit(&mut wanted);
        server.failed("POST", "", &wanted)
    };
    let taken = edited(&|wanted| wanted["FunctionName"] = json!("taken"));
    let expected = "Function already exist: taken".to_owned();
    assert_eq!(taken, (409, "ResourceConflictException".to_owned(), expected));
    for (edit, code, part) in [
        (
            &(|wanted: &mut Value| wanted["Timeout"] = json!(0)) as &dyn Fn(&mut Value),
            "ValidationException",
            "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (&|wanted| wanted["Role"] = Value::Null, "ValidationException", "Value null at 'role'"),
        (
            &|wanted| wanted["FunctionName"] = json!("a b"),
            "ValidationException",
            "Value 'a b' at 'functionName'",
        ),
        (
            &|wanted| wanted["FunctionName"] = json!("n".repeat(65)),
            "ValidationException",
            "less than or equal to 64",
        ),
        (&|wanted| wanted["Code"] = Value::Null, "ValidationException", "Value null at 'code'"),
        (&|wanted| wanted["Timeout"] = json!("7"), "SerializationException", "STRING_VALUE"),
        (&|wanted| wanted["Code"]["ZipFile"] = json!("%"), "SerializationException", "not base64"),
        (&|wanted| wanted["Code"] = json!({}), "InvalidParameterValueException", "provide a source"),
        (
            &|wanted| wanted["Code"] = json!({"S3Bucket": "b"}),
            "InvalidParameterValueException",
            "S3Bucket is not offered",
        ),
        (
            &|wanted| wanted["Code"]["ZipFile"] = json!(base64(b"def handler")),
            "InvalidParameterValueException",
            "not WebAssembly",
        ),
        (
            &|wanted| wanted["Code"]["ZipFile"] = json!(base64(&zip(&[("a.py", b"")]))),
            "InvalidParameterValueException",
            ".wasm",
        ),
        (
            &|wanted| wanted["Environment"] = json!({"Variables": {"1A": "x"}}),
            "InvalidParameterValueException",
            "environment.1A",
        ),
        (
            &|wanted| wanted["Layers"] = json!(["arn:x"]),
            "InvalidParameterValueException",
            "Layers is not offered",
        ),
        (
            &|wanted| wanted["PackageType"] = json!("Image"),
            "InvalidParameterValueException",
            "Container images",
        ),
        (&|wanted| wanted["PackageType"] = json!("Tar"), "ValidationException", "[Zip, Image]"),
        (&|wanted| wanted["Tags"] = json!({"": "x"}), "InvalidParameterValueException", "key of a tag"),
    ] {
        let (status, found, message) = edited(edit);
        assert_eq!((status, found.as_str()), (400, code), "{message}");
        assert!(message.contains(part), "{part}: {message}");
    }
    let too_large = vec![0; MODULE_BYTES * 4];
    let (status, code, _) = edited(&|wanted| {
        wanted["Code"]["ZipFile"] =
            json!(base64(&[&too_large[..], &too_large, &too_large, &too_large].concat()));
    });
    assert_eq!((status, code.as_str()), (413, "RequestEntityTooLargeException"));
    let names = server.done(200, "GET", "", &Value::Null).body;
    assert_eq!(names["Functions"].as_array().unwrap().len(), 1, "{REGION}");
}

//! HTTP tasks against a server on this machine: what is sent, what comes of the answer.

use super::*;
use crate::connections::tests::{call, connections, oauth, token_server};
use crate::http_client::test_server::{Say, Seen, TestServer, json as answer_json, loopback, response};
use serde_json::json;
use stepwell_executor::TaskRequest;

const CONNECTION: &str = "arn:aws:events:r-1:111111111111:connection/c/x";

/// HTTP tasks with a connection of the name `c`, if one is given.
struct Rig {
    tasks: HttpTasks,
    exchanges: Exchanges,
}

impl Rig {
    async fn new(connection: Option<Value>) -> Rig {
        Rig::with(
            connection,
            HttpTaskConfig { strict: false, keeps_error_bodies: false, result_bytes: 262_144 },
        )
        .await
    }

    async fn with(connection: Option<Value>, config: HttpTaskConfig) -> Rig {
        let (connections, exchanges) = (connections(), Exchanges::default());
        if let Some(connection) = connection {
            call(&connections, "CreateConnection", connection).await.unwrap();
        }
        let client = Arc::new(HttpClient::new(loopback()));
        Rig { tasks: HttpTasks::new(config, client, connections, exchanges.clone()), exchanges }
    }

    async fn run(&self, parameters: Value) -> Result<Value, StatesError> {
        let request = TaskRequest {
            execution_arn: "arn:aws:states:r-1:111111111111:execution:m:e".into(),
            state_name: "S".into(),
            resource: "arn:aws:states:::http:invoke".into(),
            parameters,
            attempt: 0,
            idempotency_key: "key-1".into(),
            deadline: None,
            pinned_at: None,
            task_token: None,
            test_case: None,
        };
        let (service, action, suffix) = ("http".into(), "invoke".into(), String::new());
        let task = ServiceTask { service, action, suffix, pattern: Pattern::RequestResponse, request };
        self.tasks.run(task).await.result
    }

    /// Error and cause.
    async fn fails(&self, parameters: Value) -> (String, String) {
        let error = self.run(parameters).await.unwrap_err();
        (error.error.unwrap(), error.cause.unwrap_or_default())
    }
}

fn ok(_: &Seen) -> Say {
    answer_json(&json!({"ok": true}))
}

fn api_key() -> Value {
    json!({
        "Name": "c",
        "AuthorizationType": "API_KEY",
        "AuthParameters": {
            "ApiKeyAuthParameters": {"ApiKeyName": "ApiKey", "ApiKeyValue": "s3cret"},
            "InvocationHttpParameters": {
                "HeaderParameters": [{"Key": "Header-Param", "Value": "of the connection"}],
                "QueryStringParameters": [{"Key": "q", "Value": "of the connection"}],
                "BodyParameters": [{"Key": "b", "Value": "of the connection"}],
            },
        },
    })
}

#[tokio::test]
async fn a_request_has_what_step_functions_sends_and_a_result_its_shape() {
    let server = TestServer::start(ok).await;
    let rig = Rig::new(None).await;
    let parameters = json!({
        "ApiEndpoint": server.url("/p?a=1"),
        "Method": "POST",
        "Headers": {"X-One": "1", "X-Two": ["2", "3"], "User-Agent": "mine", "Content-Length": "999"},
        "QueryParameters": {"b": "x y", "c": ["1", 2], "d": true},
        "RequestBody": {"z": 1, "a": [1.5, null]},
    });
    let result = rig.run(parameters).await.unwrap();
    let expected = json!({
        "Headers": {"content-length": ["11"], "content-type": ["application/json"]},
        "ResponseBody": {"ok": true},
        "StatusCode": 200,
        "StatusText": "OK",
    });
    assert_eq!(result, expected);
    let names: Vec<&String> = result.as_object().unwrap().keys().collect();
    assert_eq!(names, ["Headers", "ResponseBody", "StatusCode", "StatusText"]);
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "POST /p?a=1&b=x%20y&c=1&c=2&d=true HTTP/1.1");
    assert_eq!(seen.body, r#"{"z":1,"a":[1.5,null]}"#);
    for (name, value) in [
        ("user-agent", "Amazon|StepFunctions|HttpInvoke|r-1"),
        ("range", "bytes=0-262144"),
        ("content-type", "application/json; charset=UTF-8"),
        ("x-one", "1"),
        ("content-length", "22"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    let twos = seen.headers.iter().filter(|(name, _)| name == "x-two").map(|(_, value)| value.as_str());
    assert_eq!(twos.collect::<Vec<_>>(), ["2", "3"]);
    assert_eq!(seen.header("idempotency-key"), None);
}

#[tokio::test]
async fn values_of_the_connection_win() {
    let server = TestServer::start(ok).await;
    let rig = Rig::new(Some(api_key())).await;
    let parameters = json!({
        "ApiEndpoint": server.url("/p?q=url&kept=1"),
        "Method": "PUT",
        "InvocationConfig": {"ConnectionArn": CONNECTION},
        "Headers": {"header-param": "of the task", "apikey": "guess", "Request-Id": "1"},
        "QueryParameters": {"q": "of the task", "r": "task"},
        "RequestBody": {"b": "of the task", "t": 1},
    });
    rig.run(parameters).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "PUT /p?kept=1&r=task&q=of%20the%20connection HTTP/1.1");
    assert_eq!(seen.body, r#"{"b":"of the connection","t":1}"#);
    let all = |name: &str| {
        seen.headers.iter().filter(|(other, _)| other == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(all("header-param"), ["of the connection"]);
    assert_eq!((all("apikey"), all("request-id")), (vec!["s3cret"], vec!["1"]));
    // Without a body of the task's own there is that of the connection; a text cannot be merged.
    let parameters = json!({"ApiEndpoint": server.url("/"), "Method": "POST", "Authentication": {"ConnectionArn": CONNECTION}});
    rig.run(parameters.clone()).await.unwrap();
    assert_eq!(server.seen()[1].body, r#"{"b":"of the connection"}"#);
    for body in [json!("text"), json!([1])] {
        let mut parameters = parameters.clone();
        parameters["RequestBody"] = body;
        let (error, cause) = rig.fails(parameters).await;
        assert!(error == "States.Runtime" && cause.contains("RequestBody"), "{error}: {cause}");
    }
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn bodies_are_json_texts_or_forms() {
    let server = TestServer::start(ok).await;
    let rig = Rig::new(None).await;
    let form =
        json!({"RequestBodyEncoding": "URL_ENCODED", "RequestEncodingOptions": {"ArrayFormat": "BRACKETS"}});
    let none = json!({"RequestBodyEncoding": "NONE"});
    let body = json!({"a": ["x", "y z"]});
    for (request_body, transform, headers, sent, content_type) in [
        (
            body.clone(),
            form.clone(),
            json!({}),
            "a%5B%5D=x&a%5B%5D=y%20z",
            "application/x-www-form-urlencoded",
        ),
        (body.clone(), form.clone(), json!({"content-type": "x/y"}), "a%5B%5D=x&a%5B%5D=y%20z", "x/y"),
        (body, none, json!({}), r#"{"a":["x","y z"]}"#, "application/json; charset=UTF-8"),
        (json!("<xml/>"), json!({}), json!({"Content-Type": "text/xml"}), "<xml/>", "text/xml"),
        (json!("a=b"), form, json!({}), "a=b", "text/plain; charset=UTF-8"),
        (json!([1]), json!({}), json!({}), "[1]", "application/json; charset=UTF-8"),
    ] {
        let parameters = json!({
            "ApiEndpoint": server.url("/"), "Method": "PATCH",
            "RequestBody": request_body, "Transform": transform, "Headers": headers,
        });
        rig.run(parameters).await.unwrap();
        let seen = server.seen().pop().unwrap();
        assert_eq!((seen.body.as_str(), seen.header("content-type")), (sent, Some(content_type)));
    }
    rig.run(json!({"ApiEndpoint": server.url("/"), "Method": "GET"})).await.unwrap();
    let seen = server.seen().pop().unwrap();
    assert_eq!((seen.body.as_str(), seen.header("content-type")), ("", None));
}

#[tokio::test]
async fn query_parameters_have_three_forms() {
    let server = TestServer::start(ok).await;
    let rig = Rig::new(None).await;
    for (query, sent) in [
        (json!("a=1&b=x%20y&c=x y&d"), "/?a=1&b=x%20y&c=x%20y&d="),
        (json!([{"a": 1}, "b=2"]), "/?a=1&b=2"),
        (json!({"a": null}), "/?a="),
        (json!({}), "/"),
    ] {
        rig.run(json!({"ApiEndpoint": server.url(""), "Method": "GET", "QueryParameters": query}))
            .await
            .unwrap();
        assert_eq!(server.seen().pop().unwrap().line, format!("GET {sent} HTTP/1.1"));
    }
}

#[tokio::test]
async fn answers_are_json_text_or_refused() {
    let server = TestServer::start(|seen| match seen.line.split(' ').nth(1).unwrap() {
        "/text" => response("200 OK", &[], "plain {text"),
        "/empty" => response("204 No Content", &[], ""),
        "/partial" => response("206 Partial Content", &["content-type: text/plain"], "12"),
        "/image" => response("200 OK", &["content-type: Image/PNG; x=y"], "x"),
        "/octets" => response("200 OK", &["content-type: application/octet-stream"], "x"),
        "/video" => response("200 OK", &["content-type: video/mp4"], "x"),
        "/bytes" => response("200 OK", &["content-type: text/plain"], [0xff, 0xfe]),
        "/huge" => response("200 OK", &[], "x".repeat(262_145)),
        other => panic!("{other}"),
    })
    .await;
    let rig = Rig::new(None).await;
    let parameters = |path: &str| json!({"ApiEndpoint": server.url(path), "Method": "GET"});
    assert_eq!(rig.run(parameters("/text")).await.unwrap()["ResponseBody"], "plain {text");
    let empty = rig.run(parameters("/empty")).await.unwrap();
    assert_eq!((&empty["ResponseBody"], &empty["StatusText"]), (&json!(""), &json!("No Content")));
    assert_eq!(rig.run(parameters("/partial")).await.unwrap()["ResponseBody"], 12);
    for path in ["/image", "/octets", "/video", "/bytes"] {
        assert_eq!(rig.fails(parameters(path)).await.0, "States.Runtime", "{path}");
    }
    assert_eq!(rig.fails(parameters("/huge")).await.0, "States.DataLimitExceeded");
}

#[tokio::test]
async fn errors_drop_the_body_unless_it_is_asked_for() {
    let server = TestServer::start(|seen| match seen.line.split(' ').nth(1).unwrap() {
        "/302" => response("302 Found", &["location: http://127.0.0.1:1/"], ""),
        "/404" => response("404 Not Found", &["content-type: application/json"], r#"{"why":"gone"}"#),
        "/long" => response("500 Oh", &[], "\"é".repeat(20_000)),
        other => panic!("{other}"),
    })
    .await;
    let rig = Rig::new(None).await;
    let parameters = |path: &str, config: Value| json!({"ApiEndpoint": server.url(path), "Method": "GET", "InvocationConfig": config});
    let plain = rig.fails(parameters("/404", Value::Null)).await;
    assert_eq!(plain, ("States.Http.StatusCode.404".into(), "Not Found".into()));
    let moved = rig.fails(parameters("/302", Value::Null)).await;
    assert_eq!(moved, ("States.Http.StatusCode.302".into(), "Found".into()));
    let (error, cause) = rig.fails(parameters("/404", json!({"KeepErrorBody": true}))).await;
    assert_eq!(error, "States.Http.StatusCode.404");
    let cause: Value = serde_json::from_str(&cause).unwrap();
    let expected = json!({
        "Headers": {"content-length": ["14"], "content-type": ["application/json"]},
        "ResponseBody": {"why": "gone"}, "StatusCode": 404, "StatusText": "Not Found",
    });
    assert_eq!(cause, expected);
    let (_, cause) = rig.fails(parameters("/long", json!({"KeepErrorBody": true}))).await;
    let cause: Value = serde_json::from_str(&cause).unwrap();
    assert!(cause["ResponseBody"].as_str().unwrap().starts_with("\"é\"é"));
    // For all tasks of a server, but not for those that say otherwise.
    let config = HttpTaskConfig { strict: false, keeps_error_bodies: true, result_bytes: 262_144 };
    let rig = Rig::with(None, config).await;
    assert!(rig.fails(parameters("/404", Value::Null)).await.1.contains("gone"));
    assert_eq!(rig.fails(parameters("/404", json!({"KeepErrorBody": false}))).await.1, "Not Found");
}

#[tokio::test]
async fn trouble_is_a_socket_error() {
    let stalls = TestServer::start(|_| Say::Stall(Vec::new())).await;
    let breaks = TestServer::start(|_| Say::Bytes(Vec::new())).await;
    let mut rig = Rig::new(None).await;
    let parameters = |url: String| json!({"ApiEndpoint": url, "Method": "GET"});
    for url in [breaks.url("/"), "http://169.254.169.254/".into(), "http://[::1]:1/".into()] {
        assert_eq!(rig.fails(parameters(url.clone())).await.0, "States.Http.Socket", "{url}");
    }
    assert_eq!(rig.tasks.time, Duration::from_mins(1));
    rig.tasks.time = Duration::from_millis(200);
    assert_eq!(rig.fails(parameters(stalls.url("/"))).await.0, "States.Http.Socket");
    stalls.closed().await;
}

#[tokio::test]
async fn wrong_parameters_are_runtime_errors_that_name_the_field() {
    let server = TestServer::start(ok).await;
    let rig = Rig::new(None).await;
    let with = |name: &str, value: Value| {
        let mut parameters = json!({"ApiEndpoint": server.url("/"), "Method": "GET"});
        parameters[name] = value;
        parameters
    };
    for (parameters, part) in [
        (json!([]), "object"),
        (with("ApiEndpoint", Value::Null), "'ApiEndpoint'"),
        (with("ApiEndpoint", json!("nowhere")), "'ApiEndpoint'"),
        (with("ApiEndpoint", json!("http://a@127.0.0.1/")), "'ApiEndpoint'"),
        (with("Method", Value::Null), "'Method'"),
        (with("Method", json!("TRACE")), "'Method'"),
        (with("Method", json!("get")), "'Method'"),
        (with("Other", json!(1)), "'Other'"),
        (with("Headers", json!("x")), "'Headers'"),
        (with("Headers", json!({"x": {"y": 1}})), "'Headers.x'"),
        (with("Headers", json!({"a b": "1"})), "'a b'"),
        (with("Headers", json!({"x": "a\r\nb: c"})), "'Headers.x'"),
        (with("Headers", json!({"authorization": "x"})), "'authorization'"),
        (with("Headers", json!({"X-Amz-Date": "x"})), "'X-Amz-Date'"),
        (with("QueryParameters", json!(1)), "'QueryParameters'"),
        (with("QueryParameters", json!([1])), "'QueryParameters'"),
        (with("Transform", json!({"RequestBodyEncoding": "XML"})), "'Transform.RequestBodyEncoding'"),
        (
            with(
                "Transform",
                json!({"RequestBodyEncoding": "URL_ENCODED", "RequestEncodingOptions": {"ArrayFormat": "X"}}),
            ),
            "ArrayFormat'",
        ),
        (with("Authentication", json!({})), "'Authentication.ConnectionArn'"),
        (with("InvocationConfig", json!({"ConnectionArn": 1})), "'InvocationConfig.ConnectionArn'"),
        (with("InvocationConfig", json!({"ConnectionArn": "x"})), "'x'"),
        (with("InvocationConfig", json!({"Else": 1})), "'InvocationConfig.Else'"),
        (with("InvocationConfig", json!({"IdempotencyHeader": "Authorization"})), "'Authorization'"),
    ] {
        let (error, cause) = rig.fails(parameters.clone()).await;
        assert!(error == "States.Runtime" && cause.contains(part), "{parameters}: {error}: {cause}");
    }
    assert_eq!(server.seen(), []);
}

#[tokio::test]
async fn strict_is_as_aws_has_it() {
    let config = HttpTaskConfig { strict: true, keeps_error_bodies: false, result_bytes: 262_144 };
    let rig = Rig::with(Some(api_key()), config).await;
    for (parameters, part) in [
        (json!({"ApiEndpoint": "https://127.0.0.1", "Method": "GET"}), "ConnectionArn"),
        (
            json!({"ApiEndpoint": "http://127.0.0.1", "Method": "GET", "InvocationConfig": {"ConnectionArn": CONNECTION}}),
            "https://",
        ),
        (
            json!({"ApiEndpoint": "https://127.0.0.1", "Method": "GET", "InvocationConfig": {"KeepErrorBody": true}}),
            "KeepErrorBody",
        ),
    ] {
        let (error, cause) = rig.fails(parameters.clone()).await;
        assert!(error == "States.Runtime" && cause.contains(part), "{parameters}: {error}: {cause}");
    }
}

#[tokio::test]
async fn a_refused_token_is_fetched_again_once() {
    let tokens = token_server().await;
    let server = TestServer::start(|seen| {
        let is_good = seen.header("authorization") == Some("Bearer t2") && !seen.line.contains("/never");
        if is_good { ok(seen) } else { response("401 Unauthorized", &[], "") }
    })
    .await;
    let rig = Rig::new(Some(oauth("c", &tokens.url("/token")))).await;
    let parameters = |path: &str| json!({"ApiEndpoint": server.url(path), "Method": "GET", "InvocationConfig": {"ConnectionArn": CONNECTION}});
    assert_eq!(rig.run(parameters("/")).await.unwrap()["StatusCode"], 200);
    assert_eq!((server.seen().len(), tokens.seen().len()), (2, 2));
    assert_eq!(rig.run(parameters("/")).await.unwrap()["StatusCode"], 200);
    assert_eq!((server.seen().len(), tokens.seen().len()), (3, 2));
    assert_eq!(rig.fails(parameters("/never")).await.0, "States.Http.StatusCode.401");
    assert_eq!((server.seen().len(), tokens.seen().len()), (5, 3));
}

#[tokio::test]
async fn an_attempt_can_be_told_apart_by_a_header() {
    let server = TestServer::start(ok).await;
    let rig = Rig::new(None).await;
    let parameters = json!({
        "ApiEndpoint": server.url("/"), "Method": "POST",
        "InvocationConfig": {"IdempotencyHeader": "Idempotency-Key"}, "Headers": {"idempotency-key": "mine"},
    });
    rig.run(parameters).await.unwrap();
    let seen = server.seen().pop().unwrap();
    let keys =
        seen.headers.iter().filter(|(name, _)| name == "idempotency-key").map(|(_, value)| value.as_str());
    assert_eq!(keys.collect::<Vec<_>>(), ["key-1"]);
}

#[tokio::test]
async fn an_exchange_shows_secrets_only_to_those_who_may_see_them() {
    let server = TestServer::start(ok).await;
    let rig = Rig::new(Some(api_key())).await;
    let parameters = json!({
        "ApiEndpoint": server.url("/"), "Method": "POST", "InvocationConfig": {"ConnectionArn": CONNECTION},
        "Headers": {"h": "1"}, "QueryParameters": {"t": "1"}, "RequestBody": {"x": 1},
    });
    for reveals in [false, true] {
        let watch = rig.exchanges.watch("key-1", reveals).unwrap();
        rig.run(parameters.clone()).await.unwrap();
        let Exchange { request, response, .. } = watch.seen();
        let request = request.unwrap();
        let fixed = "User-Agent: Amazon|StepFunctions|HttpInvoke|r-1, Range: bytes=0-262144]";
        let (url, headers, body) = if reveals {
            let headers = format!("[h: 1, ApiKey: s3cret, Header-Param: of the connection, {fixed}");
            (server.url("/?t=1&q=of%20the%20connection"), headers, r#"{"x":1,"b":"of the connection"}"#)
        } else {
            (server.url("/?t=1"), format!("[h: 1, {fixed}"), r#"{"x":1}"#)
        };
        let expected =
            json!({"protocol": "http", "method": "POST", "url": url, "headers": headers, "body": body});
        assert_eq!(request, expected);
        let expected = json!({
            "protocol": "http", "statusCode": "200", "statusMessage": "OK",
            "headers": "[content-length: 11, content-type: application/json]", "body": "{\"ok\":true}",
        });
        assert_eq!(response.unwrap(), expected);
    }
    assert!(rig.exchanges.reveals("key-1").is_none());
}

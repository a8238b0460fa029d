//! Connections are kept, sealed, shown without secrets, and get tokens.

use super::*;
use crate::http_client::test_server::{Say, Seen, TestServer, json as answer_json, loopback, response};
use crate::service::ServiceCall;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use stepwell_executor::SystemClock;
use stepwell_store::MemoryBackend;

/// Turns bytes around: enough to see that nothing goes past it.
struct Reversing;

#[async_trait]
impl Sealing for Reversing {
    async fn seal(&self, owner: &str, text: &str) -> Result<SealedText, String> {
        let bytes = text.bytes().rev().collect();
        Ok(SealedText { scheme: "test".into(), nonce: owner.into(), bytes })
    }

    fn open(&self, owner: &str, sealed: &SealedText) -> Result<String, String> {
        if sealed.nonce != owner.as_bytes() {
            return Err("it belongs to another one".into());
        }
        String::from_utf8(sealed.bytes.iter().rev().copied().collect()).map_err(|error| error.to_string())
    }
}

pub(crate) fn connections() -> Connections {
    let store = Store::new(Arc::new(MemoryBackend::new()));
    let client = Arc::new(HttpClient::new(loopback()));
    Connections::new(store, Arc::new(Reversing), client, Arc::new(SystemClock), false)
}

pub(crate) async fn call(connections: &Connections, operation: &str, input: Value) -> Result<Value, String> {
    call_of("111111111111", connections, operation, input).await
}

async fn call_of(
    account: &str,
    connections: &Connections,
    operation: &str,
    input: Value,
) -> Result<Value, String> {
    assert!(connections.offers(operation));
    let (account, region) = (account.to_owned(), "r-1".to_owned());
    let call = ServiceCall { operation: operation.to_owned(), input, account, region, task: None };
    connections.call(call).await.map_err(|error| format!("{}: {}", error.code, error.message))
}

fn basic(name: &str) -> Value {
    json!({
        "Name": name,
        "AuthorizationType": "BASIC",
        "AuthParameters": {
            "BasicAuthParameters": {"Username": "me", "Password": "s3cret"},
            "InvocationHttpParameters": {
                "HeaderParameters": [{"Key": "X-Open", "Value": "open", "IsValueSecret": false}],
                "BodyParameters": [{"Key": "hidden", "Value": "s3cret-too", "IsValueSecret": true}],
            },
        },
    })
}

pub(crate) fn oauth(name: &str, endpoint: &str) -> Value {
    json!({
        "Name": name,
        "AuthorizationType": "OAUTH_CLIENT_CREDENTIALS",
        "AuthParameters": {"OAuthParameters": {
            "ClientParameters": {"ClientID": "client", "ClientSecret": "s3cret"},
            "AuthorizationEndpoint": endpoint,
            "HttpMethod": "POST",
            "OAuthHttpParameters": {"BodyParameters": [{"Key": "scope", "Value": "all of it"}]},
        }},
    })
}

/// Waits until the state of a connection is no more `AUTHORIZING` without a reason.
async fn settled(connections: &Connections, name: &str) -> Value {
    for _ in 0..30_000 {
        let found = call(connections, "DescribeConnection", json!({"Name": name})).await.unwrap();
        if found["ConnectionState"] != "AUTHORIZING" || found.get("StateReason").is_some() {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("it is still being authorized");
}

#[tokio::test]
async fn what_is_secret_is_sealed_and_never_shown() {
    let connections = connections();
    let created = call(&connections, "CreateConnection", basic("c.1")).await.unwrap();
    let arn = created["ConnectionArn"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:events:r-1:111111111111:connection/c.1/"), "{arn}");
    assert_eq!(created["ConnectionState"], "AUTHORIZED");
    let found = call(&connections, "DescribeConnection", json!({"Name": "c.1"})).await.unwrap();
    let expected = json!({
        "BasicAuthParameters": {"Username": "me"},
        "InvocationHttpParameters": {
            "HeaderParameters": [{"Key": "X-Open", "IsValueSecret": false, "Value": "open"}],
            "BodyParameters": [{"Key": "hidden", "IsValueSecret": true}],
        },
    });
    assert_eq!(found["AuthParameters"], expected);
    assert!(!found.to_string().contains("s3cret"));
    let (record, _) =
        connections.inner.store.connection("111111111111", "r-1", "c.1").await.unwrap().unwrap();
    assert!(!format!("{record:?}").contains("s3cret") && !record.sealed.is_empty());
    assert_eq!(format!("{:?}", connections.open(&record).unwrap()), "AuthParameters");
    // Under another name it does not open.
    let other = ConnectionRecord { name: "other".into(), ..record };
    assert!(connections.open(&other).is_err());
}

#[tokio::test]
async fn connections_are_an_accounts_own() {
    let connections = connections();
    let created = call(&connections, "CreateConnection", basic("c")).await.unwrap();
    let arn = created["ConnectionArn"].as_str().unwrap();
    let missing = "ResourceNotFoundException: Connection 'c' does not exist.";
    for operation in ["DescribeConnection", "DeleteConnection", "UpdateConnection", "DeauthorizeConnection"] {
        let other = call_of("222222222222", &connections, operation, json!({"Name": "c"})).await;
        assert_eq!(other.unwrap_err(), missing);
    }
    let listed = call_of("222222222222", &connections, "ListConnections", json!({})).await.unwrap();
    assert_eq!(listed, json!({"Connections": []}));
    let error = |found: Result<Used, StatesError>| found.err().unwrap().error.unwrap();
    let denied = connections.find("222222222222", "r-1", arn).await;
    assert_eq!(error(denied), "Events.ConnectionResource.AccessDenied");
    let elsewhere = connections.find("111111111111", "r-2", arn).await;
    assert_eq!(error(elsewhere), "Events.ConnectionResource.ResourceNotFound");
    let unknown =
        connections.find("111111111111", "r-1", "arn:aws:events:r-1:111111111111:connection/x/y").await;
    assert_eq!(error(unknown), "Events.ConnectionResource.ResourceNotFound");
    assert_eq!(error(connections.find("111111111111", "r-1", "c").await), "States.Runtime");
    assert!(connections.find("111111111111", "r-1", arn).await.is_ok());
    // A made-up id will do, but not where things are as on AWS.
    let made_up = "arn:aws:events:r-1:111111111111:connection/c/00000000-0000-0000-0000-000000000000";
    assert!(connections.find("111111111111", "r-1", made_up).await.is_ok());
    let inner = &connections.inner;
    let (store, sealing) = (inner.store.clone(), Arc::clone(&inner.sealing));
    let strict = Connections::new(store, sealing, Arc::clone(&inner.client), Arc::new(SystemClock), true);
    assert!(strict.find("111111111111", "r-1", arn).await.is_ok());
    let refused = strict.find("111111111111", "r-1", made_up).await;
    assert_eq!(error(refused), "Events.ConnectionResource.ResourceNotFound");
}

#[tokio::test]
async fn a_change_is_merged_and_a_deletion_is_one() {
    let connections = connections();
    let created = call(&connections, "CreateConnection", basic("c")).await.unwrap();
    let again = call(&connections, "CreateConnection", basic("c")).await.unwrap_err();
    assert_eq!(again, "ResourceAlreadyExistsException: Connection c already exists.");
    let change = json!({"Name": "c", "AuthParameters": {"BasicAuthParameters": {"Username": "you"}}});
    let updated = call(&connections, "UpdateConnection", change).await.unwrap();
    assert_eq!(updated["ConnectionArn"], created["ConnectionArn"]);
    let arn = created["ConnectionArn"].as_str().unwrap();
    let used = connections.find("111111111111", "r-1", arn).await.unwrap();
    let additions = connections.additions(&used, None).await.unwrap();
    let authorization = format!("Basic {}", STANDARD.encode("you:s3cret"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(additions.headers, [pair("authorization", &authorization), pair("X-Open", "open")]);
    assert_eq!(additions.body, [pair("hidden", "s3cret-too")]);
    // Another kind needs its own parameters, and forgets those of the other.
    let change = json!({"Name": "c", "AuthorizationType": "API_KEY"});
    let refused = call(&connections, "UpdateConnection", change).await.unwrap_err();
    assert!(refused.contains("'authParameters.apiKeyAuthParameters'"), "{refused}");
    let key = json!({"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "k"}});
    let change =
        json!({"Name": "c", "AuthorizationType": "API_KEY", "AuthParameters": key, "Description": "d"});
    call(&connections, "UpdateConnection", change).await.unwrap();
    let found = call(&connections, "DescribeConnection", json!({"Name": "c"})).await.unwrap();
    assert_eq!((&found["AuthorizationType"], &found["Description"]), (&json!("API_KEY"), &json!("d")));
    assert_eq!(found["AuthParameters"]["ApiKeyAuthParameters"], json!({"ApiKeyName": "X-Key"}));
    assert!(found["AuthParameters"].get("BasicAuthParameters").is_none());
    let off = call(&connections, "DeauthorizeConnection", json!({"Name": "c"})).await.unwrap();
    assert_eq!(off["ConnectionState"], "DEAUTHORIZED");
    let refused = connections.find("111111111111", "r-1", arn).await.err().unwrap();
    assert!(refused.is("Events.ConnectionResource.InvalidConnectionState"));
    let deleted = call(&connections, "DeleteConnection", json!({"Name": "c"})).await.unwrap();
    assert_eq!(deleted["ConnectionState"], "DELETING");
    assert!(call(&connections, "DeleteConnection", json!({"Name": "c"})).await.is_err());
}

#[tokio::test]
async fn what_makes_no_connection_is_refused_without_quoting_it() {
    let connections = connections();
    let with = |member: &str, value: Value| {
        let mut input = basic("c");
        input[member] = value;
        input
    };
    for (input, part) in [
        (with("Name", json!("a b")), "'name'"),
        (with("Name", json!("n".repeat(65))), "'name'"),
        (with("Name", Value::Null), "'name'"),
        (with("AuthorizationType", json!("DIGEST")), "'authorizationType'"),
        (with("AuthorizationType", Value::Null), "'authorizationType'"),
        (with("AuthParameters", Value::Null), "'authParameters'"),
        (with("AuthParameters", json!("s3cret")), "authParameters"),
        (with("AuthParameters", json!({"BasicAuthParameters": {"Password": "s3cret"}})), "username"),
        (with("AuthParameters", json!({"BasicAuthParameters": {"Password": ["s3cret"]}})), "another type"),
        (with("AuthorizationType", json!("API_KEY")), "apiKeyAuthParameters"),
        (with("AuthorizationType", json!("OAUTH_CLIENT_CREDENTIALS")), "oAuthParameters"),
        (with("Description", json!("d".repeat(513))), "'description'"),
    ] {
        let refused = call(&connections, "CreateConnection", input).await.unwrap_err();
        assert!(refused.contains(part) && !refused.contains("s3cret"), "{refused}");
    }
    let mut input = basic("c");
    input["AuthParameters"]["InvocationHttpParameters"]["HeaderParameters"] =
        json!([{"Key": "X", "Value": "s3cret\r\nX: y"}]);
    let refused = call(&connections, "CreateConnection", input).await.unwrap_err();
    assert!(refused.contains("headerParameters") && !refused.contains("s3cret"), "{refused}");
    let refused = call(&connections, "CreateConnection", oauth("c", "ftp://x")).await.unwrap_err();
    assert!(refused.contains("authorizationEndpoint"), "{refused}");
}

#[tokio::test]
async fn connections_are_listed_by_name_in_pages() {
    let connections = connections();
    for name in ["b-1", "a-1", "a-2", "a-3"] {
        call(&connections, "CreateConnection", basic(name)).await.unwrap();
    }
    call(&connections, "DeauthorizeConnection", json!({"Name": "a-2"})).await.unwrap();
    let names = |page: &Value| -> Vec<String> {
        page["Connections"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["Name"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = call(&connections, "ListConnections", json!({})).await.unwrap();
    assert_eq!(names(&all), ["a-1", "a-2", "a-3", "b-1"]);
    assert!(all.get("NextToken").is_none() && !all.to_string().contains("AuthParameters"));
    let mut input = json!({"Limit": 1, "NamePrefix": "a-", "ConnectionState": "AUTHORIZED"});
    let mut found = Vec::new();
    for _ in 0..5 {
        let page = call(&connections, "ListConnections", input.clone()).await.unwrap();
        found.extend(names(&page));
        let Some(token) = page.get("NextToken") else { break };
        input["NextToken"] = token.clone();
    }
    assert_eq!(found, ["a-1", "a-3"]);
    for wrong in [
        json!({"Limit": 0}),
        json!({"Limit": 101}),
        json!({"NextToken": "%"}),
        json!({"ConnectionState": "X"}),
    ] {
        let refused = call(&connections, "ListConnections", wrong).await.unwrap_err();
        assert!(refused.starts_with("ValidationException"), "{refused}");
    }
}

/// Gives out the tokens `t1`, `t2`...
pub(crate) async fn token_server() -> TestServer {
    let count = AtomicUsize::new(0);
    TestServer::start(move |seen: &Seen| {
        if seen.header("authorization") != Some("Basic Y2xpZW50OnMzY3JldA==") {
            return response("401 Unauthorized", &[], "");
        }
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        answer_json(
            &json!({"access_token": format!("t{number}"), "token_type": "Bearer", "expires_in": 3600}),
        )
    })
    .await
}

async fn token(connections: &Connections, name: &str, refused: Option<&str>) -> Result<String, StatesError> {
    let arn = format!("arn:aws:events:r-1:111111111111:connection/{name}/x");
    let used = connections.find("111111111111", "r-1", &arn).await?;
    Ok(connections.additions(&used, refused).await?.token.unwrap())
}

#[tokio::test]
async fn a_token_is_fetched_once_kept_and_fetched_again_when_it_is_refused() {
    let server = token_server().await;
    let connections = connections();
    let created = call(&connections, "CreateConnection", oauth("o", &server.url("/token"))).await.unwrap();
    assert_eq!(created["ConnectionState"], "AUTHORIZING");
    let found = settled(&connections, "o").await;
    assert_eq!(found["ConnectionState"], "AUTHORIZED");
    assert!(found["LastAuthorizedTime"].is_i64() && !found.to_string().contains("s3cret"), "{found}");
    assert_eq!(token(&connections, "o", None).await.unwrap(), "t1");
    // Many at once, whose token was refused: one asks.
    let all = (0..20).map(|_| token(&connections, "o", Some("t1")));
    let all = futures(all).await;
    assert!(all.iter().all(|token| token.as_ref().unwrap() == "t2"));
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].body, "grant_type=client_credentials&scope=all%20of%20it");
    assert_eq!(seen[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    // Other credentials have another token.
    let change = json!({"Name": "o", "AuthParameters": {"OAuthParameters": {"AuthorizationEndpoint": server.url("/new")}}});
    call(&connections, "UpdateConnection", change).await.unwrap();
    assert_eq!(settled(&connections, "o").await["ConnectionState"], "AUTHORIZED");
    assert_eq!(token(&connections, "o", None).await.unwrap(), "t3");
}

/// Runs them all at the same time.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (one, done) in all.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(value) = one.as_mut().poll(context) {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_server_that_wants_credentials_in_the_body_gets_them_there() {
    let server = TestServer::start(|seen| {
        if seen.header("authorization").is_some() {
            return response("400 Bad Request", &[], r#"{"error":"invalid_request"}"#);
        }
        // Expires at once: every use asks again.
        answer_json(&json!({"access_token": "t", "expires_in": "1"}))
    })
    .await;
    let connections = connections();
    call(&connections, "CreateConnection", oauth("o", &server.url("/"))).await.unwrap();
    settled(&connections, "o").await;
    assert_eq!(token(&connections, "o", None).await.unwrap(), "t");
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    let expected = "grant_type=client_credentials&client_id=client&client_secret=s3cret&scope=all%20of%20it";
    assert_eq!(seen[1].body, expected);
}

#[tokio::test]
async fn wrong_credentials_deauthorize_and_trouble_does_not() {
    let wrong = TestServer::start(|_| response("401 Unauthorized", &[], "s3cret")).await;
    let connections = connections();
    call(&connections, "CreateConnection", oauth("w", &wrong.url("/"))).await.unwrap();
    let found = settled(&connections, "w").await;
    assert_eq!(found["ConnectionState"], "DEAUTHORIZED");
    assert!(found["StateReason"].as_str().unwrap().contains("401"), "{found}");
    let error = token(&connections, "w", None).await.unwrap_err();
    assert!(error.is("Events.ConnectionResource.InvalidConnectionState"));
    let mends = AtomicUsize::new(0);
    let server = TestServer::start(move |_| match mends.fetch_add(1, Ordering::Relaxed) {
        0 => response("503 Service Unavailable", &[], ""),
        1 => answer_json(&json!({"no": "token"})),
        2 => Say::Bytes(Vec::new()),
        _ => answer_json(&json!({"access_token": "t"})),
    })
    .await;
    call(&connections, "CreateConnection", oauth("t", &server.url("/"))).await.unwrap();
    let found = settled(&connections, "t").await;
    assert_eq!(found["ConnectionState"], "AUTHORIZING", "{found}");
    for _ in 0..2 {
        let error = token(&connections, "t", None).await.unwrap_err();
        assert!(error.is("Events.ConnectionResource.InternalError"), "{error:?}");
    }
    assert_eq!(token(&connections, "t", None).await.unwrap(), "t");
    let found = call(&connections, "DescribeConnection", json!({"Name": "t"})).await.unwrap();
    assert_eq!(found["ConnectionState"], "AUTHORIZED");
}

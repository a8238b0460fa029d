//! The protocol: addresses that are not offered, headers, bodies that are no requests.

use serde_json::{Value, json};

use crate::client::FUNCTIONS;
use crate::support::TestServer;

#[test]
fn what_is_not_offered_is_named() {
    let server = TestServer::start();
    for (method, path, message) in [
        (
            "GET",
            "/2018-10-31/layers",
            "The operation 'ListLayers' is not offered by this release of Stepwell",
        ),
        (
            "PUT",
            "/2019-09-25/functions/f/event-invoke-config",
            "The operation 'PutFunctionEventInvokeConfig' is not offered by this release of Stepwell",
        ),
        ("GET", "/2015-03-31/nothing", "There is no operation of Lambda at GET /2015-03-31/nothing"),
    ] {
        let expected = (404, "UnknownOperationException".to_owned(), message.to_owned());
        assert_eq!(server.failed_at(method, path, &json!({})), expected);
    }
    let other = server.send("GET", "/nothing/here", &[], None);
    assert_eq!((other.status, other.code()), (404, "NotFound"));
}

#[test]
fn answers_carry_an_id_and_their_type() {
    let server = TestServer::start();
    for path in [FUNCTIONS.to_owned(), format!("{FUNCTIONS}/nobody")] {
        let reply = server.lambda("GET", &path, &Value::Null);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("x-amzn-requestid").map(str::len), Some(36));
    }
}

#[test]
fn bodies_that_are_no_requests_are_refused() {
    let server = TestServer::start();
    for (body, status, code) in [
        (&b"{"[..], 400, "SerializationException"),
        (b"[]", 400, "SerializationException"),
        (b"\xff", 400, "SerializationException"),
        (b"", 400, "ValidationException"),
    ] {
        let reply = server.send("POST", FUNCTIONS, &[], Some(body));
        assert_eq!((reply.status, reply.header("x-amzn-errortype")), (status, Some(code)), "{body:?}");
    }
    let (_, code, _) = server.failed_at("GET", &format!("{FUNCTIONS}/%zz"), &Value::Null);
    assert_eq!(code, "SerializationException");
    let (_, code, _) = server.failed_at("GET", &format!("{FUNCTIONS}?MaxItems=x"), &Value::Null);
    assert_eq!(code, "SerializationException");
}

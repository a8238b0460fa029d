//! Requests of the Lambda API, and modules to upload.

use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::support::{ACCOUNT, REGION, Reply, TestServer, role};

/// Where functions are.
pub(crate) const FUNCTIONS: &str = "/2015-03-31/functions";

/// A module whose `run` returns its input, or fails with error `Refused` when the input is not an object. `salt`
/// makes contents differ.
pub(crate) fn module(salt: &str) -> Vec<u8> {
    wat::parse_str(include_str!("../support/echo.wat").replace("$salt", salt)).unwrap()
}

/// An archive.
pub(crate) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A file as a member of a request.
pub(crate) fn base64(file: &[u8]) -> String {
    STANDARD.encode(file)
}

/// The digest of a file as Lambda shows it.
pub(crate) fn sha256(file: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(file))
}

/// The ARN of a function, or of a version or an alias as `name:qualifier`.
pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

/// What CreateFunction needs at least.
pub(crate) fn creation(name: &str, file: &[u8]) -> Value {
    json!({
        "FunctionName": name, "Role": role(), "Runtime": "provided.al2023", "Handler": "bootstrap",
        "Code": {"ZipFile": base64(file)},
    })
}

impl TestServer {
    /// A request of the Lambda API.
    pub(crate) fn lambda(&self, method: &str, path: &str, body: &Value) -> Reply {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let body = (method != "GET" && method != "DELETE").then_some(text.as_bytes());
        self.send(method, path, &[("Content-Type", "application/json")], body)
    }

    /// A request below a function that must succeed with `status`.
    pub(crate) fn done(&self, status: u16, method: &str, path: &str, body: &Value) -> Reply {
        let reply = self.lambda(method, &format!("{FUNCTIONS}{path}"), body);
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
        reply
    }

    /// A request below a function that must fail: its status, code and message.
    pub(crate) fn failed(&self, method: &str, path: &str, body: &Value) -> (u16, String, String) {
        self.failed_at(method, &format!("{FUNCTIONS}{path}"), body)
    }

    /// A request that must fail: its status, code and message.
    pub(crate) fn failed_at(&self, method: &str, path: &str, body: &Value) -> (u16, String, String) {
        let reply = self.lambda(method, path, body);
        assert!(reply.status >= 400, "{method} {path}: {reply:?}");
        let code = reply.header("x-amzn-errortype").unwrap_or_default().to_owned();
        assert_eq!(reply.body["Type"], "User", "{reply:?}");
        let message = reply.body.get("message").or_else(|| reply.body.get("Message"));
        let message = message.and_then(Value::as_str).unwrap_or_else(|| panic!("no message: {reply:?}"));
        (reply.status, code, message.to_owned())
    }

    /// Creates a function; its configuration.
    pub(crate) fn function(&self, name: &str, file: &[u8]) -> Value {
        self.done(201, "POST", "", &creation(name, file)).body
    }

    /// Calls a function.
    pub(crate) fn invoke(&self, name: &str, headers: &[(&str, &str)], payload: &str) -> Reply {
        self.send("POST", &format!("{FUNCTIONS}/{name}/invocations"), headers, Some(payload.as_bytes()))
    }
}

//! A guest of the kind `wasi:http/incoming-handler`: it knows nothing of Stepwell and answers HTTP requests.
//!
//! It answers a POST whose body is
//! - `{"status": 503, "body": ANY}` with that status and body;
//! - `{"status": 418, "error": "NAME", "cause": "TEXT"}` with that status and the body `{"error": "NAME", "cause": "TEXT"}`;
//! - `{"misdeed": "NAME"}` by misbehaving: see `misdeed.rs`;
//! - any other JSON with 200 and `{"echo": BODY, "headers": {...}}`, where the headers are those that begin with `stepwell-`.
//!
//! Another method is 405, another body 400.

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, reason = "only the WebAssembly build has a host that calls it")
)]

mod answer;
mod misdeed;

use answer::{Answer, answer};
use misdeed::Misdeed;
use std::io::{Read, Write};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Handler;

impl Guest for Handler {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let answer = match request.method() {
            Method::Post => match read(&request) {
                None => Answer::bad_request(),
                Some(body) => {
                    if let Some(misdeed) = Misdeed::asked(&body) {
                        return misdeed.commit(response_out);
                    }
                    let headers = request.headers().entries();
                    let headers = headers
                        .into_iter()
                        .filter_map(|(name, value)| Some((name, String::from_utf8(value).ok()?)));
                    answer(&body, headers)
                }
            },
            Method::Get
            | Method::Head
            | Method::Put
            | Method::Delete
            | Method::Connect
            | Method::Options
            | Method::Trace
            | Method::Patch
            | Method::Other(_) => Answer::method_not_allowed(),
        };
        send(&answer, response_out);
    }
}

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "generated code")]
mod export {
    use super::Handler;

    wasip2::http::proxy::export!(Handler);
}

/// Reads a request's body.
fn read(request: &IncomingRequest) -> Option<Vec<u8>> {
    let body = request.consume().ok()?;
    let mut bytes = Vec::new();
    body.stream().ok()?.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Sends a response. Where the host does not want it any more, nobody is there to be told.
fn send(answer: &Answer, response_out: ResponseOutparam) {
    let json = [b"application/json".to_vec()];
    let headers = Fields::new();
    let response = headers.set("content-type", &json).is_ok().then(|| OutgoingResponse::new(headers));
    let Some(response) = response.filter(|response| response.set_status_code(answer.status).is_ok()) else {
        ResponseOutparam::set(response_out, Err(ErrorCode::InternalError(Some("no such status".to_owned()))));
        return;
    };
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(response_out, Ok(response));
    if let Ok(mut stream) = body.write() {
        let _ = stream.write_all(answer.body.as_bytes()).and_then(|()| Write::flush(&mut stream));
    }
    let _ = OutgoingBody::finish(body, None);
}

//! Web servers: `wasi:http/incoming-handler`. The input is posted to `/`, the body of the answer is the result.
//!
//! The call's context is in headers (`stepwell-execution-arn` and so on). Status 2xx: the body is the result, JSON text;
//! nothing at all is `null`. Any other: the module failed, and the body may name the error as
//! `{"error": NAME, "cause": TEXT}`; otherwise it is `Sandbox.HttpStatus.` and the status.

use super::{Outcome, context_entries, from_module, named_error, result};
use crate::call::CallContext;
use crate::capture::ResultExceeded;
use crate::error::CallError;
use crate::limits;
use crate::state::CallState;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

type Answer = Result<http::Response<HyperOutgoingBody>, ErrorCode>;

/// Posts the input and reads the answer. The module may go on after it has begun its answer, as it must to write the body.
pub(super) async fn call(
    proxy: &ProxyPre<CallState>,
    store: &mut Store<CallState>,
    input: String,
) -> wasmtime::Result<Outcome> {
    let limit_bytes = store.data().bounds().result_bytes;
    let request = request(store.data().context(), input)?;
    let (send, answered) = oneshot::channel::<Answer>();
    let mut view = store.data_mut().http();
    let request = view.new_incoming_request(Scheme::Http, request)?;
    let outparam = view.new_response_outparam(send)?;
    let proxy = proxy.instantiate_async(&mut *store).await?;
    let server = proxy.wasi_http_incoming_handler();
    // The body is read while the module writes it: neither must wait for the other's end.
    let mut reading = pin!(read(answered, limit_bytes));
    let early = {
        let mut handling = pin!(server.call_handle(&mut *store, request, outparam));
        let mut early = None;
        loop {
            tokio::select! {
                biased;
                // A body that grew too long is what broke the module's writing, if it broke.
                read = &mut reading, if early.is_none() => match read {
                    Err(ReadError::TooLong) => return Err(ResultExceeded { limit_bytes }.into()),
                    read => early = Some(read),
                },
                handled = &mut handling => {
                    // A module that broke off left its answer, begun or not, where nobody will end it.
                    handled.map_err(from_module)?;
                    break early;
                }
            }
        }
    };
    let read = match early {
        Some(read) => Some(read),
        None => at_once(reading).await,
    };
    let read =
        read.unwrap_or_else(|| Err(ReadError::NoAnswer("the module ended before its answer did".to_owned())));
    let answer = match read {
        Err(ReadError::TooLong) => return Err(ResultExceeded { limit_bytes }.into()),
        Err(ReadError::NoAnswer(reason)) => return Ok(Err(CallError::Trap { message: reason })),
        Ok(answer) => answer,
    };
    let (status, body) = answer;
    if !status.is_success() {
        return Ok(Err(named_error(&body).unwrap_or_else(|| unnamed(status, &body))));
    }
    Ok(result(body))
}

/// Why there is no whole answer.
enum ReadError {
    TooLong,
    NoAnswer(String),
}

/// Takes what is there of an answer whose module is over: nobody will ever add to it.
async fn at_once<T>(mut reading: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|context| {
        // Without tokio's budget, which could let something that is there seem not to be.
        let read = pin!(tokio::task::unconstrained(reading.as_mut())).poll(context);
        Poll::Ready(match read {
            Poll::Ready(read) => Some(read),
            Poll::Pending => None,
        })
    })
    .await
}

/// Waits for the answer and reads its body.
async fn read(
    answered: oneshot::Receiver<Answer>,
    limit_bytes: u64,
) -> Result<(http::StatusCode, Vec<u8>), ReadError> {
    let no_answer =
        |reason: &dyn std::fmt::Display| ReadError::NoAnswer(format!("the module gave no answer: {reason}"));
    let answer = answered.await.map_err(|_| no_answer(&"it ended without one"))?;
    let answer = answer.map_err(|error| no_answer(&error))?;
    let (parts, mut body) = answer.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| no_answer(&format!("{error:?}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if (bytes.len() + data.len()) as u64 > limit_bytes {
            return Err(ReadError::TooLong);
        }
        bytes.extend_from_slice(&data);
    }
    Ok((parts.status, bytes))
}

/// Makes the request: `POST /` with the input and the context.
fn request(context: &CallContext, input: String) -> wasmtime::Result<http::Request<Full<Bytes>>> {
    let mut request = http::Request::post("http://stepwell.local/")
        .header(HOST, "stepwell.local")
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, input.len());
    for (name, value) in context_entries(context) {
        // A state's name may hold any character; a header's value may not.
        let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok()) else {
            continue;
        };
        let name = format!("stepwell-{}", name.to_ascii_lowercase().replace('_', "-"));
        request = request.header(HeaderName::from_bytes(name.as_bytes())?, value);
    }
    Ok(request.body(Full::new(Bytes::from(input)))?)
}

/// Names an answer that names no error itself.
fn unnamed(status: http::StatusCode, body: &[u8]) -> CallError {
    let said = String::from_utf8_lossy(&body[..body.len().min(limits::STDERR_TAIL_BYTES)]).trim().to_owned();
    let name = format!("Sandbox.HttpStatus.{}", status.as_u16());
    CallError::HttpStatus { status: status.as_u16(), said, name }
}

//! One request through `wasi:http`.

use crate::Fetch;
use crate::code;
use crate::url::Url;
use std::io::Write;
use stepwell::TaskError;
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

/// How much of a response's body is asked for at once.
const READ_BYTES: u64 = 64 << 10;

/// Starts a request.
pub(crate) fn send(wanted: &Fetch, url: &Url) -> Result<FutureIncomingResponse, TaskError> {
    let refused = |part: &str| TaskError::new("RequestRefused", format!("the host takes no such {part}"));
    let request = OutgoingRequest::new(Fields::new());
    let scheme = match url.scheme.as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    request.set_method(&method(wanted.method.as_deref())).map_err(|()| refused("method"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| refused("scheme"))?;
    request.set_authority(Some(&url.authority)).map_err(|()| refused("authority"))?;
    request.set_path_with_query(Some(&url.path_with_query)).map_err(|()| refused("path"))?;
    // A request whose body is never asked for has none.
    let body =
        if wanted.body.is_empty() { None } else { Some(request.body().map_err(|()| refused("body"))?) };
    let pending = handle(request, wanted.timeout_milliseconds.map(options)).map_err(failed)?;
    let Some(body) = body else { return Ok(pending) };
    let mut stream = body.write().map_err(|()| refused("body"))?;
    // The host may have given up already: why is told with the response.
    let written = stream.write_all(wanted.body.as_bytes()).and_then(|()| Write::flush(&mut stream));
    drop(stream);
    if written.is_ok() {
        OutgoingBody::finish(body, None).map_err(failed)?;
    }
    Ok(pending)
}

fn options(milliseconds: u64) -> RequestOptions {
    let options = RequestOptions::new();
    let nanoseconds = Some(milliseconds.saturating_mul(1_000_000));
    // A host that knows none of these is not asked for them.
    let _ = options.set_connect_timeout(nanoseconds);
    let _ = options.set_first_byte_timeout(nanoseconds);
    let _ = options.set_between_bytes_timeout(nanoseconds);
    options
}

fn method(name: Option<&str>) -> Method {
    match name.unwrap_or("GET") {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

/// Waits for the head of a response.
pub(crate) fn wait(pending: &FutureIncomingResponse) -> Result<IncomingResponse, TaskError> {
    pending.subscribe().block();
    match pending.get() {
        Some(Ok(answered)) => answered.map_err(failed),
        Some(Err(())) | None => Err(TaskError::new("NoResponse", "the response is not there")),
    }
}

/// Returns where a response redirects to.
pub(crate) fn location(response: &IncomingResponse) -> Option<String> {
    let headers = response.headers();
    let value = headers.get("location").into_iter().next()?;
    String::from_utf8(value).ok().filter(|_| (300..400).contains(&response.status()))
}

/// Reads the body of a response.
pub(crate) fn read(response: &IncomingResponse) -> Result<(u16, String), TaskError> {
    let taken = || TaskError::new("NoBody", "the body is taken");
    let body = response.consume().map_err(|()| taken())?;
    let stream = body.stream().map_err(|()| taken())?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(piece) => bytes.extend(piece),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(TaskError::new("BodyFailed", error.to_debug_string()));
            }
        }
    }
    Ok((response.status(), String::from_utf8_lossy(&bytes).into_owned()))
}

/// Names a failure after its code.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: ErrorCode) -> TaskError {
    TaskError::new(code::name(&error), format!("{error:?}"))
}

//! A guest that sends an HTTP request, and follows redirects itself when asked.
//!
//! Input: `{"url": "http://...", "method"?: "POST", "body"?: "text", "follow"?: true, "timeoutMilliseconds"?: 100, "hold"?: 3}`.
//! Result: `{"status": 200, "body": "text"}`, of the last request when redirects were followed. A request that fails is
//! an error with the name of its `wasi:http` code, such as `HTTP-request-denied`. `hold` sends the request so many times before
//! it reads the first response.

mod code;
mod request;
mod url;

use serde::Deserialize;
use serde_json::{Value, json};
use stepwell::TaskError;
use url::Url;

/// How many redirects are followed.
const MAX_HOPS: usize = 10;

/// What to fetch.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fetch {
    /// An absolute URL.
    url: String,
    /// GET when absent.
    #[serde(default)]
    method: Option<String>,
    /// Nothing when absent.
    #[serde(default)]
    body: String,
    /// Whether to follow redirects.
    #[serde(default)]
    follow: bool,
    /// Each of the three time-outs of `request-options`.
    #[serde(default)]
    timeout_milliseconds: Option<u64>,
    /// How many requests are under way at the same time; 1 when absent.
    #[serde(default)]
    hold: Option<usize>,
}

/// Fetches what it is asked to.
#[stepwell::task]
fn fetch(wanted: Fetch) -> Result<Value, TaskError> {
    let mut url = Url::parse(&wanted.url).ok_or_else(|| not_a_url(&wanted.url))?;
    for _ in 0..=MAX_HOPS {
        let pending: Vec<_> = (0..wanted.hold.unwrap_or(1).max(1))
            .map(|_| request::send(&wanted, &url))
            .collect::<Result<_, _>>()?;
        let mut responses = pending.iter().map(request::wait).collect::<Result<Vec<_>, _>>()?;
        let Some(response) = responses.pop() else { break };
        let location = request::location(&response);
        match location {
            Some(location) if wanted.follow => {
                url = url.join(&location).ok_or_else(|| not_a_url(&location))?;
            }
            _ => {
                let (status, body) = request::read(&response)?;
                return Ok(json!({ "status": status, "body": body }));
            }
        }
    }
    Err(TaskError::new("TooManyRedirects", wanted.url))
}

fn not_a_url(text: &str) -> TaskError {
    TaskError::new("NotAUrl", text)
}

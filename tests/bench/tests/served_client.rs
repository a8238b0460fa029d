//! The benchmark's client against a server that is made up: how it learns of ends, and what it repeats.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use stepwell_bench::served::api::{Api, Ends};
use tokio::net::TcpListener;

const ARN: &str = "arn:aws:states:us-east-1:123456789012:execution:m:e";
const RUNS: &str = r#"{"status":"RUNNING"}"#;
const ENDED: &str = r#"{"status":"SUCCEEDED","output":"{}"}"#;

/// What the made-up server was asked, and how often.
#[derive(Default)]
struct Asked {
    described: AtomicU32,
    waited: AtomicU32,
    started: AtomicU32,
}

impl Asked {
    /// Operations: an execution has ended at the third look; the second start is refused as too early, every start that
    /// is named `never` as wrong.
    fn operation(&self, headers: &HeaderMap, body: &str) -> Response {
        match headers["x-amz-target"].to_str().expect("text") {
            "AWSStepFunctions.DescribeExecution" => {
                let looks = self.described.fetch_add(1, Ordering::Relaxed) + 1;
                if looks < 3 { RUNS } else { ENDED }.into_response()
            }
            "AWSStepFunctions.StartExecution" if body.contains("never") => {
                (StatusCode::BAD_REQUEST, [("x-amzn-errortype", "InvalidName")], "wrong").into_response()
            }
            "AWSStepFunctions.StartExecution" => {
                let starts = self.started.fetch_add(1, Ordering::Relaxed) + 1;
                if starts == 2 {
                    let headers = [("x-amzn-errortype", "ThrottlingException"), ("x-amz-retry-after", "1")];
                    return (StatusCode::BAD_REQUEST, headers, "{}").into_response();
                }
                format!(r#"{{"executionArn":"{ARN}","startDate":1.5}}"#).into_response()
            }
            other => panic!("{other}"),
        }
    }

    /// The long poll: it ends without an end at first.
    fn wait(&self) -> &'static str {
        let waits = self.waited.fetch_add(1, Ordering::Relaxed) + 1;
        if waits < 3 { RUNS } else { ENDED }
    }
}

async fn client(long_poll: bool) -> (Api, Arc<Asked>) {
    let asked = Arc::new(Asked::default());
    let (operations, waits) = (Arc::clone(&asked), Arc::clone(&asked));
    let operation = async move |headers: HeaderMap, body: String| operations.operation(&headers, &body);
    let mut router = Router::new().route("/", post(operation));
    if long_poll {
        router = router.route("/api/executions/{arn}/wait", get(async move || waits.wait()));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
    (Api::open(address, Ends::Polling).await.expect("a connection"), asked)
}

#[tokio::test]
async fn waits_at_the_server_where_the_server_can() {
    let (mut api, asked) = client(true).await;
    assert_eq!(api.choose_ends(ARN).await.unwrap(), Ends::LongPoll);
    let ended = api.ended(ARN).await.unwrap();
    assert_eq!((ended.status.as_str(), ended.output.as_deref()), ("SUCCEEDED", Some("{}")));
    let counts = [&asked.waited, &asked.described].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(counts, [3, 0], "waited again after the first wait was over, and never polled");
}

#[tokio::test]
async fn polls_where_the_server_cannot() {
    let (mut api, asked) = client(false).await;
    assert_eq!(api.choose_ends(ARN).await.unwrap(), Ends::Polling);
    assert_eq!(api.ended(ARN).await.unwrap().status, "SUCCEEDED");
    assert_eq!(asked.described.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn repeats_what_came_too_early_and_nothing_else() {
    let (mut api, asked) = client(false).await;
    for _ in 0..2 {
        assert_eq!(api.start("machine", "name", "{}").await.unwrap(), ARN);
    }
    assert_eq!((asked.started.load(Ordering::Relaxed), api.throttled), (3, 1));
    let refused = api.start("machine", "never", "{}").await.unwrap_err().to_string();
    assert!(refused.contains("400") && refused.contains("wrong"), "{refused}");
    assert_eq!(api.throttled, 1);
}

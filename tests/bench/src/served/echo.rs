//! The bare echo server, the baseline of requests: axum answers with what it was sent, and does nothing else.
//!
//! It runs in a child process of the benchmark's own program, so that what it uses is told apart from what the clients
//! use. It must have the same sockets' settings as the server, and never outlive the benchmark.

use anyhow::Context as _;
use axum::Router;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use std::io::Read as _;
use tokio::net::TcpListener;

/// The only argument, which is in no help text, that makes the benchmark's program the echo server.
pub const ARGUMENT: &str = "--bare-echo";

/// Serves on a free port until standard input ends, which it does with the benchmark at the latest. The first line of
/// standard output says where.
pub fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("no runtime")?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
        println!("listening on http://{}", listener.local_addr()?);
        let listener = listener.tap_io(|connection| {
            // As the server does; a connection that refuses it is only slower.
            let _ = connection.set_nodelay(true);
        });
        let router = Router::new().route("/", post(async |body: Bytes| body));
        tokio::select! {
            served = axum::serve(listener, router).into_future() => served.context("cannot serve"),
            ended = tokio::task::spawn_blocking(standard_input_ends) => ended.context("cannot wait"),
        }
    })
}

fn standard_input_ends() {
    // An error is an end, too.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

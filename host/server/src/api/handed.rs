//! The task of an activity while its answer is on the way: it has arrived when the connection takes the answer, and is
//! given to another worker when the connection is gone before.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use stepwell_executor::HandedTask;

use super::ApiError;

/// What a request was handed; nothing for most.
#[derive(Clone, Default)]
pub(super) struct Handed(Arc<Mutex<Option<HandedTask>>>);

impl Handed {
    /// Keeps a task until its answer is written.
    pub(super) fn keep(&self, task: HandedTask) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// The task, with the text of the answer that brings it.
    pub(super) fn take(&self, answer: &Result<Vec<u8>, ApiError>) -> Option<(HandedTask, Vec<u8>)> {
        let task = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let text = answer.as_ref().ok()?.clone();
        Some((task, text))
    }
}

/// Lets an answer carry its task: a connection that never takes the answer drops it.
pub(super) fn carry(response: Response, carried: Option<(HandedTask, Vec<u8>)>) -> Response {
    let Some((task, text)) = carried else { return response };
    let (mut parts, _) = response.into_parts();
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    let body = stream::once(async move {
        task.delivered();
        Ok::<_, std::convert::Infallible>(Bytes::from(text))
    });
    Response::from_parts(parts, Body::from_stream(body))
}

//! Reads the body of a request within a bound of bytes and of time.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt as _;

use crate::api::error::ApiError;
use crate::limits;

/// Reads a body of at most `limit_bytes`. Errors: `RequestTooLarge`, `RequestIncomplete`.
pub(crate) async fn read(body: Body, headers: &HeaderMap, limit_bytes: usize) -> Result<Vec<u8>, ApiError> {
    let read = collect(body, announced(headers).unwrap_or_default(), limit_bytes);
    tokio::time::timeout(limits::BODY_TIME, read).await.unwrap_or(Err(ApiError::RequestIncomplete))
}

async fn collect(body: Body, announced: usize, limit_bytes: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::with_capacity(announced.min(limit_bytes));
    let mut total = 0_usize;
    let mut stream = body.into_data_stream();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| ApiError::RequestIncomplete)?;
        total += piece.len();
        if total <= limit_bytes {
            bytes.extend_from_slice(&piece);
        } else {
            // A client that is still sending would see a broken connection instead of the answer.
            bytes = Vec::new();
        }
        if total > limit_bytes.saturating_add(limits::DRAIN_BYTES) {
            break;
        }
    }
    if total > limit_bytes {
        return Err(ApiError::RequestTooLarge { limit_bytes: limit_bytes as u64 });
    }
    Ok(bytes)
}

/// The length that the client announced.
pub(crate) fn announced(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok())
}

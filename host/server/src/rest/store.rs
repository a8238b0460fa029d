//! `GET /api/store/export`: everything in the store of the running server as one file.
//!
//! The file is the state after one of the commits made while it was read (see `Recorder` in the store). An export that
//! fails on its way breaks the connection, and what has arrived lacks its end mark: an import refuses it. It must never
//! make commits wait for whoever reads.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use stepwell_store::transfer::{Export, TransferError};

use super::{Answer, RestError};
use crate::api::error::ApiError;
use crate::auth::AsCaller;

/// `GET /api/store/export`. 409 while another one is under way.
pub(crate) async fn export(AsCaller(server): AsCaller) -> Answer {
    let Some(recorder) = &server.recorder else {
        return Err(RestError::NotFound("/api/store/export".to_owned()));
    };
    let mut export = Export::live(recorder).await.map_err(refused)?;
    // The first bytes tell whether there will be more, while the status can still say so.
    let first = export.next().await.map_err(refused)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"export.stepwell\"")),
    ];
    let frames = stream::unfold((Some(export), first), |(export, first)| async move {
        let mut export = export?;
        let frame = match first {
            Some(first) => Ok(first),
            None => export.next().await.transpose()?,
        };
        Some(broken_off_at_failure(export, frame))
    });
    let response: Response = (headers, Body::from_stream(frames)).into_response();
    Ok(response)
}

type Frame = Result<Bytes, TransferError>;

/// Goes on after a frame, and ends after a failure.
fn broken_off_at_failure(export: Export, frame: Frame) -> (Frame, (Option<Export>, Option<Bytes>)) {
    match &frame {
        Ok(_) => (frame, (Some(export), None)),
        Err(error) => {
            tracing::warn!(%error, "an export of the store broke off");
            (frame, (None, None))
        }
    }
}

fn refused(error: TransferError) -> RestError {
    match error {
        TransferError::Store(error) => error.into(),
        TransferError::Unfinished | TransferError::TooSlow | TransferError::Busy | TransferError::Stuck => {
            RestError::Busy(error.to_string())
        }
        // Of a file that is read; none is read here.
        TransferError::NotAnExport
        | TransferError::OtherExport { .. }
        | TransferError::OtherRecords { .. }
        | TransferError::Damaged { .. }
        | TransferError::CutOff { .. }
        | TransferError::Read(_)
        | TransferError::NotEmpty { .. } => RestError::Api(ApiError::internal(&error)),
    }
}

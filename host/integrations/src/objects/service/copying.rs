//! CopyObject: within the store, piece by piece.
//!
//! A task that runs twice after a crash copies twice, with the same outcome.

use super::{S3, address, attributes, date, missing, service_error, text};
use crate::limits;
use crate::objects::Address;
use crate::service::{ServiceCall, ServiceError};
use bytes::Bytes;
use serde_json::{Value, json};
use std::io::Read as _;

impl S3 {
    pub(super) async fn copy_object(&self, call: &ServiceCall) -> Result<Value, ServiceError> {
        let source = source(call)?;
        let object = self
            .store
            .get(&source, text(call, "CopySourceIfMatch"))
            .await
            .map_err(|error| service_error(&error))?;
        let attributes = match text(call, "MetadataDirective") {
            Some("REPLACE") => attributes(&call.input)?,
            _ => object.head.attributes,
        };
        let mut upload =
            self.store.put(&address(call)?, attributes).await.map_err(|error| service_error(&error))?;
        let mut body = object.body;
        loop {
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = Vec::with_capacity(limits::COPY_BYTES);
                let read = body.by_ref().take(limits::COPY_BYTES as u64).read_to_end(&mut piece);
                read.map(|_| (piece, body))
            });
            let failed = |message: String| ServiceError {
                status: 503,
                ..ServiceError::server("ServiceUnavailable", message)
            };
            let (piece, rest) = read
                .await
                .map_err(|error| failed(error.to_string()))?
                .map_err(|error| failed(error.to_string()))?;
            if piece.is_empty() {
                break;
            }
            body = rest;
            upload.write(Bytes::from(piece)).await.map_err(|error| service_error(&error))?;
        }
        let head = upload.finish().await.map_err(|error| service_error(&error))?;
        Ok(json!({
            "CopyObjectResult": {"ETag": head.etag, "LastModified": date(head.modified)},
            "ServerSideEncryption": "AES256",
        }))
    }
}

/// `CopySource`: `bucket/key`, percent-encoded, perhaps behind a slash (API: CopyObject).
fn source(call: &ServiceCall) -> Result<Address, ServiceError> {
    let source = text(call, "CopySource").ok_or_else(|| missing("CopySource"))?;
    let decoded = percent_decoded(source.strip_prefix('/').unwrap_or(source));
    let Some((bucket, key)) = decoded.as_deref().and_then(|source| source.split_once('/')) else {
        let message = "Invalid copy source object key";
        return Err(ServiceError::client("InvalidArgument", message));
    };
    Ok(Address { account: call.account.clone(), bucket: bucket.to_owned(), key: key.to_owned() })
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok())?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

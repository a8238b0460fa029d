//! ResultWriter over an object store.
//!
//! The manifest is the last file: who finds it finds all that it names.

use super::file::{OutputType, ResultFile};
use super::record::Transformation;
use super::{FILE_BYTES, STALE_FILES};
use crate::objects::{Address, Attributes, ObjectError, ObjectStore};
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stepwell_asl::StatesError;
use stepwell_executor::{
    ResultKind, ResultRecord, ResultSink, ResultSinks, SourceError, WriteRequest, Written,
};

/// All kinds, in the order of a manifest (recorded).
const KINDS: [ResultKind; 3] = [ResultKind::Failed, ResultKind::Pending, ResultKind::Succeeded];

/// Results as objects.
pub struct S3Results {
    store: Arc<dyn ObjectStore>,
    file_bytes: usize,
}

impl S3Results {
    /// Results as objects of `store`.
    pub fn new(store: Arc<dyn ObjectStore>) -> S3Results {
        S3Results { store, file_bytes: FILE_BYTES }
    }
}

#[async_trait]
impl ResultSinks for S3Results {
    async fn open(&self, request: &WriteRequest) -> Result<Box<dyn ResultSink>, SourceError> {
        let text = |name: &str| request.arguments.get(name).and_then(Value::as_str);
        let Some(bucket) = text("Bucket") else {
            return Err(wrong("The field 'Bucket' of ResultWriter is required and must be a string."));
        };
        let run = request.map_run_arn.rsplit(':').next().unwrap_or_default();
        let prefix = text("Prefix").unwrap_or_default().trim_end_matches('/');
        let folder = if prefix.is_empty() { format!("{run}/") } else { format!("{prefix}/{run}/") };
        let account = request.execution_arn.split(':').nth(4).unwrap_or_default().to_owned();
        let folder = Address { account, bucket: bucket.to_owned(), key: folder };
        // A bucket that is not there is told before anything is written.
        let mut listing = self.store.list(&folder, None).await.map_err(|error| failure(&error))?;
        listing.next(1).await.map_err(|error| failure(&error))?;
        let output_type = match request.configuration.get("OutputType").and_then(Value::as_str) {
            Some("JSONL") => OutputType::JsonLines,
            _ => OutputType::Json,
        };
        Ok(Box::new(Sink {
            store: Arc::clone(&self.store),
            folder,
            map_run_arn: request.map_run_arn.clone(),
            transformation: Transformation::parse(&request.configuration),
            output_type,
            file_bytes: self.file_bytes,
            open: BTreeMap::new(),
            finished: BTreeMap::new(),
        }))
    }
}

struct Sink {
    store: Arc<dyn ObjectStore>,
    /// Its key is how those of all files begin.
    folder: Address,
    map_run_arn: String,
    transformation: Transformation,
    output_type: OutputType,
    file_bytes: usize,
    open: BTreeMap<ResultKind, ResultFile>,
    /// Keys and lengths.
    finished: BTreeMap<ResultKind, Vec<(String, usize)>>,
}

impl Sink {
    async fn add(&mut self, kind: ResultKind, text: &str) -> Result<(), ObjectError> {
        let mut file = match self.open.remove(&kind) {
            Some(file) if file.bytes() < self.file_bytes => file,
            full => {
                let finished = self.finished.entry(kind).or_default();
                if let Some(full) = full {
                    finished.push(full.finish().await?);
                }
                let name = format!("{}_{}.{}", name(kind), finished.len(), self.output_type.ending());
                let address = Address { key: format!("{}{name}", self.folder.key), ..self.folder.clone() };
                ResultFile::create(self.store.as_ref(), &address, self.output_type).await?
            }
        };
        file.add(text).await?;
        self.open.insert(kind, file);
        Ok(())
    }

    async fn write_manifest(&mut self) -> Result<String, ObjectError> {
        for (kind, file) in std::mem::take(&mut self.open) {
            self.finished.entry(kind).or_default().push(file.finish().await?);
        }
        let files = KINDS.map(|kind| {
            let files = self.finished.get(&kind).into_iter().flatten();
            let files: Vec<Value> = files.map(|(key, bytes)| json!({"Key": key, "Size": bytes})).collect();
            (name(kind).to_owned(), json!(files))
        });
        let manifest = json!({
            "DestinationBucket": self.folder.bucket,
            "MapRunArn": self.map_run_arn,
            "ResultFiles": files.into_iter().collect::<serde_json::Map<_, _>>(),
        });
        let key = format!("{}manifest.json", self.folder.key);
        let address = Address { key: key.clone(), ..self.folder.clone() };
        let attributes =
            Attributes { content_type: Some("application/json".to_owned()), ..Attributes::default() };
        let mut upload = self.store.put(&address, attributes).await?;
        upload.write(Bytes::from(manifest.to_string())).await?;
        upload.finish().await?;
        Ok(key)
    }

    /// Removes files of an earlier writing, as before a redrive, that the manifest does not name any more.
    async fn remove_stale(&mut self, manifest: &str) -> Result<(), ObjectError> {
        let named: BTreeSet<&str> = self.finished.values().flatten().map(|(key, _)| key.as_str()).collect();
        let mut listing = self.store.list(&self.folder, None).await?;
        for head in listing.next(STALE_FILES).await? {
            let file = head.key.strip_prefix(&self.folder.key).unwrap_or_default();
            let is_ours = KINDS
                .iter()
                .any(|kind| file.strip_prefix(name(*kind)).is_some_and(|rest| rest.starts_with('_')));
            if is_ours && head.key != manifest && !named.contains(head.key.as_str()) {
                self.store.delete(&Address { key: head.key, ..self.folder.clone() }).await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ResultSink for Sink {
    async fn write(&mut self, records: Vec<ResultRecord>) -> Result<(), SourceError> {
        for record in records {
            let kind = record.kind;
            for text in self.transformation.texts(record) {
                self.add(kind, &text).await.map_err(|error| failure(&error))?;
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Written, SourceError> {
        let key = self.write_manifest().await.map_err(|error| failure(&error))?;
        self.remove_stale(&key).await.map_err(|error| failure(&error))?;
        Ok(Written { details: json!({"Bucket": self.folder.bucket, "Key": key}) })
    }
}

fn name(kind: ResultKind) -> &'static str {
    match kind {
        ResultKind::Succeeded => "SUCCEEDED",
        ResultKind::Failed => "FAILED",
        ResultKind::Pending => "PENDING",
    }
}

fn wrong(cause: impl Into<String>) -> SourceError {
    SourceError::Failed(StatesError::new("States.ResultWriterFailed", cause.into()))
}

fn failure(error: &ObjectError) -> SourceError {
    match error {
        ObjectError::Unavailable(reason) => SourceError::Unavailable(reason.clone()),
        ObjectError::NoSuchBucket
        | ObjectError::NoSuchKey
        | ObjectError::Changed
        | ObjectError::BucketExists
        | ObjectError::InvalidBucket
        | ObjectError::Invalid(_)
        | ObjectError::NotImplemented(_) => {
            let told = crate::objects::service_error(error);
            wrong(format!("{} (Service: S3, Status Code: {})", told.message, told.status))
        }
    }
}

#[cfg(test)]
mod tests;

//! S3 as a service: `aws-sdk:s3:*` over an object store (S3 API reference).
//!
//! Bodies are texts here, as tasks have them; it must never hold an object that is longer than a task's result may be.

mod copying;
mod listing;

use super::{Address, Attributes, ObjectError, ObjectHead, ObjectStore};
use crate::limits;
use crate::service::{Service, ServiceCall, ServiceError};
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use stepwell_asl::Timestamp;

/// The operations that tasks can call.
const OPERATIONS: [&str; 9] = [
    "CopyObject",
    "CreateBucket",
    "DeleteObject",
    "DeleteObjects",
    "GetObject",
    "HeadObject",
    "ListBuckets",
    "ListObjectsV2",
    "PutObject",
];

/// Objects, by the operations of S3.
pub struct S3 {
    store: Arc<dyn ObjectStore>,
}

impl S3 {
    /// S3 over a store.
    pub fn new(store: Arc<dyn ObjectStore>) -> S3 {
        S3 { store }
    }

    async fn get_object(&self, call: &ServiceCall) -> Result<Value, ServiceError> {
        let object = self
            .store
            .get(&address(call)?, text(call, "IfMatch"))
            .await
            .map_err(|error| service_error(&error))?;
        let head = object.head.clone();
        let body =
            object.body.read_all(limits::OBJECT_TEXT_BYTES).await.map_err(|error| service_error(&error))?;
        let mut output = described(&head);
        output.insert("Body".to_owned(), json!(String::from_utf8_lossy(&body)));
        Ok(Value::Object(output))
    }

    async fn head_object(&self, call: &ServiceCall) -> Result<Value, ServiceError> {
        let head = self.store.head(&address(call)?).await;
        // There is no body that could name the code (API: HeadObject).
        let head = head.map_err(|error| {
            let message = if error == ObjectError::NoSuchKey { Some(String::new()) } else { None };
            let told = service_error(&error);
            ServiceError { message: message.unwrap_or(told.message), ..told }
        })?;
        Ok(Value::Object(described(&head)))
    }

    async fn put_object(&self, call: &ServiceCall) -> Result<Value, ServiceError> {
        let attributes = attributes(&call.input)?;
        let body = match call.input.get("Body") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let mut upload =
            self.store.put(&address(call)?, attributes).await.map_err(|error| service_error(&error))?;
        upload.write(Bytes::from(body)).await.map_err(|error| service_error(&error))?;
        let head = upload.finish().await.map_err(|error| service_error(&error))?;
        Ok(json!({"ETag": head.etag, "ServerSideEncryption": "AES256"}))
    }

    async fn delete_object(&self, call: &ServiceCall) -> Result<Value, ServiceError> {
        self.store.delete(&address(call)?).await.map_err(|error| service_error(&error))?;
        Ok(json!({}))
    }

    async fn delete_objects(&self, call: &ServiceCall) -> Result<Value, ServiceError> {
        let objects = call.input.pointer("/Delete/Objects").and_then(Value::as_array);
        let objects = objects.filter(|objects| !objects.is_empty() && objects.len() <= limits::LISTED_KEYS);
        let Some(objects) = objects else {
            let message =
                "The XML you provided was not well-formed or did not validate against our published schema";
            return Err(ServiceError::client("MalformedXML", message));
        };
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in objects {
            let key = object.get("Key").and_then(Value::as_str).unwrap_or_default();
            let address = Address { key: key.to_owned(), ..bucket(call)? };
            match self.store.delete(&address).await {
                Ok(()) => deleted.push(json!({"Key": key})),
                Err(ObjectError::NoSuchBucket) => return Err(service_error(&ObjectError::NoSuchBucket)),
                Err(error) => {
                    let ServiceError { code, message, .. } = service_error(&error);
                    errors.push(json!({"Code": code, "Key": key, "Message": message}));
                }
            }
        }
        let mut output = Map::new();
        let is_quiet = call.input.pointer("/Delete/Quiet") == Some(&json!(true));
        if !is_quiet && !deleted.is_empty() {
            output.insert("Deleted".to_owned(), json!(deleted));
        }
        if !errors.is_empty() {
            output.insert("Errors".to_owned(), json!(errors));
        }
        Ok(Value::Object(output))
    }

    async fn create_bucket(&self, call: &ServiceCall) -> Result<Value, ServiceError> {
        let bucket = bucket(call)?.bucket;
        self.store.create_bucket(&call.account, &bucket).await.map_err(|error| service_error(&error))?;
        Ok(json!({"Location": format!("/{bucket}")}))
    }

    async fn list_buckets(&self, call: &ServiceCall) -> Result<Value, ServiceError> {
        let buckets = self.store.buckets(&call.account).await.map_err(|error| service_error(&error))?;
        let buckets: Vec<Value> = buckets
            .into_iter()
            .map(|bucket| json!({"CreationDate": date(bucket.created), "Name": bucket.name}))
            .collect();
        Ok(json!({"Buckets": buckets, "Owner": {"Id": call.account}}))
    }
}

#[async_trait]
impl Service for S3 {
    fn offers(&self, operation: &str) -> bool {
        OPERATIONS.contains(&operation)
    }

    async fn call(&self, call: ServiceCall) -> Result<Value, ServiceError> {
        match call.operation.as_str() {
            "CopyObject" => self.copy_object(&call).await,
            "CreateBucket" => self.create_bucket(&call).await,
            "DeleteObject" => self.delete_object(&call).await,
            "DeleteObjects" => self.delete_objects(&call).await,
            "GetObject" => self.get_object(&call).await,
            "HeadObject" => self.head_object(&call).await,
            "ListBuckets" => self.list_buckets(&call).await,
            "ListObjectsV2" => self.list_objects(&call).await,
            "PutObject" => self.put_object(&call).await,
            other => {
                Err(ServiceError::client("NotImplemented", format!("S3 has no operation {other} here.")))
            }
        }
    }
}

fn text<'c>(call: &'c ServiceCall, member: &str) -> Option<&'c str> {
    call.input.get(member).and_then(Value::as_str)
}

/// The bucket that a call is about; no key.
fn bucket(call: &ServiceCall) -> Result<Address, ServiceError> {
    let bucket = text(call, "Bucket").ok_or_else(|| missing("Bucket"))?;
    Ok(Address { account: call.account.clone(), bucket: bucket.to_owned(), key: String::new() })
}

fn address(call: &ServiceCall) -> Result<Address, ServiceError> {
    let key = text(call, "Key").ok_or_else(|| missing("Key"))?;
    Ok(Address { key: key.to_owned(), ..bucket(call)? })
}

fn missing(member: &str) -> ServiceError {
    ServiceError::client("InvalidRequest", format!("{member} is required and must be a string."))
}

fn attributes(input: &Value) -> Result<Attributes, ServiceError> {
    let metadata = match input.get("Metadata") {
        None | Some(Value::Null) => BTreeMap::default(),
        Some(metadata) => serde_json::from_value(metadata.clone())
            .map_err(|_| ServiceError::client("InvalidRequest", "Metadata must be an object of strings."))?,
    };
    let content_type = input.get("ContentType").and_then(Value::as_str).map(str::to_owned);
    Ok(Attributes { content_type, metadata })
}

/// The members that GetObject and HeadObject share (recorded).
fn described(head: &ObjectHead) -> Map<String, Value> {
    let content_type = head.attributes.content_type.as_deref().unwrap_or("binary/octet-stream");
    let members = [
        ("AcceptRanges", json!("bytes")),
        ("ContentLength", json!(head.bytes)),
        ("ContentType", json!(content_type)),
        ("ETag", json!(head.etag)),
        ("LastModified", json!(date(head.modified))),
        ("Metadata", json!(head.attributes.metadata)),
        ("ServerSideEncryption", json!("AES256")),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// S3 counts in seconds.
fn date(at: Timestamp) -> String {
    Timestamp(at.0.div_euclid(1_000) * 1_000).to_rfc3339().replace(".000Z", "Z")
}

/// An error by the names of S3.
pub(crate) fn service_error(error: &ObjectError) -> ServiceError {
    let message = error.to_string();
    let (code, status) = match error {
        ObjectError::NoSuchBucket => ("NoSuchBucket", 404),
        ObjectError::NoSuchKey => ("NoSuchKey", 404),
        ObjectError::Changed => ("PreconditionFailed", 412),
        ObjectError::BucketExists => ("BucketAlreadyOwnedByYou", 409),
        ObjectError::InvalidBucket => ("InvalidBucketName", 400),
        ObjectError::Invalid(_) => ("InvalidRequest", 400),
        ObjectError::NotImplemented(_) => ("NotImplemented", 501),
        ObjectError::Unavailable(_) => ("ServiceUnavailable", 503),
    };
    ServiceError { code: code.to_owned(), message, status }
}

#[cfg(test)]
mod tests;

//! ListObjectsV2: a page of keys, with what lies below a delimiter folded into common prefixes.
//!
//! It must never hold more than a page.

use super::{S3, bucket, date, service_error, text};
use crate::limits;
use crate::objects::{Address, ObjectHead};
use crate::service::{ServiceCall, ServiceError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// Behind every key that begins with a prefix: no character is greater.
const LAST: char = char::MAX;

/// A page under way.
#[derive(Default)]
struct Page {
    contents: Vec<Value>,
    prefixes: Vec<String>,
    /// Everything up to here is in the page.
    upto: Option<String>,
    is_truncated: bool,
}

impl S3 {
    pub(super) async fn list_objects(&self, call: &ServiceCall) -> Result<Value, ServiceError> {
        let prefix = text(call, "Prefix").unwrap_or_default();
        let delimiter = text(call, "Delimiter").filter(|delimiter| !delimiter.is_empty());
        let most = call.input.get("MaxKeys").and_then(Value::as_u64).map_or(limits::LISTED_KEYS, |most| {
            usize::try_from(most).unwrap_or(limits::LISTED_KEYS).min(limits::LISTED_KEYS)
        });
        let token = text(call, "ContinuationToken");
        let after = match token {
            Some(token) => Some(position(token)?),
            None => text(call, "StartAfter").map(str::to_owned),
        };
        let address = Address { key: prefix.to_owned(), ..bucket(call)? };
        let page = self.page(&address, after, delimiter, most).await?;
        let mut output = Map::new();
        let mut add = |name: &str, value: Value| output.insert(name.to_owned(), value);
        if !page.prefixes.is_empty() {
            let prefixes: Vec<Value> = page.prefixes.iter().map(|prefix| json!({"Prefix": prefix})).collect();
            add("CommonPrefixes", json!(prefixes));
        }
        let count = page.contents.len() + page.prefixes.len();
        if !page.contents.is_empty() {
            add("Contents", json!(page.contents));
        }
        for member in ["ContinuationToken", "Delimiter", "StartAfter"] {
            if let Some(value) = text(call, member) {
                add(member, json!(value));
            }
        }
        add("IsTruncated", json!(page.is_truncated));
        add("KeyCount", json!(count));
        add("MaxKeys", json!(most));
        add("Name", json!(address.bucket));
        if let Some(upto) = page.upto.filter(|_| page.is_truncated) {
            add("NextContinuationToken", json!(URL_SAFE_NO_PAD.encode(upto)));
        }
        add("Prefix", json!(prefix));
        Ok(Value::Object(output))
    }

    async fn page(
        &self,
        address: &Address,
        mut after: Option<String>,
        delimiter: Option<&str>,
        most: usize,
    ) -> Result<Page, ServiceError> {
        let mut page = Page::default();
        // Each turn takes a page of the store, or skips a whole common prefix.
        'listing: loop {
            let listing = self.store.list(address, after.as_deref()).await;
            let mut listing = listing.map_err(|error| service_error(&error))?;
            loop {
                let heads = listing.next(limits::LISTED_KEYS).await.map_err(|error| service_error(&error))?;
                let is_last = heads.len() < limits::LISTED_KEYS;
                for head in heads {
                    if page.contents.len() + page.prefixes.len() >= most {
                        page.is_truncated = most > 0;
                        return Ok(page);
                    }
                    let rest = head.key.get(address.key.len()..).unwrap_or_default();
                    let fold = delimiter.and_then(|delimiter| Some((rest.find(delimiter)?, delimiter)));
                    if let Some((at, delimiter)) = fold {
                        let common = head.key[..address.key.len() + at + delimiter.len()].to_owned();
                        let behind = format!("{common}{LAST}");
                        page.prefixes.push(common);
                        page.upto = Some(behind.clone());
                        after = Some(behind);
                        continue 'listing;
                    }
                    page.upto = Some(head.key.clone());
                    page.contents.push(entry(&head));
                }
                if is_last {
                    return Ok(page);
                }
            }
        }
    }
}

fn entry(head: &ObjectHead) -> Value {
    json!({
        "ETag": head.etag,
        "Key": head.key,
        "LastModified": date(head.modified),
        "Size": head.bytes,
        "StorageClass": "STANDARD",
    })
}

fn position(token: &str) -> Result<String, ServiceError> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.ok_or_else(|| {
        ServiceError::client("InvalidArgument", "The continuation token provided is incorrect")
    })
}

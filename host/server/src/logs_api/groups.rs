//! CreateLogGroup, DeleteLogGroup, DescribeLogGroups, PutRetentionPolicy, DeleteRetentionPolicy.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use stepwell_executor::{Clock as _, SystemClock};
use stepwell_store::{LogGroupRecord, StoreError};

use super::{Answer, LogsError, arn, change, files, find, name_of, on_disk, tags};
use crate::api::constraints::Fields;
use crate::limits;
use crate::server::Server;

/// Days that a group may be told to keep lines (API: PutRetentionPolicy).
const RETENTIONS: [i64; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1_096, 1_827, 2_192, 2_557, 2_922, 3_288,
    3_653,
];

pub(super) async fn create(server: &Server, mut fields: Fields) -> Answer {
    let name = name_of(&mut fields, "logGroupName");
    let tags = tags::read(&mut fields, "tags");
    fields.check()?;
    let tags = tags::within_bounds(tags)?;
    let created_at = SystemClock.now();
    let account = server.identity.account.clone();
    let record = LogGroupRecord { account, name, created_at, retention_days: None, tags };
    // What a group of this name, deleted before, has left must not become this one's.
    let (log_files, record_of_files) = (files(server)?, record.clone());
    match server.store.log_group(&record.account, &record.name).await? {
        Some(_) => return Err(LogsError::AlreadyExists),
        None => on_disk(move || log_files.remove(&record_of_files.account, &record_of_files.name)).await?,
    }
    match server.store.create_log_group(&record).await {
        Ok(()) => Ok(json!({})),
        Err(StoreError::Conflict) => Err(LogsError::AlreadyExists),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn delete(server: &Server, mut fields: Fields) -> Answer {
    let name = name_of(&mut fields, "logGroupName");
    fields.check()?;
    find(server, &name).await?;
    let account = server.identity.account.clone();
    server.store.delete_log_group(&account, &name).await?;
    let log_files = files(server)?;
    on_disk(move || log_files.remove(&account, &name)).await?;
    Ok(json!({}))
}

pub(super) async fn put_retention(server: &Server, mut fields: Fields) -> Answer {
    let name = name_of(&mut fields, "logGroupName");
    let days = fields.integer("retentionInDays", 1, i64::MAX);
    if days.is_none() {
        fields.require("retentionInDays");
    }
    fields.check()?;
    let days = days.filter(|days| RETENTIONS.contains(days)).and_then(|days| u32::try_from(days).ok());
    let days = days.ok_or_else(|| {
        LogsError::InvalidParameter(
            "1 validation error detected: Value at 'retentionInDays' failed to satisfy \
            constraint: Member must be one of the retentions that CloudWatch Logs has"
                .to_owned(),
        )
    })?;
    change(server, &name, |record| {
        record.retention_days = Some(days);
        Ok(())
    })
    .await
}

pub(super) async fn delete_retention(server: &Server, mut fields: Fields) -> Answer {
    let name = name_of(&mut fields, "logGroupName");
    fields.check()?;
    change(server, &name, |record| {
        record.retention_days = None;
        Ok(())
    })
    .await
}

pub(super) async fn describe(server: &Server, mut fields: Fields) -> Answer {
    let prefix = fields.text("logGroupNamePrefix", 1, limits::LOG_GROUP_CHARACTERS).unwrap_or_default();
    let pattern = fields.text("logGroupNamePattern", 0, limits::LOG_GROUP_CHARACTERS).unwrap_or_default();
    let limit = fields.integer("limit", 1, limits::LOG_GROUPS_PAGE).unwrap_or(limits::LOG_GROUPS_PAGE);
    let token = fields.text("nextToken", 1, limits::PAGE_TOKEN_CHARACTERS);
    fields.check()?;
    if !prefix.is_empty() && !pattern.is_empty() {
        let message = "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.";
        return Err(LogsError::InvalidParameter(message.to_owned()));
    }
    let mut after = token.as_deref().map(opened).transpose()?;
    let limit = usize::try_from(limit).unwrap_or(1);
    let account = &server.identity.account;
    let mut groups: Vec<LogGroupRecord> = Vec::new();
    loop {
        let page = server.store.log_groups(account, &prefix, after.as_deref(), limit + 1).await?;
        after = page.last().map(|record| record.name.clone());
        let is_last = page.len() <= limit;
        let named = page.into_iter().filter(|record| contains(&record.name, &pattern));
        groups.extend(named);
        if is_last || groups.len() > limit {
            break;
        }
    }
    let has_more = groups.len() > limit;
    groups.truncate(limit);
    let mut answer = json!({});
    if let Some(last) = groups.last().filter(|_| has_more) {
        answer["nextToken"] = json!(URL_SAFE_NO_PAD.encode(&last.name));
    }
    let log_files = files(server)?;
    let sized = on_disk(move || {
        let size = |record: LogGroupRecord| (log_files.bytes(&record.account, &record.name), record);
        Ok(groups.into_iter().map(size).collect::<Vec<_>>())
    });
    let shown: Vec<Value> =
        sized.await?.into_iter().map(|(bytes, record)| shown(server, &record, bytes)).collect();
    answer["logGroups"] = Value::Array(shown);
    Ok(answer)
}

fn contains(name: &str, pattern: &str) -> bool {
    pattern.is_empty() || name.to_ascii_lowercase().contains(&pattern.to_ascii_lowercase())
}

fn opened(token: &str) -> Result<String, LogsError> {
    let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let name = name.filter(|name| name.len() <= limits::LOG_GROUP_CHARACTERS);
    name.ok_or_else(|| LogsError::InvalidParameter("The specified nextToken is invalid.".to_owned()))
}

fn shown(server: &Server, record: &LogGroupRecord, bytes: u64) -> Value {
    let arn = arn(server, &record.name);
    let mut shown = json!({
        "logGroupName": record.name,
        "creationTime": record.created_at.0,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "storedBytes": bytes,
        "logGroupClass": "STANDARD",
        "logGroupArn": arn,
    });
    if let Some(days) = record.retention_days {
        shown["retentionInDays"] = json!(days);
    }
    shown
}

/// Tags as requests and records have them.
pub(super) type Tags = BTreeMap<String, String>;

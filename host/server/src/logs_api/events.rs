//! DescribeLogStreams, GetLogEvents, FilterLogEvents: what the files of a group hold. Each group has one stream.

use serde_json::{Value, json};
use stepwell_executor::{Clock as _, SystemClock};
use stepwell_store::LogGroupRecord;

use super::search::Pattern;
use super::{Answer, LogsError, STREAM, arn, files, find, identified, on_disk};
use crate::api::constraints::Fields;
use crate::limits;
use crate::observe::logs::{Line, Position};
use crate::server::Server;

/// Which lines are wanted.
struct Range {
    from: i64,
    until: i64,
}

impl Range {
    /// The start is included, the end is not; lines past the group's retention are gone.
    fn of(fields: &mut Fields, record: &LogGroupRecord) -> Range {
        let from = fields.integer("startTime", 0, i64::MAX).unwrap_or(0);
        let until = fields.integer("endTime", 0, i64::MAX).unwrap_or(i64::MAX);
        let kept = record.retention_days.map_or(i64::MIN, |days| {
            SystemClock.now().0.saturating_sub(i64::from(days) * limits::DAY_MILLISECONDS)
        });
        Range { from: from.max(kept), until }
    }

    fn has(&self, at: i64) -> bool {
        (self.from..self.until).contains(&at)
    }
}

pub(super) async fn describe_streams(server: &Server, mut fields: Fields) -> Answer {
    let record = group(server, &mut fields, "DescribeLogStreams").await?;
    let prefix = fields.text("logStreamNamePrefix", 1, limits::LOG_GROUP_CHARACTERS).unwrap_or_default();
    fields.check()?;
    let (log_files, of) = (files(server)?, record.clone());
    let ends = on_disk(move || {
        let (first, _) = log_files.read(&of.account, &of.name, Position::START, limits::LOG_LINE_BYTES)?;
        let last = log_files.read_back(&of.account, &of.name, Position::END, 1)?;
        Ok(first.first().cloned().zip(last.last().cloned()))
    });
    let streams: Vec<Value> = match ends.await? {
        Some((first, last)) if STREAM.starts_with(&prefix) => vec![json!({
            "logStreamName": STREAM,
            "creationTime": record.created_at.0,
            "firstEventTimestamp": time_of(&first),
            "lastEventTimestamp": time_of(&last),
            "lastIngestionTime": time_of(&last),
            "arn": format!("{}:log-stream:{STREAM}", arn(server, &record.name)),
            "storedBytes": 0,
        })],
        Some(_) | None => Vec::new(),
    };
    Ok(json!({"logStreams": streams}))
}

pub(super) async fn filter(server: &Server, mut fields: Fields) -> Answer {
    let record = group(server, &mut fields, "FilterLogEvents").await?;
    let range = Range::of(&mut fields, &record);
    let limit = fields.integer("limit", 1, limits::LOG_EVENTS_PAGE).unwrap_or(limits::LOG_EVENTS_PAGE);
    let pattern = fields.text("filterPattern", 0, limits::FILTER_CHARACTERS).unwrap_or_default();
    let token = fields.text("nextToken", 1, limits::PAGE_TOKEN_CHARACTERS);
    let names = fields.list("logStreamNames").unwrap_or_default();
    let prefix = fields.text("logStreamNamePrefix", 1, limits::LOG_GROUP_CHARACTERS).unwrap_or_default();
    fields.check()?;
    let is_asked =
        (names.is_empty() || names.iter().any(|name| name == STREAM)) && STREAM.starts_with(&prefix);
    if !is_asked {
        return Ok(json!({"events": [], "searchedLogStreams": []}));
    }
    let pattern = Pattern::parse(&pattern).ok_or_else(|| {
        LogsError::InvalidParameter(
            "Invalid filter pattern: only words, phrases in quotes, ? and - \
            are known here"
                .to_owned(),
        )
    })?;
    let from = token.as_deref().map(position).transpose()?.map_or(Position::START, |(_, position)| position);
    let log_files = files(server)?;
    let read = on_disk(move || log_files.read(&record.account, &record.name, from, limits::LOG_SCAN_BYTES));
    let (lines, is_all) = read.await?;
    let limit = usize::try_from(limit).unwrap_or(1);
    let (mut events, mut bytes, mut next) = (Vec::new(), 0, None);
    for line in &lines {
        if events.len() == limit || bytes > limits::LOG_ANSWER_BYTES {
            next = Some(line.begin);
            break;
        }
        let at = time_of(line);
        if range.has(at) && pattern.matches(&line.text) {
            bytes += line.text.len();
            let mut event = shown(line, at);
            event["logStreamName"] = json!(STREAM);
            event["eventId"] = json!(format!("{:016}{:020}", line.begin.segment, line.begin.offset));
            events.push(event);
        }
    }
    let next = next.or_else(|| lines.last().filter(|_| !is_all).map(|line| line.end));
    let mut answer = json!({"events": events, "searchedLogStreams": []});
    if let Some(next) = next {
        answer["nextToken"] = json!(token_of('f', next));
    }
    Ok(answer)
}

pub(super) async fn get(server: &Server, mut fields: Fields) -> Answer {
    let record = group(server, &mut fields, "GetLogEvents").await?;
    let stream = fields.required_text("logStreamName", 1, limits::LOG_GROUP_CHARACTERS);
    let range = Range::of(&mut fields, &record);
    let limit = fields.integer("limit", 1, limits::LOG_EVENTS_PAGE).unwrap_or(limits::LOG_EVENTS_PAGE);
    let from_head = fields.boolean("startFromHead").unwrap_or(false);
    let token = fields.text("nextToken", 1, limits::PAGE_TOKEN_CHARACTERS);
    fields.check()?;
    if stream != STREAM {
        return Err(LogsError::NotFound("The specified log stream does not exist."));
    }
    let start = match token.as_deref().map(position).transpose()? {
        Some(start) => start,
        None if from_head => ('f', Position::START),
        None => ('b', Position::END),
    };
    let (log_files, most) = (files(server)?, usize::try_from(limit).unwrap_or(1));
    let lines = on_disk(move || match start {
        ('b', until) => log_files.read_back(&record.account, &record.name, until, most),
        (_, from) => log_files
            .read(&record.account, &record.name, from, limits::LOG_ANSWER_BYTES as u64)
            .map(|(mut lines, _)| {
                lines.truncate(most);
                lines
            }),
    });
    let lines = lines.await?;
    // Clients know the end by being given the token that they came with.
    let forward = lines.last().map_or(start.1, |line| line.end);
    let backward = lines.first().map_or(start.1, |line| line.begin);
    let timed = lines.iter().map(|line| (line, time_of(line)));
    let events: Vec<Value> =
        timed.filter(|(_, at)| range.has(*at)).map(|(line, at)| shown(line, at)).collect();
    Ok(json!({
        "events": events,
        "nextForwardToken": token_of('f', forward),
        "nextBackwardToken": token_of('b', backward),
    }))
}

/// The group that a request names by one of two members.
async fn group(server: &Server, fields: &mut Fields, action: &str) -> Result<LogGroupRecord, LogsError> {
    let name = fields.text("logGroupName", 1, limits::LOG_GROUP_CHARACTERS);
    let identifier = fields.text("logGroupIdentifier", 1, limits::LOG_ARN_CHARACTERS);
    if name.is_none() && identifier.is_none() {
        fields.require("logGroupName");
    }
    fields.check()?;
    let name = identified(server, action, &name.or(identifier).unwrap_or_default())?;
    Ok(find(server, &name).await?.0)
}

fn shown(line: &Line, at: i64) -> Value {
    json!({"timestamp": at, "message": line.text, "ingestionTime": at})
}

/// When the event of a record happened; 0 of a line that is no record.
fn time_of(line: &Line) -> i64 {
    let record: Option<Value> = serde_json::from_str(&line.text).ok();
    let time = record.as_ref().and_then(|record| record.get("event_timestamp")?.as_str());
    time.and_then(|time| time.parse().ok()).unwrap_or_default()
}

fn token_of(direction: char, position: Position) -> String {
    format!("{direction}/{}/{}", position.segment, position.offset)
}

fn position(token: &str) -> Result<(char, Position), LogsError> {
    let mut parts = token.split('/');
    let direction = parts.next().and_then(|text| text.chars().next().filter(|_| text.len() == 1));
    let mut number = || parts.next().and_then(|text| text.parse().ok());
    let position = number().zip(number()).map(|(segment, offset)| Position { segment, offset });
    match (direction.filter(|direction| matches!(direction, 'f' | 'b')), position) {
        (Some(direction), Some(position)) => Ok((direction, position)),
        _ => Err(LogsError::InvalidParameter("The specified nextToken is invalid.".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_back_and_others_refused() {
        let place = Position { segment: 3, offset: 77 };
        assert_eq!(position(&token_of('b', place)).unwrap(), ('b', place));
        for wrong in ["", "f", "f/1", "x/1/2", "f/-1/2", "ff/1/2", "f/a/2"] {
            assert!(position(wrong).is_err(), "{wrong}");
        }
    }
}

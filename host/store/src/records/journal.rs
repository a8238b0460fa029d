//! The journal: one record for each transition, with the event that made it and all history events that came of it.
//!
//! Recovery takes the events through `step` again; readers of the history take the history. The first record of an
//! execution has the facts of its start as well. A text that occurs several times in a record (an output that becomes
//! the next input, the execution's own input) is stored once, and a long one apart from it ([`super::apart`]). Fields are
//! only ever added at the end, with a default. A record must never refer to another one.

use super::apart::{TextId, TextsApart, text_id};
use super::execution::{ExecutionId, StartRecord};
use super::space;
use super::store::decode;
use crate::error::StoreError;
use crate::limits;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use stepwell_asl::{
    Event, EventKind, Execution, ExecutionContext, HistoryDetails, HistoryEvent, Recorded, Redrive, Timestamp,
};

/// Shortest text that a mark stands for when it occurs again, in bytes.
const SHORTEST: usize = 16;
/// How a mark begins, and a text that happens to begin so. No JSON text does.
const MARK: char = '\0';
/// What follows in a text that is no mark.
const LITERAL: char = '=';
/// What follows where the text is kept apart, before the hexadecimal digits of its id.
const APART: char = '#';

/// What never changes after the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) start: StartRecord,
    pub(super) context: ExecutionContext,
}

impl Facts {
    /// The execution before its first event.
    pub(super) fn execution(&self, id: ExecutionId) -> Result<Execution, StoreError> {
        let input = serde_json::from_str(&self.start.input).map_err(|_| {
            StoreError::corrupt(space::HISTORY, &id.0, "the input of the execution is no JSON")
        })?;
        Ok(Execution::new(self.context.clone(), input))
    }
}

/// One record.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    /// In the record that begins with event 1.
    pub(super) facts: Option<Facts>,
    /// What made the transition; none in a record that goes on with the history of the one before it.
    event: Option<(Timestamp, EventKind)>,
    pub(super) history: Vec<HistoryEvent>,
    /// The last redrive of the execution, with this record: the last one of the journal tells it to whoever describes it.
    #[serde(default)]
    pub(super) redrive: Option<Redrive>,
}

impl Entry {
    /// The records of a transition, by the id of their first event: one, or as many as keep the payloads of each
    /// within [`limits::HISTORY_BYTES`].
    pub(super) fn of(
        facts: Option<Facts>,
        event: (Timestamp, &EventKind),
        history: Vec<HistoryEvent>,
        redrive: Option<Redrive>,
    ) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(1);
        let kind = stored(event.1, &history);
        let mut entry = Entry { facts, event: Some((event.0, kind)), history: Vec::new(), redrive };
        let mut bytes = 0;
        for mut event in history {
            let mut own = 0;
            event.details.payloads_mut(&mut |payload| own += payload.len());
            if bytes + own > limits::HISTORY_BYTES && !entry.history.is_empty() {
                entries.push(std::mem::replace(
                    &mut entry,
                    Entry { facts: None, event: None, history: Vec::new(), redrive },
                ));
                bytes = 0;
            }
            bytes += own;
            entry.history.push(event);
        }
        entries.push(entry);
        entries
    }

    /// The id of its first event.
    pub(super) fn first_event(&self) -> Option<u64> {
        self.history.first().map(|event| event.id)
    }

    /// Whether it is the first record of its transition.
    pub(super) fn begins_transition(&self) -> bool {
        self.event.is_some()
    }

    /// The stored form, and the long texts that are to be kept apart.
    pub(super) fn encode(mut self) -> Result<(Vec<u8>, TextsApart), StoreError> {
        let apart = self.fold();
        let record =
            rmp_serde::to_vec(&self).map_err(|_| StoreError::Invalid("this transition cannot be encoded"))?;
        Ok((record, apart))
    }

    /// Puts marks in the place of texts that occur earlier in the record, and of those that are long. These come back.
    fn fold(&mut self) -> TextsApart {
        let mut texts = Vec::new();
        self.texts(&mut |text| texts.push(std::mem::take(text)));
        let mut first = BTreeMap::new();
        let marks: Vec<Option<usize>> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| {
                let earlier = *first.entry(text.as_str()).or_insert(index);
                (earlier < index && text.len() >= SHORTEST).then_some(earlier)
            })
            .collect();
        let mut texts = texts.into_iter().zip(marks);
        let mut apart = Vec::new();
        self.texts(&mut |place| {
            *place = match texts.next() {
                Some((_, Some(earlier))) => format!("{MARK}{earlier}"),
                Some((text, None)) if text.len() >= limits::TEXT_APART_BYTES => {
                    let id = text_id(&text);
                    apart.push((id, text));
                    format!("{MARK}{APART}{:032x}", u128::from_be_bytes(id))
                }
                Some((text, None)) if text.starts_with(MARK) => format!("{MARK}{LITERAL}{text}"),
                Some((text, None)) => text,
                None => String::new(),
            };
        });
        apart
    }

    /// Puts the texts back in the place of their marks; `false` when one cannot be found.
    fn unfold(&mut self, apart: &BTreeMap<TextId, String>) -> bool {
        let (mut texts, mut whole): (Vec<String>, bool) = (Vec::new(), true);
        self.texts(&mut |text| {
            if let Some(marked) = text.strip_prefix(MARK) {
                let meant = match marked.strip_prefix(LITERAL) {
                    Some(literal) => Some(literal.to_owned()),
                    None => match id_in(marked) {
                        Some(id) => apart.get(&id).cloned(),
                        None => marked.parse().ok().and_then(|earlier: usize| texts.get(earlier).cloned()),
                    },
                };
                whole &= meant.is_some();
                *text = meant.unwrap_or_default();
            }
            texts.push(text.clone());
        });
        whole
    }

    /// Shows `visit` all texts that may be long, in a fixed order.
    fn texts(&mut self, visit: &mut dyn FnMut(&mut String)) {
        if let Some(facts) = &mut self.facts {
            visit(&mut facts.start.input);
        }
        for event in &mut self.history {
            event.details.payloads_mut(visit);
        }
        match &mut self.event {
            Some((
                _,
                EventKind::TaskSucceeded { result: Value::String(text), .. }
                | EventKind::TaskSubmitted { output: Value::String(text), .. },
            )) => visit(text),
            Some((_, EventKind::TaskFailed { error, .. })) => error.cause.iter_mut().for_each(visit),
            Some((_, EventKind::Stop { cause, .. })) => cause.iter_mut().for_each(visit),
            None | Some(_) => {}
        }
    }
}

/// A record as it is stored: marks stand for some of its texts. What is not such a text is as it was.
pub(super) struct Folded(Entry);

impl Folded {
    /// Reads the stored form.
    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Folded, StoreError> {
        decode(space::HISTORY, key, value).map(Folded)
    }

    /// The ids of the texts that are kept apart.
    pub(super) fn texts_apart(&mut self) -> Vec<TextId> {
        let mut ids = Vec::new();
        self.0.texts(&mut |text| ids.extend(text.strip_prefix(MARK).and_then(id_in)));
        ids
    }

    /// The record, with the texts that are kept apart.
    pub(super) fn unfold(
        mut self,
        key: &[u8],
        apart: &BTreeMap<TextId, String>,
    ) -> Result<Entry, StoreError> {
        if self.0.unfold(apart) {
            Ok(self.0)
        } else {
            Err(StoreError::corrupt(space::HISTORY, key, "a text that it refers to is missing"))
        }
    }

    /// The start, if it tells that, with a mark where the input may be.
    pub(super) fn into_facts(self) -> Option<Facts> {
        self.0.facts
    }
}

/// The id in a mark, without its beginning, of a text that is kept apart.
fn id_in(marked: &str) -> Option<TextId> {
    let digits = marked.strip_prefix(APART)?;
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

/// The event as it is stored: a JSON value as its text.
fn stored(kind: &EventKind, history: &[HistoryEvent]) -> EventKind {
    match kind {
        EventKind::TaskSucceeded { work, result } => {
            EventKind::TaskSucceeded { work: *work, result: Value::String(result_text(result, history)) }
        }
        EventKind::TaskSubmitted { work, output } => {
            EventKind::TaskSubmitted { work: *work, output: Value::String(output.to_string()) }
        }
        EventKind::Start
        | EventKind::Redrive { .. }
        | EventKind::TaskStarted { .. }
        | EventKind::TaskHeartbeat { .. }
        | EventKind::ActivityScheduled { .. }
        | EventKind::TaskReturned { .. }
        | EventKind::TaskDelivered { .. }
        | EventKind::TaskStartedAgain { .. }
        | EventKind::TaskFailed { .. }
        | EventKind::TimerFired { .. }
        | EventKind::Continued { .. }
        | EventKind::Stop { .. } => kind.clone(),
    }
}

/// A task's result as text. Where it was taken, the first event that it led to holds just that.
fn result_text(result: &Value, history: &[HistoryEvent]) -> String {
    match history.first().map(|event| &event.details) {
        Some(
            HistoryDetails::LambdaFunctionSucceeded { output }
            | HistoryDetails::ActivitySucceeded { output }
            | HistoryDetails::TaskSucceeded { output, .. },
        ) => output.clone(),
        None | Some(_) => result.to_string(),
    }
}

/// The recorded transitions that these records hold, in order. A record that only goes on with the history of the one
/// before belongs to its transition.
pub(super) fn recorded(id: ExecutionId, entries: Vec<Entry>) -> Result<Vec<Recorded>, StoreError> {
    let damaged = |detail| StoreError::corrupt(space::HISTORY, &id.0, detail);
    let mut transitions: Vec<Recorded> = Vec::with_capacity(entries.len());
    for mut entry in entries {
        match entry.event.take() {
            Some((at, kind)) => {
                let kind = restored(kind).ok_or_else(|| damaged("the result of a task is no JSON"))?;
                transitions.push(Recorded { event: Event { at, kind }, history: entry.history });
            }
            None => match transitions.last_mut() {
                Some(last) => last.history.append(&mut entry.history),
                None => return Err(damaged("the history does not begin with an event")),
            },
        }
    }
    Ok(transitions)
}

fn restored(kind: EventKind) -> Option<EventKind> {
    Some(match kind {
        EventKind::TaskSucceeded { work, result: Value::String(text) } => {
            EventKind::TaskSucceeded { work, result: serde_json::from_str(&text).ok()? }
        }
        EventKind::TaskSubmitted { work, output: Value::String(text) } => {
            EventKind::TaskSubmitted { work, output: serde_json::from_str(&text).ok()? }
        }
        EventKind::TaskSucceeded { .. } | EventKind::TaskSubmitted { .. } => return None,
        EventKind::Start
        | EventKind::Redrive { .. }
        | EventKind::TaskStarted { .. }
        | EventKind::TaskHeartbeat { .. }
        | EventKind::ActivityScheduled { .. }
        | EventKind::TaskReturned { .. }
        | EventKind::TaskDelivered { .. }
        | EventKind::TaskStartedAgain { .. }
        | EventKind::TaskFailed { .. }
        | EventKind::TimerFired { .. }
        | EventKind::Continued { .. }
        | EventKind::Stop { .. } => kind,
    })
}

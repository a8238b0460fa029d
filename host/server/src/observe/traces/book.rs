//! What is open of one execution: a fold over its history that gives out each span when it ends.
//!
//! It works from the names and the order of events and from what each points back to, so that reading a history again
//! comes to the same spans. It must never fail: an event that it does not understand changes nothing.

use std::collections::BTreeMap;

use stepwell_asl::{HistoryDetails, HistoryEvent, StateType, Timestamp};

use super::ids::TraceIds;
use crate::limits;
use crate::observe::otlp::{Kind, Span, SpanEvent};
use crate::observe::queue::Heard;

/// The scope of the execution itself. Others are named by the event that began them.
const EXECUTION: u64 = 0;

/// The spans of an execution that have not ended.
pub(super) struct Book {
    ids: TraceIds,
    machine_arn: String,
    machine_name: String,
    execution_arn: String,
    next_event: u64,
    ended: bool,
    open: BTreeMap<u64, Open>,
    /// Which scope what follows an event belongs to.
    scopes: BTreeMap<u64, u64>,
    /// What encloses each scope, also of those that have ended.
    parents: BTreeMap<u64, u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Execution,
    State(StateType),
    Iteration,
    Call,
}

struct Open {
    form: Form,
    /// The event whose id makes the span's.
    id: u64,
    name: String,
    begun_at: Timestamp,
    attributes: Vec<(&'static str, String)>,
    events: Vec<SpanEvent>,
    /// Calls, or rounds of branches.
    attempts: u64,
}

/// How a span ended.
#[derive(Clone, Default)]
struct Failure {
    error: String,
    cause: String,
}

impl Book {
    pub(super) fn new(heard: &Heard) -> Book {
        let mut book = Book {
            ids: TraceIds::of(heard),
            machine_arn: heard.machine_arn.clone(),
            machine_name: heard.machine_name.clone(),
            execution_arn: heard.execution_arn.clone(),
            next_event: 1,
            ended: false,
            open: BTreeMap::new(),
            scopes: BTreeMap::from([(0, EXECUTION)]),
            parents: BTreeMap::new(),
        };
        book.begin_execution(EXECUTION, heard.started_at);
        book
    }

    /// Whether the next event has this id.
    pub(super) fn expects(&self, event: u64) -> bool {
        self.next_event == event
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes an event; adds the spans that end with it.
    pub(super) fn apply(&mut self, event: &HistoryEvent, spans: &mut Vec<Span>) {
        self.next_event = event.id + 1;
        let name = event.type_name();
        let scope = self.scopes.get(&event.previous_event_id).copied().unwrap_or(EXECUTION);
        let scope = match name.as_str() {
            "ExecutionRedriven" => {
                self.begin_execution(event.id, event.timestamp);
                EXECUTION
            }
            "MapIterationStarted" => self.begin_iteration(event, scope),
            "EvaluationFailed" => self.note(event, scope, "evaluation_failed"),
            "ParallelStateStarted" | "MapStateStarted" => self.attempt(event, scope),
            name if name.ends_with("StateEntered") => self.begin_state(event, scope),
            name if name.ends_with("StateExited") => self.end_state(event, scope, spans),
            name if name.starts_with("Execution") && name != "ExecutionStarted" => {
                self.end_execution(event, name, spans);
                EXECUTION
            }
            name if name.starts_with("MapIteration") => {
                let failure = (!name.ends_with("Succeeded")).then(|| failure_of(event, name));
                self.end_nearest(event, scope, spans, failure.as_ref(), |form| form == Form::Iteration)
            }
            name if name.ends_with("StateAborted") => {
                let failure = failure_of(event, "Aborted");
                self.end_nearest(event, scope, spans, Some(&failure), |form| matches!(form, Form::State(_)))
            }
            name if name.ends_with("StateFailed") || name.ends_with("StateSucceeded") => scope,
            name if name.ends_with("Scheduled") => self.begin_call(event, scope),
            name if ["Succeeded", "Failed", "TimedOut"].iter().any(|end| name.ends_with(end)) => {
                self.end_call(event, name, scope, spans)
            }
            _ => scope,
        };
        self.scopes.insert(event.id, scope);
    }

    fn begin_execution(&mut self, id: u64, at: Timestamp) {
        self.ended = false;
        let name = self.machine_name.clone();
        self.open.insert(EXECUTION, Open::new(Form::Execution, id, name, at));
    }

    /// The next scope outwards that is open and that states can be in.
    fn container(&self, mut scope: u64) -> u64 {
        while scope != EXECUTION {
            let form = self.open.get(&scope).map(|open| open.form);
            if matches!(form, Some(Form::Iteration | Form::State(StateType::Parallel | StateType::Map))) {
                return scope;
            }
            scope = self.parent(scope);
        }
        EXECUTION
    }

    /// What encloses a scope. Never itself: scopes are named by growing ids.
    fn parent(&self, scope: u64) -> u64 {
        self.parents.get(&scope).copied().filter(|parent| *parent < scope).unwrap_or(EXECUTION)
    }

    fn begin(&mut self, event: &HistoryEvent, parent: u64, form: Form, name: String) -> &mut Open {
        self.parents.insert(event.id, parent);
        self.open.entry(event.id).or_insert_with(|| Open::new(form, event.id, name, event.timestamp))
    }

    fn begin_state(&mut self, event: &HistoryEvent, scope: u64) -> u64 {
        if let HistoryDetails::StateEntered { state_type, name, .. } = &event.details {
            let parent = self.container(scope);
            let open = self.begin(event, parent, Form::State(*state_type), name.clone());
            open.attributes.push(("stepwell.state.type", state_type.as_str().to_owned()));
        }
        event.id
    }

    fn begin_iteration(&mut self, event: &HistoryEvent, scope: u64) -> u64 {
        if let HistoryDetails::MapIterationStarted { name, index } = &event.details {
            let mut parent = self.container(scope);
            // A serial Map's iterations point to the one before.
            if self
                .open
                .get(&parent)
                .is_some_and(|open| open.form == Form::Iteration && open.name.starts_with(name))
            {
                parent = self.parent(parent);
            }
            let open = self.begin(event, parent, Form::Iteration, format!("{name}[{index}]"));
            open.attributes.push(("stepwell.map.index", index.to_string()));
        }
        event.id
    }

    fn begin_call(&mut self, event: &HistoryEvent, scope: u64) -> u64 {
        let called = called(&event.details);
        self.attempt(event, scope);
        let attempt = self.open.get(&scope).map_or(1, |open| open.attempts);
        let open = self.begin(event, scope, Form::Call, called.clone());
        open.attributes.push(("stepwell.task.resource", called));
        open.attributes.push(("stepwell.task.attempt", attempt.to_string()));
        event.id
    }

    /// Counts an attempt of the state that a scope is; the second and later ones are told.
    fn attempt(&mut self, event: &HistoryEvent, scope: u64) -> u64 {
        if let Some(open) = self.open.get_mut(&scope) {
            open.attempts += 1;
            if open.attempts > 1 {
                let attributes = vec![("stepwell.task.attempt", open.attempts.to_string())];
                open.tell(SpanEvent { at: event.timestamp, name: "retry", attributes });
            }
        }
        scope
    }

    fn note(&mut self, event: &HistoryEvent, scope: u64, name: &'static str) -> u64 {
        if let Some(open) = self.open.get_mut(&scope) {
            open.tell(failure_of(event, name).event(event.timestamp, name));
        }
        scope
    }

    /// Ends the state that exited: the nearest of its name. What follows belongs to what encloses it.
    fn end_state(&mut self, event: &HistoryEvent, scope: u64, spans: &mut Vec<Span>) -> u64 {
        let HistoryDetails::StateExited { name, .. } = &event.details else { return scope };
        let mut at = scope;
        while at != EXECUTION {
            let found = self.open.get(&at);
            if found.is_some_and(|open| matches!(open.form, Form::State(_)) && open.name == *name) {
                self.close(at, event.timestamp, None, spans);
                return self.parent(at);
            }
            at = self.parent(at);
        }
        scope
    }

    fn end_nearest(
        &mut self,
        event: &HistoryEvent,
        scope: u64,
        spans: &mut Vec<Span>,
        failure: Option<&Failure>,
        is_meant: impl Fn(Form) -> bool,
    ) -> u64 {
        let mut at = scope;
        while at != EXECUTION {
            if self.open.get(&at).is_some_and(|open| is_meant(open.form)) {
                self.close(at, event.timestamp, failure, spans);
                return self.parent(at);
            }
            at = self.parent(at);
        }
        scope
    }

    /// Ends a call, and tells its failure to the state around it: that may retry or catch it.
    fn end_call(&mut self, event: &HistoryEvent, name: &str, scope: u64, spans: &mut Vec<Span>) -> u64 {
        let failure = (!name.ends_with("Succeeded")).then(|| failure_of(event, name));
        if self.open.get(&scope).is_none_or(|open| open.form != Form::Call) {
            return scope;
        }
        self.close(scope, event.timestamp, failure.as_ref(), spans);
        let state = self.parent(scope);
        if let (Some(failure), Some(open)) = (failure, self.open.get_mut(&state)) {
            open.tell(failure.event(event.timestamp, "task_failed"));
        }
        state
    }

    fn end_execution(&mut self, event: &HistoryEvent, name: &str, spans: &mut Vec<Span>) {
        let failure = (name != "ExecutionSucceeded").then(|| failure_of(event, name));
        self.close(EXECUTION, event.timestamp, failure.as_ref(), spans);
        self.ended = true;
    }

    /// Ends a span, and before it what is still open inside: that was aborted with it.
    fn close(&mut self, scope: u64, at: Timestamp, failure: Option<&Failure>, spans: &mut Vec<Span>) {
        let inside: Vec<u64> = self.open.keys().copied().filter(|one| self.is_inside(*one, scope)).collect();
        for one in inside.into_iter().rev().chain([scope]) {
            if let Some(open) = self.open.remove(&one) {
                let aborted = Failure { error: "Aborted".to_owned(), cause: String::new() };
                let failure = if one == scope { failure } else { failure.or(Some(&aborted)) };
                spans.push(self.span(one, open, at, failure));
            }
        }
    }

    fn is_inside(&self, mut one: u64, scope: u64) -> bool {
        while one > scope {
            one = self.parent(one);
            if one == scope {
                return true;
            }
        }
        false
    }

    fn span(&self, scope: u64, open: Open, at: Timestamp, failure: Option<&Failure>) -> Span {
        let parent = if scope == EXECUTION {
            self.ids.parent
        } else {
            let parent = self.parent(scope);
            let id = self.open.get(&parent).map_or(parent, |open| open.id);
            Some(self.ids.span(id))
        };
        let mut attributes = open.attributes;
        attributes.push(("stepwell.execution.arn", self.execution_arn.clone()));
        attributes.push(("aws.step_functions.state_machine.arn", self.machine_arn.clone()));
        let kind = match open.form {
            Form::Execution => Kind::Server,
            Form::Call => Kind::Client,
            Form::State(_) | Form::Iteration => Kind::Internal,
        };
        if let Some(failure) = failure {
            attributes.push(("error.type", failure.error.clone()));
        }
        Span {
            trace: self.ids.trace,
            id: self.ids.span(open.id),
            parent,
            name: open.name,
            kind,
            begun_at: open.begun_at,
            ended_at: at,
            attributes,
            events: open.events,
            failure: failure.map(Failure::message),
        }
    }
}

impl Open {
    fn new(form: Form, id: u64, name: String, begun_at: Timestamp) -> Open {
        Open { form, id, name, begun_at, attributes: Vec::new(), events: Vec::new(), attempts: 0 }
    }

    fn tell(&mut self, event: SpanEvent) {
        if self.events.len() < limits::SPAN_EVENTS {
            self.events.push(event);
        }
    }
}

impl Failure {
    fn event(self, at: Timestamp, name: &'static str) -> SpanEvent {
        let attributes = vec![("exception.type", self.error), ("exception.message", self.cause)];
        SpanEvent { at, name, attributes }
    }

    fn message(&self) -> String {
        if self.cause.is_empty() { self.error.clone() } else { format!("{}: {}", self.error, self.cause) }
    }
}

/// Error and cause of an event; the type of one that has none.
fn failure_of(event: &HistoryEvent, otherwise: &str) -> Failure {
    let json = event.to_api_json(false);
    let details = json.as_object().and_then(|members| {
        members.iter().find(|(name, _)| name.ends_with("EventDetails")).map(|(_, details)| details)
    });
    let text = |name: &str| details.and_then(|details| details.get(name)?.as_str()).map(str::to_owned);
    let mut cause = text("cause").unwrap_or_default();
    if let Some((end, _)) = cause.char_indices().nth(limits::SPAN_CAUSE_CHARACTERS) {
        cause.truncate(end);
    }
    Failure { error: text("error").unwrap_or_else(|| otherwise.to_owned()), cause }
}

/// What a task calls: the name of a function, or its resource.
fn called(details: &HistoryDetails) -> String {
    if let HistoryDetails::TaskScheduled(task) = details {
        let parameters: Option<serde_json::Value> = serde_json::from_str(&task.request.input).ok();
        let function = parameters.as_ref().and_then(|parameters| parameters.get("FunctionName")?.as_str());
        let place = || format!("{}:{}", task.resource_type, task.resource);
        return function.map_or_else(place, str::to_owned);
    }
    if let HistoryDetails::LambdaFunctionScheduled { resource, .. }
    | HistoryDetails::ActivityScheduled { resource, .. } = details
    {
        return resource.clone();
    }
    String::new()
}

#[cfg(test)]
mod tests;

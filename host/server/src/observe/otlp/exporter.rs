//! Sends spans and log records in batches, on a task of its own for each.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::settings::Target;
use super::{LogRecord, OtlpSettings, Span, encode};
use crate::limits;
use crate::observe::metrics::Metrics;

/// The ways to the two tasks.
pub(crate) struct Exporter {
    spans: Option<mpsc::Sender<Item<Span>>>,
    logs: Option<mpsc::Sender<Item<LogRecord>>>,
    metrics: Arc<Metrics>,
}

enum Item<T> {
    One(T),
    Flush(oneshot::Sender<()>),
}

/// What differs between spans and records.
struct Signal<T> {
    name: &'static str,
    target: Target,
    agent: ureq::Agent,
    resource: Value,
    encode: fn(&Value, &[T]) -> Value,
    metrics: Arc<Metrics>,
}

impl Exporter {
    /// Begins the tasks. Call it inside the runtime.
    pub(crate) fn begin(settings: OtlpSettings, metrics: Arc<Metrics>) -> Exporter {
        let OtlpSettings { traces, logs, resource } = settings;
        let resource = encode::resource(&resource);
        let spans = traces.map(|target| {
            let (resource, metrics) = (resource.clone(), Arc::clone(&metrics));
            let agent = agent(&target);
            begin(Signal { name: "traces", target, agent, resource, encode: encode::traces, metrics })
        });
        let logs = logs.map(|target| {
            let (resource, metrics) = (resource.clone(), Arc::clone(&metrics));
            let agent = agent(&target);
            begin(Signal { name: "logs", target, agent, resource, encode: encode::logs, metrics })
        });
        Exporter { spans, logs, metrics }
    }

    pub(in crate::observe) fn takes_spans(&self) -> bool {
        self.spans.is_some()
    }

    pub(in crate::observe) fn takes_logs(&self) -> bool {
        self.logs.is_some()
    }

    /// Hands spans over, or drops and counts them.
    pub(in crate::observe) fn spans(&self, spans: Vec<Span>) {
        let Some(sender) = &self.spans else { return };
        let lost = spans.into_iter().filter_map(|span| sender.try_send(Item::One(span)).err()).count();
        self.metrics.watching.lost_telemetry("traces", lost);
    }

    /// Hands a record over, or drops and counts it.
    pub(in crate::observe) fn log(&self, record: LogRecord) {
        let Some(sender) = &self.logs else { return };
        let lost = usize::from(sender.try_send(Item::One(record)).is_err());
        self.metrics.watching.lost_telemetry("logs", lost);
    }

    /// Waits until all that was handed over is sent, or given up.
    pub(in crate::observe) async fn flush(&self) {
        flush(self.spans.as_ref()).await;
        flush(self.logs.as_ref()).await;
    }
}

async fn flush<T>(sender: Option<&mpsc::Sender<Item<T>>>) {
    let Some(sender) = sender else { return };
    let (done, sent) = oneshot::channel();
    if sender.send(Item::Flush(done)).await.is_ok() {
        // An error means that the task has ended: there is nothing to wait for.
        let _ = sent.await;
    }
}

fn begin<T: Send + 'static>(signal: Signal<T>) -> mpsc::Sender<Item<T>> {
    let (sender, inbox) = mpsc::channel(limits::TELEMETRY_ITEMS);
    tokio::spawn(run(signal, inbox));
    sender
}

/// Gathers what comes within a moment, and sends it.
async fn run<T: Send + 'static>(signal: Signal<T>, mut inbox: mpsc::Receiver<Item<T>>) {
    let signal = Arc::new(signal);
    let mut is_down = false;
    while let Some(first) = inbox.recv().await {
        let (mut batch, mut flushes) = (Vec::new(), Vec::new());
        take(first, &mut batch, &mut flushes);
        let until = Instant::now() + limits::TELEMETRY_PAUSE;
        while batch.len() < limits::TELEMETRY_BATCH && flushes.is_empty() {
            match tokio::time::timeout_at(until, inbox.recv()).await {
                Ok(Some(item)) => take(item, &mut batch, &mut flushes),
                Ok(None) | Err(_) => break,
            }
        }
        if !batch.is_empty() {
            let sent = send(&signal, batch).await;
            if !sent && !is_down {
                tracing::warn!(
                    url = signal.target.url,
                    "{} of executions cannot be sent and are lost",
                    signal.name
                );
            }
            is_down = !sent;
        }
        for done in flushes {
            // Nobody waits any more when this fails.
            let _ = done.send(());
        }
    }
}

fn take<T>(item: Item<T>, batch: &mut Vec<T>, flushes: &mut Vec<oneshot::Sender<()>>) {
    match item {
        Item::One(one) => batch.push(one),
        Item::Flush(done) => flushes.push(done),
    }
}

/// Sends a batch, with a few more tries where the collector asks for them. Whether it was taken.
async fn send<T: Send + 'static>(signal: &Arc<Signal<T>>, batch: Vec<T>) -> bool {
    let (count, body) = (batch.len(), (signal.encode)(&signal.resource, &batch).to_string());
    drop(batch);
    let body: Arc<str> = body.into();
    for pause in limits::TELEMETRY_RETRIES {
        let (signal_of_it, body) = (Arc::clone(signal), Arc::clone(&body));
        let posted =
            tokio::task::spawn_blocking(move || post(&signal_of_it.agent, &signal_of_it.target, &body)).await;
        match posted {
            Ok(Posted::Taken) => {
                signal.metrics.watching.sent_telemetry(signal.name, count);
                return true;
            }
            Ok(Posted::Refused(reason)) => {
                tracing::debug!(reason, "a collector refused a batch");
                break;
            }
            Ok(Posted::Later(reason)) => tracing::debug!(reason, "a collector took no batch"),
            Err(failure) => tracing::debug!(%failure, "sending a batch broke off"),
        }
        tokio::time::sleep(pause).await;
    }
    signal.metrics.watching.lost_telemetry(signal.name, count);
    false
}

enum Posted {
    Taken,
    /// Another try may help.
    Later(String),
    Refused(String),
}

fn agent(target: &Target) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(target.timeout.max(Duration::from_millis(1))))
        .http_status_as_error(false)
        .max_redirects(0);
    config.build().into()
}

fn post(agent: &ureq::Agent, target: &Target, body: &str) -> Posted {
    let mut request = agent.post(&target.url).header("content-type", "application/json");
    for (name, value) in &target.headers {
        request = request.header(name, value);
    }
    match request.send(body) {
        Ok(response) => match response.status().as_u16() {
            200..=299 => Posted::Taken,
            status @ (429 | 502 | 503 | 504) => Posted::Later(status.to_string()),
            status => Posted::Refused(status.to_string()),
        },
        Err(error) => Posted::Later(error.to_string()),
    }
}

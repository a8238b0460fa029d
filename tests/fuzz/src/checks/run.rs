//! One execution under test: every event goes through [`Run::send`], which checks what `step()` promises.

use super::checkpoint::Checkpoint;
use super::dice::Dice;
use super::samples;
use super::transition::{self, Names};
use serde_json::Value;
use stepwell_asl::{
    Activity, Event, EventKind, Execution, ExecutionContext, Quotas, StateMachine, Timestamp, WorkId, step,
};

/// Text that one run may record, in bytes. Every event is judged several times: what comes after that many large
/// payloads would take long and teach nothing.
const TEXT_BYTES: usize = 6 * 1_048_576;

/// Any moment of this century.
const START: Timestamp = Timestamp(1_770_000_000_000);

/// An execution and what has to be remembered to judge it.
pub struct Run<'m> {
    machine: &'m StateMachine,
    execution: Execution,
    checkpoint: Checkpoint,
    names: Names,
    /// The executor's clock: never goes back.
    pub now: Timestamp,
    /// Every event so far: late ones come back.
    pub sent: Vec<EventKind>,
    /// Text recorded so far, in bytes.
    text_bytes: usize,
}

impl<'m> Run<'m> {
    pub fn new(machine: &'m StateMachine, input: Value, quotas: Quotas) -> Run<'m> {
        let context = ExecutionContext {
            execution_arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".to_owned(),
            execution_name: "e".to_owned(),
            role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
            state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".to_owned(),
            state_machine_name: "m".to_owned(),
            region: "us-east-1".to_owned(),
            start_time: START,
            seed: 7,
            quotas,
            version: None,
            alias: None,
            test_case: None,
            token_key: stepwell_asl::TokenKey::default(),
            starter: None,
        };
        let execution = Execution::new(context, input);
        Run {
            machine,
            checkpoint: Checkpoint::new(&execution),
            execution,
            names: Names::default(),
            now: START,
            sent: Vec::new(),
            text_bytes: 0,
        }
    }

    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    pub fn start(&mut self) {
        self.send(EventKind::Start);
    }

    /// Everything that somebody may still answer, tasks that were handed over to somebody outside included.
    pub fn waiting(&self) -> Vec<WorkId> {
        transition::waiting(&self.execution)
    }

    pub fn activity(&self, work: WorkId) -> Option<&Activity> {
        let branch = self.execution.branches.get(&work.branch)?;
        (branch.activity.work() == Some(work)).then_some(&branch.activity)
    }

    /// Answers a piece of work as the executor would, in time; a task with `result`.
    pub fn answer(&mut self, work: WorkId, result: Value) {
        let until = match self.activity(work) {
            None | Some(Activity::Joining) => self.execution.progress.deadline,
            Some(Activity::Task(_)) => return self.send(EventKind::TaskSucceeded { work, result }),
            Some(Activity::Ready { .. }) => return self.send(EventKind::Continued { work }),
            Some(Activity::Waiting { until, .. } | Activity::BackingOff { until, .. }) => Some(*until),
        };
        self.now = self.now.max(until.unwrap_or(self.now));
        self.send(EventKind::TimerFired { work });
    }

    /// Starts if that has not happened, then answers whatever is waited for, at most `steps` times; every third
    /// time with an error. The deadline of the execution is left for when nothing else is waited for.
    pub fn go_on(&mut self, steps: usize) {
        self.start();
        for turn in 0..steps {
            let waiting = self.waiting();
            let Some(work) = waiting.iter().find(|work| **work != WorkId::EXECUTION).or(waiting.first())
            else {
                return;
            };
            if turn % 3 == 2 && matches!(self.activity(*work), Some(Activity::Task(_))) {
                // Errors that can be retried and caught: what ends the run at once leads nowhere.
                let error = samples::error([0, 1, 2, 6][turn / 3 % 4]);
                self.send(EventKind::TaskFailed { work: *work, error });
            } else {
                self.answer(*work, samples::result(if turn % 2 == 0 { 10 } else { 11 }));
            }
        }
    }

    /// Applies one event and checks the transition.
    pub fn send(&mut self, kind: EventKind) {
        if self.text_bytes > TEXT_BYTES {
            return;
        }
        let event = Event { at: self.now, kind };
        let after = step(self.machine, self.execution.clone(), event.clone(), &Dice);
        // What recovery has read gives the same as what was in memory all the time.
        let recovered = step(self.machine, self.checkpoint.read(), event.clone(), &Dice);
        assert_eq!(after, recovered, "the same execution and event give the same");
        transition::check(&self.execution, &event, &after, &mut self.names);
        let texts = after.history.iter().map(|event| event.to_api_json(true).to_string().len());
        self.text_bytes += texts.sum::<usize>();
        self.checkpoint.write(&after.execution, &after.changed);
        self.execution = after.execution;
        assert_eq!(
            self.checkpoint.read(),
            self.execution,
            "a checkpoint that follows the changed parts is whole"
        );
        let repeated = step(self.machine, self.execution.clone(), event.clone(), &Dice);
        transition::check_repeated(&self.execution, &repeated);
        self.sent.push(event.kind);
    }
}

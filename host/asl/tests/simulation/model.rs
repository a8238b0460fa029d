//! The model: one durable state, one mailbox, one clock. A crash throws away everything but what was committed, and
//! recovery dispatches `pending()`. What the world outside sends is not lost by a crash.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use stepwell_asl::jsonata::{Evaluator, NoEvaluator};
use stepwell_asl::{
    BranchId, Changed, Command, Event, EventKind, Execution, ExecutionContext, HistoryDetails, HistoryEvent,
    Quotas, Recorded, StateMachine, Status, TaskWork, Timestamp, Transition, Work, WorkId, replay, step,
};

/// An execution that has not ended after this many turns is stuck.
const TURNS: usize = 20_000;

/// A machine, the world around it, and what must come out.
pub(crate) trait Workflow: Sized {
    /// The world of one seed.
    fn new(seed: u64) -> Self;
    /// The machine.
    fn machine(&self) -> &'static StateMachine;
    /// Who evaluates its expressions.
    fn evaluator(&self) -> &dyn Evaluator {
        &NoEvaluator
    }
    /// The input of the execution.
    fn input(&self) -> Value;
    /// What comes from outside whatever the execution does, with its time in milliseconds.
    fn sent_from_outside(&self) -> Vec<(i64, EventKind)>;
    /// What running a task brings, with delays in milliseconds. Deterministic by attempt, as an idempotent task is.
    fn run(&self, task: &TaskWork) -> Vec<(i64, EventKind)>;
    /// Whether it is redriven until it succeeds. Its journal is kept then, and recovery replays it.
    fn is_redriven(&self) -> bool {
        false
    }
    /// What must hold of every state that is committed.
    fn watch(&self, _: &Execution) {}
    /// What must hold at the end.
    fn check(&self, execution: &Execution, history: &[HistoryEvent]);
}

/// One run.
pub(crate) struct Simulation<W> {
    workflow: W,
    random: fastrand::Rng,
    durable: Execution,
    history: Vec<HistoryEvent>,
    /// Where the journal begins: a transition that leaves no event is in no journal.
    checkpoint: Execution,
    journal: Vec<Recorded>,
    /// Events under way to the shard.
    mailbox: Vec<EventKind>,
    /// Events that come later, in the order of their time.
    outside: BTreeMap<(Timestamp, u64), EventKind>,
    timers: BTreeMap<WorkId, Timestamp>,
    now: Timestamp,
    /// Every event ever sent: late ones come back.
    sent: Vec<EventKind>,
}

impl<W: Workflow> Simulation<W> {
    /// Runs one seed to its end. Panics when anything is wrong.
    pub(crate) fn run(seed: u64) {
        let workflow = W::new(seed);
        let outside = workflow.sent_from_outside();
        let mut simulation = Simulation {
            durable: Execution::new(context(seed), workflow.input()),
            checkpoint: Execution::new(context(seed), workflow.input()),
            workflow,
            random: fastrand::Rng::with_seed(!seed),
            history: Vec::new(),
            journal: Vec::new(),
            mailbox: vec![EventKind::Start],
            outside: BTreeMap::new(),
            timers: BTreeMap::new(),
            now: Timestamp(0),
            sent: Vec::new(),
        };
        simulation.expect(outside);
        for _ in 0..TURNS {
            match simulation.durable.progress.status {
                Status::Running => {}
                Status::Failed | Status::TimedOut | Status::Aborted if simulation.workflow.is_redriven() => {
                    simulation.send_redrive();
                }
                Status::Failed | Status::TimedOut | Status::Aborted | Status::Succeeded => {
                    return simulation.check();
                }
            }
            simulation.turn();
        }
        panic!("stuck: {:#?}", simulation.durable);
    }

    fn send_redrive(&mut self) {
        assert_eq!(self.durable.pending(), [], "nothing is owed after the end");
        let number = self.durable.progress.redrive.map_or(0, |redrive| redrive.count) + 1;
        self.now = self.now.plus_milliseconds(self.random.i64(0..10_000));
        self.mailbox.push(EventKind::Redrive { number });
    }

    fn turn(&mut self) {
        self.disturb();
        let Some(kind) = self.next_event() else { return };
        self.sent.push(kind.clone());
        let again = self.told_again(&kind).then(|| kind.clone());
        let event = Event { at: self.now, kind };
        let transition =
            step(self.workflow.machine(), self.durable.clone(), event.clone(), self.workflow.evaluator());
        let recorded = Recorded { event: event.clone(), history: transition.history.clone() };
        if self.random.u8(0..8) == 0 {
            let again = step(self.workflow.machine(), self.durable.clone(), event, self.workflow.evaluator());
            assert_eq!(transition, again, "step is deterministic");
        }
        match self.random.u8(0..24) {
            0 => {
                // Crash before the commit: the transition never was, and who had no answer asks again.
                self.recover();
                self.expect(again.map(|kind| (1, kind)).into_iter().collect());
            }
            1 => {
                self.commit(&transition, recorded);
                self.recover(); // crash after the commit: nobody was told
            }
            _ => {
                self.commit(&transition, recorded);
                for command in transition.commands {
                    match command {
                        Command::Dispatch(work) => self.dispatch(work),
                        Command::Cancel(work) => drop(self.timers.remove(&work)),
                        Command::StopJob(_) => {}
                    }
                }
            }
        }
    }

    /// Whether the event comes from a caller of the API, who tries again when there is no answer.
    fn told_again(&self, kind: &EventKind) -> bool {
        match kind {
            EventKind::Stop { .. } | EventKind::TaskHeartbeat { .. } => true,
            // The result of a task that runs here is not told again: recovery runs the task again.
            EventKind::TaskSucceeded { work, .. } => {
                let runs_here = |pending: &Work| matches!(pending, Work::Task(task) if task.work == *work);
                !self.durable.pending().iter().any(runs_here)
            }
            EventKind::Start
            | EventKind::Redrive { .. }
            | EventKind::TaskStarted { .. }
            | EventKind::TaskSubmitted { .. }
            | EventKind::TaskFailed { .. }
            | EventKind::ActivityScheduled { .. }
            | EventKind::TaskReturned { .. }
            | EventKind::TaskDelivered { .. }
            | EventKind::TaskStartedAgain { .. }
            | EventKind::TimerFired { .. }
            | EventKind::Continued { .. } => false,
        }
    }

    /// Duplicates, late repeats, reordering, and events that belong to nothing.
    fn disturb(&mut self) {
        match self.random.u8(0..12) {
            0 if !self.sent.is_empty() => {
                let again = self.random.usize(0..self.sent.len());
                if !matches!(self.sent[again], EventKind::Stop { .. }) {
                    self.mailbox.push(self.sent[again].clone());
                }
            }
            1 => self.random.shuffle(&mut self.mailbox),
            2 => {
                let branch = BranchId(self.random.u64(0..20));
                let work = WorkId { branch, serial: self.random.u64(1_000_000..2_000_000) };
                self.mailbox.push(EventKind::TaskSucceeded { work, result: Value::Null });
                self.mailbox.push(EventKind::TimerFired { work });
            }
            // A timer that fires before its time.
            3 => {
                let early = self.timers.keys().next().copied();
                self.mailbox.extend(early.map(|work| EventKind::TimerFired { work }));
            }
            _ => {}
        }
    }

    fn next_event(&mut self) -> Option<EventKind> {
        if let Some(kind) = self.mailbox.pop() {
            return Some(kind);
        }
        let timer = self.timers.iter().min_by_key(|(work, at)| (**at, **work)).map(|(work, at)| (*work, *at));
        let outside = self.outside.first_key_value().map(|(key, _)| *key);
        match (timer, outside) {
            (Some((work, at)), outside) if outside.is_none_or(|(time, _)| at <= time) => {
                self.timers.remove(&work);
                self.now = self.now.max(at);
                Some(EventKind::TimerFired { work })
            }
            (_, Some(key)) => {
                self.now = self.now.max(key.0);
                self.outside.remove(&key)
            }
            (_, None) => None,
        }
    }

    /// Stores what `changed` names and nothing else, as a store does; the rest must be the same already.
    fn commit(&mut self, transition: &Transition, recorded: Recorded) {
        for event in &transition.history {
            assert_eq!(event.id, self.history.len() as u64 + 1, "ids are dense");
            assert!(event.previous_event_id < event.id, "{event:?}");
            self.history.push(event.clone());
        }
        let moved = !(transition.history.is_empty() && transition.commands.is_empty());
        assert!(
            moved || transition.changed == Changed::default(),
            "a change that nobody would store: {:?}",
            transition.changed
        );
        merge(&mut self.durable, &transition.execution, &transition.changed);
        assert_eq!(self.durable, transition.execution, "`changed` names everything that changed");
        if self.random.u8(0..16) == 0 {
            let text = serde_json::to_string(&self.durable).unwrap();
            self.durable = serde_json::from_str(&text).unwrap();
            assert_eq!(self.durable, transition.execution, "checkpoints survive a round trip");
        }
        if self.workflow.is_redriven() {
            if recorded.history.is_empty() {
                self.checkpoint.clone_from(&self.durable);
                self.journal.clear();
            } else {
                self.journal.push(recorded);
            }
        }
        self.workflow.watch(&self.durable);
    }

    fn recover(&mut self) {
        self.mailbox.clear();
        self.timers.clear();
        // What is derived is lost with the memory.
        let text = serde_json::to_string(&self.durable).unwrap();
        self.durable = serde_json::from_str(&text).unwrap();
        if self.history.is_empty() {
            self.mailbox.push(EventKind::Start); // the client asks again
        }
        if self.workflow.is_redriven() {
            let (machine, journal) = (self.workflow.machine(), self.journal.clone());
            let (replayed, _) =
                replay(machine, self.checkpoint.clone(), journal, self.workflow.evaluator()).unwrap();
            assert_eq!(replayed, self.durable, "the journal tells everything");
        }
        for work in self.durable.pending() {
            self.dispatch(work);
        }
    }

    fn dispatch(&mut self, work: Work) {
        match work {
            Work::Task(task) => {
                let events = self.workflow.run(&task);
                self.expect(events);
            }
            Work::Timer { work, at } => drop(self.timers.insert(work, at)),
            Work::Continue { work } => self.mailbox.push(EventKind::Continued { work }),
        }
    }

    fn expect(&mut self, events: Vec<(i64, EventKind)>) {
        for (delay, kind) in events {
            if delay == 0 {
                self.mailbox.push(kind);
            } else {
                let number = self.random.u64(..);
                self.outside.insert((self.now.plus_milliseconds(delay), number), kind);
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.durable.pending(), [], "nothing is owed after the end");
        assert!(self.durable.branches.is_empty() && self.durable.joins.is_empty(), "nothing is left");
        assert!(self.durable.results.is_empty() && self.durable.variables.is_empty(), "nothing is left");
        assert_eq!(self.durable.progress.variable_bytes, 0);
        let starts = self
            .history
            .iter()
            .filter(|event| matches!(event.details, HistoryDetails::ExecutionStarted { .. }));
        assert_eq!(starts.count(), 1);
        self.workflow.check(&self.durable, &self.history);
    }
}

/// What a store does with a transition.
fn merge(durable: &mut Execution, execution: &Execution, changed: &Changed) {
    fn take<V: Clone>(
        ids: &BTreeSet<BranchId>,
        from: &BTreeMap<BranchId, V>,
        to: &mut BTreeMap<BranchId, V>,
    ) {
        for id in ids {
            match from.get(id) {
                Some(value) => drop(to.insert(*id, value.clone())),
                None => drop(to.remove(id)),
            }
        }
    }
    durable.progress = execution.progress.clone();
    // Replaying the journal makes them: no store keeps them.
    durable.remains.clone_from(&execution.remains);
    take(&changed.branches, &execution.branches, &mut durable.branches);
    take(&changed.joins, &execution.joins, &mut durable.joins);
    take(&changed.variables, &execution.variables, &mut durable.variables);
    // The results of an attempt go with its join.
    durable.results.retain(|id, _| execution.joins.contains_key(id) && !restarted(*id, execution, changed));
    for (id, index) in &changed.results {
        if let Some(result) = execution.results.get(id).and_then(|results| results.get(index)) {
            durable.results.entry(*id).or_default().insert(*index, result.clone());
        }
    }
}

/// Whether the join is another attempt than the stored one: then it has no results from before this transition.
fn restarted(id: BranchId, execution: &Execution, changed: &Changed) -> bool {
    changed.joins.contains(&id)
        && execution
            .results
            .get(&id)
            .is_none_or(|results| results.keys().all(|index| changed.results.contains(&(id, *index))))
}

fn context(seed: u64) -> ExecutionContext {
    ExecutionContext {
        execution_arn: format!("arn:aws:states:us-east-1:123456789012:execution:simulated:{seed}"),
        execution_name: seed.to_string(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:simulated".to_owned(),
        state_machine_name: "simulated".to_owned(),
        region: "us-east-1".to_owned(),
        start_time: Timestamp(0),
        seed,
        quotas: Quotas::default(),
        version: None,
        alias: None,
        test_case: None,
        token_key: stepwell_asl::TokenKey::default(),
        starter: None,
    }
}

//! Simulates the executor around `step()`: seeded crashes before and after a commit, duplicated, reordered and
//! late events. Whatever happens, the history must be whole and the result must be the one that the input asks for.
//!
//! The model keeps one durable state; a crash throws away everything else, and recovery dispatches `pending()`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "the test itself may read its environment")]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use stepwell_asl::{
    Command, Event, EventKind, Execution, ExecutionContext, HistoryDetails, HistoryEvent, StateMachine,
    StatesError, Status, TaskWork, Timestamp, Work, WorkId, step,
};

const SEEDS: u64 = 3_000;
/// An execution that has not ended after this many turns is stuck.
const TURNS: usize = 10_000;

const DEFINITION: &str = r#"{
  "StartAt": "Prepare",
  "TimeoutSeconds": 900000,
  "States": {
    "Prepare": {"Type": "Pass", "Result": {"prepared": true}, "ResultPath": "$.prepare", "Next": "Charge"},
    "Charge": {
      "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:charge", "TimeoutSeconds": 60,
      "ResultPath": "$.charge",
      "Retry": [{"ErrorEquals": ["Busy", "States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 3, "JitterStrategy": "FULL"}],
      "Catch": [{"ErrorEquals": ["Declined"], "ResultPath": "$.declined", "Next": "Refused"}],
      "Next": "Big"
    },
    "Big": {
      "Type": "Choice",
      "Choices": [{"Variable": "$.amount", "NumericGreaterThan": 100, "Next": "Cool"}],
      "Default": "Ship"
    },
    "Cool": {"Type": "Wait", "Seconds": 3600, "Next": "Ship"},
    "Ship": {
      "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
      "Parameters": {"FunctionName": "ship", "Payload.$": "$"}, "OutputPath": "$.Payload", "End": true
    },
    "Refused": {"Type": "Fail", "Error": "Refused", "CausePath": "$.declined.Cause"}
  }
}"#;

/// What the outside world does for one seed.
struct World {
    random: fastrand::Rng,
    amount: u64,
    /// Charges that fail as busy before one works.
    busy: u32,
    declined: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = fastrand::Rng::with_seed(seed);
        let amount = random.u64(1..200);
        let busy = random.u32(0..6);
        let declined = random.u8(0..4) == 0;
        World { random, amount, busy, declined }
    }

    /// Deterministic by attempt, as an idempotent task is.
    fn run(&self, task: &TaskWork) -> EventKind {
        let work = task.work;
        let fail =
            |name: &str| EventKind::TaskFailed { work, error: StatesError::new(name, format!("{name}!")) };
        match task.state_name.as_str() {
            "Charge" if task.attempt < self.busy => fail("Busy"),
            "Charge" if self.declined => fail("Declined"),
            "Charge" => EventKind::TaskSucceeded { work, result: json!({"attempt": task.attempt}) },
            _ => {
                let shipped = &task.parameters["Payload"]["amount"];
                EventKind::TaskSucceeded { work, result: json!({"Payload": {"shipped": shipped}}) }
            }
        }
    }

    fn expected(&self) -> (Status, Value) {
        if self.busy > 3 {
            (Status::Failed, json!("Busy"))
        } else if self.declined {
            (Status::Failed, json!("Refused"))
        } else {
            (Status::Succeeded, json!({"shipped": self.amount}))
        }
    }
}

/// What a commit stores.
struct Durable {
    execution: Execution,
    history: Vec<HistoryEvent>,
}

struct Simulation<'m> {
    machine: &'m StateMachine,
    world: World,
    durable: Durable,
    /// Events under way to the shard.
    mailbox: Vec<EventKind>,
    timers: BTreeMap<WorkId, Timestamp>,
    now: Timestamp,
    /// Every event ever sent: late ones come back.
    sent: Vec<EventKind>,
}

fn simulate(machine: &StateMachine, seed: u64) {
    let world = World::new(seed);
    let context = ExecutionContext {
        execution_arn: format!("arn:aws:states:us-east-1:123456789012:execution:order:{seed}"),
        execution_name: seed.to_string(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:order".to_owned(),
        state_machine_name: "order".to_owned(),
        region: "us-east-1".to_owned(),
        start_time: Timestamp(0),
        seed,
    };
    let execution = Execution::new(context, json!({"amount": world.amount}));
    let mut simulation = Simulation {
        machine,
        world,
        durable: Durable { execution, history: Vec::new() },
        mailbox: vec![EventKind::Start],
        timers: BTreeMap::new(),
        now: Timestamp(0),
        sent: Vec::new(),
    };
    for _ in 0..TURNS {
        if simulation.durable.execution.status != Status::Running {
            return simulation.check(seed);
        }
        simulation.turn();
    }
    panic!("seed {seed}: stuck: {:#?}", simulation.durable.execution);
}

impl Simulation<'_> {
    fn turn(&mut self) {
        self.disturb();
        let Some(kind) = self.next_event() else { return };
        self.sent.push(kind.clone());
        let event = Event { at: self.now, kind };
        let transition = step(self.machine, self.durable.execution.clone(), event.clone());
        assert_eq!(
            transition,
            step(self.machine, self.durable.execution.clone(), event),
            "step is deterministic"
        );
        match self.world.random.u8(0..20) {
            0 => self.recover(), // crash before the commit: the transition never was
            1 => {
                self.commit(&transition.execution, &transition.history);
                self.recover(); // crash after the commit: nobody was told
            }
            _ => {
                self.commit(&transition.execution, &transition.history);
                for command in transition.commands {
                    match command {
                        Command::Dispatch(work) => self.dispatch(work),
                        Command::Cancel(work) => drop(self.timers.remove(&work)),
                    }
                }
            }
        }
    }

    /// Duplicates, late repeats, reordering, and events that belong to nothing.
    fn disturb(&mut self) {
        match self.world.random.u8(0..8) {
            0 if !self.sent.is_empty() => {
                let again = self.world.random.usize(0..self.sent.len());
                // A timer never fires before its time, whatever else is repeated.
                if !matches!(self.sent[again], EventKind::TimerFired { .. }) {
                    self.mailbox.push(self.sent[again].clone());
                }
            }
            1 => {
                let mut mailbox = std::mem::take(&mut self.mailbox);
                self.world.random.shuffle(&mut mailbox);
                self.mailbox = mailbox;
            }
            2 => {
                let work = WorkId(self.world.random.u64(1_000_000..2_000_000));
                self.mailbox.push(EventKind::TaskSucceeded { work, result: json!("unknown") });
                self.mailbox.push(EventKind::TimerFired { work });
            }
            _ => {}
        }
    }

    fn next_event(&mut self) -> Option<EventKind> {
        if let Some(kind) = self.mailbox.pop() {
            return Some(kind);
        }
        let (work, at) =
            self.timers.iter().min_by_key(|(work, at)| (**at, **work)).map(|(work, at)| (*work, *at))?;
        self.timers.remove(&work);
        self.now = self.now.max(at);
        Some(EventKind::TimerFired { work })
    }

    fn commit(&mut self, execution: &Execution, history: &[HistoryEvent]) {
        for event in history {
            assert_eq!(event.id, self.durable.history.len() as u64 + 1, "ids are dense");
            self.durable.history.push(event.clone());
        }
        // What is stored can be read back: checkpoints survive a round trip.
        let text = serde_json::to_string(execution).unwrap();
        self.durable.execution = serde_json::from_str(&text).unwrap();
        assert_eq!(&self.durable.execution, execution);
    }

    fn recover(&mut self) {
        self.mailbox.clear();
        self.timers.clear();
        if self.durable.history.is_empty() {
            self.mailbox.push(EventKind::Start); // the client asks again
        }
        for work in self.durable.execution.pending() {
            self.dispatch(work);
        }
    }

    fn dispatch(&mut self, work: Work) {
        match work {
            Work::Task(task) => self.mailbox.push(self.world.run(&task)),
            Work::Timer { work, at } => drop(self.timers.insert(work, at)),
            Work::Continue { work } => self.mailbox.push(EventKind::Continued { work }),
        }
    }

    fn check(&self, seed: u64) {
        let execution = &self.durable.execution;
        let (status, result) = self.world.expected();
        assert_eq!(execution.status, status, "seed {seed}");
        let got = execution.output.clone().or(execution.error.clone().map(Value::String));
        assert_eq!(got, Some(result), "seed {seed}");
        assert_eq!(execution.pending(), [], "seed {seed}: nothing is owed after the end");
        let count = |matches: fn(&HistoryDetails) -> bool| {
            self.durable.history.iter().filter(|event| matches(&event.details)).count()
        };
        let charges = count(|details| matches!(details, HistoryDetails::LambdaFunctionScheduled { .. }));
        assert_eq!(
            charges,
            self.world.busy.min(3) as usize + 1,
            "seed {seed}: each attempt is scheduled once"
        );
        assert_eq!(
            count(|details| matches!(details, HistoryDetails::ExecutionStarted { .. })),
            1,
            "seed {seed}"
        );
        for event in &self.durable.history {
            assert!(event.previous_event_id < event.id, "seed {seed}: {event:?}");
        }
    }
}

#[test]
fn executions_survive_crashes_duplicates_and_reordering() {
    let machine = StateMachine::parse(DEFINITION).unwrap();
    let only = std::env::var("STEPWELL_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in only.map_or(0..SEEDS, |seed: u64| seed..seed + 1) {
        let run = std::panic::catch_unwind(|| simulate(&machine, seed));
        assert!(run.is_ok(), "failed; repeat with STEPWELL_SEED={seed}");
    }
}

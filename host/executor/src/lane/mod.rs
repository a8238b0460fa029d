//! The lane: threads of its own for the steps of state machines that use JSONata.
//!
//! A few fast threads take steps in the order in which they came. A step that turns out to be slow gives its place
//! to a new fast thread and goes on as one of very few slow ones, so neither a shard nor a quick step ever waits for it.
//! What comes back reaches the shard as a message. The lane must never change anything but the execution it was
//! handed, and nothing here may be waited for by a shard.

mod priority;
mod slow;
mod watch;

use crate::expressions::Expressions;
use crate::limits;
use crate::shard::Message;
use slow::SlowThreads;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{io, thread};
use stepwell_asl::jsonata::Evaluator;
use stepwell_asl::{Event, Execution, StateMachine, Transition, step};
use stepwell_store::ExecutionId;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;
use watch::Watch;

/// A step to take.
pub(crate) struct Job {
    pub(crate) id: ExecutionId,
    pub(crate) machine: Arc<StateMachine>,
    pub(crate) execution: Execution,
    pub(crate) event: Event,
    /// Who waits for it.
    pub(crate) home: Home,
}

/// Who waits for a step.
pub(crate) enum Home {
    /// A shard hears of it by [`Message::Stepped`].
    Shard(mpsc::Sender<Message>),
    /// An Express execution. Nothing when the step panicked.
    Express(oneshot::Sender<Option<Transition>>),
}

/// A step that was taken.
pub(crate) struct Stepped {
    pub(crate) id: ExecutionId,
    /// Nothing when the step panicked: the execution that it was handed is lost.
    pub(crate) transition: Option<Transition>,
}

/// The shards' handle. Its threads end when the last one is dropped.
pub(crate) struct Lane {
    shared: Arc<Shared>,
}

struct Shared {
    expressions: Arc<dyn Expressions>,
    jobs: Mutex<Jobs>,
    arrival: Condvar,
    slow: SlowThreads,
}

#[derive(Default)]
struct Jobs {
    /// At most one for each execution in memory.
    waiting: VecDeque<Job>,
    closed: bool,
}

impl Lane {
    /// Starts the fast threads: one for each processor, at least [`limits::FAST_THREADS`].
    pub(crate) fn open(expressions: Arc<dyn Expressions>) -> io::Result<Lane> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let shared = Shared {
            expressions,
            jobs: Mutex::default(),
            arrival: Condvar::new(),
            slow: SlowThreads::new((processors / limits::PROCESSORS_PER_SLOW_STEP).max(1)),
        };
        let lane = Lane { shared: Arc::new(shared) };
        for _ in 0..processors.max(limits::FAST_THREADS) {
            lane.shared.spawn_thread()?;
        }
        Ok(lane)
    }

    /// Queues a step.
    pub(crate) fn submit(&self, job: Job) {
        self.shared.jobs().waiting.push_back(job);
        self.shared.arrival.notify_one();
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut jobs = self.shared.jobs();
        jobs.closed = true;
        // Nobody is left to hear of them.
        jobs.waiting.clear();
        drop(jobs);
        self.shared.arrival.notify_all();
    }
}

impl Shared {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn_thread(self: &Arc<Shared>) -> io::Result<()> {
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().name("stepwell-step".to_owned());
        thread.stack_size(limits::STEP_STACK_BYTES).spawn(move || shared.take_steps()).map(drop)
    }

    /// What a thread does: steps, until the lane is closed or a slow step has given its place away.
    fn take_steps(self: Arc<Shared>) {
        while let Some(job) = self.next_job() {
            let watch = Watch::new(&self);
            let (home, stepped) = job.take(&watch);
            let replaced = watch.replaced();
            // Another slow step may go on; this one only has to be told.
            drop(watch);
            home.tell(stepped);
            if replaced {
                return;
            }
        }
    }

    fn next_job(&self) -> Option<Job> {
        let mut jobs = self.jobs();
        while jobs.waiting.is_empty() && !jobs.closed {
            jobs = self.arrival.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
        jobs.waiting.pop_front()
    }

    /// Puts a new thread in the place of the one that calls. `false` when there is no room for one more.
    fn replace_thread(self: &Arc<Shared>) -> bool {
        if !self.slow.enter() {
            return false;
        }
        match self.spawn_thread() {
            Ok(()) => true,
            Err(failure) => {
                warn!(%failure, "no thread can be started; a slow step keeps its place");
                self.slow.leave();
                false
            }
        }
    }
}

impl Home {
    fn tell(self, stepped: Stepped) {
        match self {
            // The shard ends only with the server; then the event happens again after the restart.
            Home::Shard(shard) => drop(shard.blocking_send(Message::Stepped(Box::new(stepped)))),
            // The execution may have been given up.
            Home::Express(waiting) => drop(waiting.send(stepped.transition)),
        }
    }
}

impl Job {
    fn take(self, evaluator: &dyn Evaluator) -> (Home, Stepped) {
        let Job { id, machine, execution, event, home } = self;
        let transition = catch_unwind(AssertUnwindSafe(|| step(&machine, execution, event, evaluator)));
        (home, Stepped { id, transition: transition.ok() })
    }
}

//! The tasks of one activity that wait for a worker, and the workers that wait for a task: each in a fair order.
//!
//! Executions take turns, so that one with a thousand tasks does not keep the others from the workers; the tasks of one
//! execution go in the order in which they were scheduled, and so do workers. It must never decide what is durable.

use super::Offered;
use std::collections::BTreeMap;
use stepwell_asl::WorkId;
use stepwell_store::ExecutionId;
use tokio::sync::oneshot;

/// One activity.
#[derive(Default)]
pub(super) struct Line {
    /// Whose turn is when: every execution that has tasks here.
    turns: BTreeMap<i64, ExecutionId>,
    tasks: BTreeMap<ExecutionId, Waiting>,
    /// In the order in which they came.
    pollers: BTreeMap<u64, oneshot::Sender<Offered>>,
}

/// The tasks of one execution, at least one.
struct Waiting {
    turn: i64,
    /// By the serial number of the work.
    tasks: BTreeMap<u64, Offered>,
}

impl Line {
    /// Whether nobody and nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.pollers.is_empty()
    }

    /// Workers that wait.
    pub(super) fn pollers(&self) -> usize {
        self.pollers.len()
    }

    /// Adds a task at its execution's turn. One that had been taken out before (`first`) is the next.
    pub(super) fn add_task(&mut self, offered: Offered, first: bool) {
        if let Some(waiting) = self.tasks.get_mut(&offered.id) {
            waiting.tasks.insert(offered.work.serial, offered);
            return;
        }
        let earliest = self.turns.first_key_value().map_or(0, |(turn, _)| *turn);
        let turn = if first { earliest - 1 } else { self.last_turn() };
        self.turns.insert(turn, offered.id);
        let tasks = BTreeMap::from([(offered.work.serial, offered.clone())]);
        self.tasks.insert(offered.id, Waiting { turn, tasks });
    }

    fn last_turn(&self) -> i64 {
        self.turns.last_key_value().map_or(0, |(turn, _)| *turn) + 1
    }

    /// Takes a task out that is no longer to be handed out.
    pub(super) fn remove_task(&mut self, id: ExecutionId, work: WorkId) {
        let Some(waiting) = self.tasks.get_mut(&id) else { return };
        waiting.tasks.remove(&work.serial);
        if waiting.tasks.is_empty() {
            self.turns.remove(&waiting.turn);
            self.tasks.remove(&id);
        }
    }

    /// Adds a worker.
    pub(super) fn add_poller(&mut self, number: u64, poller: oneshot::Sender<Offered>) {
        self.pollers.insert(number, poller);
    }

    /// Takes a worker out. Whether it was there.
    pub(super) fn remove_poller(&mut self, number: u64) -> bool {
        self.pollers.remove(&number).is_some()
    }

    /// Gives tasks to workers while there are both. How many workers have gone.
    pub(super) fn match_up(&mut self) -> usize {
        let mut gone = 0;
        while !self.tasks.is_empty() {
            let Some((_, poller)) = self.pollers.pop_first() else { break };
            gone += 1;
            let Some(offered) = self.next_task() else { break };
            if let Err(offered) = poller.send(offered) {
                // It has given up at this moment.
                self.add_task(offered, true);
            }
        }
        gone
    }

    fn next_task(&mut self) -> Option<Offered> {
        let (_, id) = self.turns.pop_first()?;
        let turn = self.last_turn();
        let waiting = self.tasks.get_mut(&id)?;
        let (_, offered) = waiting.tasks.pop_first()?;
        if waiting.tasks.is_empty() {
            self.tasks.remove(&id);
        } else {
            waiting.turn = turn;
            self.turns.insert(turn, id);
        }
        Some(offered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell_asl::BranchId;

    fn task(execution: u8, serial: u64) -> Offered {
        let work = WorkId { branch: BranchId::ROOT, serial };
        Offered { id: ExecutionId([execution; 16]), execution_arn: String::new(), work, again: false }
    }

    fn poll(line: &mut Line, number: u64) -> oneshot::Receiver<Offered> {
        let (sender, receiver) = oneshot::channel();
        line.add_poller(number, sender);
        receiver
    }

    fn got(receiver: &mut oneshot::Receiver<Offered>) -> Option<(u8, u64)> {
        receiver.try_recv().ok().map(|offered| (offered.id.0[0], offered.work.serial))
    }

    #[test]
    fn executions_take_turns_and_their_tasks_keep_their_order() {
        let mut line = Line::default();
        for (execution, serial) in [(1, 2), (1, 1), (1, 3), (2, 7), (3, 9), (3, 8)] {
            line.add_task(task(execution, serial), false);
        }
        let mut pollers: Vec<_> = (0..6).map(|number| poll(&mut line, number)).collect();
        assert_eq!(line.match_up(), 6);
        let order: Vec<_> = pollers.iter_mut().filter_map(got).collect();
        assert_eq!(order, [(1, 1), (2, 7), (3, 8), (1, 2), (3, 9), (1, 3)]);
        assert!(line.is_empty());
    }

    #[test]
    fn a_worker_that_has_given_up_takes_no_task_with_it() {
        let mut line = Line::default();
        drop(poll(&mut line, 0));
        let mut second = poll(&mut line, 1);
        line.add_task(task(1, 1), false);
        assert_eq!(line.match_up(), 2);
        assert_eq!(got(&mut second), Some((1, 1)));
    }

    #[test]
    fn what_comes_back_is_the_next() {
        let mut line = Line::default();
        line.add_task(task(1, 1), false);
        line.add_task(task(2, 1), true);
        line.add_task(task(3, 1), false);
        line.remove_task(ExecutionId([1; 16]), task(1, 1).work);
        line.add_task(task(1, 5), false);
        let mut pollers: Vec<_> = (0..3).map(|number| poll(&mut line, number)).collect();
        line.match_up();
        let order: Vec<_> = pollers.iter_mut().filter_map(got).collect();
        assert_eq!(order, [(2, 1), (3, 1), (1, 5)]);
    }
}

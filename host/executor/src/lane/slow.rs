//! The slow threads: how many there may be, and which of them may run.
//!
//! A permit is for one turn. Who has had fewer turns goes first, and of equals who asked first: a step that is only a
//! little slow does not wait for one that never ends. Nothing here knows what the threads do.

use crate::limits;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Slow threads, those that run and those that wait for a permit.
pub(super) struct SlowThreads {
    permits: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Threads beside the fast ones.
    threads: usize,
    /// Permits held.
    held: usize,
    /// Permits asked for so far.
    asked: u64,
    /// Those who wait, by rank and by the number of their question.
    waiting: BTreeMap<(u64, u64), Arc<Condvar>>,
    /// Questions that have been granted, to those who have not woken up yet.
    granted: BTreeSet<u64>,
}

impl State {
    /// Hands a permit on to the first of those who wait; `false` when nobody does.
    fn grant(&mut self) -> bool {
        let Some(((_, question), wake)) = self.waiting.pop_first() else { return false };
        self.granted.insert(question);
        wake.notify_one();
        true
    }
}

impl SlowThreads {
    pub(super) fn new(permits: usize) -> SlowThreads {
        SlowThreads { permits, state: Mutex::default() }
    }

    /// Counts a thread in, if there is room for it.
    pub(super) fn enter(&self) -> bool {
        let mut state = self.state();
        let room = state.threads < limits::SLOW_THREADS;
        state.threads += usize::from(room);
        room
    }

    /// Counts a thread out.
    pub(super) fn leave(&self) {
        let mut state = self.state();
        state.threads = state.threads.saturating_sub(1);
    }

    /// Waits for a permit. Lower ranks go first.
    pub(super) fn acquire(&self, rank: u64) {
        let mut state = self.state();
        if state.held < self.permits {
            state.held += 1;
        } else {
            Self::wait(state, rank);
        }
    }

    /// Gives a permit back: to the first of those who wait.
    pub(super) fn release(&self) {
        let mut state = self.state();
        if !state.grant() {
            state.held = state.held.saturating_sub(1);
        }
    }

    /// Gives a permit back and waits for the next turn, unless everybody who waits comes after `rank`.
    pub(super) fn next_turn(&self, rank: u64) {
        let mut state = self.state();
        let first = state.waiting.first_key_value().map(|((rank, _), _)| *rank);
        if first.is_some_and(|first| first <= rank) {
            state.grant();
            Self::wait(state, rank);
        }
    }

    fn wait(mut state: MutexGuard<'_, State>, rank: u64) {
        let question = state.asked;
        state.asked += 1;
        let wake = Arc::new(Condvar::new());
        state.waiting.insert((rank, question), Arc::clone(&wake));
        while !state.granted.remove(&question) {
            state = wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, mpsc};
    use std::thread;

    #[test]
    fn permits_are_given_in_order() {
        let slow = Arc::new(SlowThreads::new(1));
        slow.acquire(0);
        let (sender, order) = mpsc::channel();
        let mut threads = Vec::new();
        for number in 0..8_u64 {
            let (waiting, sender) = (Arc::clone(&slow), sender.clone());
            threads.push(thread::spawn(move || {
                waiting.acquire(0);
                sender.send(number).unwrap();
                waiting.release();
            }));
            while slow.state().asked < number + 1 {
                thread::yield_now();
            }
        }
        assert!(order.try_recv().is_err(), "the only permit is held");
        slow.release();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(order.try_iter().collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn who_had_fewer_turns_goes_first() {
        let slow = Arc::new(SlowThreads::new(1));
        slow.acquire(0);
        let (sender, order) = mpsc::channel();
        let mut threads = Vec::new();
        for (number, rank) in [(0_u64, 2), (1, 1), (2, 2), (3, 0)] {
            let (waiting, sender) = (Arc::clone(&slow), sender.clone());
            threads.push(thread::spawn(move || {
                waiting.acquire(rank);
                sender.send(number).unwrap();
                waiting.release();
            }));
            while slow.state().asked < number + 1 {
                thread::yield_now();
            }
        }
        slow.next_turn(1);
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [3, 1], "equals go first, later ones wait");
        slow.release();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let slow = SlowThreads::new(1);
        assert!((0..limits::SLOW_THREADS).all(|_| slow.enter()));
        assert!(!slow.enter());
        slow.leave();
        assert!(slow.enter());
    }
}

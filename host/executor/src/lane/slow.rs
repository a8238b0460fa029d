//! The slow threads: how many there may be, and which of them may run.
//!
//! Permits are given in the order in which they were asked for. Nothing here knows what the threads do.

use crate::limits;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Slow threads, those that run and those that wait for a permit.
pub(super) struct SlowThreads {
    permits: u64,
    state: Mutex<State>,
    change: Condvar,
}

#[derive(Default)]
struct State {
    /// Threads beside the fast ones.
    threads: usize,
    /// Permits asked for so far.
    asked: u64,
    /// Permits given back so far.
    returned: u64,
}

impl SlowThreads {
    pub(super) fn new(permits: usize) -> SlowThreads {
        SlowThreads { permits: permits as u64, state: Mutex::default(), change: Condvar::new() }
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

    /// Waits until all who asked earlier have had their turn and a permit is free.
    pub(super) fn acquire(&self) {
        let mut state = self.state();
        let ticket = state.asked;
        state.asked += 1;
        while ticket >= state.returned + self.permits {
            state = self.change.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives a permit back.
    pub(super) fn release(&self) {
        self.state().returned += 1;
        // Each waits for a number of its own.
        self.change.notify_all();
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
        slow.acquire();
        let (sender, order) = mpsc::channel();
        let mut threads = Vec::new();
        for number in 0..8_u64 {
            let (waiting, sender) = (Arc::clone(&slow), sender.clone());
            threads.push(thread::spawn(move || {
                waiting.acquire();
                sender.send(number).unwrap();
                waiting.release();
            }));
            while slow.state().asked < number + 2 {
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
    fn there_is_room_for_so_many_and_no_more() {
        let slow = SlowThreads::new(1);
        assert!((0..limits::SLOW_THREADS).all(|_| slow.enter()));
        assert!(!slow.enter());
        slow.leave();
        assert!(slow.enter());
    }
}

//! The queue in front of the pool: room for so many calls and so much memory, given out in turns.
//!
//! Waiting calls stand in one line per owner (a state machine), and the lines take turns, so an owner with ten thousand
//! calls delays another's single call by one call, not by ten thousand. A call that needs much is not overtaken for ever:
//! whoever is first in turn holds up the others until it fits.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// How much of the room something takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) slots: u32,
    pub(crate) memory_bytes: u64,
}

/// The room and those who wait for it. Cloning gives another handle.
#[derive(Clone)]
pub(crate) struct Slots {
    shared: Arc<Mutex<Room>>,
}

/// What a call holds while it runs; dropping gives it back.
pub(crate) struct Held {
    shared: Arc<Mutex<Room>>,
    share: Share,
}

/// So many wait already that no more may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

struct Room {
    total: Share,
    free: Share,
    lines: HashMap<Arc<str>, VecDeque<Waiting>>,
    /// Owners with a line, in the order of their turns.
    turns: VecDeque<Arc<str>>,
    waiting: usize,
    max_waiting: usize,
}

struct Waiting {
    share: Share,
    admit: oneshot::Sender<Held>,
}

impl Slots {
    /// Opens a room.
    pub(crate) fn new(total: Share, max_waiting: usize) -> Self {
        let room = Room {
            total,
            free: total,
            lines: HashMap::new(),
            turns: VecDeque::new(),
            waiting: 0,
            max_waiting,
        };
        Self { shared: Arc::new(Mutex::new(room)) }
    }

    /// Takes a share at once, or waits for its turn. A share larger than the room is cut to it.
    ///
    /// # Errors
    /// When too many wait.
    pub(crate) async fn acquire(&self, owner: &Arc<str>, share: Share) -> Result<Held, QueueFull> {
        let admitted = {
            let mut room = lock(&self.shared);
            let share = share.cut_to(room.total);
            if room.turns.is_empty() && room.take(share) {
                return Ok(Held { shared: Arc::clone(&self.shared), share });
            }
            room.enqueue(owner, share)?
        };
        // Only a poisoned room drops the sender; there is nothing to wait for then.
        admitted.await.map_err(|_| QueueFull)
    }
}

impl Slots {
    /// Returns the whole room.
    pub(crate) fn total(&self) -> Share {
        lock(&self.shared).total
    }

    /// Returns how many slots are taken.
    pub(crate) fn taken(&self) -> u32 {
        let room = lock(&self.shared);
        room.total.slots - room.free.slots
    }

    /// Returns how many wait, those that have gone unnoticed included.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.shared).waiting
    }
}

impl Held {
    /// Takes more memory, if there is some.
    pub(crate) fn grow(&mut self, memory_bytes: u64) -> bool {
        let grown = lock(&self.shared).take(Share { slots: 0, memory_bytes });
        if grown {
            self.share.memory_bytes += memory_bytes;
        }
        grown
    }

    /// Returns the memory that is held, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.share.memory_bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let admitted = {
            let mut room = lock(&self.shared);
            room.free.slots += self.share.slots;
            room.free.memory_bytes += self.share.memory_bytes;
            room.admit()
        };
        for (share, admit) in admitted {
            // Whoever has gone meanwhile leaves its share to the next: this drops it again, outside of the lock.
            drop(admit.send(Held { shared: Arc::clone(&self.shared), share }));
        }
    }
}

impl Room {
    /// Takes a share, if it is free.
    fn take(&mut self, share: Share) -> bool {
        let fits = share.slots <= self.free.slots && share.memory_bytes <= self.free.memory_bytes;
        if fits {
            self.free.slots -= share.slots;
            self.free.memory_bytes -= share.memory_bytes;
        }
        fits
    }

    fn enqueue(&mut self, owner: &Arc<str>, share: Share) -> Result<oneshot::Receiver<Held>, QueueFull> {
        if self.waiting >= self.max_waiting {
            self.forget_who_has_gone();
        }
        if self.waiting >= self.max_waiting {
            return Err(QueueFull);
        }
        let (admit, admitted) = oneshot::channel();
        self.waiting += 1;
        let line = self.lines.entry(Arc::clone(owner)).or_default();
        let new = line.is_empty() && !self.turns.contains(owner);
        line.push_back(Waiting { share, admit });
        if new {
            self.turns.push_back(Arc::clone(owner));
        }
        Ok(admitted)
    }

    /// Strikes those off who wait no longer. Lines may become empty: their turn passes.
    fn forget_who_has_gone(&mut self) {
        for line in self.lines.values_mut() {
            line.retain(|waiting| !waiting.admit.is_closed());
        }
        self.waiting = self.lines.values().map(VecDeque::len).sum();
    }

    /// Takes those out of their lines whose turn it is and who fit.
    fn admit(&mut self) -> Vec<(Share, oneshot::Sender<Held>)> {
        let mut admitted = Vec::new();
        while let Some(owner) = self.turns.front().cloned() {
            let Some(line) = self.lines.get_mut(&owner) else {
                self.turns.pop_front();
                continue;
            };
            let before = line.len();
            while line.front().is_some_and(|waiting| waiting.admit.is_closed()) {
                line.pop_front();
            }
            self.waiting -= before - line.len();
            let Some(share) = line.front().map(|waiting| waiting.share) else {
                self.lines.remove(&owner);
                self.turns.pop_front();
                continue;
            };
            if !self.take(share) {
                break;
            }
            self.turns.pop_front();
            let Some(line) = self.lines.get_mut(&owner) else { continue };
            if let Some(waiting) = line.pop_front() {
                self.waiting -= 1;
                admitted.push((share, waiting.admit));
            }
            if line.is_empty() {
                self.lines.remove(&owner);
            } else {
                self.turns.push_back(owner);
            }
        }
        admitted
    }
}

impl Share {
    fn cut_to(self, total: Share) -> Share {
        Share { slots: self.slots.min(total.slots), memory_bytes: self.memory_bytes.min(total.memory_bytes) }
    }
}

fn lock(shared: &Mutex<Room>) -> MutexGuard<'_, Room> {
    // Nothing under the lock panics: the numbers are whole whatever happened elsewhere.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// Polls a future once.
    macro_rules! poll {
        ($future:expr) => {
            pin!($future).as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
    }

    fn slots(slots: u32) -> Share {
        Share { slots, memory_bytes: 0 }
    }

    fn room(count: u32) -> Slots {
        Slots::new(slots(count), 100)
    }

    fn owner(name: &str) -> Arc<str> {
        Arc::from(name)
    }

    #[tokio::test]
    async fn owners_take_turns() {
        let room = room(1);
        let held = room.acquire(&owner("a"), slots(1)).await.unwrap();
        let (many, few) = (owner("many"), owner("few"));
        let mut waiting: Vec<_> = (0..10).map(|_| Box::pin(room.acquire(&many, slots(1)))).collect();
        for waiter in &mut waiting {
            assert!(poll!(waiter).is_pending());
        }
        let mut single = pin!(room.acquire(&few, slots(1)));
        assert!(poll!(&mut single).is_pending());
        drop(held);
        let Poll::Ready(first) = poll!(&mut waiting[0]) else { panic!("its turn") };
        assert!(poll!(&mut single).is_pending());
        drop(first);
        let Poll::Ready(second) = poll!(&mut single) else { panic!("the other owner's turn") };
        assert!(poll!(&mut waiting[1]).is_pending());
        drop(second);
        assert!(poll!(&mut waiting[1]).is_ready());
    }

    #[tokio::test]
    async fn a_large_share_is_not_overtaken() {
        let room = room(4);
        let small = room.acquire(&owner("a"), slots(1)).await.unwrap();
        let (large, late) = (owner("large"), owner("late"));
        let mut large = pin!(room.acquire(&large, slots(4)));
        assert!(poll!(&mut large).is_pending());
        let mut late = pin!(room.acquire(&late, slots(1)));
        assert!(poll!(&mut late).is_pending(), "three are free, but it is not its turn");
        drop(small);
        let Poll::Ready(held) = poll!(&mut large) else { panic!("its turn") };
        drop(held);
        assert!(poll!(&mut late).is_ready());
    }

    #[tokio::test]
    async fn who_goes_away_leaves_the_line() {
        let room = Slots::new(slots(1), 1);
        let held = room.acquire(&owner("a"), slots(1)).await.unwrap();
        let name = owner("a");
        {
            let mut gone = pin!(room.acquire(&name, slots(1)));
            assert!(poll!(&mut gone).is_pending());
        }
        let mut next = pin!(room.acquire(&name, slots(1)));
        assert!(poll!(&mut next).is_pending());
        assert_eq!(room.acquire(&name, slots(1)).await.err(), Some(QueueFull));
        drop(held);
        assert!(poll!(&mut next).is_ready());
    }

    #[tokio::test]
    async fn admitted_and_gone_gives_its_share_to_the_next() {
        let room = room(1);
        let held = room.acquire(&owner("a"), slots(1)).await.unwrap();
        let name = owner("a");
        let mut next = Box::pin(room.acquire(&name, slots(1)));
        assert!(poll!(&mut next).is_pending());
        drop(held);
        drop(next);
        assert!(pin!(room.acquire(&name, slots(1))).await.is_ok());
    }

    #[tokio::test]
    async fn memory_is_room_too() {
        let room = Slots::new(Share { slots: 10, memory_bytes: 100 }, 10);
        let share = Share { slots: 1, memory_bytes: 60 };
        let mut held = room.acquire(&owner("a"), share).await.unwrap();
        let b = owner("b");
        let mut next = pin!(room.acquire(&b, share));
        assert!(poll!(&mut next).is_pending());
        assert!(held.grow(40) && !held.grow(1));
        assert_eq!(held.memory_bytes(), 100);
        drop(held);
        assert!(poll!(&mut next).is_ready());
        let huge = Share { slots: 99, memory_bytes: u64::MAX };
        assert_eq!(huge.cut_to(share), share);
    }
}

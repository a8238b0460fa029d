//! How many Express executions run, and what they hold: bounds of the whole executor.
//!
//! A share is taken before anything is done for an execution and given back with it. It must never wait.

use super::ExpressBounds;
use crate::error::StartError;
use crate::limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// What all of them may take.
pub(super) struct Room {
    bounds: ExpressBounds,
    slots: Semaphore,
    /// Bytes of JSON text.
    held: AtomicUsize,
}

/// What one of them takes.
pub(super) struct Share {
    room: Arc<Room>,
    bytes: usize,
    most: usize,
}

/// An execution that has outgrown its bounds, or all of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outgrown {
    pub(super) bytes: usize,
}

impl Room {
    pub(super) fn new(bounds: ExpressBounds) -> Room {
        let executions = bounds.executions.clamp(1, u32::MAX as usize);
        let bounds = ExpressBounds { executions, ..bounds };
        Room { bounds, slots: Semaphore::new(executions), held: AtomicUsize::new(0) }
    }

    /// Refuses everybody from now on.
    pub(super) fn close(&self) {
        self.slots.close();
    }

    /// Executions that run.
    pub(super) fn running(&self) -> usize {
        self.bounds.executions.saturating_sub(self.slots.available_permits())
    }

    /// Waits until none runs. Only meaningful once it is closed.
    pub(super) async fn emptied(&self) {
        while self.running() > 0 {
            tokio::time::sleep(limits::EXPRESS_EMPTY_LOOK).await;
        }
    }
}

impl Share {
    /// Takes the place of one more execution. Errors: `Full`, `ShuttingDown`.
    pub(super) fn take(room: &Arc<Room>, bytes: usize) -> Result<Share, StartError> {
        if room.slots.is_closed() {
            return Err(StartError::ShuttingDown);
        }
        if room.held.load(Ordering::Relaxed) >= room.bounds.bytes {
            return Err(StartError::Full);
        }
        room.slots.try_acquire().map_err(|_| StartError::Full)?.forget();
        Ok(Share::of(room, bytes))
    }

    /// The same for one that must run: waits for its place. None when the room is closed.
    pub(super) async fn wait(room: &Arc<Room>, bytes: usize) -> Option<Share> {
        room.slots.acquire().await.ok()?.forget();
        Some(Share::of(room, bytes))
    }

    fn of(room: &Arc<Room>, bytes: usize) -> Share {
        room.held.fetch_add(bytes, Ordering::Relaxed);
        Share { room: Arc::clone(room), bytes, most: bytes }
    }

    /// Bytes that the execution holds now.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), Outgrown> {
        let before = self.bytes;
        let held = self.room.held.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
        let all = held.saturating_sub(before);
        self.room.held.fetch_sub(before, Ordering::Relaxed);
        (self.bytes, self.most) = (bytes, self.most.max(bytes));
        let too_many = all >= self.room.bounds.bytes.saturating_mul(2);
        let grows = bytes > before;
        if bytes > self.room.bounds.execution_bytes || (too_many && grows) {
            return Err(Outgrown { bytes });
        }
        Ok(())
    }

    /// The most bytes that it has held.
    pub(super) fn most(&self) -> usize {
        self.most
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.held.fetch_sub(self.bytes, Ordering::Relaxed);
        self.room.slots.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(executions: usize, bytes: usize) -> Arc<Room> {
        Arc::new(Room::new(ExpressBounds { executions, bytes, execution_bytes: 250 }))
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_until_one_ends() {
        let room = room(2, 1_000);
        let (one, _two) = (Share::take(&room, 1).unwrap(), Share::take(&room, 1).unwrap());
        assert_eq!(Share::take(&room, 1).err(), Some(StartError::Full));
        drop(one);
        let three = Share::take(&room, 1).unwrap();
        assert_eq!(room.running(), 2);
        room.close();
        assert_eq!(Share::take(&room, 1).err(), Some(StartError::ShuttingDown));
        assert!(Share::wait(&room, 1).await.is_none());
        drop(three);
        assert_eq!(room.running(), 1);
    }

    #[test]
    fn what_is_held_keeps_new_ones_out_and_ends_those_that_grow() {
        let room = room(10, 100);
        let mut one = Share::take(&room, 10).unwrap();
        assert_eq!(one.hold(100), Ok(()));
        assert_eq!(Share::take(&room, 1).err(), Some(StartError::Full));
        assert_eq!(one.hold(199), Ok(()));
        assert_eq!(one.hold(200), Err(Outgrown { bytes: 200 }));
        assert_eq!((one.hold(30), one.most()), (Ok(()), 200));
        let mut two = Share::take(&room, 1).unwrap();
        drop(one);
        assert_eq!(two.hold(199), Ok(()));
        drop(two);
        let wide = self::room(10, 1_000);
        let mut alone = Share::take(&wide, 1).unwrap();
        assert_eq!(alone.hold(250), Ok(()));
        assert_eq!(alone.hold(251), Err(Outgrown { bytes: 251 }), "one of them alone");
        drop(alone);
        assert_eq!((room.held.load(Ordering::Relaxed), wide.held.load(Ordering::Relaxed)), (0, 0));
    }
}

//! What is durable in the log and not yet in the engine: a map in front of the engine's.
//!
//! An engine pays for each group that it applies (sled wakes its threads, redb copies its upper pages), so it is given
//! many at once; what is replaced or removed before that costs it nothing. It must never be left out by a reader, nor
//! keep anything when the engine has it.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError},
};

use super::{
    Broken, ReadError,
    engine::{Engine, View, Visit, Write},
};

/// The records changed last; none for one that was removed.
type Records = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// An engine behind the records that it was not given yet.
pub(super) struct Recent<E> {
    engine: E,
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    records: Records,
    bytes: u64,
}

/// A consistent state of both: nothing is added while it is open.
pub(super) struct RecentView<'a, E: Engine> {
    view: E::View<'a>,
    inner: RwLockReadGuard<'a, Inner>,
}

impl<E: Engine> Recent<E> {
    pub(super) fn new(engine: E) -> Self {
        Self { engine, inner: RwLock::default() }
    }

    /// Opens a view; waits while a group is being added or given on.
    pub(super) fn view(&self) -> Result<RecentView<'_, E>, Broken> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        Ok(RecentView { view: self.engine.view()?, inner })
    }

    /// The same without waiting: `None` if it would have to.
    pub(super) fn try_view(&self) -> Result<Option<RecentView<'_, E>>, Broken> {
        let inner = match self.inner.try_read() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(inner)) => inner.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(None),
        };
        Ok(self.engine.try_view()?.map(|view| RecentView { view, inner }))
    }

    /// Adds a group, all or nothing.
    pub(super) fn add(&self, writes: Vec<Write>) {
        let mut inner = self.write();
        for write in writes {
            inner.bytes += write.bytes();
            inner.records.insert(write.key, write.record);
        }
    }

    /// Bytes added since the engine was given something.
    pub(super) fn bytes(&self) -> u64 {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Gives everything to the engine.
    pub(super) fn give(&self) -> Result<(), Broken> {
        let mut inner = self.write();
        if inner.records.is_empty() {
            return Ok(());
        }
        let records = std::mem::take(&mut inner.records);
        inner.bytes = 0;
        let writes: Vec<_> =
            records.into_iter().map(|(key, record)| Write { key, record, delta: 0 }).collect();
        // Readers wait: a moment ago they saw all of it, and they must not see none.
        self.engine.apply(&writes)
    }

    /// Gives everything to the engine and lets it sync.
    pub(super) fn sync(&self) -> Result<(), Broken> {
        self.give()?;
        self.engine.sync()
    }

    /// The engine, for what does not concern records.
    pub(super) fn engine(&self) -> &E {
        &self.engine
    }

    /// The same, for one who is alone with it.
    pub(super) fn engine_mut(&mut self) -> &mut E {
        &mut self.engine
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Engine> View for RecentView<'_, E> {
    const PAYLOAD_BYTES: usize = <E::View<'_> as View>::PAYLOAD_BYTES;

    fn get<T>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Broken> {
        match self.inner.records.get(key) {
            Some(record) => Ok(record.as_deref().map(read)),
            None => self.view.get(key, read),
        }
    }

    fn scan(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), ReadError> {
        let range = self.inner.records.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)));
        if reverse {
            let before = |one: &[u8], other: &[u8]| one > other;
            merge(range.rev(), before, |show| self.view.scan(start, end, true, show), visit)
        } else {
            let before = |one: &[u8], other: &[u8]| one < other;
            merge(range, before, |show| self.view.scan(start, end, false, show), visit)
        }
    }
}

/// Shows the recent records and those of a scan of the engine in one order, until `visit` has had enough.
fn merge<'a>(
    recent: impl Iterator<Item = (&'a Vec<u8>, &'a Option<Vec<u8>>)>,
    before: impl Fn(&[u8], &[u8]) -> bool,
    scan: impl FnOnce(&mut Visit<'_>) -> Result<(), ReadError>,
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    let (mut recent, mut more) = (recent.peekable(), true);
    scan(&mut |key, raw| {
        while more && let Some((earlier, record)) = recent.next_if(|(one, _)| before(one, key)) {
            more = show(earlier, record.as_deref(), visit)?;
        }
        if more {
            more = match recent.next_if(|(one, _)| one.as_slice() == key) {
                Some((key, record)) => show(key, record.as_deref(), visit)?,
                None => visit(key, raw)?,
            };
        }
        Ok(more)
    })?;
    while more && let Some((key, record)) = recent.next() {
        more = show(key, record.as_deref(), visit)?;
    }
    Ok(())
}

/// Shows a record that was not removed; says whether to go on.
fn show(key: &[u8], record: Option<&[u8]>, visit: &mut Visit<'_>) -> Result<bool, ReadError> {
    record.map_or(Ok(true), |record| visit(key, record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_maps_are_shown_in_one_order_and_the_recent_one_counts() {
        let recent: Records =
            [("a", Some("1")), ("c", None), ("d", Some("2")), ("e", Some("3")), ("g", None)]
                .map(|(key, record)| (key.into(), record.map(Into::into)))
                .into();
        let engine = [("b", "x"), ("c", "x"), ("d", "x"), ("f", "x")];
        let shown = |reverse: bool, most: usize| {
            let mut shown = String::new();
            let visit: &mut Visit<'_> = &mut |key, raw| {
                shown.extend([key, raw].concat().into_iter().map(char::from));
                Ok(shown.len() < 2 * most)
            };
            let scan = |show: &mut Visit<'_>| {
                let mut pairs = engine;
                if reverse {
                    pairs.reverse();
                }
                for (key, raw) in pairs {
                    if !show(key.as_bytes(), raw.as_bytes())? {
                        break;
                    }
                }
                Ok(())
            };
            let merged = if reverse {
                merge(recent.iter().rev(), |one, other| one > other, scan, visit)
            } else {
                merge(recent.iter(), |one, other| one < other, scan, visit)
            };
            assert!(merged.is_ok());
            shown
        };
        assert_eq!(shown(false, 9), "a1bxd2e3fx");
        assert_eq!(shown(true, 9), "fxe3d2bxa1");
        for most in 1..=5 {
            assert_eq!(shown(false, most), "a1bxd2e3fx"[..2 * most]);
            assert_eq!(shown(true, most), "fxe3d2bxa1"[..2 * most]);
        }
    }
}

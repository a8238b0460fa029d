//! How many of a kind each account and region has, and may have: counted in memory, so that a request costs the same however
//! many there are.
//!
//! A lot is taken before something is stored and given back when that was not stored, or is gone. It begins with what was
//! counted before anything ran. It must never wait, and an allotment without a bound counts nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use stepwell_store::{HeldCounts, holder_of};

/// What each may have of a kind. Cheap to clone; all clones count together.
#[derive(Clone, Debug, Default)]
pub struct Allotment(Option<Arc<Bounded>>);

#[derive(Debug)]
struct Bounded {
    most: u64,
    held: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
}

/// One of what somebody has: dropped, there is one less.
#[derive(Debug)]
#[must_use = "dropped, it is given back"]
pub struct Lot(Option<Arc<AtomicU64>>);

/// Somebody has as many as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// So many may be.
    pub most: u64,
}

impl Allotment {
    /// Each may have as many as this, and has so many already.
    pub fn bounded(most: u64, held: HeldCounts) -> Allotment {
        let held = held.into_iter().map(|(holder, count)| (holder, Arc::new(AtomicU64::new(count))));
        Allotment(Some(Arc::new(Bounded { most, held: Mutex::new(held.collect()) })))
    }

    /// Everybody may have as many as they like.
    pub fn unbounded() -> Allotment {
        Allotment(None)
    }

    /// Takes one more for the account and the region of an ARN.
    pub fn take(&self, arn: &str) -> Result<Lot, Exhausted> {
        let Some(bounded) = &self.0 else { return Ok(Lot(None)) };
        let held = bounded.held_by(arn);
        let more = |count: u64| (count < bounded.most).then(|| count.saturating_add(1));
        match held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(Lot(Some(held))),
            Err(_) => Err(Exhausted { most: bounded.most }),
        }
    }

    /// The lot of one that is counted already.
    pub fn taken(&self, arn: &str) -> Lot {
        Lot(self.0.as_ref().map(|bounded| bounded.held_by(arn)))
    }

    /// How many the account and the region of an ARN have; none where nobody counts.
    pub fn held(&self, arn: &str) -> Option<u64> {
        self.0.as_ref().map(|bounded| bounded.held_by(arn).load(Ordering::Relaxed))
    }
}

impl Bounded {
    fn held_by(&self, arn: &str) -> Arc<AtomicU64> {
        let holder = holder_of(arn);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get(holder) {
            Some(count) => Arc::clone(count),
            None => Arc::clone(held.entry(holder.to_owned()).or_default()),
        }
    }
}

impl Lot {
    /// It stays taken: what it stands for is stored.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Lot {
    fn drop(&mut self) {
        if let Some(held) = &self.0 {
            let less = |count: u64| Some(count.saturating_sub(1));
            // It never fails: there is always an answer.
            let _ = held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arn(account: u64, name: &str) -> String {
        format!("arn:aws:states:us-east-1:{account}:stateMachine:{name}")
    }

    #[test]
    fn each_account_has_its_own_and_gets_back_what_it_drops() {
        let held = HeldCounts::from([(holder_of(&arn(1, "m")).to_owned(), 1)]);
        let machines = Allotment::bounded(2, held);
        let second = machines.take(&arn(1, "n")).unwrap();
        assert_eq!(machines.clone().take(&arn(1, "o")).err(), Some(Exhausted { most: 2 }));
        machines.take(&arn(2, "o")).unwrap().keep();
        assert_eq!(machines.held(&arn(2, "other")), Some(1));
        drop(second);
        machines.take(&arn(1, "o")).unwrap().keep();
        assert!(machines.take(&arn(1, "p")).is_err());
        drop(machines.taken(&arn(1, "m")));
        assert_eq!(machines.held(&arn(1, "m")), Some(1));
    }

    #[test]
    fn more_may_be_held_than_may_be_and_never_less_than_none() {
        let held = HeldCounts::from([(holder_of(&arn(1, "m")).to_owned(), 7)]);
        let machines = Allotment::bounded(2, held);
        assert!(machines.take(&arn(1, "n")).is_err());
        for _ in 0..9 {
            drop(machines.taken(&arn(1, "m")));
        }
        assert_eq!(machines.held(&arn(1, "m")), Some(0));
    }

    #[test]
    fn without_a_bound_nothing_is_counted() {
        let machines = Allotment::unbounded();
        machines.take(&arn(1, "m")).unwrap().keep();
        drop(machines.taken(&arn(1, "m")));
        assert_eq!(machines.held(&arn(1, "m")), None);
    }
}

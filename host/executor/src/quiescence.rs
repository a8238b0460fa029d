//! Whether anything is under way, and what is due next: virtual time is skipped only while nobody is at work.
//!
//! A shard says so after each turn; whoever hands it something that time must not overtake holds time until it is there.
//! With a real clock nobody asks, and nothing is kept. Time must never be skipped while anybody holds it: not under a task
//! that runs, nor between the end of a timer and what follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use stepwell_asl::Timestamp;
use stepwell_store::Wake;
use tokio::sync::watch;

/// What all shards and the alarm share. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Quiescence(Option<Arc<watch::Sender<State>>>);

#[derive(Default)]
struct State {
    /// How many hold time.
    holds: usize,
    /// Counts the ends of quiet times: two looks between which it has not changed saw the same.
    disturbances: u64,
    /// The first timer in the memory of each shard and each guest that has one.
    due: BTreeMap<Owner, Timestamp>,
    /// Guests so far.
    guests: u64,
    /// The last parked execution that the alarm has called.
    called: Option<Wake>,
    /// A shard has ended: what it had to do is left to the next start, and must not be overtaken.
    ended: bool,
}

/// Whose timers are in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Shard(usize),
    Guest(u64),
}

/// What there was to see while nobody was at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) disturbances: u64,
    /// The first timer in memory.
    pub(crate) due: Option<Timestamp>,
    /// Parked executions up to here have been called.
    pub(crate) called: Option<Wake>,
}

/// Time is not skipped as long as this lives.
pub(crate) struct Hold(Quiescence);

/// A shard's place among those who may be at work.
pub(crate) struct Place {
    quiescence: Quiescence,
    shard: usize,
    hold: Option<Hold>,
}

/// The place of somebody who comes and goes: an Express execution. Its end is not the end of everything.
pub(crate) struct Guest {
    quiescence: Quiescence,
    number: u64,
    hold: Option<Hold>,
}

impl Quiescence {
    /// For virtual time; the default is for real time.
    pub(crate) fn watched() -> Quiescence {
        Quiescence(Some(Arc::new(watch::Sender::default())))
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps time from being skipped.
    pub(crate) fn hold(&self) -> Hold {
        self.change(|state| {
            state.holds += 1;
            state.disturbances += 1;
            false
        });
        Hold(self.clone())
    }

    /// Notes how far the alarm has called parked executions. It holds time meanwhile.
    pub(crate) fn called(&self, wake: Wake) {
        self.change(|state| {
            state.called = Some(wake);
            false
        });
    }

    /// The place of the shard of this number. It is at work until it says otherwise.
    pub(crate) fn place(&self, shard: usize) -> Place {
        Place { quiescence: self.clone(), shard, hold: Some(self.hold()) }
    }

    /// A place for somebody new, who is at work; none where time is real and nobody asks.
    pub(crate) fn guest(&self) -> Option<Guest> {
        if !self.is_watched() {
            return None;
        }
        let mut number = 0;
        self.change(|state| {
            state.guests += 1;
            number = state.guests;
            false
        });
        Some(Guest { quiescence: self.clone(), number, hold: Some(self.hold()) })
    }

    /// Notes the first timer of an owner. Whoever calls holds time.
    fn note_due(&self, owner: Owner, due: Option<Timestamp>) {
        self.change(|state| {
            match due {
                Some(due) => drop(state.due.insert(owner, due)),
                None => drop(state.due.remove(&owner)),
            }
            false
        });
    }

    /// Waits until nobody is at work and something has happened since `seen`. `None` once a shard has ended.
    pub(crate) async fn still(&self, seen: Option<u64>) -> Option<Look> {
        let mut states = self.0.as_ref()?.subscribe();
        let is_over = |state: &State| state.ended || (state.holds == 0 && Some(state.disturbances) != seen);
        let state = states.wait_for(is_over).await.ok()?;
        let State { disturbances, called, .. } = *state;
        (!state.ended).then(|| Look { disturbances, due: state.due.values().min().copied(), called })
    }

    /// Acts if nobody has been at work since the look, and keeps everybody from beginning meanwhile.
    pub(crate) fn if_undisturbed(&self, look: &Look, act: impl FnOnce()) -> bool {
        let mut undisturbed = false;
        self.change(|state| {
            let since = state.disturbances != look.disturbances;
            undisturbed = state.holds == 0 && !since && !state.ended;
            if undisturbed {
                act();
            }
            false
        });
        undisturbed
    }

    /// `change` says whether those who wait should look.
    fn change(&self, change: impl FnOnce(&mut State) -> bool) {
        if let Some(states) = &self.0 {
            states.send_if_modified(change);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.holds -= 1;
            state.holds == 0
        });
    }
}

impl Place {
    /// Keeps time from being skipped while the shard rests.
    pub(crate) fn hold(&self) -> Hold {
        self.quiescence.hold()
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.quiescence.is_watched()
    }

    /// The shard is at work.
    pub(crate) fn work(&mut self) {
        if self.hold.is_none() {
            self.hold = Some(self.quiescence.hold());
        }
    }

    /// The shard rests, until this timer.
    pub(crate) fn rest(&mut self, due: Option<Timestamp>) {
        self.quiescence.note_due(Owner::Shard(self.shard), due);
        self.hold = None;
    }
}

impl Guest {
    /// It is at work.
    pub(crate) fn work(&mut self) {
        if self.hold.is_none() {
            self.hold = Some(self.quiescence.hold());
        }
    }

    /// It rests, until this timer.
    pub(crate) fn rest(&mut self, due: Timestamp) {
        self.quiescence.note_due(Owner::Guest(self.number), Some(due));
        self.hold = None;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Whoever has seen its timer looks again.
        self.work();
        self.quiescence.note_due(Owner::Guest(self.number), None);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.quiescence.change(|state| {
            state.ended = true;
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn look(quiescence: &Quiescence, seen: Option<u64>) -> Option<Look> {
        quiescence.still(seen).now_or_never().flatten()
    }

    #[test]
    fn it_is_still_when_nobody_is_at_work_and_something_has_happened() {
        let quiescence = Quiescence::watched();
        let (mut one, mut two) = (quiescence.place(1), quiescence.place(2));
        one.rest(Some(Timestamp(7)));
        assert_eq!(look(&quiescence, None), None);
        two.rest(Some(Timestamp(5)));
        let first = look(&quiescence, None).unwrap();
        assert_eq!(first.due, Some(Timestamp(5)));
        assert_eq!(look(&quiescence, Some(first.disturbances)), None);
        two.work();
        assert_eq!(look(&quiescence, Some(first.disturbances)), None);
        two.rest(None);
        assert_eq!(look(&quiescence, Some(first.disturbances)).unwrap().due, Some(Timestamp(7)));
    }

    #[test]
    fn nothing_is_done_when_somebody_was_at_work_since_the_look() {
        let quiescence = Quiescence::watched();
        let mut place = quiescence.place(0);
        place.rest(None);
        let seen = look(&quiescence, None).unwrap();
        let hold = quiescence.hold();
        assert!(!quiescence.if_undisturbed(&seen, || panic!("somebody holds time")));
        drop(hold);
        assert!(!quiescence.if_undisturbed(&seen, || panic!("somebody held time")));
        let seen = look(&quiescence, None).unwrap();
        assert!(quiescence.if_undisturbed(&seen, || {}));
    }

    #[test]
    fn guests_hold_time_and_have_timers_until_they_go() {
        let quiescence = Quiescence::watched();
        let mut guest = quiescence.guest().unwrap();
        assert_eq!(look(&quiescence, None), None);
        guest.rest(Timestamp(9));
        let seen = look(&quiescence, None).unwrap();
        assert_eq!(seen.due, Some(Timestamp(9)));
        guest.work();
        assert!(!quiescence.if_undisturbed(&seen, || panic!("the guest is at work")));
        drop(guest);
        assert_eq!(look(&quiescence, Some(seen.disturbances)).unwrap().due, None);
        assert!(Quiescence::default().guest().is_none());
    }

    #[tokio::test]
    async fn who_waits_hears_of_the_end_of_a_shard() {
        let quiescence = Quiescence::watched();
        let (mut one, two) = (quiescence.place(0), quiescence.place(1));
        one.rest(Some(Timestamp(1)));
        let (outcome, ()) = tokio::join!(quiescence.still(None), async { drop(two) });
        assert_eq!(outcome, None);
        assert_eq!(Quiescence::default().still(None).await, None);
    }
}

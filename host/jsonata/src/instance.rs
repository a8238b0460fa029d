//! An instance of the guest, and one call of it.
//!
//! The code runs on a stack of its own (a fibre), never on the caller's: how much stack that thread has is unknown, and
//! running over it would end the process. The future that wasmtime makes of a call is driven right here; it is
//! ready, but for the times that the call hands back control because it is slow.

use crate::bindings::{Answer, Error, EvaluatorPre, Request};
use crate::failure::Failure;
use crate::limits;
use crate::state::CallState;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wasmtime::{Engine, Store};

/// An instance that is ready for a call.
pub(crate) struct Instance {
    store: Store<CallState>,
    evaluator: crate::bindings::Evaluator,
}

impl Instance {
    /// Makes an instance: about thirty microseconds.
    pub(crate) fn new(engine: &Engine, evaluator: &EvaluatorPre<CallState>) -> Result<Self, Failure> {
        let mut store = Store::new(engine, CallState::new());
        store.limiter(|state| &mut state.memory);
        store.epoch_deadline_async_yield_and_update(limits::TURN_TICKS);
        prepare(&mut store, limits::FUEL)?;
        let evaluator = drive(evaluator.instantiate_async(&mut store), &mut || ())?;
        let evaluator = evaluator.map_err(|error| Failure::of(&error, store.data()))?;
        Ok(Self { store, evaluator })
    }

    /// Evaluates, with so much fuel. `on_slow` is called each time that the call hands back control.
    pub(crate) fn evaluate(
        &mut self,
        request: Request<'_>,
        fuel: u64,
        on_slow: &mut dyn FnMut(),
    ) -> Result<Result<Answer, Error>, Failure> {
        prepare(&mut self.store, fuel)?;
        self.store.data().clock.set(request.now_ms);
        let called = drive(self.evaluator.call_evaluate(&mut self.store, request), on_slow)?;
        called.map_err(|error| Failure::of(&error, self.store.data()))
    }

    /// Whether it is worth keeping for another call, after one that was given so much fuel.
    pub(crate) fn is_fit(&self, fuel: u64) -> bool {
        let used_fuel = self.store.get_fuel().map_or(u64::MAX, |left| fuel.saturating_sub(left));
        used_fuel <= limits::WARM_WORK && self.store.data().memory.used_bytes <= limits::WARM_MEMORY_BYTES
    }
}

/// Gives the next call its fuel and the time after which it is slow.
fn prepare(store: &mut Store<CallState>, fuel: u64) -> Result<(), Failure> {
    store.set_epoch_deadline(limits::SLOW_TICKS);
    store.set_fuel(fuel).map_err(|error| Failure::of(&error, store.data()))
}

/// Runs a future to its end on this thread.
fn drive<T>(future: impl Future<Output = T>, on_yield: &mut dyn FnMut()) -> Result<T, Failure> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..limits::MAX_YIELDS {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Ok(output);
        }
        on_yield();
    }
    Err(Failure::Fault("it waits for something".to_owned()))
}

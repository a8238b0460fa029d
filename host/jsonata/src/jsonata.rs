//! The evaluator: compiles once, keeps instances warm, and turns what a call gives into a value or an error.

use crate::bindings::{Answer, Error, EvaluatorPre};
use crate::call::Call;
use crate::failure::Failure;
use crate::instance::Instance;
use crate::state::CallState;
use crate::{child, engine, limits};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use stepwell_asl::Timestamp;
use stepwell_asl::jsonata::{Evaluation, EvaluationError, Evaluator};
use stepwell_sandbox::epoch::EpochTicker;
use stepwell_sandbox::precompiled;
use wasmtime::Engine;

/// The guest, built by `build.rs`.
const GUEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/evaluator.wasm"));

/// Evaluates JSONata in a sandbox. Any number of threads may share it.
pub struct Jsonata {
    cache: Option<PathBuf>,
    /// The program that compiles in a process of its own, into the cache.
    compiler: Option<PathBuf>,
    compiled: OnceLock<Result<Compiled, Unavailable>>,
    warm: Mutex<Vec<Instance>>,
}

/// Why nothing can be evaluated at all: this machine cannot run WebAssembly.
#[derive(Clone, Debug, thiserror::Error)]
#[error("JSONata cannot be evaluated on this machine: {0}")]
pub struct Unavailable(String);

struct Compiled {
    engine: Engine,
    evaluator: EvaluatorPre<CallState>,
    ticker: Arc<EpochTicker>,
}

impl Jsonata {
    /// Makes an evaluator; cheap. The machine code is compiled by the first call or by [`Jsonata::warm`], and kept in
    /// `cache` when that is given: a directory that only the server may write to, as its files are run.
    pub fn new(cache: Option<PathBuf>) -> Self {
        Self { cache, compiler: None, compiled: OnceLock::new(), warm: Mutex::default() }
    }

    /// Lets `program` compile in a process of its own: one that calls [`crate::child::run`]. Without a cache, or when that
    /// process fails, this one compiles.
    #[must_use]
    pub fn compiled_by(mut self, program: PathBuf) -> Self {
        self.compiler = Some(program);
        self
    }

    /// Puts the machine code into the cache.
    pub(crate) fn compile_only(&self) -> Result<(), Unavailable> {
        self.compiled().map(|_| ())
    }

    /// Compiles now, for seconds when there is no compiled code yet, so that no call has to wait for it.
    pub fn warm(&self) -> Result<(), Unavailable> {
        self.compiled()?;
        // An instance's first use of a built-in function takes milliseconds: better now than in somebody's call.
        let evaluation =
            Evaluation { expression: "$type(1)", bindings: Vec::new(), now: Timestamp(0), seed: 0 };
        self.evaluate(&evaluation).map(|_| ()).map_err(|error| Unavailable(error.to_string()))
    }

    /// Evaluates. `on_slow` is called on this thread, in the midst of the evaluation, when that has run for some
    /// milliseconds, and again each time that it has run for some more; it may block for as long as it likes, the evaluation
    /// goes on after it.
    pub fn evaluate_watched(
        &self,
        call: &Call<'_>,
        on_slow: &mut dyn FnMut(),
    ) -> Result<Option<Value>, EvaluationError> {
        if call.evaluation.expression.len() > limits::MAX_EXPRESSION_BYTES {
            let most = limits::MAX_EXPRESSION_BYTES;
            return Err(EvaluationError::Exceeded(format!("The expression is longer than {most} bytes.")));
        }
        let compiled = self.compiled().map_err(|error| Failure::Fault(error.to_string()))?;
        let _running = compiled.ticker.run();
        let kept = self.kept();
        let answer = match kept {
            Some(instance) => match self.run(instance, call, limits::WARM_FUEL, on_slow) {
                // How far a warm instance gets depends on what it did before: only a fresh one may refuse.
                Err(_) => self.run(compiled.instance()?, call, limits::FUEL, on_slow),
                answer => answer,
            },
            None => self.run(compiled.instance()?, call, limits::FUEL, on_slow),
        };
        value(answer?)
    }

    /// Runs a call in an instance and keeps the instance if it is fit for another.
    fn run(
        &self,
        mut instance: Instance,
        call: &Call<'_>,
        fuel: u64,
        on_slow: &mut dyn FnMut(),
    ) -> Result<Result<Answer, Error>, Failure> {
        let bindings = call.bindings();
        // A failure is a trap, after which nothing is known about the instance: it is dropped.
        let answer = instance.evaluate(call.request(&bindings), fuel, on_slow)?;
        if instance.is_fit(fuel) {
            let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
            if warm.len() < limits::WARM_INSTANCES {
                warm.push(instance);
            }
        }
        Ok(answer)
    }

    /// Takes a warm instance; the one used last, whose memory is nearest.
    fn kept(&self) -> Option<Instance> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn compiled(&self) -> Result<&Compiled, Unavailable> {
        self.compiled.get_or_init(|| self.compile()).as_ref().map_err(Clone::clone)
    }

    fn compile(&self) -> Result<Compiled, Unavailable> {
        let unavailable = |error: wasmtime::Error| Unavailable(format!("{error:#}"));
        let engine = engine::build().map_err(unavailable)?;
        let elsewhere = |directory: &Path| {
            if let Some(program) = &self.compiler {
                child::start(program, directory);
            }
        };
        let component = precompiled::load_or_compile(&engine, GUEST, self.cache.as_deref(), &elsewhere);
        let linker = engine::linker(&engine).map_err(unavailable)?;
        let evaluator = component.and_then(|component| linker.instantiate_pre(&component));
        let evaluator = evaluator.and_then(EvaluatorPre::new).map_err(unavailable)?;
        let ticker = EpochTicker::start(engine.clone()).map_err(|error| Unavailable(error.to_string()))?;
        Ok(Compiled { engine, evaluator, ticker })
    }
}

impl Compiled {
    fn instance(&self) -> Result<Instance, Failure> {
        Instance::new(&self.engine, &self.evaluator)
    }
}

impl Evaluator for Jsonata {
    fn evaluate(&self, evaluation: &Evaluation<'_>) -> Result<Option<Value>, EvaluationError> {
        self.evaluate_watched(&Call::new(evaluation), &mut || ())
    }
}

impl std::fmt::Debug for Jsonata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jsonata").field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// What the guest answered, in this crate's words.
fn value(answer: Result<Answer, Error>) -> Result<Option<Value>, EvaluationError> {
    let (bytes, depth) = (limits::MAX_ANSWER_BYTES >> 20, limits::MAX_ANSWER_DEPTH);
    match answer {
        Ok(Answer::Undefined) => Ok(None),
        Ok(Answer::Json(text)) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| Failure::Fault(format!("its answer is not JSON: {error}")).into()),
        Ok(Answer::Unsupported) => Err(EvaluationError::Unsupported),
        Ok(Answer::TooLong) => {
            Err(EvaluationError::Exceeded(format!("The value is longer than {bytes} MiB as JSON.")))
        }
        Ok(Answer::TooDeep) => {
            Err(EvaluationError::Exceeded(format!("The value is nested more than {depth} levels deep.")))
        }
        Err(Error { code, message }) => Err(EvaluationError::Thrown { code, message }),
    }
}

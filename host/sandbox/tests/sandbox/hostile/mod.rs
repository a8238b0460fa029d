//! The hostile corpus: modules that try everything that a module can try, one case each.
//!
//! A case is a module, its manifest, its input, and how it must end: refused at upload, or in a named error, or, where nothing is
//! exceeded, with a result which shows that nothing was reached. All cases run in one sandbox, one after the other. After each
//! of them a well-behaved module must answer as if nothing had been. Nothing here measures time; a case that has not ended
//! after four minutes counts as one that never does.

#![allow(clippy::format_collect, reason = "texts of hundreds of kilobytes at most, once")]

mod answers;
mod binaries;
mod compiling;
mod components;
mod fetches;
mod files;
mod handlers;
mod preview1;
mod programs;
mod smith;
mod tasks;

use crate::guests::{Fixture, call, stub};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stepwell_sandbox::{Call, CallError, Grants, InstallError, Limits, Manifest};

/// Longest time that a case may take: longer than an upload may be compiled. A debug build on a busy machine needs a small
/// part of it.
const LONGEST: Duration = Duration::from_mins(4);
/// Time of a call that is to meet its deadline.
const SHORT: Duration = Duration::from_millis(100);
/// What the well-behaved neighbour gets and gives.
const NEIGHBOUR: &str = r#"{"order":7}"#;

/// One hostile module and how it must end.
pub(crate) struct Case {
    name: String,
    wasm: Vec<u8>,
    manifest: Manifest,
    directories: Vec<(PathBuf, String)>,
    input: String,
    timeout: Duration,
    expected: Expected,
}

/// How a case must end.
#[derive(Clone, Copy)]
pub(crate) enum Expected {
    /// Refused at upload, with one of these variants of [`InstallError`].
    Refused(&'static [&'static str]),
    /// The call ends in an error with one of these names.
    Ends(&'static [&'static str]),
    /// The call returns, and what it returns shows that nothing was reached.
    Returns(fn(&str) -> bool),
    /// Refused with one of these variants, or it returns.
    Either(&'static [&'static str], fn(&str) -> bool),
    /// Whatever it is, it ends: refused, in an error that says something about the module, or with a result.
    Bounded,
}

impl Case {
    pub(crate) fn new(name: impl Into<String>, wasm: Vec<u8>, expected: Expected) -> Self {
        let (manifest, directories) = (Manifest::default(), Vec::new());
        let input = "null".to_owned();
        Self {
            name: name.into(),
            wasm,
            manifest,
            directories,
            input,
            timeout: Duration::from_secs(30),
            expected,
        }
    }

    /// A case that is to meet its deadline.
    pub(crate) fn endless(name: impl Into<String>, wasm: Vec<u8>) -> Self {
        Self { timeout: SHORT, ..Self::new(name, wasm, Expected::Ends(&["Sandbox.Timeout"])) }
    }

    pub(crate) fn input(self, input: impl Into<String>) -> Self {
        Self { input: input.into(), ..self }
    }

    pub(crate) fn manifest(self, manifest: Manifest) -> Self {
        Self { manifest, ..self }
    }

    pub(crate) fn limits(mut self, limits: Limits) -> Self {
        self.manifest.limits = limits;
        self
    }

    pub(crate) fn directory(mut self, host: PathBuf, guest: &str) -> Self {
        self.directories.push((host, guest.to_owned()));
        self
    }

    /// Runs the case and says how it ended.
    async fn run(&self, fixture: &Fixture) -> Ending {
        let installed = match fixture.sandbox.install(self.wasm.clone(), &self.manifest).await {
            Ok(installed) => installed,
            Err(refusal) => return Ending::Refused(refusal),
        };
        let grants = Grants {
            manifest: self.manifest.clone(),
            directories: self.directories.clone(),
            ..Grants::default()
        };
        let call = Call { grants: Arc::new(grants), timeout: self.timeout, ..call(&self.input) };
        let outcome = fixture.sandbox.invoke(&installed.digest, call).await;
        match outcome {
            Ok(output) => Ending::Returned(output.result),
            Err(error) => Ending::Failed(error),
        }
    }
}

/// How a case ended.
#[derive(Debug)]
enum Ending {
    Refused(InstallError),
    Failed(CallError),
    Returned(String),
}

impl Ending {
    /// Tells whether it is one of those that were expected. A failure of the host never is.
    fn fits(&self, expected: Expected) -> bool {
        match (self, expected) {
            (Self::Refused(InstallError::Sandbox(_)), _) => false,
            (Self::Failed(error), _) if error.is_host_failure() => false,
            (Self::Refused(refusal), Expected::Refused(variants) | Expected::Either(variants, _)) => {
                variants.contains(&variant(refusal).as_str())
            }
            (Self::Failed(error), Expected::Ends(names)) => names.contains(&error.name()),
            (Self::Returned(result), Expected::Returns(shows) | Expected::Either(_, shows)) => shows(result),
            (_, Expected::Bounded) => true,
            (Self::Refused(_), Expected::Ends(_) | Expected::Returns(_))
            | (Self::Failed(_), Expected::Refused(_) | Expected::Returns(_) | Expected::Either(..))
            | (Self::Returned(_), Expected::Refused(_) | Expected::Ends(_)) => false,
        }
    }

    /// Names how it ended.
    fn name(&self) -> String {
        match self {
            Self::Refused(refusal) => variant(refusal),
            Self::Failed(error) => error.name().to_owned(),
            Self::Returned(_) => "a result".to_owned(),
        }
    }

    /// Says in one line how it ended.
    fn told(&self) -> String {
        let mut text = match self {
            Self::Refused(refusal) => format!("refused, {}: {refusal}", variant(refusal)),
            Self::Failed(error) => format!("failed, {}: {}", error.name(), error.cause()),
            Self::Returned(result) => format!("returned {result}"),
        };
        text.truncate(text.floor_char_boundary(300));
        text.replace('\n', " | ")
    }
}

/// Returns the name of an error's variant.
fn variant(error: &InstallError) -> String {
    let text = format!("{error:?}");
    text.split(|other: char| !other.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// A sandbox with the well-behaved neighbour in it.
pub(crate) struct Arena {
    fixture: Arc<Fixture>,
    neighbour: String,
    /// How many cases ended how.
    endings: Mutex<BTreeMap<String, u32>>,
}

impl Arena {
    pub(crate) async fn open() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut stepwell_sandbox::SandboxConfig)) -> Self {
        let fixture = Arc::new(Fixture::with(|config| {
            config.memory_limit_bytes = 32 << 20;
            change(config);
        }));
        let neighbour = fixture.install(stub(r#"{"behaviour":"return_event"}"#)).await.unwrap().digest;
        Self { fixture, neighbour, endings: Mutex::default() }
    }

    /// Runs a case, then asks the neighbour. Returns what is wrong with either.
    pub(crate) async fn run(&self, case: Case) -> Option<String> {
        let name = case.name.clone();
        println!("{name}");
        let (case, fixture) = (Arc::new(case), Arc::clone(&self.fixture));
        let running = Arc::clone(&case);
        // A task of its own: the clock must run on even when the case never lets go of its thread.
        let task = tokio::spawn(async move { running.run(&fixture).await });
        let wrong = match tokio::time::timeout(LONGEST, task).await {
            Err(_) => Some(format!("{name}: it did not end")),
            Ok(Err(error)) => Some(format!("{name}: the host panicked: {error}")),
            Ok(Ok(ending)) => {
                *self.endings.lock().unwrap().entry(ending.name()).or_default() += 1;
                println!("    {}", ending.told());
                (!ending.fits(case.expected)).then(|| format!("{name}: {}", ending.told()))
            }
        };
        let neighbour =
            tokio::time::timeout(LONGEST, self.fixture.sandbox.invoke(&self.neighbour, call(NEIGHBOUR)));
        let wrong_neighbour = match neighbour.await {
            Ok(Ok(output)) if output.result == NEIGHBOUR => None,
            other => Some(format!("{name}: the neighbour got {other:?}")),
        };
        wrong.or(wrong_neighbour)
    }

    /// Runs cases and fails with the list of those that did not end as they should. Returns how many ended how.
    pub(crate) async fn run_all(&self, cases: Vec<Case>) -> BTreeMap<String, u32> {
        let (count, mut wrong) = (cases.len(), Vec::new());
        for case in cases {
            wrong.extend(self.run(case).await);
        }
        assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
        self.endings.lock().unwrap().clone()
    }
}

/// Reads WebAssembly text.
pub(crate) fn wat(text: &str) -> Vec<u8> {
    match wat::parse_str(text) {
        Ok(wasm) => wasm,
        Err(error) => panic!("{error}"),
    }
}

/// Runs each part of the corpus in a sandbox of its own.
macro_rules! parts {
    ($($test:ident: $part:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            Arena::open().await.run_all($part::cases()).await;
        }
    )+};
}

parts! {
    tasks_end: tasks,
    answers_end: answers,
    components_end: components,
    preview1_programs_end: preview1,
    programs_end: programs,
    files_end: files,
    handlers_end: handlers,
    binaries_end: binaries,
}

#[test]
fn names_are_unique() {
    let parts = [
        tasks::cases,
        answers::cases,
        components::cases,
        preview1::cases,
        programs::cases,
        files::cases,
        handlers::cases,
        binaries::cases,
    ];
    let mut names: Vec<String> = parts.iter().flat_map(|cases| cases()).map(|case| case.name).collect();
    let count = names.len();
    assert!(count >= 40, "{count}");
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

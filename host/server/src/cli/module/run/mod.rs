//! `stepwell module run`: a module in the server's sandbox, on this machine, without a server.
//!
//! It must grant nothing that a server would not grant with the same manifest.

mod account;
mod cache;
mod host;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::FalseyValueParser;
use stepwell_sandbox::{
    Call, CallContext, CallError, CallOutput, Grants, InstallError, Manifest, Sandbox, SandboxConfig,
};
use tempfile::TempDir;

use super::super::exit::Failure;
use super::super::output::Output;
use super::super::source;
use super::grants::GrantArgs;
use super::local::{self, NamedArgs};
use account::Account;
use cache::Cache;
use host::{Line, Listener};

/// Calls at the same time: one runs, and the pool has a smallest size.
const CONCURRENT_CALLS: u32 = 8;
/// Memory that a call may use, in MiB, as `serve` has it by default.
const MEMORY_MIB: u64 = 256;
/// Most memory that `serve` can be told to give a call, in MiB.
const MOST_MEMORY_MIB: u64 = 4_096;
/// The execution that a module is told it belongs to.
const EXECUTION_ARN: &str = "arn:aws:states:us-east-1:123456789012:execution:local:run";

const AFTER_HELP: &str = "\
Examples:
  stepwell module run charge-card.wasm --input '{\"order\": \"7\", \"cents\": 1999}'
  stepwell module run charge-card.wasm --input-file order.json --repeat 1000
  stepwell module run fetch.wasm --allow-http https://api.example.com --env MODE=test
  stepwell module run pay.wasm --secret API_KEY=stripe --secret-file stripe=key.txt

The result goes to standard output; log lines, heartbeats and a note of the times to standard error.
The exit code is 1 if the task fails, 2 if the module or something on the command line is refused.
Compiled code is kept in $XDG_CACHE_HOME/stepwell/modules (~/.cache/stepwell/modules).";

/// Arguments of `stepwell module run`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct RunArgs {
    /// The WebAssembly file, or a zip archive with one; `-` for standard input
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,
    /// The input [default: {}]
    #[arg(long, value_name = "JSON", env = "STEPWELL_MODULE_INPUT", conflicts_with = "input_file")]
    input: Option<String>,
    /// File with the input, `-` for standard input
    #[arg(long, value_name = "FILE", env = "STEPWELL_MODULE_INPUT_FILE")]
    input_file: Option<PathBuf>,
    /// Longest time that a call may take, as a server has it by default
    #[arg(long, value_name = "SECONDS", env = "STEPWELL_MODULE_TIMEOUT_SECONDS", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout_seconds: u64,
    /// Call it so many times, each in a fresh instance, and say how long the calls took
    #[arg(long, value_name = "N", env = "STEPWELL_MODULE_REPEAT", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    repeat: u32,
    /// The name of the Task state that the module is told
    #[arg(long, value_name = "NAME", env = "STEPWELL_MODULE_STATE_NAME", default_value = "Local")]
    state_name: String,
    /// The attempt that the module is told; 0 is the first
    #[arg(long, value_name = "N", env = "STEPWELL_MODULE_ATTEMPT", default_value_t = 0)]
    attempt: u32,
    /// The task token that the module is told
    #[arg(long, value_name = "TOKEN", env = "STEPWELL_MODULE_TASK_TOKEN")]
    task_token: Option<String>,
    /// Neither use nor keep compiled code
    #[arg(long, env = "STEPWELL_MODULE_NO_CACHE", value_parser = FalseyValueParser::new())]
    no_cache: bool,
    #[command(flatten)]
    grants: GrantArgs,
    #[command(flatten)]
    named: NamedArgs,
}

pub(super) fn run(output: &mut Output, args: &RunArgs) -> Result<(), Failure> {
    let input = input(args)?;
    let module = local::read(&args.file, &args.grants)?;
    let manifest = module.manifest.unwrap_or_default();
    for note in local::unused(&manifest, &args.named) {
        output.note(&format!("warning: {note}"));
    }
    let grants = local::resolve(manifest, &args.named)?;
    let directory = tempfile::tempdir().map_err(|error| host_failure(&error))?;
    let cache = if args.no_cache { None } else { Cache::open(output, &directory) };
    let sandbox = open(output, &directory, &grants.manifest)?;
    let running = Running { args, sandbox: &sandbox, cache: cache.as_ref(), grants: Arc::new(grants), input };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let account = runtime.map_err(|error| host_failure(&error))?.block_on(async {
        // Without this, an interrupted command would leave its directory behind.
        tokio::select! {
            account = running.run(output, module.wasm) => account,
            _ = tokio::signal::ctrl_c() => Err(interrupted()),
        }
    })?;
    account.print(output)
}

/// The JSON that the module gets.
fn input(args: &RunArgs) -> Result<String, Failure> {
    if args.input_file.as_deref().is_some_and(source::is_standard_input)
        && source::is_standard_input(&args.file)
    {
        return Err(Failure::Usage("standard input can be the module or its input, not both".to_owned()));
    }
    match (&args.input, &args.input_file) {
        (Some(text), _) => {
            source::check_json("--input", text)?;
            Ok(text.clone())
        }
        (None, Some(file)) => source::json_file(file),
        (None, None) => Ok("{}".to_owned()),
    }
}

/// A sandbox in a directory that goes away.
fn open(output: &mut Output, directory: &TempDir, manifest: &Manifest) -> Result<Sandbox, Failure> {
    let mut config = SandboxConfig::new(directory.path());
    config.max_concurrent_calls = CONCURRENT_CALLS;
    let wanted_mib = manifest.limits.memory_mib.unwrap_or(MEMORY_MIB);
    if wanted_mib > MEMORY_MIB {
        output.note(&format!(
            "warning: a server gives a call {MEMORY_MIB} MiB of memory unless it is started with --memory-limit-mib {wanted_mib}"
        ));
    }
    config.memory_limit_bytes = wanted_mib.clamp(MEMORY_MIB, MOST_MEMORY_MIB) << 20;
    Sandbox::open(config).map_err(|error| host_failure(&error))
}

/// What all steps of the command need.
struct Running<'a> {
    args: &'a RunArgs,
    sandbox: &'a Sandbox,
    cache: Option<&'a Cache>,
    grants: Arc<Grants>,
    input: String,
}

impl Running<'_> {
    async fn run(&self, output: &mut Output, wasm: Vec<u8>) -> Result<Account, Failure> {
        let mut account = self.install(output, wasm).await?;
        for number in 0..self.args.repeat {
            let outcome = self.call(output, &mut account, number == 0).await;
            let failed = outcome.is_err();
            account.outcome = Some(outcome);
            if failed {
                break;
            }
        }
        Ok(account)
    }

    /// Has the sandbox check and compile the module, with what is known of earlier runs.
    async fn install(&self, output: &mut Output, wasm: Vec<u8>) -> Result<Account, Failure> {
        let sha256 = local::sha256(&wasm);
        let kept = self.cache.and_then(|cache| cache.read(&sha256));
        let was_kept = kept.is_some();
        if let Some(artifact) = kept {
            self.sandbox.bring_compiled(&sha256, artifact).await.map_err(|error| host_failure(&error))?;
        } else {
            output.progress("compiling ...");
        }
        let installed = self.sandbox.install(wasm, &self.grants.manifest).await;
        let module = installed.map_err(|error| refusal(&self.args.file, &error))?;
        // What was kept and does not fit was compiled again.
        let compiled = !was_kept || module.compile_milliseconds > 0;
        if let Some(cache) = self.cache.filter(|_| compiled)
            && let Ok(Some(artifact)) = self.sandbox.compiled(&module.digest).await
        {
            cache.write(output, &module.digest, &artifact);
        }
        Ok(Account::new(module, compiled))
    }

    /// Calls the module once; only of the first call lines are shown.
    async fn call(
        &self,
        output: &mut Output,
        account: &mut Account,
        first: bool,
    ) -> Result<CallOutput, CallError> {
        let (listener, host) = Listener::new(first);
        let call = Call {
            input: self.input.clone(),
            context: CallContext {
                execution_arn: EXECUTION_ARN.to_owned(),
                state_name: self.args.state_name.clone(),
                attempt: self.args.attempt,
                idempotency_key: uuid::Uuid::new_v4().to_string(),
                task_token: self.args.task_token.clone(),
            },
            timeout: Duration::from_secs(self.args.timeout_seconds),
            grants: Arc::clone(&self.grants),
            queue: Arc::from(EXECUTION_ARN),
            host,
        };
        let started = Instant::now();
        let invoked = async {
            let outcome = self.sandbox.invoke(&account.module.digest, call).await;
            (outcome, started.elapsed())
        };
        let mut lines = Vec::new();
        let hear = |line: Line| {
            line.print(output);
            lines.push(line);
        };
        let (outcome, took) = listener.listen(invoked, hear).await;
        account.lines.append(&mut lines);
        account.times.push(took);
        outcome
    }
}

/// Why a module cannot be installed.
fn refusal(file: &Path, error: &InstallError) -> Failure {
    if let InstallError::Sandbox(error) = error {
        return host_failure(error);
    }
    let help =
        if matches!(error, InstallError::NotGranted { .. }) { "; or give --allow-http URL" } else { "" };
    Failure::Usage(format!("{}: {error}{help}", source::label(file)))
}

fn interrupted() -> Failure {
    Failure::NotSucceeded { message: "interrupted".to_owned(), hint: None }
}

/// Something is wrong with this machine, and nothing with the module.
fn host_failure(error: &dyn std::fmt::Display) -> Failure {
    Failure::NotSucceeded { message: error.to_string(), hint: None }
}

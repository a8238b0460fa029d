//! The JavaScript reference of JSONata, in a child process of node (`jsonata-js/run.mjs`).
//!
//! It is the npm package `jsonata` in the version that `jsonata-js/package-lock.json` names, and no other package. Where
//! node or npm is missing, or the package cannot be fetched, there is no baseline, and the benchmark says so.

use crate::sample::Sample;
use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// The child process.
pub struct Reference {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    cpu: Duration,
    /// Its versions, such as `jsonata 2.2.2, node v20.20.2`.
    pub version: String,
}

/// Why there is no reference, for people.
#[derive(Clone, Debug)]
pub struct Missing(pub String);

impl Reference {
    /// Starts it; fetches the package first where that has not happened yet.
    pub fn open() -> anyhow::Result<Result<Reference, Missing>> {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/jsonata-js"));
        if let Err(missing) = fetch(&folder)? {
            return Ok(Err(missing));
        }
        let mut command = Command::new("node");
        let command = command.arg(folder.join("run.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Err(Missing::program("node"))),
            Err(error) => return Err(error).context("node does not start"),
        };
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("node has no output")?);
        let mut reference =
            Reference { child, requests, answers, cpu: Duration::ZERO, version: String::new() };
        let about = reference.answer()?;
        let [jsonata, node] = ["jsonata", "node"].map(|name| about[name].as_str().unwrap_or("?").to_owned());
        reference.version = format!("jsonata {jsonata}, node {node}");
        Ok(Ok(reference))
    }

    /// Evaluates again and again until the window is over; gives the last result too. Parsing is not counted.
    pub fn run(
        &mut self,
        expression: &str,
        states: &Value,
        length: Duration,
    ) -> anyhow::Result<(Sample, Value)> {
        let milliseconds = length.as_secs_f64() * 1e3;
        let request = json!({"expression": expression, "states": states, "milliseconds": milliseconds});
        let requests = self.requests.as_mut().context("node is gone")?;
        writeln!(requests, "{request}").context("node takes no more requests")?;
        let mut answer = self.answer()?;
        if let Some(error) = answer.get("error") {
            bail!("the reference refuses {expression}: {error}");
        }
        let seconds = |name: &str| answer[name].as_f64().and_then(|s| Duration::try_from_secs_f64(s).ok());
        let number = answer["evaluations"].as_u64();
        let (Some(count), Some(elapsed), Some(cpu), Some(all)) =
            (number, seconds("seconds"), seconds("cpuSeconds"), seconds("allCpuSeconds"))
        else {
            bail!("the reference answered {answer}");
        };
        self.cpu = all;
        Ok((Sample { count, elapsed, cpu, latencies: Vec::new() }, answer["result"].take()))
    }

    /// Processor time that the child had used when it answered last.
    pub fn cpu(&self) -> Duration {
        self.cpu
    }

    fn answer(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line).context("node does not answer")?;
        serde_json::from_str(&line).with_context(|| format!("node answered {line:?}"))
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // The end of its input is its end.
        drop(self.requests.take());
        let _ = self.child.wait();
    }
}

impl Missing {
    fn program(name: &str) -> Missing {
        Missing(format!("{name} is not here"))
    }
}

/// Installs the package into `node_modules`, if it is not there.
fn fetch(folder: &Path) -> anyhow::Result<Result<(), Missing>> {
    if folder.join("node_modules/jsonata/package.json").is_file() {
        return Ok(Ok(()));
    }
    eprintln!("fetching the JavaScript reference of JSONata: npm ci ...");
    let mut command = Command::new("npm");
    let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    match command.args(arguments).current_dir(folder).output() {
        Ok(output) if output.status.success() => Ok(Ok(())),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let reason = said.lines().find(|line| line.contains("error")).unwrap_or("it says nothing");
            Ok(Err(Missing(format!("npm ci failed: {reason}"))))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Err(Missing::program("npm"))),
        Err(error) => Err(error).context("npm does not start"),
    }
}

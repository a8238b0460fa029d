//! `stepwell test`: runs the test cases of files against real executions, in virtual time, on servers of its own.
//!
//! What it does a script can do too: it starts `stepwell serve` and speaks its API.

mod file;
mod judge;
mod junit;
mod mocks;
mod run;
mod server;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::arn::Identity;
use super::exit::Failure;
use super::output::{Output, printable};
use file::TestFile;
use run::{Bench, Report};

/// The end of the names of files that are found in directories.
const SUFFIX: &str = ".test.json";

/// Arguments of `stepwell test`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  stepwell test order.test.json
  stepwell test workflows/ --junit report.xml
  stepwell test order.test.json --filter declined

A file names a machine and its cases, each with its input, what its tasks answer, and what is
expected of output, path and history; docs/testing-workflows.md describes it. Each file gets a server
of its own, in memory and in virtual time. The exit code is 1 if a case fails, 2 if a file is wrong.")]
pub(crate) struct TestArgs {
    /// Files of test cases, and directories that hold files named *.test.json
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Run only the cases with this text in their name
    #[arg(long, value_name = "TEXT", env = "STEPWELL_CASE_FILTER")]
    filter: Option<String>,
    /// Longest real time that a case may take
    #[arg(long, value_name = "SECONDS", env = "STEPWELL_CASE_TIMEOUT", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Also write the report to this file, as JUnit XML
    #[arg(long, value_name = "FILE", env = "STEPWELL_JUNIT_FILE")]
    junit: Option<PathBuf>,
    // Last: its heading would stand above all that follow.
    #[command(flatten)]
    identity: Identity,
}

/// The reports of one file.
struct FileReport {
    file: String,
    cases: Vec<Report>,
}

/// Runs `stepwell test`.
pub(crate) fn run(output: &mut Output, args: &TestArgs) -> Result<(), Failure> {
    let mut reports = Vec::new();
    for path in find(&args.files)? {
        let file = TestFile::read(&path)?;
        reports.push(run_file(output, args, &path, &file)?);
    }
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for case in reports.iter().flat_map(|report| &report.cases) {
        *(if case.differences.is_empty() { &mut passed } else { &mut failed }) += 1;
    }
    if let Some(path) = &args.junit {
        junit::write(path, &reports)?;
    }
    if output.wants_json() {
        output.json(&json!({"passed": passed, "failed": failed, "files": as_json(&reports)}))?;
    } else {
        output.line(&format!("\n{passed} passed, {failed} failed"))?;
    }
    match (passed, failed) {
        (0, 0) => {
            Err(Failure::Usage("no case was run: none has a name with the text of --filter".to_owned()))
        }
        (_, 0) => Ok(()),
        _ => Err(Failure::NotSucceeded {
            message: format!("{failed} of {} cases failed", passed + failed),
            hint: None,
        }),
    }
}

fn run_file(
    output: &mut Output,
    args: &TestArgs,
    path: &Path,
    file: &TestFile,
) -> Result<FileReport, Failure> {
    let wanted = |name: &str| args.filter.as_deref().is_none_or(|text| name.contains(text));
    let mut report = FileReport { file: path.display().to_string(), cases: Vec::new() };
    if !file.cases.iter().any(|case| wanted(&case.name)) {
        return Ok(report);
    }
    if !output.wants_json() {
        output.line(&report.file)?;
    }
    output.progress("starting a server ...");
    let bench = Bench::set_up(file, &args.identity, Duration::from_secs(args.timeout))
        .map_err(|failure| failure.in_file(&report.file))?;
    for (number, case) in file.cases.iter().enumerate().filter(|(_, case)| wanted(&case.name)) {
        output.progress(&format!("{} ...", case.name));
        let case = bench.run(number, case, output)?;
        if !output.wants_json() {
            show(output, &case)?;
        }
        report.cases.push(case);
    }
    Ok(report)
}

fn show(output: &mut Output, case: &Report) -> Result<(), Failure> {
    let outcome = if case.differences.is_empty() { "ok  " } else { "FAIL" };
    output.line(&format!("  {outcome}  {}  ({} ms)", printable(&case.case), case.took.as_millis()))?;
    for difference in &case.differences {
        for line in difference.lines() {
            output.line(&format!("        {}", printable(line)))?;
        }
    }
    Ok(())
}

fn as_json(reports: &[FileReport]) -> serde_json::Value {
    let case = |case: &Report| {
        let milliseconds = u64::try_from(case.took.as_millis()).unwrap_or(u64::MAX);
        json!({"name": case.case, "differences": case.differences, "milliseconds": milliseconds})
    };
    let file = |report: &FileReport| json!({"file": report.file, "cases": report.cases.iter().map(case).collect::<Vec<_>>()});
    reports.iter().map(file).collect()
}

/// The files, and those in directories, at any depth, in the order of their names.
fn find(given: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in given {
        if path.is_dir() {
            let before = files.len();
            search(path, &mut files)
                .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
            if files.len() == before {
                return Err(Failure::Usage(format!("{}: no file named *{SUFFIX} is there", path.display())));
            }
            files[before..].sort();
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn search(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        // A link to a directory could lead back here.
        if entry.file_type()?.is_dir() {
            search(&path, files)?;
        } else if path.to_string_lossy().ends_with(SUFFIX) {
            files.push(path);
        }
    }
    Ok(())
}

//! Runs the program under test on an image, traced.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::Settings;
use crate::{
    image::Image,
    trace::Trace,
    tracer,
    workload::{
        Ending, Orders,
        engine::{Engine, Syncs},
        plan::Plan,
    },
};

/// Time for one run, after which it counts as hung. A run takes well under a second.
const LIMIT: Duration = Duration::from_mins(1);

/// One run of the program under test.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) plan: Plan,
    pub(super) trace: Trace,
    /// What it said on its standard error: the text of a panic.
    pub(super) stderr: String,
}

/// Starts runs, one after the other, in one directory.
pub(super) struct Runner {
    place: TempDir,
    engine: Engine,
    syncs: Syncs,
    program: PathBuf,
}

impl Runner {
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let place = tempfile::tempdir()?;
        let (engine, syncs, program) = (settings.engine, settings.syncs, settings.program.clone());
        Ok(Self { place, engine, syncs, program })
    }

    /// Runs the program on a directory with this content.
    pub(super) fn live(&self, image: &Image, plan: Plan, ending: Ending, cache_bytes: u64) -> Result<Life> {
        let place = self.place.path().canonicalize()?;
        let (directory, journal) = (place.join("watched"), place.join("journal"));
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        image.write(&directory)?;
        File::create(&journal)?;
        let errors = place.join("stderr");
        let orders = Orders {
            engine: self.engine,
            syncs: self.syncs,
            directory: directory.clone(),
            journal: journal.clone(),
            plan,
            cache_bytes,
            ending,
            traced: true,
        };
        let mut command = Command::new(&self.program);
        command.arg("life").arg(serde_json::to_string(&orders)?);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&errors)?);
        let trace = tracer::run(&mut command, &directory, &journal, LIMIT);
        let stderr = fs::read_to_string(&errors)?;
        let trace = trace.with_context(|| format!("following the workload, which said: {stderr:?}"))?;
        Ok(Life { plan, trace, stderr })
    }
}

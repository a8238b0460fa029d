//! Rounds of power cuts: run the workload, cut, let the store come up again, judge; then cut that run, too.
//!
//! One round is one cut and the run after it. It must count every round in exactly one outcome, and a run that the
//! rig itself could not follow is an error, not an outcome.

mod aim;
mod life;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::life::{Life, Runner};
pub use self::report::Report;
use crate::{
    image::Image,
    knowledge::Knowledge,
    trace::Trace,
    verdict::{Verdict, judge},
    volatile::{self, Cut},
    workload::{
        Ending,
        engine::{Engine, Syncs},
        plan::Plan,
    },
};

/// Cuts of one first run.
const CUTS_PER_TRACE: u32 = 8;
/// Most cuts in a row: each hits the run that came up after the one before.
const CRASHES_IN_A_ROW: u16 = 4;
/// Tasks that commit at the same time.
const TASKS: u8 = 8;
/// Steps of each task in the first run, and in those after a cut.
const FIRST_STEPS: u32 = 12;
const LATER_STEPS: u32 = 3;

/// What to run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The engine under test.
    pub engine: Engine,
    /// Cuts.
    pub rounds: u32,
    /// Decides what is written, where it is cut and what survives.
    pub seed: u64,
    /// Where to leave directory, trace and journal of rounds that failed.
    pub keep: Option<PathBuf>,
    /// Whether the store's syncs of files do nothing.
    pub syncs: Syncs,
    /// The program that runs the workload when called with `life` and its orders.
    pub program: PathBuf,
}

/// Runs the rounds; `progress` is told after each.
pub fn run(settings: &Settings, mut progress: impl FnMut(&Report)) -> Result<Report> {
    let mut rig = Rig {
        runner: Runner::new(settings)?,
        random: fastrand::Rng::with_seed(settings.seed),
        report: Report::default(),
        settings,
        progress: &mut progress,
    };
    // Each turn does at least one round.
    while rig.report.rounds() < settings.rounds {
        rig.lineage()?;
    }
    Ok(rig.report)
}

struct Rig<'a> {
    settings: &'a Settings,
    runner: Runner,
    random: fastrand::Rng,
    report: Report,
    progress: &'a mut dyn FnMut(&Report),
}

impl Rig<'_> {
    /// A store from its creation on: several cuts of its first run, and of the runs after these.
    fn lineage(&mut self) -> Result<()> {
        let plan = Plan { seed: self.random.u64(..), life: 0, tasks: TASKS, steps: FIRST_STEPS };
        let known = Knowledge::default();
        let ending = self.ending();
        let first = self.live(&Image::default(), plan, ending)?;
        let verdict = judge(&first.trace, &plan, &known);
        if verdict != Verdict::Sound {
            // No power was cut: the store or the workload is broken, and there is nothing to measure.
            self.keep(&first, &Image::default(), None, &verdict)?;
            anyhow::bail!("the first run failed before any cut: {verdict:?}");
        }
        self.observe(&first);
        for _ in 0..CUTS_PER_TRACE {
            self.crash_in_a_row(&first, &known)?;
        }
        Ok(())
    }

    /// Cuts a run, lets the store come up, and perhaps cuts that run as well.
    fn crash_in_a_row(&mut self, first: &Life, known: &Knowledge) -> Result<()> {
        let (mut life, mut known) = (first.clone(), known.clone());
        for crash in 1..=CRASHES_IN_A_ROW {
            if self.report.rounds() >= self.settings.rounds {
                return Ok(());
            }
            let cut = aim::cut(&life.trace, crash > 1, &mut self.random);
            known = known.after(&life.plan, life.trace.notes(cut.at));
            let image = volatile::after(&life.trace, &cut)?;
            let plan = Plan { life: crash, steps: LATER_STEPS, seed: self.random.u64(..), ..life.plan };
            let ending = self.ending();
            let next = self.live(&image, plan, ending)?;
            let verdict = judge(&next.trace, &plan, &known);
            if verdict != Verdict::Sound {
                self.keep(&next, &image, Some((&life.trace, &cut)), &verdict)?;
            }
            let sound = verdict == Verdict::Sound;
            self.report.add(cut.model, crash, verdict);
            self.observe(&next);
            (self.progress)(&self.report);
            if !sound || self.random.bool() {
                return Ok(());
            }
            life = next;
        }
        Ok(())
    }

    fn ending(&mut self) -> Ending {
        if self.random.bool() { Ending::Abrupt } else { Ending::Reopened }
    }

    fn live(&mut self, image: &Image, plan: Plan, ending: Ending) -> Result<Life> {
        // A small cache makes the engine write pages out and read them again.
        let cache_bytes = *self.random.choice(&[1 << 20, 64 << 20]).unwrap_or(&(64 << 20));
        self.runner.live(image, plan, ending, cache_bytes)
    }

    fn observe(&mut self, life: &Life) {
        self.report.observe(&life.trace, &crate::sync_order::check(&life.trace, &life.plan));
    }

    fn keep(
        &self,
        life: &Life,
        image: &Image,
        before: Option<(&Trace, &Cut)>,
        verdict: &Verdict,
    ) -> Result<()> {
        let Some(keep) = &self.settings.keep else { return Ok(()) };
        let place = keep.join(format!("{}-{}", self.settings.engine, self.report.rounds()));
        write_evidence(&place, life, image, before, verdict)
            .with_context(|| format!("keeping a failed round in {}", place.display()))
    }
}

/// Leaves what is needed to look into a failure.
fn write_evidence(
    place: &Path,
    life: &Life,
    image: &Image,
    before: Option<(&Trace, &Cut)>,
    verdict: &Verdict,
) -> Result<()> {
    if place.exists() {
        std::fs::remove_dir_all(place)?;
    }
    image.write(&place.join("directory"))?;
    let mut text = format!("{verdict:#?}\n{:#?}\n{}\n", life.plan, life.stderr);
    text += &listing("the run after the cut", &life.trace);
    if let Some((trace, cut)) = before {
        text += &listing(&format!("the run before {cut:?}"), trace);
    }
    Ok(std::fs::write(place.join("report.txt"), text)?)
}

fn listing(title: &str, trace: &Trace) -> String {
    let files = trace.initial_files().map(|(file, path, content)| {
        format!("file {} is {}, {} bytes\n", file.0, path.display(), content.len())
    });
    let events = trace.events.iter().enumerate().map(|(at, event)| format!("{at:6} {event}\n"));
    format!("== {title}\n{}{}", files.collect::<String>(), events.collect::<String>())
}

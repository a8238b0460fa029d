//! One run of the program under test, by orders that the rig gives it.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use stepwell_store::{Backend, Batch, KeyRange, Space};

use super::{
    engine::{self, Engine, Syncs},
    plan::{self, Plan, SPACES, Step},
};
use crate::note::{Entry, Note};

/// Records read at a time.
const PAGE: usize = 500;

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The process just ends.
    Abrupt,
    /// The store is closed, opened again, and all of it read once more.
    Reopened,
}

/// What one run does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Orders {
    /// The engine under test.
    pub engine: Engine,
    /// What its syncs do.
    pub syncs: Syncs,
    /// The directory in which the store lies; it exists, the store may not.
    pub directory: PathBuf,
    /// The file for notes; it exists.
    pub journal: PathBuf,
    /// What to commit.
    pub plan: Plan,
    /// Memory for the engine's cache, in bytes.
    pub cache_bytes: u64,
    /// How to end.
    pub ending: Ending,
    /// Whether it runs under the tracer.
    pub traced: bool,
}

/// The journal: one line a note.
#[derive(Debug, Clone)]
struct Journal(Arc<Mutex<File>>);

impl Journal {
    fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().append(true).open(path).context("opening the journal")?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    fn note(&self, note: &Note) -> Result<()> {
        let mut line = serde_json::to_vec(note)?;
        line.push(b'\n');
        // A local file takes the whole line in one call.
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)?)
    }
}

/// Runs by the orders. A store that refuses to open or fails is a note, not an error.
pub fn live(orders: &Orders) -> Result<()> {
    if orders.traced {
        crate::tracer::submit()?;
    }
    let journal = Journal::open(&orders.journal)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    runtime.block_on(async {
        let Some(store) = open(orders, &journal).await? else { return Ok(()) };
        run_tasks(orders.plan, &store, &journal).await?;
        if orders.ending == Ending::Reopened {
            journal.note(&Note::Closing)?;
            if let Err(error) = store.close().await {
                journal.note(&Note::Failed(format!("closing: {error}")))?;
            }
            drop(store);
            let _ = open(orders, &journal).await?;
        }
        journal.note(&Note::Done)?;
        // Here, before anything is dropped: no destructor may sync what was not synced.
        std::process::exit(0)
    })
}

/// Opens the store and notes what it holds; none if that fails.
async fn open(orders: &Orders, journal: &Journal) -> Result<Option<Arc<dyn Backend>>> {
    journal.note(&Note::Opening)?;
    let store = match engine::open(orders.engine, &orders.directory, orders.cache_bytes, orders.syncs) {
        Ok(store) => store,
        Err(error) => {
            journal.note(&Note::Refused(error.to_string()))?;
            return Ok(None);
        }
    };
    journal.note(&Note::Opened)?;
    match read_all(&*store).await {
        Ok(found) => journal.note(&Note::Found(found))?,
        Err(error) => {
            journal.note(&Note::Failed(format!("reading: {error}")))?;
            return Ok(None);
        }
    }
    Ok(Some(store))
}

async fn read_all(store: &dyn Backend) -> Result<Vec<Entry>, stepwell_store::StoreError> {
    let mut found = Vec::new();
    for space in SPACES {
        let mut rest = Some(KeyRange::all());
        // Each page is shorter by what it has read.
        while let Some(range) = rest {
            let page = store.scan(Space::new(space), range, false, PAGE).await?;
            for (key, value) in page.items {
                let key = [&[space], &key[..]].concat();
                found.push((key, plan::print(&value)));
            }
            rest = page.next;
        }
    }
    Ok(found)
}

async fn run_tasks(plan: Plan, store: &Arc<dyn Backend>, journal: &Journal) -> Result<()> {
    let tasks: Vec<_> = (0..plan.tasks)
        .map(|task| tokio::spawn(run_task(plan, task, Arc::clone(store), journal.clone())))
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

/// Does the steps of a task, each after the acknowledgement of the one before it.
async fn run_task(plan: Plan, task: u8, store: Arc<dyn Backend>, journal: Journal) -> Result<()> {
    for step in 0..plan.steps {
        let planned = plan.step(task, step);
        journal.note(&Note::Begun(task, step))?;
        let outcome = match planned {
            Step::Batch(writes) => store.commit(batch(writes)).await.map(drop),
            Step::DeleteFirst(most) => {
                let (space, prefix) = plan::history_of(task);
                store.delete_range(Space::new(space), KeyRange::prefix(prefix), most).await.map(drop)
            }
        };
        match outcome {
            Ok(()) => journal.note(&Note::Acknowledged(task, step))?,
            Err(error) => return journal.note(&Note::Failed(format!("task {task}, step {step}: {error}"))),
        }
    }
    Ok(())
}

fn batch(writes: Vec<plan::Write>) -> Batch {
    let mut batch = Batch::new();
    for write in writes {
        let (space, key) = (Space::new(write.key[0]), write.key[1..].to_vec());
        match write.value {
            Some(value) => batch.put(space, key, value),
            None => batch.delete(space, key),
        };
    }
    batch
}

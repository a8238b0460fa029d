//! Opening: puts an executor together, has what was open woken up, and what was left removed.
//!
//! It must never wait: what the store has is read by tasks of their own.

use super::shards::{ShardHandle, Shards};
use super::{Executor, ExecutorConfig};
use crate::activities::Activities;
use crate::alarm::Alarm;
use crate::clock::Clock;
use crate::deletions::Deletions;
use crate::endings::Endings;
use crate::error::ExecutorError;
use crate::express::{Express, ExpressParts};
use crate::expressions::Expressions;
use crate::ids::Ids;
use crate::integration::Integration;
use crate::lane::Lane;
use crate::limits;
use crate::load::ShardLoad;
use crate::machines::Machines;
use crate::observer::{NoObserver, Observer};
use crate::quiescence::Quiescence;
use crate::retention::Retention;
use crate::revive::Reviver;
use crate::shard::{Parts, Shard, Ties};
use crate::skipper::Skipper;
use crate::stall::Stall;
use crate::virtual_clock::{Skipping, VirtualClock};
use std::sync::Arc;
use stepwell_store::{Store, StoreError};
use tokio::sync::{Semaphore, mpsc};
use tracing::debug;

impl Executor {
    /// Starts the shards. What the store has open goes on by itself, and what somebody asks for first. Virtual time is
    /// skipped as its clock says.
    pub fn open(
        store: Store,
        integration: Arc<dyn Integration>,
        expressions: Arc<dyn Expressions>,
        clock: Arc<dyn Clock>,
        config: ExecutorConfig,
    ) -> Result<Executor, ExecutorError> {
        Executor::open_observed(store, integration, expressions, clock, config, Arc::new(NoObserver))
    }

    /// The same, and has executions watched.
    pub fn open_observed(
        store: Store,
        integration: Arc<dyn Integration>,
        expressions: Arc<dyn Expressions>,
        clock: Arc<dyn Clock>,
        config: ExecutorConfig,
        observer: Arc<dyn Observer>,
    ) -> Result<Executor, ExecutorError> {
        let machines = Arc::new(Machines::new(store.clone()));
        let reviver = Reviver {
            store: store.clone(),
            machines: Arc::clone(&machines),
            expressions: Arc::clone(&expressions),
        };
        let deletions = Arc::<Deletions>::default();
        let activities = Arc::<Activities>::default();
        let parts = Parts {
            store: store.clone(),
            reviver,
            integration: Arc::clone(&integration),
            activities: Arc::clone(&activities),
            clock: Arc::clone(&clock),
            lane: Arc::new(Lane::open(expressions)?),
            ids: Arc::new(Ids::new(config.seed, &clock)),
            quotas: config.quotas,
            open: config.open_executions,
            observer,
            deletions: Arc::clone(&deletions),
        };
        let skipping = clock.as_virtual().map(VirtualClock::skipping);
        let quiescence = if skipping.is_some() { Quiescence::watched() } else { Quiescence::default() };
        let express = Express::open(ExpressParts {
            store: store.clone(),
            machines: Arc::clone(&machines),
            integration: Arc::clone(&integration),
            observer: Arc::clone(&parts.observer),
            clock: Arc::clone(&clock),
            lane: Arc::downgrade(&parts.lane),
            ids: Arc::clone(&parts.ids),
            quotas: config.quotas,
            quiescence: quiescence.clone(),
            bounds: config.express,
        });
        let shards = (0..config.shards.max(1)).map(|number| {
            let (sender, inbox) = mpsc::channel(config.mailbox.max(1));
            let (endings, stall) = (Arc::<Endings>::default(), Arc::<Stall>::default());
            let load = Arc::<ShardLoad>::default();
            let place = quiescence.place(number);
            let ties = Ties {
                endings: Arc::clone(&endings),
                stall: Arc::clone(&stall),
                load: Arc::clone(&load),
                place,
            };
            tokio::spawn(Shard::new(parts.clone(), ties, sender.clone(), inbox).run());
            ShardHandle { sender, revivals: Arc::new(Semaphore::new(limits::REVIVALS)), endings, stall, load }
        });
        let shards = Shards(shards.collect());
        // The shards alone keep the lane: it ends with the last of them.
        drop(parts);
        if let Some(keep) = config.retention {
            let clock = Arc::clone(&clock);
            tokio::spawn(Retention { store: store.clone(), shards: shards.clone(), clock, keep }.run());
        }
        let recovery = quiescence.hold();
        let skipper =
            Skipper { quiescence: quiescence.clone(), store: store.clone(), clock: Arc::clone(&clock) };
        let alarm = Alarm { store: store.clone(), shards: shards.clone(), clock, quiescence };
        tokio::spawn(alarm.clone().recover(recovery));
        tokio::spawn(alarm.ring());
        if skipping == Some(Skipping::Auto) {
            tokio::spawn(skipper.clone().run());
        }
        tokio::spawn(sweep_leftovers(store.clone()));
        Ok(Executor {
            store,
            activities,
            machines,
            shards,
            integration,
            quotas: config.quotas,
            skipper,
            express,
            deletions,
        })
    }
}

/// Removes what the executions that ended in an earlier life have left in the store. Those of this life remove
/// theirs themselves; that both may do it harms nothing.
async fn sweep_leftovers(store: Store) {
    loop {
        let swept = async {
            let page = store.leftovers(limits::LEFTOVERS_PAGE).await?;
            for id in &page {
                store.sweep(*id).await?;
            }
            Ok::<_, StoreError>(page.len())
        };
        match swept.await {
            Ok(0) => return,
            Ok(_) => {}
            Err(failure) => {
                debug!(%failure, "parts of ended executions stay until the next start");
                return;
            }
        }
    }
}

//! Which contents must stay, and the removal of those that nothing needs.
//!
//! A content is needed by a module, by a version, by an execution that began with it (`past`), or by a call that has begun
//! and not ended. It must never be removed
//! between its installation and the moment when a name points to it: uploads and removals exclude each other.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{MutexGuard, Notify};

use super::{ModuleError, Modules};
use crate::limits;

/// What is known about contents beside the store.
#[derive(Default)]
pub(super) struct Contents {
    /// Held by uploads, and by whoever removes contents.
    uploads: tokio::sync::Mutex<()>,
    /// Contents that were needed and may be no more.
    doomed: Mutex<BTreeSet<String>>,
    /// Told when calls let go of a content.
    let_go: Arc<Notify>,
}

impl Contents {
    /// Told when calls let go of a content.
    pub(super) fn let_go(&self) -> Arc<Notify> {
        Arc::clone(&self.let_go)
    }

    /// Waits until no other upload and no removal is under way.
    pub(super) async fn uploading(&self) -> MutexGuard<'_, ()> {
        self.uploads.lock().await
    }

    fn doomed(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.doomed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Modules {
    /// Removes contents that nothing needs, as long as this is polled: first whatever nobody names, then what
    /// calls let go of, and every ten minutes again whatever nobody names.
    pub(crate) async fn keep_clean(&self) -> Infallible {
        loop {
            if let Err(error) = self.forget_past(self.clock.now()).await {
                tracing::warn!(%error, "what modules were before is kept for now");
            }
            self.sweep().await;
            let next = tokio::time::sleep(limits::SWEEP_EVERY);
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = &mut next => break,
                    () = self.contents.let_go.notified() => {}
                }
                if self.contents.doomed().is_empty() {
                    continue;
                }
                let _uploading = self.contents.uploading().await;
                self.collect_while_uploading().await;
            }
        }
    }

    /// Removes every content that nothing needs, also what a crash or an upload that broke off has left.
    pub(crate) async fn sweep(&self) {
        let _uploading = self.contents.uploading().await;
        match self.sandbox.installed().await {
            Ok(installed) => self.doom(installed),
            Err(error) => tracing::warn!(%error, "cannot tell which contents of modules there are"),
        }
        self.collect_while_uploading().await;
    }

    /// Removes those of these contents that nothing needs any more, at once or when calls let go of them.
    pub(super) async fn let_go(&self, dropped: impl IntoIterator<Item = String>) {
        self.doom(dropped);
        let _uploading = self.contents.uploading().await;
        self.collect_while_uploading().await;
    }

    /// Notes contents that may be needed no more.
    pub(super) fn doom(&self, dropped: impl IntoIterator<Item = String>) {
        self.contents.doomed().extend(dropped);
    }

    /// Removes what is doomed and not needed; what cannot be removed now stays doomed, and whoever caused it need not
    /// care. To be called by the holder of `uploading`.
    pub(super) async fn collect_while_uploading(&self) {
        if let Err(error) = self.collect().await {
            tracing::warn!(%error, "contents of modules that nobody needs stay for now");
        }
    }

    async fn collect(&self) -> Result<(), ModuleError> {
        let doomed = self.contents.doomed().clone();
        if doomed.is_empty() {
            return Ok(());
        }
        // What is published meanwhile has the content of its module, which was read before the versions. And a call that
        // begins meanwhile finds what is stored: a doomed content only if it is needed.
        let needed = self.store.module_contents().await?;
        for digest in doomed {
            if !needed.contains(&digest) {
                if self.resolutions.is_in_use(&digest) {
                    continue;
                }
                self.sandbox.remove(&digest).await?;
                tracing::info!(sha256 = digest, "content removed: no module needs it");
            }
            self.contents.doomed().remove(&digest);
        }
        Ok(())
    }
}

//! A future that its owner polls and that goes on as a task of its own when the owner goes away.
//!
//! It costs nothing as long as the owner stays. It must never be polled again after its end.

use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Polls a future, and spawns it when it is dropped before the end.
pub(super) struct RunsOn<T: Send + 'static> {
    runtime: Handle,
    /// None once it has ended, or was given up.
    future: Option<Boxed<T>>,
}

impl<T: Send + 'static> RunsOn<T> {
    pub(super) fn new(runtime: Handle, future: Boxed<T>) -> RunsOn<T> {
        RunsOn { runtime, future: Some(future) }
    }

    /// Drops the future: it does not go on.
    pub(super) fn give_up(&mut self) {
        self.future = None;
    }
}

impl<T: Send + 'static> Future for RunsOn<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Taken out meanwhile: one that panics must not be polled again.
        let Some(mut future) = self.future.take() else { return Poll::Pending };
        let polled = future.as_mut().poll(context);
        if polled.is_pending() {
            self.future = Some(future);
        }
        polled
    }
}

impl<T: Send + 'static> Drop for RunsOn<T> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            // A runtime that ends drops it.
            self.runtime.spawn(future);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn it_goes_on_without_its_owner_unless_it_was_given_up() {
        for given_up in [false, true] {
            let ((go, wait), (tell, told)) = (oneshot::channel::<()>(), oneshot::channel());
            let future = async move {
                let _ = wait.await;
                let _ = tell.send(());
            };
            let mut running = RunsOn::new(Handle::current(), Box::pin(future));
            assert!(tokio::time::timeout(Duration::from_millis(1), &mut running).await.is_err());
            if given_up {
                running.give_up();
            }
            drop(running);
            let _ = go.send(());
            assert_eq!(told.await.is_ok(), !given_up);
        }
    }
}

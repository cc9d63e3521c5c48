//! How much is still being worked on, so that stopping can wait for it.

use std::sync::Arc;

use tokio::sync::watch;

/// Counts work under way, including work whose caller has gone.
#[derive(Debug, Clone)]
pub(crate) struct Running(Arc<watch::Sender<usize>>);

impl Running {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// One more, until the guard is dropped.
    pub(crate) fn begin(&self) -> Guard {
        self.0.send_modify(|count| *count += 1);
        Guard(Arc::clone(&self.0))
    }

    /// Returns when nothing is under way.
    pub(crate) async fn none(&self) {
        // The sender lives in `self`, so waiting cannot end for any other reason.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// One piece of work under way.
#[derive(Debug)]
pub(crate) struct Guard(Arc<watch::Sender<usize>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_for_the_last_one() {
        let running = Running::new();
        running.none().await;
        let (first, second) = (running.begin(), running.begin());
        let waiting = tokio::spawn({
            let running = running.clone();
            async move { running.none().await }
        });
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        waiting.await.unwrap();
    }
}

//! Commits to the key tree: whoever waits at the same time shares one rotation of the root.

use std::sync::Arc;

use oubliette_catalog::Catalog;
use oubliette_keytree::{KeyTree, KeyTreeError, KeyTreeErrorKind, Op};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Result, ServiceError};
use crate::shred::GenerationChange;

/// Hands operations to the one task that commits.
#[derive(Debug)]
pub(crate) struct Committer {
    requests: mpsc::UnboundedSender<Request>,
}

#[derive(Debug)]
struct Request {
    ops: Vec<Op>,
    /// Pending shreds that these operations do.
    completes: Vec<u64>,
    reply: oneshot::Sender<Result<GenerationChange>>,
}

impl Committer {
    /// Starts the task. It ends when the committer is dropped.
    pub(crate) fn start(tree: Arc<KeyTree>, catalog: Arc<dyn Catalog>) -> Self {
        let (requests, received) = mpsc::unbounded_channel();
        tokio::spawn(run(received, tree, catalog));
        Self { requests }
    }

    /// Carries out operations and returns once they are in force for good.
    pub(crate) async fn commit(&self, ops: Vec<Op>) -> Result<GenerationChange> {
        self.commit_shreds(ops, Vec::new()).await
    }

    /// Carries out operations, strikes the pending shreds they do off the catalog's list, and
    /// returns. If the future is dropped it happens all the same.
    pub(crate) async fn commit_shreds(
        &self,
        ops: Vec<Op>,
        completes: Vec<u64>,
    ) -> Result<GenerationChange> {
        let (reply, answer) = oneshot::channel();
        let stopped = || ServiceError::unavailable("the service is shutting down");
        self.requests.send(Request { ops, completes, reply }).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

/// The most operations of one commit: some megabytes of key pages at worst, so that the first of
/// them does not wait for ever. One request is never split, as its operations belong together.
const MOST_OPS: usize = 4096;

async fn run(
    mut received: mpsc::UnboundedReceiver<Request>,
    tree: Arc<KeyTree>,
    catalog: Arc<dyn Catalog>,
) {
    while let Some(first) = received.recv().await {
        let mut ops = first.ops;
        let mut completes = first.completes;
        let mut replies = vec![first.reply];
        while ops.len() < MOST_OPS
            && let Ok(next) = received.try_recv()
        {
            ops.extend(next.ops);
            completes.extend(next.completes);
            replies.push(next.reply);
        }
        let outcome = {
            let tree = Arc::clone(&tree);
            tokio::task::spawn_blocking(move || tree.commit(&ops)).await
        };
        match outcome {
            Ok(Ok(outcome)) => {
                if !completes.is_empty()
                    && let Err(error) = catalog.complete_shreds(completes).await
                {
                    // The keys are gone. What stays on the list is erased once more later.
                    tracing::warn!(%error, "erased keys could not be struck off the list yet");
                }
                let generation = GenerationChange { from: outcome.from, to: outcome.to };
                for reply in replies {
                    let _ = reply.send(Ok(generation)); // whoever asked may have gone
                }
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the key tree could not be changed");
                for reply in replies {
                    let _ = reply.send(Err(not_erased(&error)));
                }
            }
            Err(_panicked) => {
                tracing::error!("the key tree panicked; restart the service");
                for reply in replies {
                    let _ = reply.send(Err(ServiceError::internal(
                        "the key tree could not be changed; restart the service",
                    )));
                }
            }
        }
    }
}

fn not_erased(error: &KeyTreeError) -> ServiceError {
    let mend = match error.kind() {
        KeyTreeErrorKind::Poisoned => "restart the service",
        _ => "what was to be forgotten is out of reach and erasing it is tried again",
    };
    ServiceError::unavailable(format!("{error}; {mend}"))
}

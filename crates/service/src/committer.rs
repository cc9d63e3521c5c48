//! Commits to the key tree: whoever waits at the same time shares one rotation of the root.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use oubliette_catalog::Catalog;
use oubliette_keytree::{KeyTree, KeyTreeError, KeyTreeErrorKind, Op, OpOutcome, Prepared};
use oubliette_translog::{Change, Erased, Log, Reason, Receipt, Statement};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Result, ServiceError};
use crate::shred::GenerationChange;

/// Hands operations to the one task that commits.
#[derive(Debug)]
pub(crate) struct Committer {
    requests: mpsc::UnboundedSender<Request>,
}

/// Why keys are erased, for the log of deletions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose {
    pub(crate) reason: Reason,
    /// In Unix milliseconds.
    pub(crate) requested_at: i64,
}

/// What a commit did.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    pub(crate) generation: GenerationChange,
    /// For what this request erased; none if all of it was gone already.
    pub(crate) receipts: Vec<Receipt>,
}

#[derive(Debug)]
struct Request {
    ops: Vec<Op>,
    purpose: Option<Purpose>,
    /// Pending shreds that these operations do.
    completes: Vec<u64>,
    reply: oneshot::Sender<Result<Committed>>,
}

impl Committer {
    /// Starts the task. It ends when the committer is dropped.
    pub(crate) fn start(
        tree: Arc<KeyTree>,
        catalog: Arc<dyn Catalog>,
        log: Arc<Mutex<Log>>,
    ) -> Self {
        let (requests, received) = mpsc::unbounded_channel();
        tokio::spawn(run(received, tree, catalog, log));
        Self { requests }
    }

    /// Carries out operations that erase nothing anybody could ask about, and returns once they are
    /// in force for good.
    pub(crate) async fn commit(&self, ops: Vec<Op>) -> Result<GenerationChange> {
        self.send(ops, None, Vec::new()).await.map(|committed| committed.generation)
    }

    /// Carries out operations that erase keys, with a leaf of the log, and strikes the pending shreds
    /// they do off the catalog's list. If the future is dropped it happens all the same.
    pub(crate) async fn erase(
        &self,
        ops: Vec<Op>,
        purpose: Purpose,
        completes: Vec<u64>,
    ) -> Result<Committed> {
        self.send(ops, Some(purpose), completes).await
    }

    async fn send(
        &self,
        ops: Vec<Op>,
        purpose: Option<Purpose>,
        completes: Vec<u64>,
    ) -> Result<Committed> {
        let (reply, answer) = oneshot::channel();
        let stopped = || ServiceError::unavailable("the service is shutting down");
        let request = Request { ops, purpose, completes, reply };
        self.requests.send(request).map_err(|_| stopped())?;
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
    log: Arc<Mutex<Log>>,
) {
    while let Some(first) = received.recv().await {
        let mut batch = Batch::default();
        let mut completes = Vec::new();
        let mut replies = Vec::new();
        let mut next = Some(first);
        while let Some(request) = next {
            // As long as a whole tree is on the list, whoever switches capture on erases it once more.
            let is_of_tree = request.ops.iter().any(|op| matches!(op, Op::PruneAccount(_)));
            batch.add(request.ops, request.purpose);
            completes.extend(request.completes);
            replies.push((request.reply, is_of_tree));
            next = if batch.ops.len() < MOST_OPS { received.try_recv().ok() } else { None };
        }
        let outcome = {
            let (tree, log) = (Arc::clone(&tree), Arc::clone(&log));
            tokio::task::spawn_blocking(move || batch.commit(&tree, &log)).await
        };
        match outcome {
            Ok(Ok(outcomes)) => {
                // The keys are gone, and nobody need wait for the list: what stays on it is erased once
                // more later.
                let mut waiting = Vec::new();
                for ((reply, is_of_tree), outcome) in replies.into_iter().zip(outcomes) {
                    if is_of_tree {
                        waiting.push((reply, outcome));
                    } else {
                        let _ = reply.send(Ok(outcome)); // whoever asked may have gone
                    }
                }
                if !completes.is_empty()
                    && let Err(error) = catalog.complete_shreds(completes).await
                {
                    tracing::warn!(%error, "erased keys could not be struck off the list yet");
                }
                for (reply, outcome) in waiting {
                    let _ = reply.send(Ok(outcome));
                }
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the key tree could not be changed");
                for (reply, _) in replies {
                    let _ = reply.send(Err(not_erased(&error)));
                }
            }
            Err(_panicked) => {
                tracing::error!("the key tree panicked; restart the service");
                for (reply, _) in replies {
                    let _ = reply.send(Err(ServiceError::internal(
                        "the key tree could not be changed; restart the service",
                    )));
                }
            }
        }
    }
}

/// Requests that share a commit.
#[derive(Default)]
struct Batch {
    ops: Vec<Op>,
    /// Which operations are whose, and why they are done.
    parts: Vec<(Range<usize>, Option<Purpose>)>,
}

impl Batch {
    fn add(&mut self, ops: Vec<Op>, purpose: Option<Purpose>) {
        let start = self.ops.len();
        self.ops.extend(ops);
        self.parts.push((start..self.ops.len(), purpose));
    }

    /// Commits, with a leaf of the log for each part that erases something. The leaves are durable
    /// before the root key goes, and count if and only if it went.
    fn commit(&self, tree: &KeyTree, log: &Mutex<Log>) -> Result<Vec<Committed>, KeyTreeError> {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statements: Vec<(usize, Statement)> = Vec::new();
        let outcome = tree.commit_with(&self.ops, |prepared| {
            statements = self.statements(tree, prepared)?;
            let leaves: Vec<_> = statements.iter().map(|(_, it)| it.to_bytes()).collect();
            Ok(log.prepare(prepared.to.number(), &leaves)?)
        })?;
        let mut all: Vec<_> = self
            .parts
            .iter()
            .map(|_| Committed {
                generation: GenerationChange { from: outcome.from, to: outcome.to },
                receipts: Vec::new(),
            })
            .collect();
        // The keys are gone; a receipt that cannot be made now is no reason to say they are not.
        match log.commit(outcome.to.number()) {
            Ok(leaves) => {
                for (index, (part, statement)) in leaves.zip(statements) {
                    if let Ok(inclusion) = log.inclusion(index) {
                        all[part].receipts.push(Receipt::new(statement, inclusion));
                    }
                }
            }
            Err(error) => tracing::error!(%error, "keys were erased and no receipt could be made"),
        }
        Ok(all)
    }

    fn statements(
        &self,
        tree: &KeyTree,
        prepared: &Prepared<'_>,
    ) -> Result<Vec<(usize, Statement)>, KeyTreeError> {
        let mut statements = Vec::new();
        for (part, (range, purpose)) in self.parts.iter().enumerate() {
            let Some(Purpose { reason, requested_at }) = *purpose else { continue };
            let done = self.ops[range.clone()].iter().zip(&prepared.ops[range.clone()]);
            for erased in erased(tree, reason, done)? {
                let generation = Change { from: prepared.from.number(), to: prepared.to.number() };
                let directory = Change {
                    from: hex::encode(prepared.directory_from),
                    to: hex::encode(prepared.directory_to),
                };
                let statement = Statement::new(reason, requested_at, generation, directory, erased);
                statements.push((part, statement));
            }
        }
        Ok(statements)
    }
}

/// What operations erase, in pieces that fit a statement each. Called while the keys are still there.
fn erased<'a>(
    tree: &KeyTree,
    reason: Reason,
    done: impl Iterator<Item = (&'a Op, &'a OpOutcome)>,
) -> Result<Vec<Vec<Erased>>, KeyTreeError> {
    let mut items: Vec<(String, Option<String>, Option<Erased>)> = Vec::new();
    for (op, outcome) in done {
        if *outcome != OpOutcome::Pruned {
            continue;
        }
        match *op {
            Op::PruneLeaf(tag, address) => {
                if let Some(key) = tree.derive_leaf(tag, address)? {
                    let commitment = oubliette_seal::commitment(&key, tag, address);
                    let account = hex::encode(tag.as_bytes());
                    items.push((account, Some(hex::encode(commitment)), None));
                }
            }
            Op::PruneAccount(tag) => {
                let account = hex::encode(tag.as_bytes());
                items.push((account.clone(), None, Some(Erased::all(account))));
            }
            // Part of making a tree otherwise: then there was nothing in those hours.
            Op::PruneHoursBefore(tag, hour) if reason == Reason::Expiry => {
                let account = hex::encode(tag.as_bytes());
                let erased = Erased::hours_before(account.clone(), hour.number());
                items.push((account, None, Some(erased)));
            }
            _ => {}
        }
    }
    let pieces = items.chunks(Statement::MOST).map(|items| {
        let mut erased: Vec<Erased> = Vec::new();
        // Commitments of one account that follow each other are one entry.
        let groups = items.chunk_by(|a, b| a.0 == b.0 && a.1.is_some() && b.1.is_some());
        for group in groups {
            let commitments: Vec<_> = group.iter().filter_map(|item| item.1.clone()).collect();
            match &group[0].2 {
                Some(whole) => erased.push(whole.clone()),
                None => erased.push(Erased::payloads(group[0].0.clone(), commitments)),
            }
        }
        erased
    });
    Ok(pieces.collect())
}

fn not_erased(error: &KeyTreeError) -> ServiceError {
    let mend = match error.kind() {
        KeyTreeErrorKind::Poisoned => "restart the service",
        _ => "what was to be forgotten is out of reach and erasing it is tried again",
    };
    ServiceError::unavailable(format!("{error}; {mend}"))
}

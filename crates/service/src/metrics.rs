//! What happened so far, in numbers, and how things stand.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oubliette_redact::Report;
use oubliette_store::SpoolStatus;

use crate::access::Principal;
use crate::capture::{DropReason, PartOutcome};
use crate::error::{Result, ServiceError};
use crate::oubliette::Oubliette;

/// Counts since the service was opened. None of them names an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Bodies stored.
    pub stored: u64,
    /// Bodies that were stored already.
    pub duplicates: u64,
    /// Bodies that had been forgotten and were not taken again.
    pub forgotten: u64,
    /// Bodies dropped, by reason.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Envelopes refused because the queue was full.
    pub busy: u64,
    /// Envelopes of which nothing was kept because keys, store or catalog failed.
    pub unavailable: u64,
    /// Bytes of the bodies that were stored, as they came.
    pub captured_bytes: u64,
    /// Bytes of their sealed records.
    pub sealed_bytes: u64,
    /// Findings acted upon, by entity.
    pub findings: BTreeMap<String, u64>,
    /// Bodies read under a grant.
    pub reads: u64,
    /// Reads refused for want of a grant.
    pub reads_refused: u64,
    /// Keys erased because someone asked; a whole tree counts as one.
    pub shredded: u64,
    /// Bodies redacted and sealed again.
    pub reredacted: u64,
    /// Segments removed from the object store because nothing in them could be opened any more.
    pub swept_segments: u64,
    /// Their bytes.
    pub swept_bytes: u64,
    /// Mostly dead segments whose living records were copied elsewhere.
    pub compacted_segments: u64,
}

/// How things stand.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// What happened so far.
    pub counters: Counters,
    /// Envelopes in the queue.
    pub queued_captures: usize,
    /// Bytes of their bodies.
    pub queued_bytes: usize,
    /// The spool and its uploads.
    pub spool: SpoolStatus,
    /// The key state; `None` if the keys cannot be used until a restart.
    pub keys: Option<oubliette_keytree::Status>,
    /// Keys that are still to be erased, of which at most 1,000 are counted; `None` if the catalog
    /// does not answer.
    pub pending_shreds: Option<usize>,
    /// When the last expiry ended, in Unix milliseconds.
    pub last_expiry: Option<i64>,
    /// By how many milliseconds the machine's clock is further ahead than expiry believes; `None` if it
    /// does believe it.
    pub clock_ahead_ms: Option<i64>,
}

impl Oubliette {
    /// How things stand, for operators.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn status(&self, by: &Principal) -> Result<Status> {
        by.must_operate()?;
        Ok(self.metrics().await)
    }

    /// How things stand, for whoever collects metrics: counts only, no account is named.
    pub async fn metrics(&self) -> Status {
        let inner = self.inner();
        let (queued_captures, queued_bytes) = inner.queue.depth();
        let pending = inner.catalog.pending_shreds(None, MOST_PENDING).await;
        Status {
            counters: inner.metrics.counters(),
            queued_captures,
            queued_bytes,
            spool: inner.spool.status(),
            keys: inner.tree.status().ok(),
            pending_shreds: pending.ok().map(|pending| pending.len()),
            last_expiry: inner.expiry.last(),
            clock_ahead_ms: inner.expiry.held(),
        }
    }

    /// What happened so far. Touches neither disk nor database.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.inner().metrics.counters()
    }

    /// Whether a capture could be kept now.
    ///
    /// # Errors
    /// `Unavailable`, with the reason.
    pub async fn ready(&self) -> Result<()> {
        let inner = self.inner();
        if inner.queue.is_closed() {
            return Err(ServiceError::unavailable("the service is shutting down"));
        }
        inner.tree.status()?;
        let spool = inner.spool.status();
        if spool.max_bytes.saturating_sub(spool.spool_bytes) < ROOM_NEEDED {
            return Err(ServiceError::unavailable(
                "the spool is full: make sure that the object store can be reached, or raise the \
                 spool's size",
            ));
        }
        Ok(inner.catalog.ping().await?)
    }
}

/// How many pending shreds are counted: more than a moment's worth is one alarm.
const MOST_PENDING: u32 = 1000;

/// A spool with less room than an ordinary body takes counts as full.
const ROOM_NEEDED: u64 = 64 << 10;

/// Counts as it happens.
#[derive(Debug, Default)]
pub(crate) struct Metrics(Mutex<Counters>);

impl Metrics {
    pub(crate) fn counters(&self) -> Counters {
        self.lock().clone()
    }

    /// Changes some counts, all at once.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.lock());
    }

    pub(crate) fn part(&self, outcome: PartOutcome) {
        self.count(|counters| match outcome {
            PartOutcome::Stored { .. } => counters.stored += 1,
            PartOutcome::Duplicate => counters.duplicates += 1,
            PartOutcome::Forgotten => counters.forgotten += 1,
            PartOutcome::Dropped { reason } => *counters.dropped.entry(reason).or_default() += 1,
        });
    }

    pub(crate) fn findings(&self, report: &Report) {
        if report.entities.is_empty() {
            return;
        }
        self.count(|counters| {
            for (entity, count) in &report.entities {
                *counters.findings.entry(entity.clone()).or_default() += count;
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

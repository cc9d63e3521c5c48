//! What happened so far, in numbers, and how things stand.

use std::collections::BTreeMap;

use oubliette_store::SpoolStatus;

use crate::capture::DropReason;

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
    /// Bodies redacted again.
    pub reredacted: u64,
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
    /// Keys that are still to be erased; `None` if the catalog does not answer. More than 1,000
    /// are not counted.
    pub pending_shreds: Option<usize>,
    /// When the last expiry ended, in Unix milliseconds.
    pub last_expiry: Option<i64>,
}

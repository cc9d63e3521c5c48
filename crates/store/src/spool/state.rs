//! What writer, uploader and readers of one spool share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::disk::{Disk, FolderLock};
use super::reading::Reading;
use super::{Clock, Keeper, SpoolLimits, With};
use crate::error::{StoreError, StoreErrorKind};
use crate::key::{ObjectKey, SegmentId};
use crate::object::ObjectStore;
use crate::segment::{FRAME_HEADER_LEN, INDEX_ENTRY_LEN};

pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) limits: SpoolLimits,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) reading: Reading,
    pub(super) clock: Clock,
    pub(super) keeper: Arc<dyn Keeper>,
    /// Wakes the uploader: a segment is waiting.
    pub(super) waiting: Notify,
    /// Wakes the uploader out of its pause: someone waits for a flush.
    pub(super) hurry: Notify,
    /// Once set, nothing is appended any more.
    pub(super) closed: AtomicBool,
    changed: watch::Sender<()>,
    state: Mutex<State>,
    /// Once true, the uploader ends: what is on its way to the object store is broken off, what
    /// changes files is not.
    stop: watch::Sender<bool>,
    /// Locks the folder for as long as thread or task may touch it.
    folder: FolderLock,
}

#[derive(Default)]
pub(super) struct State {
    /// Every segment that has a file in the spool.
    pub(super) segments: BTreeMap<SegmentId, Local>,
    /// Bytes of those files, of their indexes to come, and of appends under way.
    pub(super) bytes: u64,
    /// Bytes of appends that wait to be written.
    pub(super) pending: u64,
    pub(super) uploaded: u64,
    pub(super) upload_failures: u64,
    pub(super) damaged: u64,
    pub(super) last_upload_error: Option<StoreError>,
}

/// A segment with a file in the spool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Local {
    pub(super) key: ObjectKey,
    pub(super) phase: Phase,
    pub(super) bytes: u64,
    /// Failed uploads, so that one segment that cannot be uploaded does not hold up the others.
    pub(super) attempts: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Records are appended to it.
    Open,
    /// A write failed, so no more are; its good part awaits being copied to a fresh file. With
    /// the length up to which it was acknowledged, where that is known.
    SetAside { good: Option<u64> },
    /// Finished and not uploaded.
    Sealed { uploading: bool },
    /// Uploaded; its keeper is asked whether its file may go.
    Leaving,
}

impl Shared {
    pub(super) fn new(
        with: With,
        dir: PathBuf,
        limits: SpoolLimits,
        lock: FolderLock,
        state: State,
    ) -> Self {
        let With { disk, store, clock, keeper } = with;
        Self {
            dir,
            disk,
            limits,
            reading: Reading::new(Arc::clone(&store)),
            store,
            clock,
            keeper,
            waiting: Notify::new(),
            hurry: Notify::new(),
            closed: AtomicBool::new(false),
            changed: watch::Sender::new(()),
            state: Mutex::new(state),
            stop: watch::Sender::new(false),
            folder: lock,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Critical sections are a few lines without calls that panic; whoever panicked elsewhere
        // must not stop the others from acknowledging or uploading.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told of every change that a flush may wait for.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn tell(&self) {
        self.changed.send_replace(());
    }

    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ends when the uploader shall.
    pub(super) async fn stopped(&self) {
        // An error would mean that the sender is gone, and it is part of `self`.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Lets another spool have the folder.
    pub(super) fn unlock_folder(&self) {
        if let Err(error) = self.folder.release() {
            tracing::warn!(%error, "the spool folder stays locked until the process ends");
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Sets bytes of the spool apart for an append, or refuses.
    pub(super) fn reserve(&self, bytes: u64) -> Result<(), StoreError> {
        let mut state = self.lock();
        let wanted = state.bytes.saturating_add(bytes);
        if wanted > self.limits.max_bytes {
            return Err(StoreError::new(
                StoreErrorKind::Full,
                format!(
                    "the spool is full: {} of {} bytes wait for the object store",
                    state.bytes, self.limits.max_bytes
                ),
            ));
        }
        // One append larger than the limit still goes, alone.
        if state.pending > 0 && state.pending.saturating_add(bytes) > self.limits.max_pending_bytes
        {
            return Err(StoreError::new(
                StoreErrorKind::Full,
                format!(
                    "the spool's disk is too slow: {} bytes wait in memory to be written",
                    state.pending
                ),
            ));
        }
        state.bytes = wanted;
        state.pending += bytes;
        Ok(())
    }

    /// An append was written, or was not: it is in memory no more.
    pub(super) fn settled(&self, bytes: u64) {
        let mut state = self.lock();
        state.pending = state.pending.saturating_sub(bytes);
    }

    pub(super) fn release(&self, bytes: u64) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    /// The file in which a segment lies now, if it lies here at all.
    pub(super) fn local_file(&self, key: ObjectKey) -> Option<PathBuf> {
        let state = self.lock();
        let local = state.segments.get(&key.segment()).filter(|local| local.key == key)?;
        Some(file_path(&self.dir, local.key, local.phase.extension()))
    }

    /// Whether a segment lies here, and will until its keeper is asked.
    pub(super) fn holds(&self, key: ObjectKey) -> bool {
        let state = self.lock();
        let local = state.segments.get(&key.segment()).filter(|local| local.key == key);
        local.is_some_and(|local| local.phase != Phase::Leaving)
    }

    /// Takes a segment and its bytes off the books.
    pub(super) fn forget(&self, segment: SegmentId) {
        let mut state = self.lock();
        if let Some(local) = state.segments.remove(&segment) {
            state.bytes = state.bytes.saturating_sub(local.bytes);
        }
    }

    pub(super) fn phase(&self, segment: SegmentId, phase: Phase) {
        if let Some(local) = self.lock().segments.get_mut(&segment) {
            local.phase = phase;
        }
    }

    /// Changes phase and size of a segment.
    pub(super) fn update(&self, segment: SegmentId, phase: Phase, bytes: u64) {
        self.take_in(segment, phase, bytes, 0);
    }

    /// Changes phase and size of a segment, where `reserved` bytes of its size had been set apart.
    pub(super) fn take_in(&self, segment: SegmentId, phase: Phase, bytes: u64, reserved: u64) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(reserved);
        if let Some(local) = state.segments.get_mut(&segment) {
            let before = std::mem::replace(&mut local.bytes, bytes);
            local.phase = phase;
            state.bytes = state.bytes.saturating_sub(before).saturating_add(bytes);
        }
    }
}

impl State {
    pub(super) fn insert(&mut self, key: ObjectKey, phase: Phase, bytes: u64) {
        self.segments.insert(key.segment(), Local { key, phase, bytes, attempts: 0 });
        self.bytes += bytes;
    }

    /// The waiting segment to upload next: the one that failed least, and of those the oldest.
    pub(super) fn next_upload(&mut self) -> Option<ObjectKey> {
        let next = self
            .segments
            .values_mut()
            .filter(|local| local.phase == Phase::Sealed { uploading: false })
            .min_by_key(|local| (local.attempts, local.key.segment()))?;
        next.phase = Phase::Sealed { uploading: true };
        Some(next.key)
    }
}

impl Phase {
    pub(super) fn extension(self) -> &'static str {
        match self {
            Phase::Open | Phase::SetAside { .. } => "open",
            Phase::Sealed { .. } | Phase::Leaving => "seg",
        }
    }
}

/// What a record takes of the spool, its place in the index included.
pub(super) fn record_cost(record_len: usize) -> u64 {
    (FRAME_HEADER_LEN + INDEX_ENTRY_LEN + record_len) as u64
}

/// `r7-01M….open`: the class is in the name, so that a file is known also without its header.
pub(super) fn file_path(dir: &Path, key: ObjectKey, extension: &str) -> PathBuf {
    dir.join(format!("{}-{}.{extension}", key.class(), key.segment()))
}

/// The reverse of [`file_path`]: key and extension.
pub(super) fn parse_file_name(name: &str) -> Option<(ObjectKey, &str)> {
    let (stem, extension) = name.split_once('.')?;
    let (class, segment) = stem.split_once('-')?;
    Some((ObjectKey::new(class.parse().ok()?, segment.parse().ok()?), extension))
}

/// Where a spool stands: for metrics, health and the operator.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SpoolStatus {
    /// Segments that records are appended to: at most one per retention class.
    pub open_segments: usize,
    /// Finished segments that are not uploaded yet, or whose file may not go yet.
    pub waiting_segments: usize,
    /// Segments whose file failed and awaits being copied to a fresh one.
    pub set_aside_segments: usize,
    /// Bytes that the spool holds or has promised.
    pub spool_bytes: u64,
    /// The most it may hold.
    pub max_bytes: u64,
    /// How long ago the oldest segment that is not uploaded was begun.
    pub oldest_waiting_age: Option<Duration>,
    /// Segments uploaded since the spool was opened.
    pub uploaded_segments: u64,
    /// Failed attempts to upload since the spool was opened.
    pub upload_failures: u64,
    /// Spool files that were found damaged and kept in `damaged/` since the spool was opened.
    pub damaged_files: u64,
    /// Reads that found their record in memory.
    pub cached_reads: u64,
    /// Reads for which the object store was asked a second time, as it was slow.
    pub hedged_reads: u64,
    /// Bytes of appends in memory that are not on the disk yet.
    pub pending_bytes: u64,
    /// The most of those.
    pub max_pending_bytes: u64,
    /// Segments that are being uploaded, each in memory meanwhile.
    pub uploading_segments: usize,
    /// Their bytes.
    pub uploading_bytes: u64,
    /// Why the last attempt failed, until one succeeds.
    pub last_upload_error: Option<StoreError>,
}

impl Shared {
    pub(super) fn status(&self) -> SpoolStatus {
        let now = (self.clock)();
        let (cached_reads, hedged_reads) = self.reading.counts();
        let state = self.lock();
        let mut status = SpoolStatus {
            spool_bytes: state.bytes,
            max_bytes: self.limits.max_bytes,
            uploaded_segments: state.uploaded,
            upload_failures: state.upload_failures,
            damaged_files: state.damaged,
            last_upload_error: state.last_upload_error.clone(),
            cached_reads,
            hedged_reads,
            pending_bytes: state.pending,
            max_pending_bytes: self.limits.max_pending_bytes,
            ..SpoolStatus::default()
        };
        for local in state.segments.values() {
            match local.phase {
                Phase::Open => {
                    status.open_segments += 1;
                    continue;
                }
                Phase::SetAside { .. } => status.set_aside_segments += 1,
                Phase::Leaving => status.waiting_segments += 1,
                Phase::Sealed { uploading } => {
                    status.waiting_segments += 1;
                    if uploading {
                        status.uploading_segments += 1;
                        status.uploading_bytes += local.bytes;
                    }
                }
            }
            let begun = local.key.segment().unix_seconds();
            let age = Duration::from_secs(u64::try_from(now.saturating_sub(begun)).unwrap_or(0));
            status.oldest_waiting_age = status.oldest_waiting_age.max(Some(age));
        }
        status
    }
}

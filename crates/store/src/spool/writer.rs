//! The one thread that appends: it writes everything that waits, syncs once, acknowledges all.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use oubliette_keytree::{AccountTag, LeafAddress};
use oubliette_seal::{RecordRef, SealedBody};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::disk::SpoolFile;
use super::recovery::restore;
use super::state::{Phase, Shared, file_path, record_cost};
use crate::error::{StoreError, StoreErrorKind};
use crate::key::{ObjectKey, RetentionClass, SegmentId};
use crate::segment::{
    FRAME_HEADER_LEN, HEADER_LEN, IndexEntry, Location, TRAILER_LEN, footer, frame_header, header,
};

/// Stops taking more appends into a batch beyond this, so that the first does not wait for ever.
const MOST_BATCH_BYTES: u64 = 8 << 20;

/// How often a file that was set aside is tried again: a full or failing disk does not mend fast.
const RESTORE_EVERY: Duration = Duration::from_secs(10);

/// What the writer is told.
pub(super) enum Command {
    Append(Append),
    /// Finish every open segment.
    Seal(oneshot::Sender<()>),
    /// Finish every open segment and end.
    Close(oneshot::Sender<()>),
}

pub(super) struct Append {
    pub(super) records: Vec<(Record, RetentionClass)>,
    /// What has been reserved for them.
    pub(super) cost: u64,
    pub(super) reply: oneshot::Sender<Result<Vec<Location>, StoreError>>,
}

/// A record to be appended: one that was just sealed, or one that the store gave back.
pub(super) struct Record {
    bytes: Bytes,
    account: AccountTag,
    address: LeafAddress,
}

impl Record {
    /// A record that was read back, if it is one.
    pub(super) fn read_back(bytes: Bytes) -> Option<Self> {
        let record = RecordRef::parse(&bytes).ok()?;
        let (account, address) = (record.header().account(), record.header().address());
        Some(Self { bytes, account, address })
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl From<SealedBody> for Record {
    fn from(body: SealedBody) -> Self {
        let (account, address) = (body.account(), body.address());
        Self { bytes: body.into_record().into(), account, address }
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    open: BTreeMap<RetentionClass, OpenSegment>,
    next_restore: Instant,
}

struct OpenSegment {
    key: ObjectKey,
    file: Box<dyn SpoolFile>,
    /// Bytes that are not written yet, or not in the hash yet.
    buffer: Vec<u8>,
    /// Bytes of the file once the buffer is written.
    len: u64,
    /// Bytes that are written, synced and acknowledged.
    good: u64,
    /// What has been reserved for the records in the buffer.
    reserved: u64,
    entries: Vec<IndexEntry>,
    hash: Sha256,
    /// Whether the folder knows the file durably.
    in_folder: bool,
    since: Instant,
}

/// An append whose records are in buffers, with where they will be, or why they will not.
type Placed =
    (oneshot::Sender<Result<Vec<Location>, StoreError>>, Result<Vec<Location>, StoreError>);

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, open: BTreeMap::new(), next_restore: Instant::now() }
    }

    /// Works until told to close, or until nobody can tell anything any more. In the latter case
    /// open files stay as they are, as after a crash: recovery is the same.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let first = match commands.recv_timeout(self.until_next_task()) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut batch = Vec::new();
            let mut bytes = 0;
            let mut next = first;
            let mut other = None;
            while let Some(command) = next.take() {
                match command {
                    Command::Append(append) => {
                        bytes += append.cost;
                        batch.push(append);
                    }
                    command => {
                        other = Some(command);
                        break;
                    }
                }
                if bytes < MOST_BATCH_BYTES {
                    next = commands.try_recv().ok();
                }
            }
            if !batch.is_empty() {
                self.commit(batch);
                self.shared.settled(bytes);
            }
            self.seal(|segment, max_age| segment.since.elapsed() >= max_age);
            match other {
                Some(Command::Seal(done)) => {
                    self.seal(|_, _| true);
                    self.restore_all();
                    let _ = done.send(()); // nobody may be waiting any more
                }
                Some(Command::Close(done)) => {
                    self.seal(|_, _| true);
                    self.restore_all();
                    drop(self);
                    let _ = done.send(());
                    return;
                }
                _ => {}
            }
            if Instant::now() >= self.next_restore {
                self.restore_all();
            }
        }
    }

    /// The time until a segment is old enough to be finished or a file is to be tried again.
    fn until_next_task(&self) -> Duration {
        let now = Instant::now();
        let restore = self.next_restore.saturating_duration_since(now);
        let max_age = self.shared.limits.max_age;
        self.open
            .values()
            .map(|segment| max_age.saturating_sub(segment.since.elapsed()))
            .fold(restore, Duration::min)
    }

    /// Writes a batch, syncs each file once, and answers.
    fn commit(&mut self, batch: Vec<Append>) {
        let cost = batch.iter().map(|append| append.cost).sum();
        if let Err(error) = self.check_free_space(cost) {
            self.shared.release(cost);
            for append in batch {
                let _ = append.reply.send(Err(error.clone())); // nobody may be waiting any more
            }
            return;
        }

        // Full segments leave the map while the batch goes on in a new one.
        let mut full = Vec::new();
        let placed: Vec<Placed> =
            batch.into_iter().map(|append| self.place(append, &mut full)).collect();

        let mut failed: BTreeMap<SegmentId, StoreError> = BTreeMap::new();
        full.retain_mut(|segment| self.sync(segment, &mut failed));
        let mut open = std::mem::take(&mut self.open);
        open.retain(|_, segment| self.sync(segment, &mut failed));
        self.open = open;

        for (reply, placed) in placed {
            let answer = placed.and_then(|locations| {
                match locations.iter().find_map(|location| failed.get(&location.segment())) {
                    Some(error) => Err(error.clone()),
                    None => Ok(locations),
                }
            });
            let _ = reply.send(answer); // nobody may be waiting any more
        }
        // Nobody waits for the hash.
        self.open.values_mut().for_each(OpenSegment::take_in);
        for mut segment in full {
            segment.take_in();
            self.finish(segment);
        }
    }

    fn check_free_space(&self, cost: u64) -> Result<(), StoreError> {
        let free = self
            .shared
            .disk
            .free_bytes(&self.shared.dir)
            .map_err(|error| StoreError::disk("the free disk space cannot be told", error))?;
        if free.saturating_sub(cost) < self.shared.limits.min_free_bytes {
            return Err(StoreError::new(
                StoreErrorKind::Full,
                format!(
                    "the spool's disk has only {free} bytes free: make room, or lower the reserve \
                     of {}",
                    self.shared.limits.min_free_bytes
                ),
            ));
        }
        Ok(())
    }

    /// Puts the records of one append into buffers.
    fn place(&mut self, append: Append, full: &mut Vec<OpenSegment>) -> Placed {
        let mut locations = Vec::with_capacity(append.records.len());
        let mut placed_cost = 0;
        for (record, class) in append.records {
            match self.segment_for(class, record.len(), full) {
                Ok(segment) => {
                    let cost = record_cost(record.len());
                    placed_cost += cost;
                    segment.reserved += cost;
                    locations.push(segment.push(&record));
                }
                Err(error) => {
                    // What has been placed will be written all the same; it is not acknowledged.
                    self.shared.release(append.cost - placed_cost);
                    return (append.reply, Err(error));
                }
            }
        }
        (append.reply, Ok(locations))
    }

    /// The open segment of a class, or a new one if it is full.
    fn segment_for(
        &mut self,
        class: RetentionClass,
        record_len: usize,
        full: &mut Vec<OpenSegment>,
    ) -> Result<&mut OpenSegment, StoreError> {
        let limit = self.shared.limits.segment_bytes;
        let fits = |segment: &OpenSegment| {
            segment.entries.is_empty() || segment.size() + record_cost(record_len) <= limit
        };
        if self.open.get(&class).is_some_and(|segment| !fits(segment)) {
            full.extend(self.open.remove(&class));
        }
        match self.open.entry(class) {
            std::collections::btree_map::Entry::Occupied(there) => Ok(there.into_mut()),
            std::collections::btree_map::Entry::Vacant(none) => {
                Ok(none.insert(begin(&self.shared, class)?))
            }
        }
    }

    /// Writes and syncs what a segment has in its buffer. If that fails, the file is never touched
    /// again, since a second fsync may report a success that never was.
    fn sync(
        &self,
        segment: &mut OpenSegment,
        failed: &mut BTreeMap<SegmentId, StoreError>,
    ) -> bool {
        if segment.buffer.is_empty() {
            return true;
        }
        let id = segment.key.segment();
        match segment.write(&self.shared) {
            Ok(()) => {
                segment.good = segment.len;
                // The reservation becomes part of the segment.
                let reserved = std::mem::take(&mut segment.reserved);
                self.shared.take_in(id, Phase::Open, segment.size(), reserved);
                true
            }
            Err(error) => {
                self.shared.release(std::mem::take(&mut segment.reserved));
                self.poison(segment, &error);
                failed.insert(id, StoreError::disk("the spool could not be written", error));
                false
            }
        }
    }

    /// Sets a failed file aside. What was acknowledged in it stays readable and is copied to a
    /// fresh file as soon as that works.
    fn poison(&self, segment: &OpenSegment, error: &io::Error) {
        let key = segment.key;
        tracing::error!(%key, %error, "a spool file failed and is set aside");
        if segment.good == 0 {
            // Nothing in it was ever acknowledged.
            self.shared.forget(key.segment());
            let path = file_path(&self.shared.dir, key, "open");
            let _ = self.shared.disk.remove(&path); // else at next start
        } else {
            self.shared.update(
                key.segment(),
                Phase::SetAside { good: Some(segment.good) },
                segment.good,
            );
        }
    }

    /// Finishes the open segments that `is_due`.
    fn seal(&mut self, is_due: impl Fn(&OpenSegment, Duration) -> bool) {
        let max_age = self.shared.limits.max_age;
        let due: BTreeSet<_> = self
            .open
            .iter()
            .filter(|(_, segment)| is_due(segment, max_age))
            .map(|(class, _)| *class)
            .collect();
        for class in due {
            let segment = self.open.remove(&class).expect("just seen");
            self.finish(segment);
        }
    }

    /// Writes index and trailer, syncs, renames, and hands the segment to the uploader.
    fn finish(&self, mut segment: OpenSegment) {
        let key = segment.key;
        let (disk, dir) = (&self.shared.disk, &self.shared.dir);
        let hash = std::mem::take(&mut segment.hash);
        let footer = footer(&segment.entries, segment.len, 0, hash);
        let size = segment.len + footer.len() as u64;
        let mut finish = || {
            segment.file.write_all(&footer)?;
            segment.file.sync_data()?;
            disk.rename(&file_path(dir, key, "open"), &file_path(dir, key, "seg"))
        };
        if let Err(error) = finish() {
            self.poison(&segment, &error);
            return;
        }
        self.shared.update(key.segment(), Phase::Sealed { uploading: false }, size);
        if let Err(error) = disk.sync_folder(dir) {
            // The file is whole under either name, and recovery takes either.
            tracing::warn!(%key, %error, "the spool folder could not be synced");
        }
        self.shared.waiting.notify_one();
        self.shared.tell();
    }

    /// Tries again to copy the good part of files that were set aside.
    fn restore_all(&mut self) {
        self.next_restore = Instant::now() + RESTORE_EVERY;
        let aside: Vec<_> = {
            let state = self.shared.lock();
            let aside = state.segments.values().filter_map(|local| match local.phase {
                Phase::SetAside { good } => Some((local.key, good)),
                _ => None,
            });
            aside.collect()
        };
        for (key, good) in aside {
            match restore(&*self.shared.disk, &self.shared.dir, key, "open", good) {
                Ok(restored) => {
                    if restored.damaged.is_some() {
                        self.shared.lock().damaged += 1;
                    }
                    match restored.segment {
                        Some((size, _)) => self.shared.update(
                            key.segment(),
                            Phase::Sealed { uploading: false },
                            size,
                        ),
                        None => self.shared.forget(key.segment()),
                    }
                    self.shared.waiting.notify_one();
                    self.shared.tell();
                }
                Err(error) => tracing::warn!(%key, %error, "a spool file cannot be restored yet"),
            }
        }
    }
}

/// Begins a segment: its file, its header in the buffer, its entry in the books.
fn begin(shared: &Shared, class: RetentionClass) -> Result<OpenSegment, StoreError> {
    let key = ObjectKey::new(class, SegmentId::generate((shared.clock)())?);
    let path = file_path(&shared.dir, key, "open");
    let file = (shared.disk.create(&path))
        .map_err(|error| StoreError::disk("a spool file could not be made", error))?;
    let header = header(key);
    shared.lock().insert(key, Phase::Open, (HEADER_LEN + TRAILER_LEN) as u64);
    Ok(OpenSegment {
        key,
        file,
        buffer: header.to_vec(),
        len: HEADER_LEN as u64,
        good: 0,
        reserved: 0,
        entries: Vec::new(),
        hash: Sha256::new(),
        in_folder: false,
        since: Instant::now(),
    })
}

impl OpenSegment {
    fn push(&mut self, record: &Record) -> Location {
        let bytes = &record.bytes[..];
        let entry = IndexEntry {
            offset: self.len,
            len: u32::try_from(bytes.len()).expect("a record's length has 32 bits"),
            account: record.account,
            address: record.address,
        };
        self.buffer.extend_from_slice(&frame_header(bytes).expect("seal makes no longer records"));
        self.buffer.extend_from_slice(bytes);
        self.len += (FRAME_HEADER_LEN + bytes.len()) as u64;
        self.entries.push(entry);
        entry.location(self.key)
    }

    fn write(&mut self, shared: &Shared) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.file.sync_data()?;
        if !self.in_folder {
            shared.disk.sync_folder(&shared.dir)?;
            self.in_folder = true;
        }
        Ok(())
    }

    /// Makes what was written part of the checksum, and room for what comes.
    fn take_in(&mut self) {
        self.hash.update(&self.buffer);
        self.buffer.clear();
        self.buffer.shrink_to(1 << 20);
    }

    /// What the finished segment would take.
    fn size(&self) -> u64 {
        let index = self.entries.len() * crate::segment::INDEX_ENTRY_LEN;
        self.len + (index + TRAILER_LEN) as u64
    }
}

//! The spool: local files that acknowledge fast and become segments.

mod disk;
mod limits;
mod reading;
mod recovery;
mod state;
mod uploader;
mod writer;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod sim_disk;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join;
use oubliette_seal::SealedBody;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::disk::{Disk, RealDisk};
pub use self::limits::SpoolLimits;
pub use self::recovery::{DamagedFile, Recovered, RecoveredRecord, RecoveredSegment};
pub use self::state::SpoolStatus;
use self::state::{Shared, record_cost};
use self::writer::{Append, Command, Record, Writer};
use crate::error::{StoreError, StoreErrorKind};
use crate::fs::blocking;
use crate::key::{ObjectKey, RetentionClass};
use crate::object::ObjectStore;
use crate::segment::{FRAME_HEADER_LEN, Location, check_frame, frame_range, read_records};

/// Somebody who needs the file of a segment for longer than it takes to upload it.
///
/// A row that points to a record need not be on a disk as soon as the record is: while the file is
/// there, whoever recovers it makes the row again. So a spool asks before a file goes.
#[async_trait]
pub trait Keeper: Send + Sync {
    /// Returns once the file of this segment, which is in the object store, may go. From the moment it is
    /// asked [`Spool::holds`] says no.
    ///
    /// # Errors
    /// The file stays, and is uploaded and asked about again.
    async fn let_go(&self, key: &ObjectKey) -> Result<(), StoreError>;
}

/// Keeps nothing.
struct Nobody;

#[async_trait]
impl Keeper for Nobody {
    async fn let_go(&self, _key: &ObjectKey) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What a spool works with.
struct With {
    disk: Arc<dyn Disk>,
    store: Arc<dyn ObjectStore>,
    clock: Clock,
    keeper: Arc<dyn Keeper>,
}

/// Tells the time as Unix seconds. Segments are named by it; nothing else depends on it.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Takes sealed bodies, acknowledges them once they are on disk, and brings them to the object
/// store in segments.
///
/// One folder belongs to one spool. A thread of its own appends and syncs, a task uploads; both
/// end with the spool. Dropping it without [`close`](Spool::close) is like a crash: nothing that
/// was acknowledged is lost, and the next [`open`](Spool::open) goes on.
pub struct Spool {
    shared: Arc<Shared>,
    commands: Sender<Command>,
    uploader: Mutex<Option<JoinHandle<()>>>,
}

/// Records that were handed in by [`Spool::begin_append`].
#[derive(Debug)]
#[must_use = "nothing is acknowledged before it is done"]
pub struct Appending(Option<oneshot::Receiver<Result<Vec<Location>, StoreError>>>);

impl Appending {
    /// Returns where the records lie, once all are on disk for good.
    ///
    /// # Errors
    ///
    /// As [`Spool::append_all`].
    pub async fn done(self) -> Result<Vec<Location>, StoreError> {
        match self.0 {
            Some(answer) => answer.await.unwrap_or_else(|_| Err(StoreError::closed())),
            None => Ok(Vec::new()),
        }
    }
}

/// What a [`flush`](Spool::flush) has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "segments that are left wait on this disk for the next start"]
pub struct Flushed {
    /// Segments that were waiting when the flush began and are still not uploaded.
    pub left: usize,
}

impl Spool {
    /// Opens the folder, recovers what an earlier life left, and starts to upload it.
    ///
    /// Must be called inside a tokio runtime. Reads every file in the folder, so it takes seconds
    /// for a spool of gigabytes.
    ///
    /// # Errors
    ///
    /// `Configuration` if the folder cannot be used, another process uses it, or the limits make
    /// no sense; `Disk` if it cannot be read. Damaged files are no error: see [`Recovered`].
    pub async fn open(
        dir: impl Into<PathBuf>,
        limits: SpoolLimits,
        store: Arc<dyn ObjectStore>,
        clock: Clock,
    ) -> Result<(Self, Recovered), StoreError> {
        Self::open_for(dir, limits, store, clock, Arc::new(Nobody)).await
    }

    /// As [`open`](Spool::open), for somebody who is asked before a file goes.
    ///
    /// # Errors
    ///
    /// As [`open`](Spool::open).
    pub async fn open_for(
        dir: impl Into<PathBuf>,
        limits: SpoolLimits,
        store: Arc<dyn ObjectStore>,
        clock: Clock,
        keeper: Arc<dyn Keeper>,
    ) -> Result<(Self, Recovered), StoreError> {
        let with = With { disk: Arc::new(RealDisk), store, clock, keeper };
        Self::open_with(with, dir.into(), limits).await
    }

    async fn open_with(
        with: With,
        dir: PathBuf,
        limits: SpoolLimits,
    ) -> Result<(Self, Recovered), StoreError> {
        limits.check()?;
        let (folder, on) = (dir.clone(), Arc::clone(&with.disk));
        let (lock, (state, recovered)) = blocking(move || {
            let lock = recovery::take_folder(&*on, &folder)?;
            Ok((lock, recovery::recover(&*on, &folder)?))
        })
        .await?;
        let shared = Arc::new(Shared::new(with, dir, limits, lock, state));
        let (commands, received) = channel();
        let writer = Writer::new(Arc::clone(&shared));
        std::thread::Builder::new()
            .name("oubliette-spool".into())
            .spawn(move || writer.run(&received))
            .map_err(|error| StoreError::disk("the spool's thread cannot be started", error))?;
        let uploader = tokio::spawn(uploader::run(Arc::clone(&shared)));
        Ok((Self { shared, commands, uploader: Mutex::new(Some(uploader)) }, recovered))
    }

    /// Appends one record and returns where it lies, once it is on disk for good.
    ///
    /// # Errors
    ///
    /// As [`append_all`](Spool::append_all).
    pub async fn append(
        &self,
        body: SealedBody,
        class: RetentionClass,
    ) -> Result<Location, StoreError> {
        let locations = self.append_all(vec![(body, class)]).await?;
        Ok(*locations.first().expect("one location for each record"))
    }

    /// Appends records and returns where they lie, in the same order, once all are on disk for
    /// good. Appends that wait at the same time share one fsync.
    ///
    /// After an error none is acknowledged, though some may have been written and turn up in
    /// [`Recovered`] after a crash. The same holds if the future is dropped.
    ///
    /// # Errors
    ///
    /// `Full` if the spool or its disk has no room, `Disk` if writing failed, `Closed` after
    /// [`close`](Spool::close). Trying again is the caller's decision; the spool does not.
    pub async fn append_all(
        &self,
        records: Vec<(SealedBody, RetentionClass)>,
    ) -> Result<Vec<Location>, StoreError> {
        self.begin_append(records)?.done().await
    }

    /// As [`append_all`](Spool::append_all), in two steps: this one does not wait, and may be taken on any
    /// thread. What is handed in is written also if nobody waits for it.
    ///
    /// # Errors
    ///
    /// As [`append_all`](Spool::append_all); then nothing was or will be written.
    pub fn begin_append(
        &self,
        records: Vec<(SealedBody, RetentionClass)>,
    ) -> Result<Appending, StoreError> {
        self.hand_in(records.into_iter().map(|(body, class)| (body.into(), class)).collect())
    }

    /// Appends the records at these locations once more, each in its class, so that the segments
    /// they lie in can go: the way mostly dead segments become full ones. Returns where each lies
    /// now, and `None` for those that cannot be had as whole records: they are gone or damaged.
    ///
    /// The records are as they were, under the same keys; until the caller has moved its rows both
    /// copies can be read. They are in memory meanwhile: the caller bounds them.
    ///
    /// # Errors
    ///
    /// As [`append_all`](Spool::append_all), and `Retry` if the object store cannot answer.
    pub async fn copy_all(
        &self,
        locations: &[Location],
    ) -> Result<Vec<Option<Location>>, StoreError> {
        let mut records = Vec::with_capacity(locations.len());
        let mut found = Vec::with_capacity(locations.len());
        for (location, bytes) in locations.iter().zip(self.read_all(locations).await) {
            let record = match bytes {
                Ok(bytes) => Record::read_back(bytes),
                Err(error) => match error.kind() {
                    StoreErrorKind::NotFound | StoreErrorKind::Damaged => None,
                    _ => return Err(error),
                },
            };
            found.push(record.is_some());
            records.extend(record.map(|record| (record, location.object_key.class())));
        }
        let mut copies = self.append_records(records).await?.into_iter();
        Ok(found.into_iter().map(|found| if found { copies.next() } else { None }).collect())
    }

    async fn append_records(
        &self,
        records: Vec<(Record, RetentionClass)>,
    ) -> Result<Vec<Location>, StoreError> {
        self.hand_in(records)?.done().await
    }

    fn hand_in(&self, records: Vec<(Record, RetentionClass)>) -> Result<Appending, StoreError> {
        if self.shared.is_closed() {
            return Err(StoreError::closed());
        }
        if records.is_empty() {
            return Ok(Appending(None));
        }
        let cost = records.iter().map(|(record, _)| record_cost(record.len())).sum();
        self.shared.reserve(cost)?;
        let (reply, answer) = oneshot::channel();
        if let Err(error) = self.send(Command::Append(Append { records, cost, reply })) {
            self.shared.release(cost);
            self.shared.settled(cost);
            return Err(error);
        }
        Ok(Appending(Some(answer)))
    }

    /// Reads the record at a location: from the spool while its segment is here, otherwise from
    /// the object store with one ranged GET, with a second beside it if the first is slow. What was
    /// read lately is in memory, as ciphertext.
    ///
    /// # Errors
    ///
    /// `NotFound` if the segment is nowhere, `Damaged` if the bytes are not the record's,
    /// `Invalid` for a location that no record has; otherwise as [`ObjectStore::get_range`].
    pub async fn read(&self, location: &Location) -> Result<Bytes, StoreError> {
        frame_range(location)?;
        for attempt in 0..FILE_TRIES {
            let Some(path) = self.shared.local_file(location.object_key) else { break };
            let at = *location;
            let disk = Arc::clone(&self.shared.disk);
            match blocking(move || read_local(&*disk, &path, &at)).await {
                Ok(Some(record)) => return Ok(record),
                // Renamed or removed since the look at the books, which will say so in a moment.
                Ok(None) => tokio::time::sleep(Duration::from_millis(attempt)).await,
                // Perhaps it was uploaded before the disk spoilt it.
                Err(error) => {
                    return self.shared.reading.read(location).await.or(Err(error));
                }
            }
        }
        self.shared.reading.read(location).await
    }

    /// Reads many records, in the order of the locations, each with an error of its own: from the
    /// spool where their segments are here, the others as [`read_records`] does.
    ///
    /// What is asked for is in memory at the end: the caller bounds it.
    pub async fn read_all(&self, locations: &[Location]) -> Vec<Result<Bytes, StoreError>> {
        let is_here = |location: &Location| self.shared.local_file(location.object_key).is_some();
        let (here, away): (Vec<_>, Vec<_>) = locations.iter().copied().partition(is_here);
        let (mut here, mut away) = join(
            async {
                let mut records = Vec::with_capacity(here.len());
                for location in &here {
                    records.push((*location, self.read(location).await));
                }
                records.into_iter()
            },
            async {
                let records = read_records(&*self.shared.store, &away).await;
                away.iter().copied().zip(records).collect::<Vec<_>>().into_iter()
            },
        )
        .await;
        let mut next_here = here.next();
        let answer = |location: &Location| {
            // Both keep the order, so the next of one of them it is.
            if next_here.as_ref().is_some_and(|(of, _)| of == location) {
                let answer = std::mem::replace(&mut next_here, here.next());
                answer.expect("just seen").1
            } else {
                away.next().expect("every location is in one of the two").1
            }
        };
        locations.iter().map(answer).collect()
    }

    /// Whether a segment's file is in the spool and will stay there until its [`Keeper`] has been asked.
    /// If not, the object store has it.
    #[must_use]
    pub fn holds(&self, key: &ObjectKey) -> bool {
        self.shared.holds(*key)
    }

    /// Where the spool stands. Cheap: no disk is touched.
    #[must_use]
    pub fn status(&self) -> SpoolStatus {
        self.shared.status()
    }

    /// Finishes all open segments and waits until everything that waits is uploaded, for at most
    /// `deadline`. What is left then is safe on disk and goes on being uploaded.
    ///
    /// # Errors
    ///
    /// `Closed` after [`close`](Spool::close).
    pub async fn flush(&self, deadline: Duration) -> Result<Flushed, StoreError> {
        let end = Instant::now() + deadline;
        let (done, sealed) = oneshot::channel();
        self.send(Command::Seal(done))?;
        sealed.await.map_err(|_| StoreError::closed())?;
        let deadline = end.saturating_duration_since(Instant::now());
        Ok(Flushed { left: uploader::wait_for_uploads(&self.shared, deadline).await })
    }

    /// Refuses further appends, flushes for at most `deadline`, and stops thread and task.
    /// Afterwards the folder may be opened again. Reading goes on to work.
    ///
    /// # Errors
    ///
    /// `Closed` if it has been closed before.
    pub async fn close(&self, deadline: Duration) -> Result<Flushed, StoreError> {
        if self.shared.closed.swap(true, Ordering::SeqCst) {
            return Err(StoreError::closed());
        }
        let flushed = self.flush(deadline).await?;
        self.shared.stop();
        let uploader = self.uploader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(uploader) = uploader {
            let _ = uploader.await; // a panic in it has been reported, and it has ended
        }
        let (done, ended) = oneshot::channel();
        self.send(Command::Close(done))?;
        ended.await.map_err(|_| StoreError::closed())?;
        self.shared.unlock_folder();
        Ok(flushed)
    }

    fn send(&self, command: Command) -> Result<(), StoreError> {
        self.commands.send(command).map_err(|_| StoreError::closed())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // The writer ends by itself when nobody can send to it any more.
        self.shared.stop();
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool")
            .field("dir", &self.shared.dir)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// How often a file is looked for that the books say is there: the pauses grow by a millisecond.
const FILE_TRIES: u64 = 12;

/// Reads a record from a spool file; `None` if the file has gone meanwhile.
fn read_local(
    disk: &dyn Disk,
    path: &Path,
    location: &Location,
) -> Result<Option<Bytes>, StoreError> {
    let mut frame = vec![0; FRAME_HEADER_LEN + location.len as usize];
    match disk.read_at(path, location.offset, &mut frame) {
        Ok(()) if check_frame(&frame, location.len) => {
            Ok(Some(Bytes::from(frame).slice(FRAME_HEADER_LEN..)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(StoreError::disk("a spool file cannot be read", error))
        }
        _ => Err(StoreError::new(
            StoreErrorKind::Damaged,
            format!(
                "the record at {} of {} does not match its checksum in the spool",
                location.offset, location.object_key
            ),
        )),
    }
}

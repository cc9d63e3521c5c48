//! Reading segments: one record by range, the index by range, or the whole.

use std::ops::Range;

use bytes::Bytes;
use futures::future::try_join;
use futures::{StreamExt, stream};
use oubliette_seal::{MAX_RECORD_LEN, RecordRef};
use sha2::{Digest, Sha256};

use super::format::{FLAG_REBUILT, Trailer, parse_header, parse_index};
use super::{FRAME_HEADER_LEN, HEADER_LEN, IndexEntry, Location, TRAILER_LEN, check_frame};
use crate::error::{StoreError, StoreErrorKind};
use crate::key::ObjectKey;
use crate::object::ObjectStore;

/// Reads one record from an object store with one ranged GET, and checks its frame.
///
/// Whoever has a [`Spool`](crate::Spool) uses [`Spool::read`](crate::Spool::read), which also
/// knows what has not been uploaded yet.
///
/// # Errors
///
/// `NotFound` if the segment is not there, `Damaged` if the bytes are not the record's, `Invalid`
/// for a location that no record has; otherwise as [`ObjectStore::get_range`].
pub async fn read_record(
    store: &dyn ObjectStore,
    location: &Location,
) -> Result<Bytes, StoreError> {
    let range = frame_range(location)?;
    // Twice, since a byte may also be altered on the way here.
    for _ in 0..2 {
        let frame = store.get_range(&location.object_key, range.clone()).await?;
        if check_frame(&frame, location.len) {
            return Ok(frame.slice(FRAME_HEADER_LEN..));
        }
    }
    Err(damaged_record(location))
}

/// Reads many records: those that lie close together with one ranged GET, and several GETs at the
/// same time. The answers are in the order of the locations, each with an error of its own.
///
/// What is asked for is in memory at the end: the caller bounds it.
pub async fn read_records(
    store: &dyn ObjectStore,
    locations: &[Location],
) -> Vec<Result<Bytes, StoreError>> {
    let mut answers: Vec<Option<Result<Bytes, StoreError>>> = vec![None; locations.len()];
    let runs = runs(locations, &mut answers);
    let mut read = stream::iter(runs)
        .map(|run| async move {
            let whole = store.get_range(&run.key, run.range.clone()).await;
            (run, whole)
        })
        .buffer_unordered(GETS_TOGETHER);
    while let Some((run, whole)) = read.next().await {
        for (number, frame) in run.frames {
            let location = &locations[number];
            answers[number] = Some(match &whole {
                Ok(bytes) => {
                    let from = usize::try_from(frame.start - run.range.start);
                    let from = from.expect("it lies in memory");
                    let frame = bytes.slice(from..from + FRAME_HEADER_LEN + location.len as usize);
                    if check_frame(&frame, location.len) {
                        Ok(frame.slice(FRAME_HEADER_LEN..))
                    } else {
                        read_record(store, location).await
                    }
                }
                // An object that ends too early may still hold the first ones.
                Err(error) if error.kind() == StoreErrorKind::Damaged => {
                    read_record(store, location).await
                }
                Err(error) => Err(error.clone()),
            });
        }
    }
    answers.into_iter().map(|answer| answer.expect("each location is in one run")).collect()
}

/// Frames of one object that are read together.
struct Run {
    key: ObjectKey,
    range: Range<u64>,
    frames: Vec<(usize, Range<u64>)>,
}

/// Puts locations together into runs. Those that no record can have are answered at once.
fn runs(locations: &[Location], answers: &mut [Option<Result<Bytes, StoreError>>]) -> Vec<Run> {
    let mut frames = Vec::with_capacity(locations.len());
    for (number, location) in locations.iter().enumerate() {
        match frame_range(location) {
            Ok(range) => frames.push((location.object_key, range, number)),
            Err(error) => answers[number] = Some(Err(error)),
        }
    }
    frames.sort_by_key(|(key, range, _)| (*key, range.start));
    let mut runs: Vec<Run> = Vec::new();
    for (key, range, number) in frames {
        match runs.last_mut() {
            Some(run)
                if run.key == key
                    && range.start <= run.range.end.saturating_add(WIDEST_GAP)
                    && range.end.max(run.range.end) - run.range.start <= LONGEST_RUN =>
            {
                run.range.end = run.range.end.max(range.end);
                run.frames.push((number, range));
            }
            _ => runs.push(Run { key, range: range.clone(), frames: vec![(number, range)] }),
        }
    }
    runs
}

/// GETs at the same time: enough to fill a line, few enough to leave some to others.
const GETS_TOGETHER: usize = 8;

/// Bytes that are read for nothing rather than with another request, which takes as long as some
/// hundreds of kilobytes do.
const WIDEST_GAP: u64 = 64 << 10;

/// The most bytes of one GET, so that eight of them stay a modest piece of memory.
const LONGEST_RUN: u64 = 8 << 20;

/// The bytes of a segment that a record's frame takes.
pub(crate) fn frame_range(location: &Location) -> Result<Range<u64>, StoreError> {
    let len = u64::from(location.len);
    let end = location.offset.checked_add(FRAME_HEADER_LEN as u64 + len);
    match end {
        Some(end)
            if location.offset >= HEADER_LEN as u64
                && (1..=MAX_RECORD_LEN as u64).contains(&len) =>
        {
            Ok(location.offset..end)
        }
        _ => Err(StoreError::invalid("no record can lie at this location")),
    }
}

pub(crate) fn damaged_record(location: &Location) -> StoreError {
    StoreError::damaged(format!(
        "the record at {} of {} does not match its checksum",
        location.offset, location.object_key
    ))
}

/// What a segment holds: the way back from objects to a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentIndex {
    key: ObjectKey,
    entries: Vec<IndexEntry>,
    rebuilt: bool,
}

impl SegmentIndex {
    /// Reads the index of an uploaded segment without its records.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such object, `Damaged` if header, index or trailer are not as
    /// they were written; otherwise as [`ObjectStore::get_range`].
    pub async fn fetch(store: &dyn ObjectStore, key: &ObjectKey) -> Result<Self, StoreError> {
        let size = store.size(key).await?;
        Self::fetch_sized(store, key, size).await
    }

    /// As [`fetch`](Self::fetch), for an object whose size a listing has told already: two ranged
    /// reads at the same time, one for a small segment, three for one of thousands of records.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch).
    pub async fn fetch_sized(
        store: &dyn ObjectStore,
        key: &ObjectKey,
        size: u64,
    ) -> Result<Self, StoreError> {
        let trailer_at = trailer_offset(size)?;
        let tail_at = size.saturating_sub(TAIL);
        let (header, tail) = if tail_at == 0 {
            let whole = store.get_range(key, 0..size).await?;
            (whole.clone(), whole)
        } else {
            try_join(
                store.get_range(key, 0..HEADER_LEN as u64),
                store.get_range(key, tail_at..size),
            )
            .await?
        };
        let in_tail = |at: u64| usize::try_from(at - tail_at).expect("it lies in memory");
        let trailer = parse_trailer(&tail[in_tail(trailer_at)..], size)?;
        let index = if trailer.index_offset >= tail_at {
            tail.slice(in_tail(trailer.index_offset)..in_tail(trailer_at))
        } else {
            store.get_range(key, trailer.index_offset..trailer_at).await?
        };
        let index = Self::put_together(&header, &index, &trailer)?;
        if index.key == *key { Ok(index) } else { Err(misnamed(key)) }
    }

    /// Checks a whole segment, every byte against the SHA-256 of its trailer, and reads its index.
    ///
    /// # Errors
    ///
    /// `Damaged` if anything is not as it was written.
    pub fn parse(segment: &[u8]) -> Result<Self, StoreError> {
        let size = segment.len() as u64;
        let trailer_at = usize::try_from(trailer_offset(size)?).expect("it lies in memory");
        let trailer = parse_trailer(&segment[trailer_at..], size)?;
        let hashed = segment.len() - 40; // the trailer's SHA-256 and magic
        if <[u8; 32]>::from(Sha256::digest(&segment[..hashed])) != trailer.sha256 {
            return Err(StoreError::damaged("the segment does not match its checksum"));
        }
        let index_at = usize::try_from(trailer.index_offset).expect("checked against the size");
        Self::put_together(segment, &segment[index_at..trailer_at], &trailer)
    }

    /// Checks a whole segment as [`parse`](Self::parse) does, and that each entry of the index
    /// points at a whole record that says the same of itself.
    ///
    /// # Errors
    ///
    /// `Damaged`, as [`parse`](Self::parse), or with the place of the first record that is not so.
    pub fn verify(segment: &[u8]) -> Result<Self, StoreError> {
        let index = Self::parse(segment)?;
        for entry in &index.entries {
            let range = usize::try_from(entry.offset).expect("checked against the size")
                ..usize::try_from(entry.end()).expect("checked against the size");
            let frame = &segment[range];
            let says_the_same = check_frame(frame, entry.len)
                && RecordRef::parse(&frame[FRAME_HEADER_LEN..]).is_ok_and(|record| {
                    let header = record.header();
                    (header.account(), header.address()) == (entry.account, entry.address)
                });
            if !says_the_same {
                return Err(damaged_record(&entry.location(index.key)));
            }
        }
        Ok(index)
    }

    fn put_together(header: &[u8], index: &[u8], trailer: &Trailer) -> Result<Self, StoreError> {
        Ok(Self {
            key: parse_header(header)?,
            entries: parse_index(index, trailer)?,
            rebuilt: trailer.flags & FLAG_REBUILT != 0,
        })
    }

    /// The key that the segment's header gives.
    #[must_use]
    pub fn object_key(&self) -> ObjectKey {
        self.key
    }

    /// The records, in the order in which they were appended.
    #[must_use]
    pub fn entries(&self) -> &[IndexEntry] {
        &self.entries
    }

    /// Whether the segment was put together again from a damaged spool file, and may lack records.
    #[must_use]
    pub fn is_rebuilt(&self) -> bool {
        self.rebuilt
    }

    pub(crate) fn into_entries(self) -> Vec<IndexEntry> {
        self.entries
    }
}

pub(crate) fn misnamed(key: &ObjectKey) -> StoreError {
    StoreError::damaged(format!("the segment under {key} is another one by its header"))
}

/// Bytes from the end of a segment that are read at once: trailer and index of some 3,600 records,
/// which is most segments of 16 MiB.
const TAIL: u64 = 128 << 10;

fn trailer_offset(size: u64) -> Result<u64, StoreError> {
    size.checked_sub(TRAILER_LEN as u64)
        .filter(|at| *at >= HEADER_LEN as u64)
        .ok_or_else(|| StoreError::damaged("the segment is too short to be one"))
}

fn parse_trailer(bytes: &[u8], size: u64) -> Result<Trailer, StoreError> {
    let bytes = bytes.try_into().map_err(|_| StoreError::damaged("the segment has no trailer"))?;
    Trailer::parse(bytes, size)
}

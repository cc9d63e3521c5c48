//! Reading segments: one record by range, the index by range, or the whole.

use std::ops::Range;

use bytes::Bytes;
use oubliette_seal::MAX_RECORD_LEN;
use sha2::{Digest, Sha256};

use super::format::{FLAG_REBUILT, Trailer, parse_header, parse_index};
use super::{FRAME_HEADER_LEN, HEADER_LEN, IndexEntry, Location, TRAILER_LEN, check_frame};
use crate::error::StoreError;
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
    let frame = store.get_range(&location.object_key, frame_range(location)?).await?;
    if check_frame(&frame, location.len) {
        Ok(frame.slice(FRAME_HEADER_LEN..))
    } else {
        Err(damaged_record(location))
    }
}

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
    /// Reads the index of an uploaded segment, in three ranged reads and not the records.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such object, `Damaged` if header, index or trailer are not as
    /// they were written; otherwise as [`ObjectStore::get_range`].
    pub async fn fetch(store: &dyn ObjectStore, key: &ObjectKey) -> Result<Self, StoreError> {
        let size = store.size(key).await?;
        let trailer_at = trailer_offset(size)?;
        let header = store.get_range(key, 0..HEADER_LEN as u64).await?;
        let trailer = store.get_range(key, trailer_at..size).await?;
        let trailer = parse_trailer(&trailer, size)?;
        let index = if trailer.index_offset == trailer_at {
            Bytes::new()
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

fn trailer_offset(size: u64) -> Result<u64, StoreError> {
    size.checked_sub(TRAILER_LEN as u64)
        .filter(|at| *at >= HEADER_LEN as u64)
        .ok_or_else(|| StoreError::damaged("the segment is too short to be one"))
}

fn parse_trailer(bytes: &[u8], size: u64) -> Result<Trailer, StoreError> {
    let bytes = bytes.try_into().map_err(|_| StoreError::damaged("the segment has no trailer"))?;
    Trailer::parse(bytes, size)
}

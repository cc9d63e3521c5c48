//! Segments: files and objects that hold many sealed records. `docs/format.md` has the bytes.

mod format;
mod reader;
mod scan;

use serde::{Deserialize, Serialize};

pub(crate) use self::format::{
    FRAME_HEADER_LEN, HEADER_LEN, INDEX_ENTRY_LEN, TRAILER_LEN, check_frame, footer, frame_header,
    header,
};
pub(crate) use self::reader::frame_range;
pub use self::reader::{SegmentIndex, read_record, read_records};
pub(crate) use self::scan::scan;
use crate::key::{ObjectKey, SegmentId};
use oubliette_keytree::{AccountTag, LeafAddress};

/// Bytes that a segment of so many records has beside the records.
#[must_use]
pub fn segment_overhead(records: u64) -> u64 {
    let per_record = (FRAME_HEADER_LEN + INDEX_ENTRY_LEN) as u64;
    (HEADER_LEN + TRAILER_LEN) as u64 + records * per_record
}

/// Where a record lies: in which segment, and where in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// The segment's object, which may still be a spool file.
    pub object_key: ObjectKey,
    /// Where the record's frame begins, in bytes from the start of the segment.
    pub offset: u64,
    /// Bytes of the record, without its frame.
    pub len: u32,
}

impl Location {
    /// The segment.
    #[must_use]
    pub fn segment(&self) -> SegmentId {
        self.object_key.segment()
    }
}

/// One record of a segment, as the segment's index has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEntry {
    /// Where the record's frame begins, in bytes from the start of the segment.
    pub offset: u64,
    /// Bytes of the record, without its frame.
    pub len: u32,
    /// The account whose body it is, as the record's header claims.
    pub account: AccountTag,
    /// The leaf whose key opens it, as the record's header claims.
    pub address: LeafAddress,
}

impl IndexEntry {
    /// The place of the record, given the segment's key.
    #[must_use]
    pub fn location(&self, object_key: ObjectKey) -> Location {
        Location { object_key, offset: self.offset, len: self.len }
    }

    /// Where the record's frame ends.
    pub(crate) fn end(&self) -> u64 {
        self.offset + FRAME_HEADER_LEN as u64 + u64::from(self.len)
    }
}

//! Finding the whole records of a segment that was never finished, or that is damaged.

use memchr::memmem;
use oubliette_seal::{MAX_RECORD_LEN, RecordHeader, RecordRef};
use sha2::{Digest, Sha256};

use super::format::{FLAG_REBUILT, claimed_len, parse_header};
use super::{FRAME_HEADER_LEN, HEADER_LEN, IndexEntry, check_frame, footer, header};
use crate::key::ObjectKey;

/// What every record begins with; after damage, the next whole frame is found by it.
const RECORD_MAGIC: &[u8] = b"OUBR";

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The whole records.
    pub(crate) entries: Vec<IndexEntry>,
    /// Where the last whole frame ends.
    pub(crate) end: usize,
    /// Whether the header is that of the expected segment.
    pub(crate) header_is_good: bool,
    /// Bytes between whole frames that belong to none: damage, not a torn tail.
    pub(crate) gap_bytes: usize,
    /// Whole frames whose record this release cannot read. They are kept, but not indexed.
    pub(crate) unknown: usize,
}

/// Finds every whole frame of the segment `key`, in a file without footer.
///
/// What follows the last whole frame is the torn tail: appends that were never acknowledged. A
/// broken frame *before* a whole one is damage; its bytes stay where they are, because the places
/// of the others must.
pub(crate) fn scan(bytes: &[u8], key: ObjectKey) -> Scan {
    let mut found = Scan {
        entries: Vec::new(),
        end: HEADER_LEN.min(bytes.len()),
        header_is_good: parse_header(bytes).is_ok_and(|found| found == key),
        gap_bytes: 0,
        unknown: 0,
    };
    let magic = memmem::Finder::new(RECORD_MAGIC);
    let mut at = HEADER_LEN;
    loop {
        while let Some(frame) = frame_at(bytes, at) {
            found.gap_bytes += at - found.end;
            match RecordRef::parse(&frame[FRAME_HEADER_LEN..]) {
                Ok(record) => found.entries.push(entry(at, record.header(), frame)),
                Err(_) => found.unknown += 1,
            }
            at += frame.len();
            found.end = at;
        }
        // The frame here is broken, and its length with it: look for the next one.
        let from = at + 1 + FRAME_HEADER_LEN;
        let next = bytes.get(from..).and_then(|rest| {
            magic
                .find_iter(rest)
                .map(|hit| from + hit - FRAME_HEADER_LEN)
                .find(|start| frame_at(bytes, *start).is_some())
        });
        match next {
            Some(next) => at = next,
            None => return found,
        }
    }
}

impl Scan {
    /// The finished segment: what was scanned up to the last whole frame, with a good header,
    /// index and trailer. No record moves.
    pub(crate) fn finish(&self, bytes: &[u8], key: ObjectKey, rebuilt: bool) -> Vec<u8> {
        let mut segment = Vec::with_capacity(self.end + 4096);
        segment.extend_from_slice(&header(key));
        segment.extend_from_slice(&bytes[HEADER_LEN..self.end]);
        let hash = Sha256::new().chain_update(&segment);
        let flags = if rebuilt { FLAG_REBUILT } else { 0 };
        segment.extend_from_slice(&footer(&self.entries, self.end as u64, flags, hash));
        segment
    }
}

/// The whole frame that begins here.
fn frame_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let len = claimed_len(rest)?;
    if len == 0 || len as usize > MAX_RECORD_LEN {
        return None;
    }
    let frame = rest.get(..FRAME_HEADER_LEN + len as usize)?;
    check_frame(frame, len).then_some(frame)
}

fn entry(at: usize, record: &RecordHeader, frame: &[u8]) -> IndexEntry {
    IndexEntry {
        offset: at as u64,
        len: u32::try_from(frame.len() - FRAME_HEADER_LEN).expect("a frame's length has 32 bits"),
        account: record.account(),
        address: record.address(),
    }
}

//! The bytes of a segment, version 1. All numbers are big-endian, as in a record.
//!
//! ```text
//! header ‖ frame* ‖ index ‖ trailer
//! header  = magic "OUBLSEG1" ‖ retention days u32 ‖ reserved u32 = 0 ‖ segment id 16
//!           ‖ crc32c of these 32 bytes
//! frame   = record length u32 ‖ crc32c of length and record u32 ‖ record
//! index   = (offset u64 ‖ record length u32 ‖ account tag 16 ‖ leaf address u64)*
//! trailer = entries u64 ‖ index offset u64 ‖ crc32c of index u32 ‖ flags u32
//!           ‖ SHA-256 of every byte before it ‖ magic "OUBLEND1"
//! ```

use oubliette_keytree::{AccountTag, LeafAddress};
use oubliette_seal::MAX_RECORD_LEN;
use sha2::{Digest, Sha256};

use super::IndexEntry;
use crate::error::StoreError;
use crate::key::{ObjectKey, RetentionClass, SegmentId};

pub(crate) const HEADER_LEN: usize = 36;
pub(crate) const FRAME_HEADER_LEN: usize = 8;
pub(crate) const INDEX_ENTRY_LEN: usize = 36;
pub(crate) const TRAILER_LEN: usize = 64;

const MAGIC: [u8; 8] = *b"OUBLSEG1";
const END_MAGIC: [u8; 8] = *b"OUBLEND1";

/// The segment was put together again after a sealed spool file had been damaged. Should a whole
/// one have been uploaded before, that one is better.
pub(crate) const FLAG_REBUILT: u32 = 1;

pub(crate) fn header(key: ObjectKey) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&u32::from(key.class().get()).to_be_bytes());
    bytes[16..32].copy_from_slice(&key.segment().to_bytes());
    let crc = crc32c::crc32c(&bytes[..32]);
    bytes[32..].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// Whose header the bytes begin with.
pub(super) fn parse_header(bytes: &[u8]) -> Result<ObjectKey, StoreError> {
    let header: &[u8; HEADER_LEN] =
        bytes.first_chunk().ok_or_else(|| StoreError::damaged("the segment has no header"))?;
    let magic: [u8; 8] = array(header, 0);
    if magic != MAGIC {
        return Err(if magic[..7] == MAGIC[..7] {
            StoreError::damaged("the segment is of a version that this release does not know")
        } else {
            StoreError::damaged("not a segment")
        });
    }
    if u32::from_be_bytes(array(header, 32)) != crc32c::crc32c(&header[..32]) {
        return Err(StoreError::damaged("the segment's header does not match its checksum"));
    }
    let class = RetentionClass::days(u32::from_be_bytes(array(header, 8)));
    match (class, SegmentId::from_bytes(array(header, 16)), array(header, 12)) {
        (Ok(class), Some(id), [0, 0, 0, 0]) => Ok(ObjectKey::new(class, id)),
        _ => Err(StoreError::damaged("the segment's header has values that no segment has")),
    }
}

/// What stands before a record. `None` if it is longer than any record may be.
pub(crate) fn frame_header(record: &[u8]) -> Option<[u8; FRAME_HEADER_LEN]> {
    if record.is_empty() || record.len() > MAX_RECORD_LEN {
        return None;
    }
    let len = u32::try_from(record.len()).ok()?.to_be_bytes();
    let crc = frame_crc(len, record).to_be_bytes();
    let mut bytes = [0; FRAME_HEADER_LEN];
    bytes[..4].copy_from_slice(&len);
    bytes[4..].copy_from_slice(&crc);
    Some(bytes)
}

/// Whether these bytes are one whole frame of a record of this length.
pub(crate) fn check_frame(frame: &[u8], record_len: u32) -> bool {
    let Some((head, record)) = frame.split_first_chunk::<FRAME_HEADER_LEN>() else { return false };
    let len: [u8; 4] = array(head, 0);
    u32::from_be_bytes(len) == record_len
        && record.len() == record_len as usize
        && !record.is_empty()
        && u32::from_be_bytes(array(head, 4)) == frame_crc(len, record)
}

/// The length that a frame claims, if there is a frame header.
pub(super) fn claimed_len(frame: &[u8]) -> Option<u32> {
    frame.first_chunk().map(|len| u32::from_be_bytes(*len))
}

/// The length is part of the checksum: else a run of zeros would pass for empty frames.
fn frame_crc(len: [u8; 4], record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&len), record)
}

/// Index and trailer, given the hash of everything before them.
pub(crate) fn footer(
    entries: &[IndexEntry],
    index_offset: u64,
    flags: u32,
    mut hash: Sha256,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * INDEX_ENTRY_LEN + TRAILER_LEN);
    for entry in entries {
        bytes.extend_from_slice(&entry.offset.to_be_bytes());
        bytes.extend_from_slice(&entry.len.to_be_bytes());
        bytes.extend_from_slice(entry.account.as_bytes());
        bytes.extend_from_slice(&entry.address.to_bits().to_be_bytes());
    }
    let index_crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&(entries.len() as u64).to_be_bytes());
    bytes.extend_from_slice(&index_offset.to_be_bytes());
    bytes.extend_from_slice(&index_crc.to_be_bytes());
    bytes.extend_from_slice(&flags.to_be_bytes());
    hash.update(&bytes);
    bytes.extend_from_slice(&hash.finalize());
    bytes.extend_from_slice(&END_MAGIC);
    bytes
}

/// What a trailer says, checked against the size of the segment but not yet against its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) index_offset: u64,
    pub(super) index_crc: u32,
    pub(super) flags: u32,
    pub(super) sha256: [u8; 32],
}

impl Trailer {
    pub(super) fn parse(bytes: &[u8; TRAILER_LEN], segment_len: u64) -> Result<Self, StoreError> {
        if array::<8>(bytes, 56) != END_MAGIC {
            return Err(StoreError::damaged(
                "the file ends as no segment does: it is none, or it is cut short",
            ));
        }
        let entries = u64::from_be_bytes(array(bytes, 0));
        let trailer = Self {
            index_offset: u64::from_be_bytes(array(bytes, 8)),
            index_crc: u32::from_be_bytes(array(bytes, 16)),
            flags: u32::from_be_bytes(array(bytes, 20)),
            sha256: array(bytes, 24),
        };
        let end = entries
            .checked_mul(INDEX_ENTRY_LEN as u64)
            .and_then(|len| len.checked_add(trailer.index_offset))
            .and_then(|end| end.checked_add(TRAILER_LEN as u64));
        if end != Some(segment_len) || trailer.index_offset < HEADER_LEN as u64 {
            return Err(StoreError::damaged("the segment's trailer does not fit its size"));
        }
        Ok(trailer)
    }
}

/// The entries of an index, checked to lie in order between header and index.
pub(super) fn parse_index(bytes: &[u8], trailer: &Trailer) -> Result<Vec<IndexEntry>, StoreError> {
    let wrong = || StoreError::damaged("the segment's index does not match its checksum");
    if crc32c::crc32c(bytes) != trailer.index_crc {
        return Err(wrong());
    }
    let (chunks, rest) = bytes.as_chunks::<INDEX_ENTRY_LEN>();
    if !rest.is_empty() {
        return Err(wrong());
    }
    let mut end = HEADER_LEN as u64;
    let mut entries = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        let entry = IndexEntry {
            offset: u64::from_be_bytes(array(chunk, 0)),
            len: u32::from_be_bytes(array(chunk, 8)),
            account: AccountTag::from_bytes(array(chunk, 12)),
            address: LeafAddress::from_bits(u64::from_be_bytes(array(chunk, 28))),
        };
        if entry.offset < end || entry.offset > trailer.index_offset {
            return Err(wrong());
        }
        end = entry.end();
        entries.push(entry);
    }
    if end > trailer.index_offset { Err(wrong()) } else { Ok(entries) }
}

/// Copies out a field whose place and size are constants of the format.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("every field lies inside its part of the format")
}

//! The clear part of a record: what a reader needs before it has a key, and nothing more.

use std::fmt;

use oubliette_keytree::{AccountTag, LeafAddress};

use crate::SealError;
use crate::aead::{NONCE_LEN, TAG_LEN};
use crate::dictionary::Dictionary;
use crate::keys::COMMITMENT_LEN;
use crate::padme::padme;

/// The clear header of a sealed record.
///
/// Parsing says only that the bytes have the form of a header. Whether they are true is known once
/// [`Opener::open`](crate::Opener::open) has authenticated them.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordHeader {
    pub(crate) dictionary: Dictionary,
    pub(crate) ciphertext_len: u32,
    pub(crate) account: AccountTag,
    pub(crate) address: LeafAddress,
    pub(crate) commitment: [u8; COMMITMENT_LEN],
}

impl RecordHeader {
    /// Bytes of a header.
    pub const LEN: usize = 72;
    /// Bytes that a record has beyond its ciphertext: header, nonce and tag.
    pub const OVERHEAD: usize = Self::LEN + NONCE_LEN + TAG_LEN;

    /// Reads the header that `bytes` begin with; what comes after it is not looked at.
    ///
    /// Takes untrusted bytes: it allocates nothing, and [`record_len`](Self::record_len) of the
    /// result is at most [`MAX_RECORD_LEN`].
    ///
    /// # Errors
    /// `Malformed` if these are not the bytes of a header, `UnsupportedVersion` if they are of a
    /// version, compression or dictionary that this release does not know.
    pub fn parse(bytes: &[u8]) -> Result<Self, SealError> {
        let bytes: &[u8; Self::LEN] = bytes
            .first_chunk()
            .ok_or_else(|| SealError::malformed("too short to be a sealed record"))?;
        if bytes[..4] != MAGIC {
            return Err(SealError::malformed("not a sealed record"));
        }
        if bytes[4] != VERSION {
            return Err(SealError::unsupported(
                "this release does not know the record's version; read it with a newer one",
            ));
        }
        let dictionary = Dictionary::by_id(u32::from_be_bytes(array(bytes, 8)));
        let (COMPRESSION_ZSTD, [0, 0], Some(dictionary)) = (bytes[5], array(bytes, 6), dictionary)
        else {
            return Err(SealError::unsupported(
                "this release does not know the record's compression, flags or dictionary; \
                 read it with a newer one",
            ));
        };
        let ciphertext_len = u32::from_be_bytes(array(bytes, 12));
        if ciphertext_len > MAX_CIPHERTEXT_LEN
            || padme(u64::from(ciphertext_len)) != u64::from(ciphertext_len)
        {
            return Err(SealError::malformed("the record claims a length that no record has"));
        }
        Ok(Self {
            dictionary,
            ciphertext_len,
            account: AccountTag::from_bytes(array(bytes, 16)),
            address: LeafAddress::from_bits(u64::from_be_bytes(array(bytes, 32))),
            commitment: array(bytes, 40),
        })
    }

    /// The account whose body this is, as the header claims.
    #[must_use]
    pub fn account(&self) -> AccountTag {
        self.account
    }

    /// The leaf whose key opens the record, as the header claims.
    #[must_use]
    pub fn address(&self) -> LeafAddress {
        self.address
    }

    /// Bytes of the whole record, header and tag included, as the header claims.
    #[must_use]
    pub fn record_len(&self) -> usize {
        self.ciphertext_len as usize + Self::OVERHEAD
    }

    pub(crate) fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[5] = COMPRESSION_ZSTD;
        bytes[8..12].copy_from_slice(&self.dictionary.id().to_be_bytes());
        bytes[12..16].copy_from_slice(&self.ciphertext_len.to_be_bytes());
        bytes[16..32].copy_from_slice(self.account.as_bytes());
        bytes[32..40].copy_from_slice(&self.address.to_bits().to_be_bytes());
        bytes[40..].copy_from_slice(&self.commitment);
        bytes
    }
}

impl fmt::Debug for RecordHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordHeader")
            .field("account", &self.account)
            .field("address", &self.address)
            .field("record_len", &self.record_len())
            .finish_non_exhaustive()
    }
}

/// Stored bytes that have the form of one whole record: untrusted until opened.
///
/// This is what a reader holds. It is not a [`SealedBody`](crate::SealedBody), which only
/// [`Sealer::seal`](crate::Sealer::seal) makes.
#[derive(Clone)]
pub struct RecordRef<'a> {
    header: RecordHeader,
    bytes: &'a [u8],
}

impl<'a> RecordRef<'a> {
    /// Reads bytes that must be exactly one record.
    ///
    /// # Errors
    /// As [`RecordHeader::parse`], and `Malformed` if bytes are missing or left over.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SealError> {
        let header = RecordHeader::parse(bytes)?;
        if bytes.len() < header.record_len() {
            return Err(SealError::malformed("the record is cut short"));
        }
        if bytes.len() > header.record_len() {
            return Err(SealError::malformed("there are bytes after the end of the record"));
        }
        Ok(Self { header, bytes })
    }

    /// The header, as claimed.
    #[must_use]
    pub fn header(&self) -> &RecordHeader {
        &self.header
    }

    /// The bytes of the whole record.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn header_bytes(&self) -> &'a [u8] {
        &self.bytes[..RecordHeader::LEN]
    }

    pub(crate) fn nonce(&self) -> &'a [u8; NONCE_LEN] {
        self.bytes[RecordHeader::LEN..].first_chunk().expect("the length was checked in parse")
    }

    pub(crate) fn ciphertext(&self) -> &'a [u8] {
        &self.bytes[RecordHeader::LEN + NONCE_LEN..self.bytes.len() - TAG_LEN]
    }

    pub(crate) fn tag(&self) -> &'a [u8; TAG_LEN] {
        self.bytes.last_chunk().expect("the length was checked in parse")
    }
}

impl fmt::Debug for RecordRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordRef").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Copies out a field whose place and size are constants of the format.
fn array<const N: usize>(bytes: &[u8; RecordHeader::LEN], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("every field lies inside the header")
}

/// The longest record there is, in bytes. A reader need never fetch more.
pub const MAX_RECORD_LEN: usize = MAX_CIPHERTEXT_LEN as usize + RecordHeader::OVERHEAD;

/// A power of two, and so a length Padmé keeps. Far above any body worth keeping and far below the
/// 64 GiB that AES-GCM allows; it keeps lengths in 32 bits, and sums of them in a `usize`.
pub(crate) const MAX_CIPHERTEXT_LEN: u32 = 1 << 30;

const MAGIC: [u8; 4] = *b"OUBR";
const VERSION: u8 = 1;
const COMPRESSION_ZSTD: u8 = 1;

#[cfg(test)]
mod tests {
    use oubliette_keytree::Hour;

    use super::*;
    use crate::SealErrorKind;

    fn header(ciphertext_len: u32) -> RecordHeader {
        let address = LeafAddress::new(Hour::new(7).unwrap(), 1, 2).unwrap();
        let account = AccountTag::from_bytes([0xaa; 16]);
        let dictionary = Dictionary::None;
        RecordHeader { dictionary, ciphertext_len, account, address, commitment: [0xcc; 32] }
    }

    #[test]
    fn a_length_is_one_that_a_record_can_have() {
        for len in [0, 1, 1 << 20, MAX_CIPHERTEXT_LEN] {
            assert_eq!(padme(u64::from(len)), u64::from(len), "one that padding leaves");
            let parsed = RecordHeader::parse(&header(len).to_bytes()).unwrap();
            assert_eq!(parsed.record_len(), len as usize + RecordHeader::OVERHEAD);
        }
        let longest = RecordHeader::parse(&header(MAX_CIPHERTEXT_LEN).to_bytes()).unwrap();
        assert_eq!(longest.record_len(), MAX_RECORD_LEN);
        let too_long = [MAX_CIPHERTEXT_LEN + (1 << 25), 1 << 31];
        for len in too_long {
            assert_eq!(padme(u64::from(len)), u64::from(len), "refused for its size alone");
        }
        let never_padded = [1025, MAX_CIPHERTEXT_LEN - 1];
        for len in too_long.into_iter().chain(never_padded) {
            let error = RecordHeader::parse(&header(len).to_bytes()).unwrap_err();
            assert_eq!(error.kind(), SealErrorKind::Malformed, "{len}");
        }
    }

    #[test]
    fn a_record_is_its_bytes() {
        let mut bytes = header(0).to_bytes().to_vec();
        bytes.extend([7; NONCE_LEN + TAG_LEN]);
        assert_eq!(RecordRef::parse(&bytes).unwrap().as_bytes(), bytes);
    }

    #[test]
    fn debug_tells_whose_it_is_and_no_commitment() {
        let shown = format!("{:?}", header(0));
        assert!(shown.contains("AccountTag(aaaa") && shown.contains("record_len: 100"), "{shown}");
        assert!(!shown.contains("204"), "{shown}");
    }
}

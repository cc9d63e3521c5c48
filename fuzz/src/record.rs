//! Sealed records that are not what was sealed.

use std::sync::OnceLock;

use oubliette_keytree::{AccountTag, Hour, LeafAddress, LeafKey};
use oubliette_redact::{CapturedBody, RedactedBody, UnredactedConsent};
use oubliette_seal::{Expected, Opener, Place, RecordHeader, RecordRef, Sealer};

const TEXT: &[u8] = br#"{"messages":[{"role":"user","content":"sealed"}]}"#;

/// A record opens if it is what was sealed, byte for byte, and otherwise never.
///
/// With an even first byte the rest is the record; with an odd one it is damage to a good one.
pub fn record_open(data: &[u8]) {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let good = GOOD.get_or_init(|| seal(TEXT, 0));
    let Some((&choice, rest)) = data.split_first() else { return };
    let record = if choice % 2 == 0 { rest.to_vec() } else { super::damage::damage(good, rest) };

    // What needs no key takes any bytes, and believes a length only if it is there.
    if let Err(error) = RecordHeader::parse(&record) {
        super::assert_one_line(&error);
    }
    if let Ok(found) = RecordRef::parse(&record) {
        assert_eq!(found.as_bytes().len(), found.header().record_len());
        assert_eq!(found.as_bytes().as_ptr(), record.as_ptr());
    }
    let expected = Expected { account: account(), address: address(0) };
    match Opener::default().open(&record, &expected, &key()) {
        Ok(opened) => {
            assert!(record == *good, "a record opens that was never sealed");
            assert_eq!(opened.bytes(), TEXT);
        }
        Err(error) => {
            assert!(record != *good, "a good record does not open: {error}");
            super::assert_one_line(&error);
        }
    }
}

/// Seals a text at a place of its own.
pub(crate) fn seal(text: &[u8], sequence: u32) -> Vec<u8> {
    sealed(text, sequence).into_record()
}

pub(crate) fn sealed(text: &[u8], sequence: u32) -> oubliette_seal::SealedBody {
    let captured = CapturedBody::new(text.to_vec(), None, None);
    let consent = UnredactedConsent::recorded("fuzz");
    let body = RedactedBody::dangerously_unredacted(captured, &consent);
    let place = Place { account: account(), address: address(sequence), exchange: b"" };
    Sealer::new().seal(&body, &place, &key()).expect("a small body can be sealed")
}

/// Whether a record opens at this place, under the key of every record here.
pub(crate) fn opens(record: &[u8], account: AccountTag, address: LeafAddress) -> bool {
    Opener::default().open(record, &Expected { account, address }, &key()).is_ok()
}

pub(crate) fn account() -> AccountTag {
    AccountTag::from_bytes([3; 16])
}

pub(crate) fn address(sequence: u32) -> LeafAddress {
    let hour = Hour::from_unix_seconds(super::segment::NOON);
    LeafAddress::new(hour, 1, sequence).expect("a small sequence")
}

fn key() -> LeafKey {
    LeafKey::from_bytes([9; 32])
}

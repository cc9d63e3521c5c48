//! What holds of every body that is sealed, and of every byte of every record.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use oubliette_keytree::{AccountTag, LeafAddress, LeafKey};
use oubliette_redact::{CapturedBody, RedactedBody, UnredactedConsent};
use oubliette_seal::{
    Expected, Limits, OpenedBody, Opener, Place, RecordHeader, RecordRef, SealError, SealErrorKind,
    SealedBody, Sealer,
};
use proptest::collection::vec;
use proptest::prelude::*;

const ACCOUNT: AccountTag = AccountTag::from_bytes([0x11; 16]);
const ADDRESS: LeafAddress = LeafAddress::from_bits(0x0102_0304_0506_0708);

fn leaf() -> LeafKey {
    LeafKey::from_bytes([0x22; 32])
}

fn body(bytes: &[u8], content_type: Option<&str>) -> RedactedBody {
    let captured = CapturedBody::new(bytes.to_vec(), content_type.map(str::to_owned), None);
    RedactedBody::dangerously_unredacted(captured, &UnredactedConsent::recorded("test"))
}

fn seal(bytes: &[u8], exchange: &[u8]) -> SealedBody {
    let place = Place { account: ACCOUNT, address: ADDRESS, exchange };
    Sealer::new().seal(&body(bytes, Some("text/plain")), &place, &leaf()).unwrap()
}

fn open(record: &[u8]) -> Result<OpenedBody, SealError> {
    let expected = Expected { account: ACCOUNT, address: ADDRESS };
    Opener::default().open(record, &expected, &leaf())
}

/// Bodies as zstd likes them, as it does not, and of every small size.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(any::<u8>(), 0..20_000),
        ("[a-z ]{1,40}", 1..2_000_usize).prop_map(|(text, times)| text.repeat(times).into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn opens_to_what_was_sealed(
        bytes in any_body(),
        exchange in vec(any::<u8>(), 0..300),
        content_type in proptest::option::of("[ -~]{0,60}"),
        account: [u8; 16],
        address: u64,
        key: [u8; 32],
    ) {
        let (account, address) = (AccountTag::from_bytes(account), LeafAddress::from_bits(address));
        let body = body(&bytes, content_type.as_deref());
        let place = Place { account, address, exchange: &exchange };
        let sealed = Sealer::new().seal(&body, &place, &LeafKey::from_bytes(key)).unwrap();
        prop_assert_eq!(sealed.account(), account);
        prop_assert_eq!(sealed.address(), address);

        let parsed = RecordRef::parse(sealed.record()).unwrap();
        prop_assert_eq!(parsed.header(), sealed.header());
        let opened = Opener::default()
            .open(sealed.record(), &Expected { account, address }, &LeafKey::from_bytes(key))
            .unwrap();
        prop_assert_eq!(opened.bytes(), bytes.as_slice());
        prop_assert_eq!(opened.exchange(), exchange.as_slice());
        prop_assert_eq!(opened.content_type(), content_type.as_deref());
        prop_assert_eq!(opened.report(), body.report());

        let captured = opened.into_captured();
        prop_assert_eq!(captured.bytes(), bytes.as_slice());
        prop_assert_eq!(captured.content_type(), content_type.as_deref());
        prop_assert_eq!(captured.content_encoding(), None);
    }

    #[test]
    fn no_flipped_byte_goes_unnoticed(bytes in vec(any::<u8>(), 0..400), mask in 1..=u8::MAX) {
        let mut record = seal(&bytes, b"exchange").into_record();
        for at in 0..record.len() {
            record[at] ^= mask;
            prop_assert!(open(&record).is_err(), "byte {}", at);
            record[at] ^= mask;
        }
        prop_assert!(open(&record).is_ok(), "the loop left the record as it was");
    }

    #[test]
    fn no_truncation_goes_unnoticed(bytes in vec(any::<u8>(), 0..400)) {
        let record = seal(&bytes, b"exchange").into_record();
        for len in 0..record.len() {
            let error = open(&record[..len]).unwrap_err();
            prop_assert_eq!(error.kind(), SealErrorKind::Malformed, "{} bytes", len);
        }
    }

    #[test]
    fn another_key_or_place_is_one_indistinct_error(
        bytes in any_body(), key: [u8; 32], account: [u8; 16], address: u64,
    ) {
        let record = seal(&bytes, b"").into_record();
        let (account, address) = (AccountTag::from_bytes(account), LeafAddress::from_bits(address));
        prop_assume!(key != *leaf().expose_secret() && account != ACCOUNT && address != ADDRESS);
        for (account, address, key) in [
            (ACCOUNT, ADDRESS, LeafKey::from_bytes(key)),
            (account, ADDRESS, leaf()),
            (ACCOUNT, address, leaf()),
        ] {
            let error = Opener::default().open(&record, &Expected { account, address }, &key);
            let error = error.unwrap_err();
            prop_assert_eq!(error.kind(), SealErrorKind::Authentication);
            prop_assert_eq!(
                error.to_string(),
                "the record does not open with this key at this place"
            );
        }
    }

    #[test]
    fn sealing_twice_shares_nothing_but_the_header(bytes in any_body()) {
        let (first, second) = (seal(&bytes, b"x").into_record(), seal(&bytes, b"x").into_record());
        let after = RecordHeader::LEN;
        prop_assert_eq!(&first[..after], &second[..after]);
        prop_assert_ne!(&first[after..after + 12], &second[after..after + 12], "nonce");
        prop_assert!(eight_bytes_shared(&first[after + 12..], &second[after + 12..]).is_none());
    }

    #[test]
    fn a_record_is_at_most_twelve_per_cent_longer_than_the_body_at_its_worst(bytes in any_body()) {
        // 500 bytes for lengths and metadata; what zstd saves is tested beside it.
        let bound = zstd::zstd_safe::compress_bound(bytes.len() + 500);
        let record = seal(&bytes, b"").record().len();
        prop_assert!(record - RecordHeader::OVERHEAD <= bound * 112 / 100, "{} of {}", record, bound);
    }

    #[test]
    fn nothing_of_the_plaintext_is_in_the_record(bytes in vec(any::<u8>(), 64..4_000)) {
        let exchange = b"trace 7a41 of provider example";
        let record = seal(&bytes, exchange).into_record();
        for clear in [&bytes[..], exchange, b"text/plain; content_type report unread", leaf().expose_secret()] {
            prop_assert!(eight_bytes_shared(&record[RecordHeader::LEN..], clear).is_none());
        }
    }

    #[test]
    fn arbitrary_bytes_are_answered_with_an_error(bytes in vec(any::<u8>(), 0..400)) {
        prop_assert!(RecordHeader::parse(&bytes).is_err());
        prop_assert!(open(&bytes).is_err());
        // And with a header that is in order, so that more than the magic number is reached.
        let good = seal(b"body", b"").into_record();
        let spliced = [&good[..RecordHeader::LEN], &bytes].concat();
        prop_assert!(open(&spliced).is_err());
    }
}

/// Where eight bytes of one occur in the other: chance alone makes that one in 2^40 or rarer here.
fn eight_bytes_shared(haystack: &[u8], other: &[u8]) -> Option<usize> {
    let windows: std::collections::HashSet<&[u8]> = haystack.windows(8).collect();
    other.windows(8).position(|window| windows.contains(window))
}

#[test]
fn padding_makes_many_sizes_one() {
    // Incompressible, so that each length is another frame length.
    let mut noise = vec![0; 9_000];
    getrandom::fill(&mut noise).unwrap();
    let sizes: std::collections::BTreeSet<usize> =
        (8_000..9_000).step_by(10).map(|len| seal(&noise[..len], b"").record().len()).collect();
    assert!(sizes.len() <= 5, "100 bodies in {} sizes", sizes.len());
}

#[test]
fn both_ends_keep_to_the_limit() {
    let place = Place { account: ACCOUNT, address: ADDRESS, exchange: b"" };
    let expected = Expected { account: ACCOUNT, address: ADDRESS };
    let limits = Limits { max_payload_len: 10_000 };
    let large = body(&[b'a'; 10_000], None);
    let error = Sealer::with_limits(limits).seal(&large, &place, &leaf()).unwrap_err();
    assert_eq!(error.kind(), SealErrorKind::TooLarge);

    let record = Sealer::new().seal(&large, &place, &leaf()).unwrap().into_record();
    assert!(record.len() < 1_000, "it compresses well, so only unpacking can notice");
    let error = Opener::new(limits).open(&record, &expected, &leaf()).unwrap_err();
    assert_eq!(error.kind(), SealErrorKind::TooLarge);
    assert!(Opener::default().open(&record, &expected, &leaf()).is_ok());
}

#[test]
fn contexts_can_be_used_again_after_a_failure() {
    let (mut sealer, mut opener) = (Sealer::new(), Opener::default());
    let place = Place { account: ACCOUNT, address: ADDRESS, exchange: b"" };
    let expected = Expected { account: ACCOUNT, address: ADDRESS };
    for round in 0..50_usize {
        let text = format!("body number {round} ").repeat(round);
        let sealed = sealer.seal(&body(text.as_bytes(), None), &place, &leaf()).unwrap();
        let mut broken = sealed.record().to_vec();
        broken[100] ^= 0x80;
        assert!(opener.open(&broken, &expected, &leaf()).is_err());
        assert_eq!(
            opener.open(sealed.record(), &expected, &leaf()).unwrap().bytes(),
            text.as_bytes()
        );
    }
}

#[test]
fn an_unredacted_body_goes_the_way_again_in_its_own_encoding() {
    let captured = CapturedBody::new(b"as if gzip".to_vec(), None, Some("gzip".to_owned()));
    let consent = UnredactedConsent::recorded("test");
    let body = RedactedBody::dangerously_unredacted(captured, &consent);
    let place = Place { account: ACCOUNT, address: ADDRESS, exchange: b"" };
    let sealed = Sealer::new().seal(&body, &place, &leaf()).unwrap();
    let opened = open(sealed.record()).unwrap();
    assert_eq!(opened.content_encoding(), Some("gzip"));
    assert_eq!(opened.into_captured().content_encoding(), Some("gzip"));
}

#[test]
fn debug_tells_neither_text_nor_keys() {
    let place = Place { account: ACCOUNT, address: ADDRESS, exchange: b"canary exchange" };
    let (mut sealer, mut opener) = (Sealer::new(), Opener::default());
    let sealed = sealer.seal(&body(b"canary body", Some("canary/type")), &place, &leaf()).unwrap();
    let expected = Expected { account: ACCOUNT, address: ADDRESS };
    let opened = opener.open(sealed.record(), &expected, &leaf()).unwrap();
    let record = RecordRef::parse(sealed.record()).unwrap();
    let shown = format!("{sealer:?} {opener:?} {place:?} {sealed:?} {record:?} {opened:?}");
    assert!(!shown.contains("canary"), "{shown}");
    // A derived Debug would show bytes as numbers: `c`, `a` of the canary; 0x22 of the leaf.
    assert!(!shown.contains("99, 97") && !shown.contains("34, 34"), "{shown}");
    assert!(shown.contains("len: 11"), "and yet says something: {shown}");
}

#[test]
fn workers_can_take_them_along() {
    fn is_send<T: Send>() {}
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send::<Sealer>();
    is_send::<Opener>();
    is_send_and_sync::<SealedBody>();
    is_send_and_sync::<OpenedBody>();
    is_send_and_sync::<SealError>();
}

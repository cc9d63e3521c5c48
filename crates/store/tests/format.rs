//! The worked example of `docs/format.md`, held against the code.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use oubliette_keytree::{AccountTag, LeafKey};
use oubliette_seal::{Expected, Opener};
use oubliette_store::{MemoryStore, ObjectKey, ObjectStore, SegmentIndex, read_record};

const FORMAT: &str = include_str!("../../../docs/format.md");

/// The lines `offset | bytes | meaning` of the example.
fn lines() -> Vec<(usize, Vec<u8>, &'static str)> {
    let (_, example) = FORMAT.split_once("### Worked example").unwrap();
    let block = example.split("```").nth(1).unwrap().strip_prefix("text\n").unwrap();
    let line = |line: &'static str| {
        let mut cells = line.split('|').map(str::trim);
        let at = cells.next().unwrap().parse().unwrap();
        let bytes = hex::decode(cells.next().unwrap().replace(' ', "")).unwrap();
        (at, bytes, cells.next().unwrap())
    };
    block.lines().map(line).collect()
}

#[tokio::test]
async fn the_worked_example_is_a_segment_and_opens_as_it_says() {
    let mut segment = Vec::new();
    for (at, bytes, _) in lines() {
        assert_eq!(at, segment.len(), "the lines follow each other");
        segment.extend(bytes);
    }
    let (_, prose) = FORMAT.split_once("### Worked example").unwrap();
    assert!(prose.contains(&format!("all {} bytes", segment.len())));
    let index = SegmentIndex::verify(&segment).unwrap();
    let key = index.object_key();
    assert!(prose.contains(&format!("`{key}`")));
    let [entry] = index.entries() else { panic!("one record") };

    let store = MemoryStore::new();
    store.put(&key, segment.into()).await.unwrap();
    let record = read_record(&store, &entry.location(key)).await.unwrap();
    let expected = Expected { account: entry.account, address: entry.address };
    let opened = Opener::default().open(&record, &expected, &LeafKey::from_bytes([9; 32])).unwrap();
    assert_eq!(opened.bytes(), b"Hello, oubliette.");
    assert_eq!((opened.content_type(), opened.exchange()), (Some("text/plain"), &b"{}"[..]));
    assert_eq!(opened.report().unredacted_by.as_deref(), Some("audit row 17"));
}

#[test]
fn the_fields_of_the_worked_example_are_where_it_says() {
    let lines = lines();
    let field = |meaning: &str, nth: usize| -> (usize, &[u8]) {
        let found: Vec<_> = lines.iter().filter(|(_, _, said)| said.starts_with(meaning)).collect();
        let (at, bytes, _) = found.get(nth).unwrap_or_else(|| panic!("{meaning}: {found:?}"));
        (*at, bytes)
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    let segment: Vec<u8> = lines.iter().flat_map(|(_, bytes, _)| bytes.clone()).collect();
    let index = SegmentIndex::parse(&segment).unwrap();
    let entry = index.entries()[0];

    assert_eq!(field("magic and version", 0), (0, &b"OUBLSEG1"[..]));
    assert_eq!(field("record: magic", 0), (44, &b"OUBR"[..]));
    assert_eq!(field("segment id", 0).1, index.object_key().segment().to_bytes());
    let (at, length) = field("frame: length", 0);
    assert_eq!((at as u64, number(length)), (entry.offset, u64::from(entry.len)));
    let (_, bytes) = field("bytes of ciphertext", 0);
    assert_eq!(number(bytes) + 100, u64::from(entry.len));
    assert_eq!(
        AccountTag::from_bytes(field("account tag", 0).1.try_into().unwrap()),
        entry.account
    );
    assert_eq!(field("account tag", 0).1, field("account tag", 1).1);
    assert_eq!(number(field("leaf address", 0).1), entry.address.to_bits());
    let hour = entry.address.hour().number();
    let (thousands, rest) = (hour / 1000, hour % 1000);
    let said = format!("leaf address: hour {thousands},{rest}, lease 1, sequence 0");
    assert_eq!(field(&said, 0).0, 76);
    let (at, offset) = field("index: the frame begins", 0);
    assert_eq!(number(offset), entry.offset);
    assert_eq!(number(field("the index begins", 0).1), at as u64);
    assert_eq!(number(field("trailer: one entry", 0).1), 1);
    assert_eq!(field("SHA-256", 0).0, 380);
    assert_eq!(field("end", 0), (412, &b"OUBLEND1"[..]));
    let key: ObjectKey = index.object_key();
    assert_eq!(number(field("retention class", 0).1), u64::from(key.class().get()));
}

//! The spool from outside: what was acknowledged stays readable, whatever fails.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use oubliette_keytree::{AccountTag, Hour, LeafAddress, LeafKey};
use oubliette_redact::{CapturedBody, RedactedBody, UnredactedConsent};
use oubliette_seal::{Expected, Opener, Place, SealedBody, Sealer};
use oubliette_store::testing::{FailingStore, Faults};
use oubliette_store::{
    Clock, FolderStore, Location, MemoryStore, ObjectStore, RetentionClass, S3Settings, S3Store,
    SegmentIndex, Spool, SpoolLimits, StoreErrorKind, list_all, read_record, segment_overhead,
};
use proptest::prelude::*;

const NOON: i64 = 1_793_448_000; // 2026-10-31T12:00:00Z
const SOON: Duration = Duration::from_secs(30);

fn clock() -> Clock {
    Arc::new(|| NOON)
}

fn class(days: u32) -> RetentionClass {
    RetentionClass::days(days).unwrap()
}

fn sealed(number: u32, len: usize) -> SealedBody {
    // Bytes without pattern, so that compression leaves the sizes alone.
    let mut state = u64::from(number);
    let text: Vec<u8> = std::iter::repeat_with(|| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(len)
    .collect();
    let consent = UnredactedConsent::recorded("test");
    let body = RedactedBody::dangerously_unredacted(CapturedBody::new(text, None, None), &consent);
    let account = AccountTag::from_bytes([3; 16]);
    let address = LeafAddress::new(Hour::from_unix_seconds(NOON), 1, number).unwrap();
    let place = Place { account, address, exchange: b"" };
    Sealer::new().seal(&body, &place, &LeafKey::from_bytes([9; 32])).unwrap()
}

fn limits() -> SpoolLimits {
    SpoolLimits {
        max_bytes: 64 << 20,
        min_free_bytes: 0,
        segment_bytes: 64 << 10,
        max_age: Duration::from_millis(20),
        min_backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(20),
        ..SpoolLimits::default()
    }
}

async fn open(dir: &Path, limits: SpoolLimits, store: Arc<dyn ObjectStore>) -> Spool {
    Spool::open(dir, limits, store, clock()).await.unwrap().0
}

/// What a crash leaves: the files as they are at this moment. They change while they are copied,
/// as they do when power goes.
fn crash(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name())
        .collect();
    for name in names {
        if fs::copy(dir.join(&name), copy.path().join(&name)).is_err() {
            // It has been finished and renamed since the folder was listed.
            let name = Path::new(&name).with_extension("seg");
            fs::copy(dir.join(&name), copy.path().join(&name)).unwrap();
        }
    }
    copy
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_readable_from_the_spool_and_from_the_object_store() {
    let (dir, objects) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Arc::new(FolderStore::open(objects.path()).await.unwrap());
    let slow = SpoolLimits { max_age: Duration::from_secs(3600), ..limits() };
    let spool = open(dir.path(), slow, store.clone()).await;
    let mut records = Vec::new();
    for number in 0..20 {
        let body = sealed(number, 100 * number as usize);
        let bytes = body.record().to_vec();
        let location = spool.append(body, class(1 + number % 2)).await.unwrap();
        assert_eq!(location.len as usize, bytes.len());
        assert_eq!(spool.read(&location).await.unwrap(), bytes, "readable once acknowledged");
        records.push((location, bytes));
    }
    assert_eq!(list_all(&*store, "").await.unwrap(), []);
    assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    assert_eq!(list_all(&*store, "").await.unwrap().len(), 2, "one segment for each class");
    for (location, bytes) in &records {
        assert_eq!(spool.read(location).await.unwrap(), bytes);
        assert_eq!(read_record(&*store, location).await.unwrap(), bytes);
        let json = serde_json::to_string(location).unwrap();
        assert_eq!(serde_json::from_str::<Location>(&json).unwrap(), *location);
    }

    // The objects alone say what they hold.
    let mut found = BTreeMap::new();
    for object in list_all(&*store, "").await.unwrap() {
        let index = SegmentIndex::fetch(&*store, &object.key).await.unwrap();
        let whole = store.get_range(&object.key, 0..object.size).await.unwrap();
        assert_eq!(SegmentIndex::parse(&whole).unwrap(), index);
        for entry in index.entries() {
            found.insert(entry.address.sequence(), entry.location(object.key));
        }
    }
    let expected: Vec<_> = records.iter().map(|(location, _)| *location).collect();
    assert_eq!(found.into_values().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn locations_that_no_record_has_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    let spool = open(dir.path(), limits(), store.clone()).await;
    let good = spool.append(sealed(0, 100), class(7)).await.unwrap();
    for _ in 0..2 {
        for (location, kind) in [
            (Location { len: 0, ..good }, StoreErrorKind::Invalid),
            (Location { len: u32::MAX, ..good }, StoreErrorKind::Invalid),
            (Location { offset: 0, ..good }, StoreErrorKind::Invalid),
            (Location { offset: u64::MAX, ..good }, StoreErrorKind::Invalid),
            (Location { offset: good.offset + 1, ..good }, StoreErrorKind::Damaged),
            (Location { len: good.len - 1, ..good }, StoreErrorKind::Damaged),
            (Location { len: good.len + 1_000_000, ..good }, StoreErrorKind::Damaged),
        ] {
            let error = spool.read(&location).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{location:?}");
        }
        // Once from the spool, once from the object store.
        assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    }
    store.delete(&good.object_key).await.unwrap();
    assert_eq!(spool.read(&good).await.unwrap_err().kind(), StoreErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_means_readable_while_the_object_store_misbehaves() {
    for seed in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults {
            fail: 25,
            lose_reply: 25,
            corrupt: 5,
            delay: 50,
            longest_delay: Duration::from_millis(5),
        };
        let memory = Arc::new(MemoryStore::new());
        let store = Arc::new(FailingStore::new(memory.clone(), seed, faults));
        let spool = Arc::new(open(dir.path(), limits(), store.clone()).await);
        let next = Arc::new(AtomicU32::new(0));
        let writers = (0..8).map(|_| {
            let (spool, next) = (Arc::clone(&spool), Arc::clone(&next));
            tokio::spawn(async move {
                let mut acknowledged: Vec<(Location, Vec<u8>)> = Vec::new();
                for round in 0..40 {
                    let number = next.fetch_add(2, Ordering::SeqCst);
                    let bodies = [sealed(number, 2000), sealed(number + 1, 900)];
                    let bytes = bodies.each_ref().map(|body| body.record().to_vec());
                    let records = bodies.into_iter().map(|b| (b, class(1 + number % 3))).collect();
                    let locations = spool.append_all(records).await.unwrap();
                    acknowledged.extend(locations.into_iter().zip(bytes));
                    // One that may just be on its way from the spool to the store.
                    let (location, bytes) = &acknowledged[round * acknowledged.len() / 41];
                    let read = loop {
                        match spool.read(location).await {
                            Err(error) if error.kind() == StoreErrorKind::Retry => {}
                            read => break read.unwrap(),
                        }
                    };
                    assert_eq!(read, bytes);
                }
                acknowledged
            })
        });
        let acknowledged: Vec<_> =
            join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(acknowledged.len(), 8 * 40 * 2);
        assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
        assert!(store.injected() > 0 && spool.status().upload_failures > 0);
        for (location, bytes) in &acknowledged {
            assert_eq!(read_record(&*memory, location).await.unwrap(), bytes);
        }
        for object in list_all(&*memory, "").await.unwrap() {
            let whole = memory.get_range(&object.key, 0..object.size).await.unwrap();
            assert_eq!(SegmentIndex::parse(&whole).unwrap().object_key(), object.key);
        }
        assert_eq!(spool.status().spool_bytes, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_moment_it_crashes_nothing_acknowledged_is_lost() {
    for round in 0..25_u32 {
        let dir = tempfile::tempdir().unwrap();
        let memory: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
        // Without uploads, so that what is copied at different moments still fits together.
        let away = Arc::new(FailingStore::new(memory.clone(), 1, Faults::default()));
        away.set_down(true);
        let spool = Arc::new(open(dir.path(), limits(), away).await);
        let (told, mut tell) = tokio::sync::mpsc::unbounded_channel();
        let writer = tokio::spawn({
            let spool = Arc::clone(&spool);
            async move {
                for number in 0.. {
                    let body = sealed(number, 500);
                    let bytes = body.record().to_vec();
                    let location = spool.append(body, class(1 + number % 2)).await.unwrap();
                    if told.send((location, bytes)).is_err() {
                        break;
                    }
                }
            }
        });
        tokio::time::sleep(Duration::from_millis(u64::from(round * 7 % 60))).await;
        let mut acknowledged = Vec::new();
        while let Ok(record) = tell.try_recv() {
            acknowledged.push(record);
        }
        let crashed = crash(dir.path());
        writer.abort();
        // The last write may have been under way: a piece of a frame, or of nothing.
        for entry in fs::read_dir(crashed.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "open") && round % 2 == 0 {
                let mut bytes = fs::read(&path).unwrap();
                bytes.extend_from_slice(&sealed(1, 300).record()[..round as usize]);
                fs::write(&path, bytes).unwrap();
            }
        }

        let (again, recovered) =
            Spool::open(crashed.path(), limits(), memory.clone(), clock()).await.unwrap();
        assert_eq!(recovered.damaged, []);
        let found: Vec<_> = recovered.records().map(|record| record.location).collect();
        for (location, bytes) in &acknowledged {
            assert!(found.contains(location), "round {round}");
            assert_eq!(again.read(location).await.unwrap(), bytes);
        }
        assert_eq!(again.flush(SOON).await.unwrap().left, 0);
        for (location, bytes) in &acknowledged {
            assert_eq!(read_record(&*memory, location).await.unwrap(), bytes);
        }
        for record in recovered.records() {
            assert!(read_record(&*memory, &record.location).await.is_ok());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_is_uploaded_twice_is_the_same_object() {
    let dir = tempfile::tempdir().unwrap();
    let memory = Arc::new(MemoryStore::new());
    let store = Arc::new(FailingStore::new(memory.clone(), 1, Faults::default()));
    store.set_down(true);
    let spool = open(dir.path(), limits(), store.clone()).await;
    let location = spool.append(sealed(0, 500), class(7)).await.unwrap();
    assert_eq!(spool.flush(Duration::ZERO).await.unwrap().left, 1);
    let crashed = crash(dir.path());
    store.set_down(false);
    assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    let size = memory.size(&location.object_key).await.unwrap();
    let first = memory.get_range(&location.object_key, 0..size).await.unwrap();

    // The process died after the upload and before it removed the file.
    let spool = open(crashed.path(), limits(), memory.clone()).await;
    assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    assert_eq!(list_all(&*memory, "").await.unwrap().len(), 1);
    assert_eq!(memory.get_range(&location.object_key, 0..size).await.unwrap(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_refuses_and_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(FailingStore::new(Arc::new(MemoryStore::new()), 1, Faults::default()));
    store.set_down(true);
    let small = SpoolLimits { max_bytes: 200_000, ..limits() };
    let spool = open(dir.path(), small, store.clone()).await;
    let mut acknowledged = Vec::new();
    let error = loop {
        match spool.append(sealed(0, 5000), class(7)).await {
            Ok(location) => acknowledged.push(location),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert!((30..40).contains(&acknowledged.len()), "{}", acknowledged.len());
    let status = spool.status();
    assert!(status.spool_bytes <= status.max_bytes);
    for location in &acknowledged {
        assert!(spool.read(location).await.is_ok());
    }
    store.set_down(false);
    assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    assert!(spool.append(sealed(1, 5000), class(7)).await.is_ok());

    let reserve = SpoolLimits { min_free_bytes: u64::MAX, ..limits() };
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), reserve, store).await;
    let error = spool.append(sealed(0, 100), class(7)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert_eq!(spool.status().spool_bytes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_end_by_size_and_by_age_and_a_large_record_stands_alone() {
    let dir = tempfile::tempdir().unwrap();
    let memory = Arc::new(MemoryStore::new());
    let by_size = SpoolLimits { max_age: Duration::from_secs(3600), ..limits() };
    let spool = open(dir.path(), by_size, memory.clone()).await;
    let records = (0..40).map(|number| (sealed(number, 5000), class(7))).collect();
    let locations = spool.append_all(records).await.unwrap();
    let large = spool.append(sealed(40, 300_000), class(7)).await.unwrap();
    let after = spool.append(sealed(41, 100), class(7)).await.unwrap();
    assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    let objects = list_all(&*memory, "").await.unwrap();
    for object in &objects {
        assert!(object.size <= 64 << 10 || object.key == large.object_key, "{object:?}");
    }
    assert!(objects.len() >= 5, "{}", objects.len());
    for location in locations.iter().chain([&large, &after]) {
        assert!(spool.read(location).await.is_ok());
    }
    assert_eq!(spool.close(SOON).await.unwrap().left, 0);

    let spool = open(dir.path(), limits(), memory.clone()).await;
    let location = spool.append(sealed(50, 100), class(7)).await.unwrap();
    let uploaded = async {
        while memory.size(&location.object_key).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, uploaded).await.expect("uploaded by age alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_spool_and_closing_gives_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let memory = Arc::new(MemoryStore::new());
    let away = Arc::new(FailingStore::new(memory.clone(), 1, Faults::default()));
    away.set_down(true);
    let spool = open(dir.path(), limits(), away).await;
    let location = spool.append(sealed(0, 100), class(7)).await.unwrap();
    let error = Spool::open(dir.path(), limits(), memory.clone(), clock()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration);
    assert!(error.to_string().contains("another process"));

    assert_eq!(spool.close(Duration::from_millis(30)).await.unwrap().left, 1);
    assert_eq!(
        spool.append(sealed(1, 100), class(7)).await.unwrap_err().kind(),
        StoreErrorKind::Closed
    );
    assert_eq!(spool.close(SOON).await.unwrap_err().kind(), StoreErrorKind::Closed);

    let (again, recovered) =
        Spool::open(dir.path(), limits(), memory.clone(), clock()).await.unwrap();
    assert_eq!(recovered.records().map(|r| r.location).collect::<Vec<_>>(), [location]);
    assert_eq!(recovered.torn_bytes, 0, "a closed spool has no open files");
    assert_eq!(again.flush(SOON).await.unwrap().left, 0);
    assert!(again.read(&location).await.is_ok());
    assert!(spool.read(&location).await.is_err(), "its own store is still away");
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let error = Spool::open(file.path().join("spool"), limits(), store, clock()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration);
    assert!(error.to_string().contains("spool folder"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Segments come from outside, so no bytes may make the reader panic or allocate at will.
    #[test]
    fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(SegmentIndex::parse(&bytes).is_err());
    }

    #[test]
    fn a_changed_segment_is_refused(at in 0_usize..100_000, change in 1_u8..) {
        let segment = segment();
        let mut changed = segment.to_vec();
        let at = at % changed.len();
        changed[at] ^= change;
        prop_assert!(SegmentIndex::parse(&changed).is_err());
        prop_assert!(SegmentIndex::parse(&segment[..at]).is_err());
        let mut longer = segment.to_vec();
        longer.insert(at, change);
        prop_assert!(SegmentIndex::parse(&longer).is_err());
    }
}

/// One uploaded segment of three records.
fn segment() -> Bytes {
    static SEGMENT: std::sync::OnceLock<Bytes> = std::sync::OnceLock::new();
    SEGMENT
        .get_or_init(|| {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let dir = tempfile::tempdir().unwrap();
                let memory = Arc::new(MemoryStore::new());
                let spool = open(dir.path(), limits(), memory.clone()).await;
                let records = (0..3).map(|number| (sealed(number, 60), class(7))).collect();
                let locations = spool.append_all(records).await.unwrap();
                assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
                let key = locations[0].object_key;
                memory.get_range(&key, 0..memory.size(&key).await.unwrap()).await.unwrap()
            })
        })
        .clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_over_s3() {
    let (Ok(endpoint), Ok(bucket)) =
        (std::env::var("OUBLIETTE_TEST_S3_ENDPOINT"), std::env::var("OUBLIETTE_TEST_S3_BUCKET"))
    else {
        eprintln!("skipped: set OUBLIETTE_TEST_S3_ENDPOINT and OUBLIETTE_TEST_S3_BUCKET");
        return;
    };
    let settings = S3Settings {
        bucket,
        endpoint: Some(endpoint),
        region: Some(std::env::var("AWS_REGION").unwrap_or_else(|_| "garage".into())),
        path_style: None,
    };
    // The server is up; what is put in between makes replies go missing.
    let s3 = Arc::new(S3Store::connect(&settings).await.unwrap());
    let faults = Faults { fail: 10, lose_reply: 20, ..Faults::default() };
    let store = Arc::new(FailingStore::new(s3.clone(), 1, faults));
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), limits(), store).await;
    let mut records = Vec::new();
    for number in 0..60 {
        let body = sealed(number, 20_000);
        let bytes = body.record().to_vec();
        records.push((spool.append(body, class(36_499)).await.unwrap(), bytes));
    }
    assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    assert_eq!(spool.status().spool_bytes, 0);
    for (location, bytes) in &records {
        assert_eq!(read_record(&*s3, location).await.unwrap(), bytes);
    }
    for object in list_all(&*s3, &class(36_499).prefix()).await.unwrap() {
        assert!(SegmentIndex::fetch(&*s3, &object.key).await.is_ok());
        s3.delete(&object.key).await.unwrap();
    }
}

#[tokio::test]
async fn segments_of_version_1_stay_readable() {
    let bytes = Bytes::from_static(include_bytes!("data/segment-v1.seg"));
    let index = SegmentIndex::parse(&bytes).unwrap();
    let key = index.object_key();
    assert_eq!(key.to_string(), "r7/2026/10/31/12/01M68X9EG07Y0X7XZERHCHQQKX.seg");
    assert!(!index.is_rebuilt());
    let store = MemoryStore::new();
    store.put(&key, bytes).await.unwrap();
    assert_eq!(SegmentIndex::fetch(&store, &key).await.unwrap(), index);
    let sequences: Vec<_> = index.entries().iter().map(|e| e.address.sequence()).collect();
    assert_eq!(sequences, [0, 1, 2]);
    for entry in index.entries() {
        let record = read_record(&store, &entry.location(key)).await.unwrap();
        let opened = Opener::default()
            .open(
                &record,
                &Expected { account: entry.account, address: entry.address },
                &LeafKey::from_bytes([9; 32]),
            )
            .unwrap();
        assert_eq!(opened.bytes().len(), 60);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_records_take_few_requests_and_fail_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let memory = Arc::new(MemoryStore::new());
    let store = Arc::new(FailingStore::new(memory.clone(), 1, Faults::default()));
    let spool = open(dir.path(), limits(), store.clone()).await;
    let records: Vec<_> = (0..60).map(|number| sealed(number, 3000)).collect();
    let bytes: Vec<_> = records.iter().map(|record| record.record().to_vec()).collect();
    let records = records.into_iter().map(|record| (record, class(7))).collect();
    let mut locations = spool.append_all(records).await.unwrap();
    assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    let segments = list_all(&*memory, "").await.unwrap();
    assert!((3..6).contains(&segments.len()), "{}", segments.len());

    let before = store.calls();
    let mut reversed = locations.clone();
    reversed.reverse();
    let read = spool.read_all(&reversed).await;
    assert_eq!(store.calls() - before, segments.len() as u64, "one GET for each segment");
    for (read, expected) in read.into_iter().zip(bytes.iter().rev()) {
        assert_eq!(read.unwrap(), expected);
    }

    // Some lie in the spool, some in the store, one is nowhere, one is damaged, one is no location.
    let local = spool.append(sealed(60, 100), class(7)).await.unwrap();
    let nowhere = Location {
        object_key: "r7/2026/10/31/12/01M68X9EG00000000000000001.seg".parse().unwrap(),
        ..locations[0]
    };
    let off = Location { offset: locations[1].offset + 1, ..locations[1] };
    let none = Location { offset: 3, ..locations[1] };
    let beyond = Location { offset: 1 << 40, ..locations[0] };
    locations.truncate(1);
    locations.extend([local, nowhere, off, none, beyond, local]);
    let kinds: Vec<_> = spool
        .read_all(&locations)
        .await
        .into_iter()
        .map(|read| read.map_or_else(|error| Some(error.kind()), |_| None))
        .collect();
    use StoreErrorKind::{Damaged, Invalid, NotFound};
    let expected = [None, None, Some(NotFound), Some(Damaged), Some(Invalid), Some(Damaged), None];
    assert_eq!(kinds, expected);
    assert!(spool.read_all(&[]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_the_same_records_in_segments_of_their_class() {
    let dir = tempfile::tempdir().unwrap();
    let memory = Arc::new(MemoryStore::new());
    let spool = open(dir.path(), limits(), memory.clone()).await;
    let mut originals = Vec::new();
    for (number, days) in [(0, 7), (1, 30), (2, 7)] {
        originals.push(spool.append(sealed(number, 3000), class(days)).await.unwrap());
    }
    assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    let gone = Location { offset: originals[0].offset + 1, ..originals[0] };
    let copies = spool.copy_all(&[originals[0], gone, originals[1], originals[2]]).await.unwrap();
    let [Some(first), None, Some(second), Some(third)] = copies[..] else { panic!("{copies:?}") };
    for (original, copy) in originals.iter().zip([first, second, third]) {
        assert_ne!(original.object_key, copy.object_key);
        assert_eq!(original.object_key.class(), copy.object_key.class());
        assert!(spool.holds(&copy.object_key) && !spool.holds(&original.object_key));
        assert_eq!(spool.read(original).await.unwrap(), spool.read(&copy).await.unwrap());
    }
    let before = spool.read(&second).await.unwrap();
    assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    for original in &originals {
        memory.delete(&original.object_key).await.unwrap();
    }
    assert!(spool.read(&second).await.unwrap() == before);
}

#[tokio::test]
async fn an_index_is_read_whole_or_from_both_ends() {
    let dir = tempfile::tempdir().unwrap();
    let memory = Arc::new(MemoryStore::new());
    let store = Arc::new(FailingStore::new(memory.clone(), 1, Faults::default()));
    let large = SpoolLimits { segment_bytes: 8 << 20, max_age: SOON, ..limits() };
    let spool = open(dir.path(), large, store.clone()).await;
    // Small, larger than what is read at once, with an index larger than that.
    for (count, len, calls) in [(3, 100, 1), (100, 3000, 2), (4000, 40, 3)] {
        let records = (0..count).map(|number| (sealed(number, len), class(7))).collect();
        let locations = spool.append_all(records).await.unwrap();
        assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
        let key = locations[0].object_key;
        let size = memory.size(&key).await.unwrap();
        let before = store.calls();
        let index = SegmentIndex::fetch_sized(&*store, &key, size).await.unwrap();
        assert_eq!(store.calls() - before, calls);
        let found: Vec<_> = index.entries().iter().map(|entry| entry.location(key)).collect();
        assert_eq!(found, locations);
        let whole = memory.get_range(&key, 0..size).await.unwrap();
        assert_eq!(SegmentIndex::verify(&whole).unwrap(), index);
        let records: u64 = index.entries().iter().map(|entry| u64::from(entry.len)).sum();
        assert_eq!(records + segment_overhead(count.into()), size);
        for wrong in [0, 99, size - 1] {
            assert!(SegmentIndex::fetch_sized(&*store, &key, wrong).await.is_err());
        }
    }
}

/// An index may be whole and lie: its checksums are right and its records are not.
#[test]
fn a_record_that_is_not_what_the_index_says_is_found_by_verifying() {
    use sha2::{Digest as _, Sha256};
    let segment = segment().to_vec();
    let index = SegmentIndex::verify(&segment).unwrap();
    let entry = index.entries()[1];
    let entries_at = segment.len() - 64 - 3 * 36;
    for at in [entry.offset as usize + 30, entries_at + 36 + 20] {
        let mut lying = segment.clone();
        lying[at] ^= 1;
        let end = lying.len();
        let crc = crc32c::crc32c(&lying[entries_at..end - 64]);
        lying[end - 48..end - 44].copy_from_slice(&crc.to_be_bytes());
        let digest = Sha256::digest(&lying[..end - 40]);
        lying[end - 40..end - 8].copy_from_slice(&digest);
        assert!(SegmentIndex::parse(&lying).is_ok());
        let error = SegmentIndex::verify(&lying).unwrap_err();
        assert!(error.to_string().contains(&format!("record at {}", entry.offset)), "{error}");
    }
}

//! Tests that need to look inside the spool, or make its files fail.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};

use oubliette_keytree::{AccountTag, Hour, LeafAddress, LeafKey};
use oubliette_redact::{CapturedBody, RedactedBody, UnredactedConsent};
use oubliette_seal::{Place, Sealer};

use super::disk::SpoolFile;
use super::*;
use crate::MemoryStore;
use crate::testing::{FailingStore, Faults};

pub(super) const NOON: i64 = 1_793_448_000; // 2026-10-31T12:00:00Z
const SOON: Duration = Duration::from_secs(20);

fn clock() -> Clock {
    Arc::new(|| NOON)
}

pub(super) fn class() -> RetentionClass {
    RetentionClass::days(7).unwrap()
}

pub(super) fn sealed(number: u32, len: usize) -> SealedBody {
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
        segment_bytes: 1 << 20,
        max_age: Duration::from_secs(3600),
        min_backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(20),
        ..SpoolLimits::default()
    }
}

/// A store that cannot be reached, so that files stay where a test can look at them.
fn away() -> Arc<FailingStore> {
    let store = FailingStore::new(Arc::new(MemoryStore::new()), 1, Faults::default());
    store.set_down(true);
    Arc::new(store)
}

async fn open(dir: &Path, store: Arc<dyn ObjectStore>) -> (Spool, Recovered) {
    Spool::open(dir, limits(), store, clock()).await.unwrap()
}

/// What a crash leaves: the files as they are at this moment, under another name.
fn crash(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.metadata().unwrap().is_file() {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    copy
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    found
}

/// A folder with one open file of `count` records, and where they are.
async fn open_file(count: u32) -> (tempfile::TempDir, PathBuf, Vec<(Location, Vec<u8>)>) {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path(), away()).await;
    let mut records = Vec::new();
    for number in 0..count {
        let body = sealed(number, 40);
        let record = body.record().to_vec();
        records.push((spool.append(body, class()).await.unwrap(), record));
    }
    let copy = crash(dir.path());
    let file = files(copy.path(), "open").remove(0);
    (copy, file, records)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_torn_at_any_byte_of_the_last_frame_keeps_all_before_it() {
    let (_dir, file, records) = open_file(3).await;
    let whole = fs::read(&file).unwrap();
    let name = file.file_name().unwrap();
    let last = records[2].0.offset as usize;
    for cut in last..whole.len() {
        for garbage in [&b""[..], &[0; 64], &[0xff; 9]] {
            let dir = tempfile::tempdir().unwrap();
            let mut torn = whole[..cut].to_vec();
            torn.extend_from_slice(garbage);
            // A frame whose missing bytes happen to be appended again is whole.
            if torn.starts_with(&whole) {
                continue;
            }
            fs::write(dir.path().join(name), &torn).unwrap();
            let (mut state, recovered) =
                recovery::recover(&RealDisk, dir.path_with_damaged()).unwrap();
            assert_eq!(recovered.damaged, [], "a torn tail is no damage (cut at {cut})");
            assert_eq!(recovered.torn_bytes as usize, cut + garbage.len() - last);
            let found: Vec<_> = recovered.records().map(|r| r.location).collect();
            assert_eq!(found, [records[0].0, records[1].0], "cut at {cut}");
            for (location, record) in &records[..2] {
                let path = state::file_path(dir.path(), location.object_key, "seg");
                assert_eq!(read_local(&RealDisk, &path, location).unwrap().unwrap(), record);
            }
            assert!(files(dir.path(), "open").is_empty() && files(dir.path(), "tmp").is_empty());
            assert!(state.next_upload().is_some());
        }
    }
}

/// `recover` wants the folder for damaged files to be there, as `take_folder` makes it.
trait WithDamaged {
    fn path_with_damaged(&self) -> &Path;
}

impl WithDamaged for tempfile::TempDir {
    fn path_with_damaged(&self) -> &Path {
        fs::create_dir_all(self.path().join("damaged")).unwrap();
        self.path()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_anywhere_in_an_open_file_costs_at_most_one_record() {
    let (_dir, file, records) = open_file(3).await;
    let whole = fs::read(&file).unwrap();
    for at in 0..whole.len() {
        let dir = tempfile::tempdir().unwrap();
        let mut flipped = whole.clone();
        flipped[at] ^= 0x41;
        fs::write(dir.path().join(file.file_name().unwrap()), &flipped).unwrap();
        let (_, recovered) = recovery::recover(&RealDisk, dir.path_with_damaged()).unwrap();
        let frame_of = |location: &Location| {
            let start = location.offset as usize;
            start..start + FRAME_HEADER_LEN + location.len as usize
        };
        let expected: Vec<_> = records
            .iter()
            .map(|(location, _)| *location)
            .filter(|location| !frame_of(location).contains(&at))
            .collect();
        let found: Vec<_> = recovered.records().map(|r| r.location).collect();
        assert_eq!(found, expected, "byte {at}");
        // In the last frame it cannot be told from a torn tail; anywhere else the file is kept.
        let in_last = frame_of(&records[2].0).contains(&at);
        assert_eq!(recovered.damaged.len(), usize::from(!in_last), "byte {at}");
        for damaged in &recovered.damaged {
            assert_eq!(fs::read(&damaged.path).unwrap(), flipped);
        }
        let segment = fs::read(&files(dir.path(), "seg")[0]).unwrap();
        assert!(crate::SegmentIndex::parse(&segment).is_ok(), "what is uploaded is whole");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_sealed_file_is_kept_and_its_whole_records_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path(), away()).await;
    let mut locations = Vec::new();
    for number in 0..3 {
        locations.push(spool.append(sealed(number, 40), class()).await.unwrap());
    }
    assert_eq!(spool.flush(Duration::ZERO).await.unwrap().left, 1);
    let path = files(dir.path(), "seg").remove(0);
    let whole = fs::read(&path).unwrap();
    let second = locations[1].offset as usize + 20;
    for at in [3, 20, second, whole.len() - 70, whole.len() - 50, whole.len() - 20, whole.len() - 1]
    {
        let crashed = tempfile::tempdir().unwrap();
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(crashed.path().join(path.file_name().unwrap()), &damaged).unwrap();

        // Not uploaded before: what is left is uploaded, and says that it was put together again.
        let store = Arc::new(MemoryStore::new());
        let (spool, recovered) = open(crashed.path(), store.clone()).await;
        let expected = if at == second { vec![0, 2] } else { vec![0, 1, 2] };
        let found: Vec<_> = recovered.records().map(|r| r.address.sequence()).collect();
        assert_eq!(found, expected, "byte {at}");
        assert_eq!(fs::read(&recovered.damaged[0].path).unwrap(), damaged);
        assert_eq!(spool.status().damaged_files, 1);
        assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
        let key = locations[0].object_key;
        let index = crate::SegmentIndex::fetch(&*store, &key).await.unwrap();
        assert!(index.is_rebuilt());
        assert_eq!(index.entries().len(), expected.len());
        assert!(spool.read(&locations[2]).await.is_ok());
        let lost = spool.read(&locations[1]).await.map_err(|error| error.kind());
        assert_eq!(lost.is_err(), at == second);
        assert!(lost.is_ok() || lost == Err(StoreErrorKind::Damaged));

        // Uploaded whole before: the whole object stays.
        let crashed = tempfile::tempdir().unwrap();
        fs::write(crashed.path().join(path.file_name().unwrap()), &damaged).unwrap();
        let store = Arc::new(MemoryStore::new());
        store.put(&key, whole.clone().into()).await.unwrap();
        let (spool, _) = open(crashed.path(), store.clone()).await;
        assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
        assert_eq!(store.get_range(&key, 0..whole.len() as u64).await.unwrap(), whole);
        assert!(spool.read(&locations[1]).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_file_that_spoils_while_it_waits_is_noticed_before_it_is_uploaded() {
    let dir = tempfile::tempdir().unwrap();
    let store = away();
    let (spool, _) = open(dir.path(), store.clone()).await;
    let spoilt = spool.append(sealed(0, 400), class()).await.unwrap();
    let good = spool.append(sealed(1, 400), class()).await.unwrap();
    assert_eq!(spool.flush(Duration::ZERO).await.unwrap().left, 1);
    let path = files(dir.path(), "seg").remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[spoilt.offset as usize + 100] ^= 1;
    // By a rename, since the uploader may be reading it.
    fs::write(dir.path().join("spoilt"), &bytes).unwrap();
    fs::rename(dir.path().join("spoilt"), &path).unwrap();
    store.set_down(false);
    assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    assert_eq!(spool.status().damaged_files, 1);
    assert_eq!(spool.read(&spoilt).await.unwrap_err().kind(), StoreErrorKind::Damaged);
    assert!(spool.read(&good).await.is_ok());
    assert_eq!(fs::read_dir(dir.path().join("damaged")).unwrap().count(), 1);
}

/// Files that write or sync badly when told to.
#[derive(Default)]
struct BadDisk {
    fail_write: AtomicBool,
    fail_sync: AtomicBool,
    hold_sync: AtomicBool,
    syncs: AtomicU64,
    touched_after_failure: AtomicBool,
}

struct BadFile {
    disk: Arc<BadDisk>,
    file: File,
    failed: bool,
}

impl SpoolFile for BadFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        if self.disk.fail_write.load(Ordering::SeqCst) {
            self.failed = true;
            SpoolFile::write_all(&mut self.file, &bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        SpoolFile::write_all(&mut self.file, bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.check()?;
        self.disk.syncs.fetch_add(1, Ordering::SeqCst);
        while self.disk.hold_sync.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.disk.fail_sync.load(Ordering::SeqCst) {
            self.failed = true;
            return Err(io::Error::other("injected: fsync failed"));
        }
        SpoolFile::sync_data(&mut self.file)
    }
}

impl BadFile {
    fn check(&self) -> io::Result<()> {
        if self.failed {
            self.disk.touched_after_failure.store(true, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// The real file system but for its new files.
struct WithBadFiles(Arc<BadDisk>);

impl Disk for WithBadFiles {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        let file = File::create_new(path)?;
        Ok(Box::new(BadFile { disk: Arc::clone(&self.0), file, failed: false }))
    }

    /// Copies are made on a disk that works.
    fn write_durably(&self, dir: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
        RealDisk.write_durably(dir, path, content)
    }
}

async fn open_on(disk: &Arc<BadDisk>, dir: &Path, store: Arc<dyn ObjectStore>) -> Spool {
    let disk = Arc::new(WithBadFiles(Arc::clone(disk)));
    let with = With { disk, store, clock: clock(), keeper: Arc::new(Nobody) };
    let limits = SpoolLimits { max_pending_bytes: 500_000, ..limits() };
    Spool::open_with(with, dir.into(), limits).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_the_file_is_never_touched_again_and_nothing_is_lost() {
    for (write, kind) in [(true, StoreErrorKind::Full), (false, StoreErrorKind::Disk)] {
        let dir = tempfile::tempdir().unwrap();
        let store = away();
        let disk = Arc::new(BadDisk::default());
        let spool = open_on(&disk, dir.path(), store.clone()).await;
        let kept = sealed(0, 400);
        let record = kept.record().to_vec();
        let before = spool.append(kept, class()).await.unwrap();

        let failing = if write { &disk.fail_write } else { &disk.fail_sync };
        failing.store(true, Ordering::SeqCst);
        let error = spool.append(sealed(1, 400), class()).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(spool.status().set_aside_segments, 1);
        assert_eq!(spool.read(&before).await.unwrap(), record, "acknowledged, so readable");
        // A new file fails as well, and leaves nothing behind.
        assert!(spool.append(sealed(2, 400), class()).await.is_err());
        assert_eq!(files(dir.path(), "open").len(), 1);

        failing.store(false, Ordering::SeqCst);
        let after = spool.append(sealed(3, 400), class()).await.unwrap();
        assert_ne!(after.segment(), before.segment());
        assert_eq!(spool.read(&before).await.unwrap(), record);

        // Killed here, the acknowledged ones are found again.
        let crashed = crash(dir.path());
        let (_, recovered) = open(crashed.path(), away()).await;
        let found: BTreeSet<_> = recovered.records().map(|r| r.address.sequence()).collect();
        assert!(found.is_superset(&BTreeSet::from([0, 3])), "{found:?}");
        assert!(recovered.damaged.is_empty());

        store.set_down(false);
        assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
        assert_eq!(spool.read(&before).await.unwrap(), record);
        assert!(spool.read(&after).await.is_ok());
        let status = spool.status();
        assert_eq!((status.set_aside_segments, status.spool_bytes), (0, 0));
        assert!(!disk.touched_after_failure.load(Ordering::SeqCst));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_whose_footer_fails_is_finished_from_a_copy() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    let disk = Arc::new(BadDisk::default());
    let spool = open_on(&disk, dir.path(), store.clone()).await;
    let location = spool.append(sealed(0, 400), class()).await.unwrap();
    disk.fail_write.store(true, Ordering::SeqCst);
    assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    let index = crate::SegmentIndex::fetch(&*store, &location.object_key).await.unwrap();
    assert_eq!(index.entries().len(), 1);
    assert!(!index.is_rebuilt());
    assert!(!disk.touched_after_failure.load(Ordering::SeqCst));
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_that_wait_together_share_a_sync() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(BadDisk::default());
    let spool = open_on(&disk, dir.path(), away()).await;
    let bodies: Vec<_> = (0..500).map(|number| sealed(number, 40)).collect();
    let appended =
        futures::future::join_all(bodies.into_iter().map(|body| spool.append(body, class()))).await;
    let offsets: BTreeSet<_> = appended.iter().map(|l| l.as_ref().unwrap().offset).collect();
    assert_eq!(offsets.len(), 500);
    let syncs = disk.syncs.load(Ordering::SeqCst);
    assert!((1..250).contains(&syncs), "{syncs} syncs for 500 appends");
}

#[tokio::test]
async fn what_is_handed_in_is_written_though_nobody_waits_and_not_once_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Arc::new(open(dir.path(), away()).await.0);
    let from = Arc::clone(&spool);
    let other = std::thread::spawn(move || {
        drop(from.begin_append(vec![(sealed(1, 40), class())]).unwrap());
        from.begin_append(vec![(sealed(2, 40), class())]).unwrap()
    });
    let second = other.join().unwrap().done().await.unwrap()[0];
    let first = sealed(1, 40);
    assert!(second.offset > first.record().len() as u64, "the first is before it");
    assert_eq!(spool.begin_append(Vec::new()).unwrap().done().await.unwrap(), []);
    let _ = spool.close(Duration::ZERO).await.unwrap();
    let refused = spool.begin_append(vec![(first, class())]).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_is_waited_for_with_so_much_in_memory_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(BadDisk::default());
    let spool = Arc::new(open_on(&disk, dir.path(), away()).await);
    disk.hold_sync.store(true, Ordering::SeqCst);
    let waiting: Vec<_> = (0..3)
        .map(|number| {
            let (spool, body) = (Arc::clone(&spool), sealed(number, 150_000));
            tokio::spawn(async move { spool.append(body, class()).await })
        })
        .collect();
    while spool.status().pending_bytes < 450_000 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let refused = spool.append(sealed(3, 100_000), class()).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Full);
    assert!(refused.to_string().contains("too slow"), "{refused}");
    assert!(waiting.iter().all(|append| !append.is_finished()), "nothing is acknowledged unsynced");
    disk.hold_sync.store(false, Ordering::SeqCst);
    for append in waiting {
        append.await.unwrap().unwrap();
    }
    while spool.status().pending_bytes > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await; // it is answered first
    }
    spool.append(sealed(3, 100_000), class()).await.unwrap();
}

/// Lets files go when it is told to, and fails before.
#[derive(Default)]
struct Reluctant {
    asked: AtomicU64,
    willing: AtomicBool,
}

#[async_trait]
impl Keeper for Reluctant {
    async fn let_go(&self, _key: &ObjectKey) -> Result<(), StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.willing.load(Ordering::SeqCst) {
            true => Ok(()),
            false => Err(StoreError::new(StoreErrorKind::Retry, "not yet")),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_stays_until_its_keeper_lets_it_go() {
    let (dir, memory) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::new()));
    let keeper = Arc::new(Reluctant::default());
    let opened = Spool::open_for(dir.path(), limits(), memory, clock(), keeper.clone());
    let (spool, _) = opened.await.unwrap();
    let location = spool.append(sealed(0, 400), class()).await.unwrap();
    assert!(spool.holds(&location.object_key));
    let flushed = spool.flush(Duration::from_millis(200)).await.unwrap();
    assert_eq!(flushed.left, 1);
    assert!(keeper.asked.load(Ordering::SeqCst) > 1, "again and again");
    assert_eq!(files(dir.path(), "seg").len(), 1);
    assert!(spool.status().last_upload_error.is_some());
    keeper.willing.store(true, Ordering::SeqCst);
    assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    assert!(!spool.holds(&location.object_key));
    assert!(files(dir.path(), "seg").is_empty());
    assert!(spool.read(&location).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_tells_age_and_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let store = away();
    let now = Arc::new(AtomicI64::new(NOON));
    let read_now = Arc::clone(&now);
    let clock: Clock = Arc::new(move || read_now.load(Ordering::SeqCst));
    let (spool, _) = Spool::open(dir.path(), limits(), store.clone(), clock).await.unwrap();
    spool.append(sealed(0, 400), class()).await.unwrap();
    spool.append(sealed(1, 400), RetentionClass::days(30).unwrap()).await.unwrap();
    let status = spool.status();
    assert_eq!((status.open_segments, status.waiting_segments), (2, 0), "one for each class");
    assert_eq!(status.oldest_waiting_age, None);

    assert_eq!(spool.flush(Duration::from_millis(50)).await.unwrap().left, 2);
    now.store(NOON + 90, Ordering::SeqCst);
    let status = spool.status();
    assert_eq!((status.open_segments, status.waiting_segments), (0, 2));
    assert_eq!(status.oldest_waiting_age, Some(Duration::from_secs(90)));
    assert!(status.upload_failures > 0);
    assert_eq!(status.last_upload_error.unwrap().kind(), StoreErrorKind::Retry);
    let on_disk: u64 =
        files(dir.path(), "seg").iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!(status.spool_bytes, on_disk, "the books agree with the disk");

    store.set_down(false);
    assert_eq!(spool.flush(SOON).await.unwrap().left, 0);
    let status = spool.status();
    assert_eq!((status.spool_bytes, status.uploaded_segments), (0, 2));
    assert!(status.last_upload_error.is_none() && status.oldest_waiting_age.is_none());
    // Files go when they are off the books.
    let gone = async {
        while !files(dir.path(), "seg").is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(SOON, gone).await.expect("files that are off the books are removed");
}

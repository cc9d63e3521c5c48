//! Spool files that a crash, a bad disk or somebody has changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use oubliette_store::{
    Location, MemoryStore, Recovered, RetentionClass, SegmentIndex, Spool, SpoolLimits, list_all,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) const NOON: i64 = 1_793_448_000; // 2026-10-31T12:00:00Z

/// Long enough for a few kilobytes on any machine.
const SOON: Duration = Duration::from_secs(5);

/// Recovery of a damaged spool file yields every record before the damage at its old place, uploads
/// what it yields, and yields nothing that opens but what was sealed. (A frame's checksum finds
/// accidents: a whole frame that damage has copied elsewhere is yielded there too, and a forged one
/// is yielded and does not open.)
///
/// The input is damage to a file of a few records.
pub fn segment_recover(data: &[u8]) {
    static GOOD: OnceLock<GoodFile> = OnceLock::new();
    let good = GOOD.get_or_init(GoodFile::make);
    let bytes = super::damage::damage(&good.bytes, data);
    match (SegmentIndex::parse(&bytes), SegmentIndex::verify(&bytes)) {
        (Err(error), Err(_)) => super::assert_one_line(&error),
        (Ok(parsed), verified) => assert!(verified.is_err() || verified.ok() == Some(parsed)),
        (Err(_), Ok(_)) => panic!("a segment that cannot be parsed is said to be whole"),
    }

    let folder = scratch();
    let file = folder.path().join(&good.name);
    fs::create_dir_all(file.parent().expect("a file lies in a folder")).expect("a new folder");
    fs::write(&file, &bytes).expect("a new file");
    runtime().block_on(async {
        let store = Arc::new(MemoryStore::new());
        let (spool, recovered) = open(folder.path(), &store).await;
        let mut places = Vec::new();
        for record in recovered.records() {
            let read = spool.read(&record.location).await.expect("what was recovered can be read");
            match good.records.get(&record.location.offset) {
                Some((location, appended)) if read == *appended => {
                    assert_eq!(record.location, *location, "a record has moved");
                }
                _ => assert!(
                    good.records.values().any(|(_, appended)| read == *appended)
                        || !super::record::opens(&read, record.account, record.address),
                    "a record was recovered that nobody sealed"
                ),
            }
            places.push(record.location.offset);
        }
        let untouched = super::damage::common_prefix(&good.bytes, &bytes) as u64;
        for (at, end) in good.frames() {
            assert!(end > untouched || places.contains(&at), "a whole record at {at} was lost");
        }
        let flushed = spool.close(SOON).await.expect("the spool closes");
        assert_eq!(flushed.left, 0, "something recovered was not uploaded");
        for object in list_all(&*store, "r").await.expect("the store lists") {
            let index = SegmentIndex::fetch(&*store, &object.key).await.expect("a whole segment");
            let uploaded: Vec<_> = index.entries().iter().map(|entry| entry.offset).collect();
            assert!(places.iter().all(|place| uploaded.contains(place)), "uploaded without it");
        }
    });
}

/// A spool file with records in it, as a crash leaves it: not finished.
struct GoodFile {
    /// Where it lay in the folder of its spool.
    name: PathBuf,
    bytes: Vec<u8>,
    /// Place and bytes of each record, by offset.
    records: BTreeMap<u64, (Location, Vec<u8>)>,
}

impl GoodFile {
    fn make() -> Self {
        let folder = scratch();
        runtime().block_on(async {
            let store = Arc::new(MemoryStore::new());
            let (spool, _) = open(folder.path(), &store).await;
            let class = RetentionClass::days(7).expect("a week is a class");
            let mut records = BTreeMap::new();
            for number in 0..5 {
                let text = format!("{{\"record\":{number}}}").repeat(1 + number as usize);
                let body = super::record::sealed(text.as_bytes(), number);
                let record = body.record().to_vec();
                let location =
                    spool.append(body, class).await.expect("an append to an empty spool");
                records.insert(location.offset, (location, record));
            }
            let file = files(folder.path()).pop().expect("an append makes a file");
            let name = file.strip_prefix(folder.path()).expect("it lies below").to_path_buf();
            let bytes = fs::read(&file).expect("it can be read");
            Self { name, bytes, records }
        })
    }

    /// Where each record's frame begins and ends.
    fn frames(&self) -> impl Iterator<Item = (u64, u64)> {
        let begins: Vec<_> = self.records.keys().copied().collect();
        let ends: Vec<_> =
            begins.iter().skip(1).copied().chain([self.bytes.len() as u64]).collect();
        begins.into_iter().zip(ends)
    }
}

async fn open(folder: &Path, store: &Arc<MemoryStore>) -> (Spool, Recovered) {
    let limits = SpoolLimits {
        max_bytes: 64 << 20,
        min_free_bytes: 0,
        max_age: Duration::from_secs(3600),
        ..SpoolLimits::default()
    };
    let clock = Arc::new(|| NOON);
    Spool::open(folder, limits, store.clone(), clock).await.expect("a spool opens on any file")
}

/// In memory where there is such a place: recovery syncs a lot.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.expect("a temporary folder")
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().expect("a runtime starts")
    })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).expect("the folder can be read") {
        let path = item.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if fs::metadata(&path).is_ok_and(|about| about.len() > 0) {
            found.push(path);
        }
    }
    found
}

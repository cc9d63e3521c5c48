//! Thousands of bad days: random schedules of appends, crashes, disk faults and store faults.
//!
//! Each follows from a seed but for the interleaving of threads. `OUBLIETTE_FAULT_SEED=n` runs one,
//! `OUBLIETTE_FAULT_SCHEDULES=n` so many.
//!
//! What must hold however it goes: what was acknowledged is readable at any time that disk and store
//! can be read, and at the end lies in the object store as it was; every object is whole; nothing
//! is in an object or told by recovery that was never appended; what was acknowledged has its row in
//! books that lose what is not synced; and when all is uploaded the spool's folder is empty.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use futures::{StreamExt, stream};

use super::sim_disk::{DiskFaults, SimDisk};
use super::tests::{NOON, sealed};
use super::*;
use crate::testing::{Dice, FailingStore, Faults};
use crate::{MemoryStore, SegmentIndex, list_all, read_record};

const DIR: &str = "/spool";
const SCHEDULES: u64 = 2000;
const SOON: Duration = Duration::from_secs(60);

/// Sealing is slow in a debug build, and the spool does not look inside.
fn pool() -> &'static [Bytes] {
    static POOL: OnceLock<Vec<Bytes>> = OnceLock::new();
    POOL.get_or_init(|| {
        let sizes = [40, 300, 700, 2500, 9000];
        (0..200).map(|n| sealed(n, sizes[n as usize % 5]).into_record().into()).collect()
    })
}

fn limits(dice: &Dice) -> SpoolLimits {
    SpoolLimits {
        max_bytes: 200_000,
        min_free_bytes: 1,
        segment_bytes: 4096 << dice.below(4),
        max_age: Duration::from_millis(1 + dice.below(30)),
        concurrent_uploads: 1 + usize::try_from(dice.below(3)).unwrap(),
        min_backoff: Duration::from_micros(200),
        max_backoff: Duration::from_millis(2),
        ..SpoolLimits::default()
    }
}

fn store_faults(dice: &Dice) -> Faults {
    let percent = || u8::try_from(dice.below(4) * 10).unwrap();
    Faults {
        fail: percent(),
        lose_reply: percent(),
        corrupt: percent(),
        delay: percent(),
        longest_delay: Duration::from_millis(2),
    }
}

fn disk_faults(dice: &Dice) -> DiskFaults {
    let percent = || u8::try_from(dice.below(3) * 10).unwrap();
    let (write, sync, names, read) = (percent(), percent(), percent(), percent());
    DiskFaults { write, sync, names, read, full: dice.percent(15), read_only: dice.percent(15) }
}

/// Rows of what was acknowledged, as a catalog keeps them that syncs when a file is to go.
struct Books {
    dice: Dice,
    /// Entered, and those of them that are synced.
    rows: Mutex<(HashSet<Location>, HashSet<Location>)>,
    /// Whether what recovery found is entered.
    recovered: AtomicBool,
}

impl Books {
    fn new(rows: HashSet<Location>, dice: &Dice) -> Self {
        Self {
            dice: Dice::new(dice.roll()),
            rows: Mutex::new((rows.clone(), rows)),
            recovered: AtomicBool::new(false),
        }
    }

    fn sync(&self) {
        let mut rows = self.rows.lock().unwrap();
        rows.1 = rows.0.clone();
    }

    /// The rows that are left when the process was killed, or the power went.
    fn after(&self, kill: bool) -> HashSet<Location> {
        let rows = self.rows.lock().unwrap();
        if kill { rows.0.clone() } else { rows.1.clone() }
    }
}

#[async_trait]
impl Keeper for Books {
    async fn let_go(&self, _key: &ObjectKey) -> Result<(), StoreError> {
        if self.dice.percent(20) {
            tokio::time::sleep(Duration::from_micros(self.dice.below(2000))).await;
        }
        if self.dice.percent(20) || !self.recovered.load(Ordering::SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Retry, "injected: not written"));
        }
        self.sync();
        Ok(())
    }
}

/// One schedule.
struct Day {
    dice: Dice,
    disk: SimDisk,
    memory: Arc<MemoryStore>,
    /// One for each life: the store of a dead process is down.
    store: Arc<FailingStore>,
    books: Arc<Books>,
    spool: Spool,
    next: usize,
    appended: HashSet<Bytes>,
    acknowledged: HashMap<Location, Bytes>,
}

impl Day {
    async fn dawn(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let disk = SimDisk::new(dice.roll());
        let memory = Arc::new(MemoryStore::new());
        let (spool, store, books) = Self::open(&dice, &disk, &memory, HashSet::new()).await;
        Self {
            dice,
            disk,
            memory,
            store,
            books,
            spool,
            next: 0,
            appended: HashSet::new(),
            acknowledged: HashMap::new(),
        }
    }

    async fn open(
        dice: &Dice,
        disk: &SimDisk,
        memory: &Arc<MemoryStore>,
        rows: HashSet<Location>,
    ) -> (Spool, Arc<FailingStore>, Arc<Books>) {
        let faults = store_faults(dice);
        let store = Arc::new(FailingStore::new(Arc::clone(memory) as _, dice.roll(), faults));
        let limits = limits(dice);
        let books = Arc::new(Books::new(rows, dice));
        let with = With {
            disk: Arc::new(disk.clone()),
            store: Arc::clone(&store) as _,
            clock: Arc::new(|| NOON),
            keeper: Arc::clone(&books) as _,
        };
        let opened = Spool::open_with(with, DIR.into(), limits).await;
        let (spool, recovered) = opened.expect("a disk that works can be opened");
        let again = recovered.records().map(|record| record.location);
        books.rows.lock().unwrap().0.extend(again);
        books.recovered.store(true, Ordering::SeqCst);
        (spool, store, books)
    }

    /// Appends a few records, perhaps at the same time.
    async fn append(&mut self) {
        let count = 1 + usize::try_from(self.dice.below(4)).unwrap();
        let batches: Vec<Vec<Bytes>> = (0..count)
            .map(|_| {
                let size = 1 + usize::try_from(self.dice.below(3)).unwrap();
                let batch = (0..size).map(|i| pool()[(self.next + i) % pool().len()].clone());
                let batch = batch.collect();
                self.next += size;
                batch
            })
            .collect();
        let classes: Vec<RetentionClass> = (0..count)
            .map(|_| {
                RetentionClass::for_retention([7, 7, 30][self.dice.below(3) as usize]).unwrap()
            })
            .collect();
        let spool = &self.spool;
        let answers = futures::future::join_all(batches.iter().zip(&classes).map(
            |(batch, class)| async move {
                let record = |bytes: &Bytes| Record::read_back(bytes.clone()).expect("sealed");
                let records = batch.iter().map(|bytes| (record(bytes), *class)).collect();
                spool.append_records(records).await
            },
        ))
        .await;
        for (batch, answer) in batches.into_iter().zip(answers) {
            self.appended.extend(batch.iter().cloned());
            if let Ok(locations) = answer {
                self.books.rows.lock().unwrap().0.extend(&locations);
                if !locations.iter().all(|location| spool.holds(&location.object_key)) {
                    self.books.sync();
                }
                self.acknowledged.extend(locations.into_iter().zip(batch));
            }
        }
    }

    /// Reads something that was acknowledged. Faults may get in the way of it, but what comes is it.
    async fn read(&mut self) {
        let nth = self.dice.below(self.acknowledged.len() as u64) as usize;
        let Some((location, bytes)) = self.acknowledged.iter().nth(nth) else { return };
        match self.spool.read(location).await {
            Ok(read) => assert!(read == bytes, "{location:?} is another record"),
            Err(error) => {
                let kind = error.kind();
                assert_ne!(kind, StoreErrorKind::NotFound, "{location:?} is nowhere");
            }
        }
    }

    async fn crash(&mut self) {
        let kill = self.dice.percent(30);
        self.disk = {
            let after = self.disk.crash(kill);
            self.store.set_down(true);
            after
        };
        let rows = self.books.after(kill);
        let (spool, store, books) = Self::open(&self.dice, &self.disk, &self.memory, rows).await;
        (self.spool, self.store, self.books) = (spool, store, books);
        let rows = self.books.after(true);
        let without: Vec<_> = self.acknowledged.keys().filter(|it| !rows.contains(it)).collect();
        assert!(without.is_empty(), "without a row: {without:?}");
        self.check_readable().await;
    }

    /// With a disk and a store that work, everything that was acknowledged can be read.
    async fn check_readable(&mut self) {
        self.store.set_down(false);
        self.store.set_faults(Faults::default());
        for (location, bytes) in &self.acknowledged {
            let read = self.spool.read(location).await.map_err(|error| (location, error));
            assert!(read.unwrap() == bytes, "{location:?} is another record");
        }
        self.store.set_faults(store_faults(&self.dice));
    }

    async fn dusk(mut self) {
        self.disk.set_faults(DiskFaults::default());
        self.crash().await;
        self.store.set_faults(Faults::default());
        let flushed = self.spool.close(SOON).await.unwrap();
        assert_eq!(flushed.left, 0, "{:?}", self.spool.status());
        assert_eq!(self.spool.status().spool_bytes, 0);
        let objects = list_all(&*self.memory, "").await.unwrap();
        for object in objects {
            let bytes = self.memory.get_range(&object.key, 0..object.size).await.unwrap();
            let index = SegmentIndex::verify(&bytes).expect("every object is whole");
            assert_eq!(index.object_key(), object.key);
            for entry in index.entries() {
                let record = read_record(&*self.memory, &entry.location(object.key)).await;
                assert!(self.appended.contains(&record.unwrap()), "nothing is made up");
            }
        }
        for (location, bytes) in &self.acknowledged {
            let read = read_record(&*self.memory, location).await.map_err(|e| (location, e));
            assert!(read.unwrap() == bytes, "{location:?} is another record at the end");
        }
        let left: Vec<_> = self.disk.files().into_iter().map(|(path, _)| path).collect();
        let is_kept = |path: &PathBuf| path.starts_with("/spool/damaged");
        assert!(left.iter().all(is_kept), "left behind: {left:?}");
    }
}

async fn schedule(seed: u64) -> (usize, u64) {
    let mut day = Day::dawn(seed).await;
    for _ in 0..4 + day.dice.below(20) {
        match day.dice.below(12) {
            0..6 => day.append().await,
            6 => day.read().await,
            7 => {
                let faults = disk_faults(&day.dice);
                day.disk.set_faults(faults);
            }
            8 => {
                day.disk.set_faults(DiskFaults::default());
                day.check_readable().await;
            }
            9 => day.store.set_down(true),
            10 => {
                day.store.set_down(false);
                let _ = day.spool.flush(Duration::from_millis(day.dice.below(20))).await.unwrap();
            }
            _ => day.crash().await,
        }
    }
    let (acknowledged, injected) = (day.acknowledged.len(), day.store.injected());
    day.dusk().await;
    (acknowledged, injected)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_goes_wrong_what_was_acknowledged_is_kept() {
    let seeds: Vec<u64> = match number("OUBLIETTE_FAULT_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("OUBLIETTE_FAULT_SCHEDULES").unwrap_or(SCHEDULES)).collect(),
    };
    let many = seeds.len() > 100;
    let mut days = stream::iter(seeds)
        .map(|seed| async move { (seed, tokio::spawn(schedule(seed)).await) })
        .buffer_unordered(8);
    let (mut acknowledged, mut injected) = (0, 0);
    while let Some((seed, day)) = days.next().await {
        let (kept, faults) = day.unwrap_or_else(|_| {
            panic!("seed {seed} went wrong: run it with OUBLIETTE_FAULT_SEED={seed}")
        });
        acknowledged += kept;
        injected += faults;
    }
    // A suite in which nothing is kept or nothing fails says nothing.
    assert!(!many || (acknowledged > 10_000 && injected > 1000), "{acknowledged} {injected}");
}

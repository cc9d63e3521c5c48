//! What reading, indexes and recovery cost, on 64 and 128 MiB of segments.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use oubliette_seal::Sealer;
use oubliette_store::testing::{FailingStore, Faults};
use oubliette_store::{
    FolderStore, Location, MemoryStore, ObjectStore, S3Settings, S3Store, SegmentIndex, Spool,
    list_all,
};
use tokio::runtime::Runtime;

use crate::run::{Run, clients};
use crate::support::{Density, chat_request};
use crate::{class, clock, limits, open, redacted, seal};

/// A spool folder with closed segments, an object store with the same, and where the records are.
fn filled(runtime: &Runtime, dir: &Path, bytes: u64) -> (Arc<FolderStore>, Vec<Location>) {
    runtime.block_on(async {
        let store = FolderStore::open(dir.join("objects")).await.expect("a fresh folder");
        let store = Arc::new(store);
        let locations = fill(&dir.join("spool"), &(Arc::clone(&store) as _), bytes).await;
        (store, locations)
    })
}

async fn fill(dir: &Path, store: &Arc<dyn ObjectStore>, bytes: u64) -> Vec<Location> {
    let spool = open(dir, Arc::clone(store)).await;
    let locations = append(&spool, bytes).await;
    let flushed = spool.close(Duration::from_secs(120)).await.expect("closes");
    assert_eq!(flushed.left, 0);
    locations
}

/// Appends records of bodies of 4 KiB, so many bytes of them.
async fn append(spool: &Spool, bytes: u64) -> Vec<Location> {
    let body = redacted(&chat_request(4 << 10, Density::Clean).0);
    let mut sealer = Sealer::new();
    let mut locations = Vec::new();
    let mut number = 0;
    let mut written = 0;
    while written < bytes {
        let records: Vec<_> = (0..512)
            .map(|_| {
                number += 1;
                (seal(&mut sealer, &body, number), class())
            })
            .collect();
        written += records.iter().map(|(it, _)| it.record().len() as u64).sum::<u64>();
        locations.extend(spool.append_all(records).await.expect("appends"));
    }
    locations
}

pub(crate) fn reading(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let there = OnceCell::new();
    // Only if it is asked for.
    let there = || {
        there.get_or_init(|| {
            let (store, locations) = filled(&runtime, dir.path(), 64 << 20);
            let again = dir.path().join("again");
            let spool = Arc::new(runtime.block_on(open(&again, Arc::clone(&store) as _)));
            (spool, Arc::from(locations), store)
        })
    };
    let mut group = criterion.benchmark_group("store");
    latency(&mut group, &runtime, "folder", || {
        let (spool, locations, _) = there();
        (Arc::clone(spool), Arc::clone(locations))
    });
    group.bench_function("indexes/folder", |bencher| {
        let (_, locations, store) = there();
        let objects = runtime.block_on(list_all(&**store, "")).expect("lists");
        bencher.iter(|| {
            let entries: usize = objects
                .iter()
                .map(|it| {
                    let index = SegmentIndex::fetch_sized(&**store, &it.key, it.size);
                    runtime.block_on(index).expect("whole").entries().len()
                })
                .sum();
            assert_eq!(entries, locations.len());
        });
    });
    group.finish();
}

/// Reads one record after the other, in an order that does not meet the cache, and a thousand together.
fn latency(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    name: &str,
    there: impl Fn() -> (Arc<Spool>, Arc<[Location]>),
) {
    let (mut run, mut next) = (Run::default(), 0);
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("read", name), |bencher| {
        let (spool, locations) = there();
        bencher.iter_custom(|times| {
            let (spool, locations) = (Arc::clone(&spool), Arc::clone(&locations));
            let round = clients(runtime, 1, times, next, move |number| {
                let (spool, locations) = (Arc::clone(&spool), Arc::clone(&locations));
                let nth = usize::try_from(number * 7919).expect("few") % locations.len();
                async move {
                    let record = spool.read(&locations[nth]).await.expect("reads");
                    assert_eq!(record.len(), locations[nth].len as usize);
                }
            });
            next += round.bodies;
            run.add(round)
        });
    });
    if run.bodies > 0 {
        eprintln!("read/{name}: {run}");
    }
    group.throughput(Throughput::Elements(TOGETHER as u64));
    group.bench_function(BenchmarkId::new("read-together", name), |bencher| {
        let (spool, locations) = there();
        let every = locations.len() / TOGETHER;
        let some: Vec<_> = locations.iter().step_by(every).take(TOGETHER).copied().collect();
        bencher.iter(|| {
            let read = runtime.block_on(spool.read_all(&some));
            assert!(read.iter().all(Result::is_ok));
        });
    });
}

const TOGETHER: usize = 1000;

/// The same from the S3 server at the endpoint in `OUBLIETTE_BENCH_S3`, in its bucket `bodies`; region
/// and credentials come from the environment.
pub(crate) fn reading_s3(criterion: &mut Criterion) {
    let Ok(endpoint) = std::env::var("OUBLIETTE_BENCH_S3") else { return };
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let there = OnceCell::new();
    let there = || {
        let (spool, locations) = there.get_or_init(|| {
            let settings = S3Settings {
                bucket: "bodies".into(),
                endpoint: Some(endpoint.clone()),
                region: None,
                path_style: None,
            };
            let store = runtime.block_on(S3Store::connect(&settings)).expect("sound settings");
            let store: Arc<dyn ObjectStore> = Arc::new(store);
            let locations = runtime.block_on(fill(&dir.path().join("spool"), &store, 64 << 20));
            let spool = Arc::new(runtime.block_on(open(&dir.path().join("again"), store)));
            (spool, Arc::from(locations))
        });
        (Arc::clone(spool), Arc::clone(locations))
    };
    let mut group = criterion.benchmark_group("store");
    latency(&mut group, &runtime, "s3", there);
    group.finish();
}

/// As a crash with the object store away leaves it: finished files in the spool, 128 MiB of them, or
/// as many MiB as `OUBLIETTE_BENCH_RECOVERY` says. Beyond what the memory holds the disk counts.
pub(crate) fn recovery(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let mebibytes = std::env::var("OUBLIETTE_BENCH_RECOVERY").ok();
    let mebibytes = mebibytes.map_or(128, |number| number.parse().expect("a number of MiB"));
    let left = OnceCell::new();
    let mut slowest = Duration::ZERO;
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10).throughput(Throughput::Bytes(mebibytes << 20));
    group.bench_function("recovery", |bencher| {
        let records: &usize = left.get_or_init(|| runtime.block_on(leave(dir.path(), mebibytes)));
        bencher.iter(|| {
            runtime.block_on(async {
                let begun = Instant::now();
                let (spool, found) =
                    Spool::open(dir.path(), limits(), away(), clock()).await.expect("opens");
                let took = begun.elapsed();
                assert_eq!(found.records().count(), *records);
                let _ = spool.close(Duration::ZERO).await.expect("closes");
                slowest = slowest.max(took);
            });
        });
    });
    group.finish();
    if let Some(records) = left.get() {
        eprintln!("recovery: {records} records, {mebibytes} MiB, {slowest:.1?} at most");
    }
}

/// Fills a spool while its object store is away; how many records.
async fn leave(dir: &Path, mebibytes: u64) -> usize {
    let (spool, _) = Spool::open(dir, limits(), away(), clock()).await.expect("opens");
    let locations = append(&spool, mebibytes << 20).await;
    let _ = spool.close(Duration::ZERO).await.expect("closes");
    locations.len()
}

pub(crate) fn away() -> Arc<FailingStore> {
    let away = FailingStore::new(Arc::new(MemoryStore::new()), 1, Faults::default());
    away.set_down(true);
    Arc::new(away)
}

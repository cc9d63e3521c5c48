//! What reading, indexes and recovery cost, on 64 and 128 MiB of segments.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use oubliette_seal::Sealer;
use oubliette_store::{
    Clock, FolderStore, Location, MemoryStore, ObjectStore, S3Settings, S3Store, SegmentIndex,
    Spool, SpoolLimits, list_all,
};
use tokio::runtime::Runtime;

use crate::run::{Run, clients};
use crate::support::{Density, chat_request};
use crate::{NOON, class, open, redacted, seal};

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
    let flushed = spool.close(Duration::from_secs(120)).await.expect("closes");
    assert_eq!(flushed.left, 0);
    locations
}

pub(crate) fn reading(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let (store, locations) = filled(&runtime, dir.path(), 64 << 20);
    let spool =
        Arc::new(runtime.block_on(open(&dir.path().join("again"), Arc::clone(&store) as _)));
    let mut group = criterion.benchmark_group("store");
    latency(&mut group, &runtime, "folder", &spool, &locations);
    let some: Vec<_> = locations.iter().step_by(locations.len() / 1000).copied().collect();
    group.throughput(Throughput::Elements(some.len() as u64));
    group.bench_function("read-together/folder", |bencher| {
        bencher.iter(|| {
            let read = runtime.block_on(spool.read_all(&some));
            assert!(read.iter().all(Result::is_ok));
        });
    });
    let objects = runtime.block_on(list_all(&*store, "")).expect("lists");
    group.throughput(Throughput::Elements(locations.len() as u64));
    group.bench_function("indexes/folder", |bencher| {
        bencher.iter(|| {
            let entries: usize = objects
                .iter()
                .map(|it| {
                    let index = SegmentIndex::fetch_sized(&*store, &it.key, it.size);
                    runtime.block_on(index).expect("whole").entries().len()
                })
                .sum();
            assert_eq!(entries, locations.len());
        });
    });
    group.finish();
}

/// Reads one record after the other, in an order that does not meet the cache.
fn latency(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    name: &str,
    spool: &Arc<Spool>,
    locations: &[Location],
) {
    let locations: Arc<[Location]> = locations.into();
    let (mut run, mut next) = (Run::default(), 0);
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("read", name), |bencher| {
        bencher.iter_custom(|times| {
            let (spool, locations) = (Arc::clone(spool), Arc::clone(&locations));
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
}

/// The same from the S3 server at the endpoint in `OUBLIETTE_BENCH_S3`, in its bucket `bodies`; region
/// and credentials come from the environment.
pub(crate) fn reading_s3(criterion: &mut Criterion) {
    let Ok(endpoint) = std::env::var("OUBLIETTE_BENCH_S3") else { return };
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let settings = S3Settings {
        bucket: "bodies".into(),
        endpoint: Some(endpoint),
        region: None,
        path_style: None,
    };
    let store = runtime.block_on(S3Store::connect(&settings)).expect("settings that make sense");
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let locations = runtime.block_on(fill(&dir.path().join("spool"), &store, 64 << 20));
    let spool = Arc::new(runtime.block_on(open(&dir.path().join("again"), store)));
    let mut group = criterion.benchmark_group("store");
    latency(&mut group, &runtime, "s3", &spool, &locations);
    let some: Vec<_> = locations.iter().step_by(locations.len() / 1000).copied().collect();
    group.throughput(Throughput::Elements(some.len() as u64));
    group.bench_function("read-together/s3", |bencher| {
        bencher.iter(|| {
            let read = runtime.block_on(spool.read_all(&some));
            assert!(read.iter().all(Result::is_ok));
        });
    });
    group.finish();
}

pub(crate) fn recovery(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let (store, locations) = filled(&runtime, dir.path(), 128 << 20);
    // As a crash with the object store away would leave it: finished files in the spool.
    let folder = dir.path().join("left");
    std::fs::create_dir(&folder).expect("a folder");
    let mut bytes = 0;
    for object in runtime.block_on(list_all(&*store, "")).expect("lists") {
        let (key, size) = (object.key, object.size);
        let name = format!("{}-{}.seg", key.class(), key.segment());
        let segment = runtime.block_on(store.get_range(&key, 0..size)).expect("reads");
        std::fs::write(folder.join(name), &segment).expect("writes");
        bytes += size;
    }
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10).throughput(Throughput::Bytes(bytes));
    group.bench_function("recovery", |bencher| {
        bencher.iter(|| {
            let away = Arc::new(oubliette_store::testing::FailingStore::new(
                Arc::new(MemoryStore::new()),
                1,
                oubliette_store::testing::Faults::default(),
            ));
            away.set_down(true);
            let limits =
                SpoolLimits { min_free_bytes: 0, max_bytes: 64 << 30, ..SpoolLimits::default() };
            let clock: Clock = Arc::new(|| NOON);
            runtime.block_on(async {
                let (spool, found) =
                    Spool::open(&folder, limits, away, clock).await.expect("opens");
                assert_eq!(found.records().count(), locations.len());
                let _ = spool.close(Duration::ZERO).await.expect("closes");
            });
        });
    });
    group.finish();
}

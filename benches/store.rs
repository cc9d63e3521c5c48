//! What durability costs beside its lower bound, and what reading, recovery and indexes cost.
//!
//! `durable/N` is one round of N clients that each seal a body of 4 KiB and append it, until all are
//! acknowledged; `lower-bound/N` is zstd, AES-GCM, one write and one fsync of the same bytes by one
//! thread. How long single acknowledgements took is printed after each: half of them, and 99 in a
//! hundred. The folder is a temporary one: set TMPDIR to the disk that is meant.

mod support;

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use oubliette_keytree::{AccountTag, Hour, LeafAddress, LeafKey};
use oubliette_redact::{CapturedBody, RedactedBody, UnredactedConsent};
use oubliette_seal::{Place, SealedBody, Sealer};
use oubliette_store::{
    Clock, FolderStore, Location, MemoryStore, ObjectStore, RetentionClass, SegmentIndex, Spool,
    SpoolLimits, list_all,
};
use support::{Density, chat_request};
use tokio::runtime::Runtime;

const NOON: i64 = 1_793_448_000;

fn body() -> RedactedBody {
    let (text, _) = chat_request(4 << 10, Density::Clean);
    let captured = CapturedBody::new(text.into_bytes(), None, None);
    RedactedBody::dangerously_unredacted(captured, &UnredactedConsent::recorded("bench"))
}

fn seal(sealer: &mut Sealer, body: &RedactedBody, number: u32) -> SealedBody {
    let account = AccountTag::from_bytes([7; 16]);
    let hour = Hour::from_unix_seconds(NOON);
    let address = LeafAddress::new(hour, 1, number % (1 << 24)).expect("a small sequence");
    let place = Place { account, address, exchange: b"{}" };
    sealer.seal(body, &place, &LeafKey::from_bytes([9; 32])).expect("seals")
}

fn class() -> RetentionClass {
    RetentionClass::days(7).expect("a class")
}

async fn open(dir: &Path, store: Arc<dyn ObjectStore>) -> Spool {
    let limits = SpoolLimits { min_free_bytes: 0, max_bytes: 64 << 30, ..SpoolLimits::default() };
    let clock: Clock = Arc::new(|| NOON);
    Spool::open(dir, limits, store, clock).await.expect("a fresh folder").0
}

fn durable(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("store");
    group.sample_size(20).measurement_time(Duration::from_secs(4));
    for clients in [1_u32, 16, 256] {
        let dir = tempfile::tempdir().expect("a folder");
        let memory: Arc<MemoryStore> = Arc::new(MemoryStore::new());
        let spool = Arc::new(runtime.block_on(open(dir.path(), memory)));
        let body = Arc::new(body());
        let mut waited: Vec<Duration> = Vec::new();
        let mut next = 0;
        let location = runtime
            .block_on(spool.append(seal(&mut Sealer::new(), &body, 0), class()))
            .expect("appends");
        assert!(runtime.block_on(spool.read(&location)).is_ok());
        group.throughput(Throughput::Elements(clients.into()));
        group.bench_function(BenchmarkId::new("durable", clients), |bencher| {
            bencher.iter(|| {
                let round = (0..clients).map(|number| {
                    let (spool, body) = (Arc::clone(&spool), Arc::clone(&body));
                    let number = next + number;
                    runtime.spawn(async move {
                        let begun = Instant::now();
                        let sealed = SEALER.with_borrow_mut(|sealer| seal(sealer, &body, number));
                        spool.append(sealed, class()).await.expect("appends");
                        begun.elapsed()
                    })
                });
                let round = join_all(round.collect::<Vec<_>>());
                let times = runtime.block_on(round);
                next += clients;
                waited.extend(times.into_iter().map(|time| time.expect("no panic")));
            });
        });
        waited.sort();
        let at = |percent: usize| waited[(waited.len() - 1) * percent / 100];
        eprintln!("durable/{clients}: acknowledged after {:?} (p50), {:?} (p99)", at(50), at(99));
        let _ = runtime.block_on(spool.close(Duration::from_secs(60))).expect("closes");

        let mut file = File::create(dir.path().join("plain")).expect("a file");
        let mut zstd = zstd::bulk::Compressor::new(3).expect("level 3 exists");
        let cipher = Aes256Gcm::new(&[9; 32].into());
        group.bench_function(BenchmarkId::new("lower-bound", clients), |bencher| {
            bencher.iter(|| {
                let mut buffer = Vec::new();
                for _ in 0..clients {
                    let frame = zstd.compress(body.bytes()).expect("compresses");
                    let nonce = Nonce::from([1; 12]);
                    buffer.extend(cipher.encrypt(&nonce, &frame[..]).expect("encrypts"));
                }
                file.write_all(&buffer).expect("writes");
                file.sync_data().expect("syncs");
            });
        });
    }
    group.finish();
}

thread_local!(static SEALER: std::cell::RefCell<Sealer> = std::cell::RefCell::new(Sealer::new()));

/// A spool folder with closed segments, an object store with the same, and where the records are.
fn filled(runtime: &Runtime, dir: &Path, bytes: u64) -> (Arc<FolderStore>, Vec<Location>) {
    runtime.block_on(async {
        let store = FolderStore::open(dir.join("objects")).await.expect("a fresh folder");
        let store = Arc::new(store);
        let spool = open(&dir.join("spool"), Arc::clone(&store) as _).await;
        let (body, mut sealer) = (body(), Sealer::new());
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
        (store, locations)
    })
}

fn reading(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let (store, locations) = filled(&runtime, dir.path(), 64 << 20);
    let spool = runtime.block_on(open(&dir.path().join("again"), Arc::clone(&store) as _));
    let mut group = criterion.benchmark_group("store");
    let mut nth = 0;
    // More records than the cache holds, in an order that does not meet it.
    group.bench_function("read/folder", |bencher| {
        bencher.iter(|| {
            nth = (nth + 7919) % locations.len();
            black_box(runtime.block_on(spool.read(&locations[nth]))).expect("reads")
        });
    });
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

fn recovery(criterion: &mut Criterion) {
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

criterion_group!(benches, durable, reading, recovery);
criterion_main!(benches);

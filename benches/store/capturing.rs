//! `durable/N`: N clients seal bodies and append them to the spool, which uploads meanwhile.
//! `capture/N`: the same through the whole service, with a row for each, redaction off and on. What has
//! two lengths is exchanges of a request and a response.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use oubliette_catalog::{AccountId, Exchange, ExchangeId, Role, SettingsChange};
use oubliette_redact::CapturedBody;
use oubliette_seal::Sealer;
use oubliette_service::{
    Envelope, Layout, ManualClock, Options, Oubliette, PartOutcome, Principal,
};
use oubliette_store::{MemoryStore, ObjectStore, list_all};
use tokio::runtime::Runtime;

use crate::bound::Bound;
use crate::reading::away;
use crate::run::{Run, clients};
use crate::support::{Density, chat_request_of};
use crate::{NOON, class, open, redacted, seal};

/// As many as there are different bodies; each is met again and again.
const BODIES: u64 = 64;

/// Lengths of bodies: a short chat, one with some history or a document in it, and an agent at work.
const LENGTHS: [(&str, usize); 3] = [("4k", 4 << 10), ("32k", 32 << 10), ("128k", 128 << 10)];

/// What is captured: a request alone, or with its response, as a gateway hands exchanges in.
type Texts = (String, Option<String>);

fn texts(len: usize, density: Density) -> Vec<String> {
    (0..BODIES).map(|seed| chat_request_of(len, density, seed).0).collect()
}

fn alone(len: usize, density: Density) -> Vec<Texts> {
    texts(len, density).into_iter().map(|request| (request, None)).collect()
}

/// A conversation that has gone on for a while, and what the model says to it.
fn exchanges() -> Vec<Texts> {
    let requests = texts(32 << 10, Density::Typical).into_iter();
    let responses = (0..BODIES).map(|seed| chat_request_of(4 << 10, Density::Typical, 64 + seed).0);
    requests.zip(responses.map(Some)).collect()
}

thread_local!(static SEALER: std::cell::RefCell<Sealer> = std::cell::RefCell::new(Sealer::new()));

pub(crate) fn durable(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    for (name, len) in LENGTHS {
        let texts = texts(len, Density::Clean);
        let bodies: Arc<Vec<_>> = Arc::new(texts.iter().map(|text| redacted(text)).collect());
        for count in [1_u32, 16, 256] {
            let dir = tempfile::tempdir().expect("a folder");
            let plain: Vec<_> = texts.iter().map(|text| (text.clone(), None)).collect();
            let bound = lower_bound(&mut group, name, count, dir.path(), &plain);

            let mut begun = None;
            let (mut run, mut next) = (Run::default(), 1);
            group.throughput(Throughput::Elements(count.into()));
            group.bench_function(BenchmarkId::new("durable", format!("{name}/{count}")), |b| {
                let (_, spool) = begun.get_or_insert_with(|| {
                    let memory = Arc::new(MemoryStore::new());
                    let spool = runtime.block_on(open(dir.path(), Arc::clone(&memory) as _));
                    let first = seal(&mut Sealer::new(), &bodies[0], 0);
                    let location = runtime.block_on(spool.append(first, class())).expect("appends");
                    assert!(runtime.block_on(spool.read(&location)).is_ok());
                    (memory, Arc::new(spool))
                });
                b.iter_custom(|times| {
                    let (spool, bodies) = (Arc::clone(spool), Arc::clone(&bodies));
                    let round = clients(&runtime, count, times, next, move |number| {
                        let (spool, bodies) = (Arc::clone(&spool), Arc::clone(&bodies));
                        async move {
                            let body = &bodies[(number % BODIES) as usize];
                            let number = u32::try_from(number).expect("few bodies");
                            let sealed =
                                SEALER.with_borrow_mut(|sealer| seal(sealer, body, number));
                            spool.append(sealed, class()).await.expect("appends");
                        }
                    });
                    next += round.bodies;
                    run.add(round)
                });
            });
            let Some((memory, spool)) = begun else { continue }; // left out by a filter
            let flushed = runtime.block_on(spool.close(Duration::from_secs(60))).expect("closes");
            assert_eq!(flushed.left, 0);
            let stored = stored(&runtime, &memory);
            report("durable", name, count, &run, &bound, stored);
        }
    }
    group.finish();
}

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

fn lower_bound(group: &mut Group<'_>, name: &str, count: u32, dir: &Path, texts: &[Texts]) -> Run {
    let mut plain = Bound::new(dir);
    let mut run = Run::default();
    group.throughput(Throughput::Elements(count.into()));
    group.bench_function(BenchmarkId::new("lower-bound", format!("{name}/{count}")), |b| {
        b.iter_custom(|times| {
            let bodies = u64::from(count) * times;
            run.add(Run::of(bodies, || {
                let mut texts = texts.iter().cycle();
                for _ in 0..times {
                    for (request, response) in texts.by_ref().take(count as usize) {
                        plain.add(request.as_bytes());
                        response.iter().for_each(|response| plain.add(response.as_bytes()));
                    }
                    plain.sync();
                }
                Vec::new()
            }))
        });
    });
    run
}

/// Segments and bytes.
fn stored(runtime: &Runtime, store: &MemoryStore) -> (u64, u64) {
    let all = runtime.block_on(list_all(store, "")).expect("lists");
    (all.len() as u64, all.iter().map(|object| object.size).sum())
}

fn report(what: &str, name: &str, count: u32, run: &Run, bound: &Run, stored: (u64, u64)) {
    let (segments, bytes) = stored;
    let per_core = 100.0 * bound.cpu_each().as_secs_f64() / run.cpu_each().as_secs_f64();
    eprintln!("{what}/{name}/{count}: {run}");
    eprintln!(
        "    {} bytes a body, {} PUTs a million; bound: {bound}; per core {per_core:.0}% of it",
        bytes / run.bodies,
        segments * 1_000_000 / run.bodies,
    );
}

/// A service on a disk, with segments going to a store.
async fn start(dir: &Path, store: Arc<dyn ObjectStore>) -> Oubliette {
    let mut layout = Layout::new(dir.join("data"), dir.join("keys"));
    layout.spool.min_free_bytes = 0;
    let clock = Arc::new(ManualClock::at(NOON * 1000));
    let options = Options { queue_captures: 1024, ..Options::default() };
    let mut parts = layout.components(options, clock).await.expect("a folder that can be used");
    parts.store = store;
    Oubliette::start(parts).await.expect("starts")
}

/// The same with segments going to memory, and one account.
pub(crate) async fn service(dir: &Path, redact: bool) -> (Oubliette, Arc<MemoryStore>) {
    let memory = Arc::new(MemoryStore::new());
    let service = start(dir, Arc::clone(&memory) as _).await;
    with_account(&service, redact).await;
    (service, memory)
}

async fn with_account(service: &Oubliette, redact: bool) {
    let account = account();
    let operator = Principal::local(Role::Operator, None);
    service.create_account(&operator, &account).await.expect("a new account");
    let change =
        SettingsChange { capture: Some(true), redact: Some(redact), ..SettingsChange::default() };
    let owner = Principal::local(Role::Owner, Some(account.clone()));
    service.change_settings(&owner, &account, change).await.expect("settings");
}

pub(crate) fn account() -> AccountId {
    AccountId::new("bench").expect("a name")
}

pub(crate) fn capture(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    let lengths = LENGTHS.map(|(name, len)| (name, alone(len, Density::Typical)));
    for (name, texts) in lengths.into_iter().chain([("32k+4k", exchanges())]) {
        let texts = Arc::new(texts);
        for (way, redact) in [("unredacted", false), ("redacted", true)] {
            for count in [1_u32, 16, 256] {
                let dir = tempfile::tempdir().expect("a folder");
                let name = format!("{way}/{name}");
                let bound = lower_bound(&mut group, &name, count, dir.path(), &texts);
                let mut begun = None;
                let (mut run, mut next) = (Run::default(), 0);
                group.throughput(Throughput::Elements(count.into()));
                let id = BenchmarkId::new("capture", format!("{name}/{count}"));
                group.bench_function(id, |b| {
                    let (service, _) = begun.get_or_insert_with(|| {
                        let (service, memory) = runtime.block_on(service(dir.path(), redact));
                        (Arc::new(service), memory)
                    });
                    b.iter_custom(|times| {
                        let (service, texts) = (Arc::clone(service), Arc::clone(&texts));
                        let round = clients(&runtime, count, times, next, move |number| {
                            let text = texts[(number % BODIES) as usize].clone();
                            let service = Arc::clone(&service);
                            async move { capture_one(&service, number, text, redact).await }
                        });
                        next += round.bodies;
                        run.add(round)
                    });
                });
                let Some((service, memory)) = begun else { continue };
                let closed =
                    runtime.block_on(service.close(Duration::from_secs(60))).expect("closes");
                assert_eq!((closed.captures, closed.segments), (0, 0));
                report("capture", &name, count, &run, &bound, stored(&runtime, &memory));
            }
        }
    }
    group.finish();
}

pub(crate) async fn capture_one(
    service: &Oubliette,
    number: u64,
    (request, response): Texts,
    redact: bool,
) {
    let body =
        |text: String| CapturedBody::new(text.into_bytes(), Some("application/json".into()), None);
    let id = ExchangeId::new(format!("exchange-{number}")).expect("an id");
    let envelope = Envelope {
        exchange: Exchange {
            model: Some("gpt-5-mini".into()),
            status: Some(200),
            ..Exchange::new(account(), id, NOON * 1000)
        },
        request: Some(body(request)),
        response: response.map(body),
    };
    let gateway = Principal::local(Role::Gateway, None);
    let outcome = service.capture(&gateway, envelope).await.expect("captures");
    assert!(outcome.parts.request.is_some());
    for part in outcome.parts.request.into_iter().chain(outcome.parts.response) {
        let PartOutcome::Stored { findings } = part else { panic!("not stored: {part:?}") };
        assert!(redact || findings == 0);
    }
}

/// A service that starts again with 20,000 records in its spool, as after a kill with the object store
/// away: all of its rows are looked up.
pub(crate) fn restart(criterion: &mut Criterion) {
    const RECORDS: u64 = 20_000;
    let texts = Arc::new(alone(4 << 10, Density::Clean));
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Elements(RECORDS));
    let mut filled = None;
    group.bench_function("restart", |b| {
        let dir = filled.get_or_insert_with(|| {
            let dir = tempfile::tempdir().expect("a folder");
            let life = Runtime::new().expect("a runtime");
            let service = Arc::new(life.block_on(start(dir.path(), away())));
            life.block_on(with_account(&service, false));
            let (ours, texts) = (Arc::clone(&service), Arc::clone(&texts));
            clients(&life, 50, RECORDS / 50, 0, move |number| {
                let text = texts[(number % BODIES) as usize].clone();
                let service = Arc::clone(&ours);
                async move { capture_one(&service, number, text, false).await }
            });
            let closed = life.block_on(service.close(Duration::ZERO)).expect("closes");
            assert!(closed.segments > 0, "they wait here");
            dir
        });
        b.iter_custom(|times| {
            (0..times)
                .map(|_| {
                    // With a runtime of its own, which ends with all that holds the folder.
                    let life = Runtime::new().expect("a runtime");
                    let begun = std::time::Instant::now();
                    let service = life.block_on(start(dir.path(), away()));
                    let took = begun.elapsed();
                    let closed = life.block_on(service.close(Duration::ZERO)).expect("closes");
                    assert!(closed.segments > 0, "they wait here still");
                    took
                })
                .sum()
        });
    });
    group.finish();
}

/// Rows made again from 5,000 records in memory, after all of them were lost.
pub(crate) fn rebuild(criterion: &mut Criterion) {
    const RECORDS: u32 = 5_000;
    let runtime = Runtime::new().expect("a runtime");
    let texts = Arc::new(alone(4 << 10, Density::Clean));
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Elements(RECORDS.into()));
    let mut filled = None;
    group.bench_function("rebuild", |b| {
        let (dir, service) = filled.get_or_insert_with(|| {
            let dir = tempfile::tempdir().expect("a folder");
            let (service, _) = runtime.block_on(service(dir.path(), false));
            let service = Arc::new(service);
            let (ours, texts) = (Arc::clone(&service), Arc::clone(&texts));
            clients(&runtime, 50, u64::from(RECORDS) / 50, 0, move |number| {
                let text = texts[(number % BODIES) as usize].clone();
                let service = Arc::clone(&ours);
                async move { capture_one(&service, number, text, false).await }
            });
            (dir, service)
        });
        b.iter_custom(|times| {
            let operator = Principal::local(Role::Operator, None);
            (0..times)
                .map(|_| {
                    let catalog = dir.path().join("data/catalog.sqlite");
                    let catalog = rusqlite::Connection::open(catalog).expect("a catalog");
                    for table in ["captures", "exchanges"] {
                        catalog.execute(&format!("DELETE FROM {table}"), ()).expect("deletes");
                    }
                    drop(catalog);
                    let begun = std::time::Instant::now();
                    let done = runtime.block_on(service.rebuild(&operator, |_| {}));
                    assert_eq!(done.expect("rebuilds").entered, u64::from(RECORDS));
                    begun.elapsed()
                })
                .sum()
        });
    });
    group.finish();
}

//! `shred/N`: N clients each forget a body at the same time, through the whole service: audit row and
//! mark, key pages, leaf of the log, root in a file, receipt. `shred/account` forgets a thousand bodies at
//! once, as an account. Beside them is printed what the disk takes to sync a block that is overwritten.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use oubliette_catalog::{ExchangeId, Parts, Role, SettingsChange};
use oubliette_service::{Oubliette, Principal};
use tokio::runtime::Runtime;

use crate::capturing::{account, capture_one, service};
use crate::run::{Run, clients};

pub(crate) fn shred(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    for count in [1_u32, 100, 10_000] {
        let dir = tempfile::tempdir().expect("a folder");
        let (service, _) = runtime.block_on(service(dir.path(), false));
        let service = Arc::new(service);
        let (mut run, mut next) = (Run::default(), 0);
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(BenchmarkId::new("shred", count), |b| {
            b.iter_custom(|times| {
                captured(&runtime, &service, next, u64::from(count) * times);
                let ours = Arc::clone(&service);
                let round = clients(&runtime, count, times, next, move |number| {
                    let service = Arc::clone(&ours);
                    async move { shred_one(&service, number).await }
                });
                next += round.bodies;
                run.add(round)
            });
        });
        report(&format!("shred/{count}"), &run, dir.path());
    }

    let dir = tempfile::tempdir().expect("a folder");
    let (service, _) = runtime.block_on(service(dir.path(), false));
    let service = Arc::new(service);
    let (mut run, mut next) = (Run::default(), 0);
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("shred", "account"), |b| {
        b.iter_custom(|times| {
            let owner = Principal::local(Role::Owner, Some(account()));
            let mut all = Duration::ZERO;
            for _ in 0..times {
                captured(&runtime, &service, next, 1000);
                next += 1000;
                let round = Run::of(1, || {
                    let begun = Instant::now();
                    let done = runtime.block_on(service.shred_account(&owner, &account()));
                    assert!(done.expect("shreds").receipt.is_some());
                    vec![begun.elapsed()]
                });
                all += run.add(round);
                let on = SettingsChange { capture: Some(true), ..SettingsChange::default() };
                let name = account();
                let settings = service.change_settings(&owner, &name, on);
                runtime.block_on(settings).expect("settings");
            }
            all
        });
    });
    report("shred/account", &run, dir.path());
    group.finish();
}

/// So many bodies with numbers from `first` on, a hundred at a time.
fn captured(runtime: &Runtime, service: &Arc<Oubliette>, first: u64, bodies: u64) {
    let rest = u32::try_from(bodies % 100).expect("less than a hundred");
    for (at_once, times, first) in
        [(100, bodies / 100, first), (rest, 1, first + bodies / 100 * 100)]
    {
        let ours = Arc::clone(service);
        clients(runtime, at_once, times, first, move |number| {
            let service = Arc::clone(&ours);
            let text = r#"{"input":"hello"}"#.to_owned();
            async move { capture_one(&service, number, (text, None), false).await }
        });
    }
}

async fn shred_one(service: &Oubliette, number: u64) {
    let owner = Principal::local(Role::Owner, Some(account()));
    let exchange = ExchangeId::new(format!("exchange-{number}")).expect("an id");
    let done = service.shred(&owner, &account(), &exchange, Parts::Both).await.expect("shreds");
    assert!(
        done.shredded == 1 && done.receipt.is_some() && done.generation.from < done.generation.to
    );
}

fn report(what: &str, run: &Run, folder: &Path) {
    if run.bodies == 0 {
        return; // left out by a filter
    }
    let mut file = std::fs::File::create(folder.join("block")).expect("a file");
    let mut overwrite = || {
        let begun = Instant::now();
        file.seek(SeekFrom::Start(0)).expect("seeks");
        file.write_all(&[7; 4096]).expect("writes");
        file.sync_data().expect("syncs");
        begun.elapsed()
    };
    overwrite();
    let block = Run::of(200, || (0..200).map(|_| overwrite()).collect());
    eprintln!("{what}: {run}\n    a block overwritten and synced: {block}");
}

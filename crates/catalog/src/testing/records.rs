//! Audit rows, jobs, leases, and that all of it is still there afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Bench, NOW, account, asked, both, enter, exchange_id, hour, refused, with_acme};
use crate::{
    account::{AccountId, SettingsChange},
    audit::{AuditEvent, AuditRow},
    error::CatalogErrorKind::{Conflict, Exhausted, NotFound},
    job::{Job, JobState},
    page::{CaptureFilter, Order},
};

pub(super) async fn all(bench: &dyn Bench) {
    audit(bench).await;
    jobs(bench).await;
    leases(bench).await;
    all_of_it_stays(bench).await;
}

fn event(account: Option<&AccountId>, n: u64) -> AuditEvent {
    AuditEvent {
        at: NOW,
        account: account.cloned(),
        actor: "sam".into(),
        action: "capture.read".into(),
        subject: format!("x{n}"),
        detail: serde_json::json!({ "bytes": n, "parts": ["request"] }),
    }
}

async fn audit(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let nobody = account("nobody");
    let mut rows = Vec::new();
    for n in 0..9 {
        let about = [Some(&acme), None, Some(&nobody)][n as usize % 3];
        rows.push(catalog.append_audit(event(about, n)).await.unwrap());
    }
    assert!(rows.is_sorted_by(|a, b| a.seq < b.seq), "in the order it was done");
    for (row, n) in rows.iter().zip(0..) {
        assert_eq!(row.event.detail["bytes"], n);
    }
    let read = |account: Option<AccountId>, order, limit| {
        let catalog = Arc::clone(&catalog);
        async move {
            let mut seen: Vec<AuditRow> = Vec::new();
            let mut cursor = None;
            loop {
                let page = catalog.audit(account.as_ref(), order, cursor, limit).await.unwrap();
                seen.extend(page.items);
                cursor = page.next;
                if cursor.is_none() {
                    return seen;
                }
            }
        }
    };
    assert_eq!(read(None, Order::Oldest, 2).await, rows);
    rows.reverse();
    assert_eq!(read(None, Order::Newest, 4).await, rows);
    rows.retain(|row| row.event.account.as_ref() == Some(&acme));
    assert_eq!(rows.len(), 3);
    assert_eq!(read(Some(acme), Order::Newest, 2).await, rows);

    // Many at once: no number twice, and none out of its writer's order.
    let append = |writer: u64| {
        let catalog = Arc::clone(&catalog);
        tokio::spawn(async move {
            let mut numbers = Vec::new();
            for n in 0..25 {
                let row = catalog.append_audit(event(None, writer * 100 + n)).await.unwrap();
                numbers.push(row.seq);
            }
            assert!(numbers.is_sorted());
            numbers
        })
    };
    let mut all = BTreeSet::new();
    for writer in (0..4).map(append).collect::<Vec<_>>() {
        all.extend(writer.await.unwrap());
    }
    assert_eq!(all.len(), 100);
}

async fn jobs(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    enter(&*catalog, vec![both(&acme, "x1", NOW, 1)]).await;
    let job = |id: &str| Job {
        id: id.into(),
        account: acme.clone(),
        rule_set: "d1be57".into(),
        from: Some(NOW),
        to: None,
        state: JobState::Running,
        cursor: None,
        counts: BTreeMap::new(),
        created_at: NOW,
        updated_at: NOW,
    };
    catalog.create_job(job("j1")).await.unwrap();
    catalog.create_job(job("j2")).await.unwrap();
    refused(catalog.create_job(job("j1")), Conflict).await;
    refused(catalog.job("j9"), NotFound).await;
    refused(catalog.create_job(Job { account: account("nobody"), ..job("j9") }), NotFound).await;

    let filter = CaptureFilter { limit: 1, order: Order::Oldest, ..Default::default() };
    let cursor = catalog.captures(&acme, filter.clone()).await.unwrap().next;
    assert!(cursor.is_some());
    let counts = BTreeMap::from([("redacted".to_owned(), 1), ("email".to_owned(), 4)]);
    let progress = Job { cursor, counts, updated_at: NOW + 5, ..job("j1") };
    catalog.save_job(progress.clone()).await.unwrap();

    // Killed, and run again: it goes on where it was.
    let catalog = bench.reopen(catalog).await;
    assert_eq!(catalog.job("j1").await.unwrap(), progress);
    let running = catalog.jobs(Some(&acme), Some(JobState::Running)).await.unwrap();
    assert_eq!(running, [progress.clone(), job("j2")]);
    let rest = CaptureFilter { cursor: progress.cursor, ..filter };
    let rest = catalog.captures(&acme, rest).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    assert_eq!(rest.items[0].exchange, exchange_id("x1"));

    let cancelled = Job { state: JobState::Cancelled, ..progress.clone() };
    catalog.save_job(cancelled.clone()).await.unwrap();
    refused(catalog.save_job(progress), Conflict).await;
    refused(catalog.save_job(job("j9")), NotFound).await;
    assert_eq!(catalog.jobs(None, Some(JobState::Cancelled)).await.unwrap(), [cancelled]);
    assert_eq!(catalog.jobs(None, None).await.unwrap().len(), 2);
}

async fn leases(bench: &dyn Bench) {
    let catalog = bench.fresh().await;
    assert_eq!(catalog.next_lease(hour(7)).await.unwrap(), 0);
    assert_eq!(catalog.next_lease(hour(8)).await.unwrap(), 0, "each hour counts for itself");
    let take = |_| {
        let catalog = Arc::clone(&catalog);
        tokio::spawn(async move {
            let mut taken = Vec::new();
            for _ in 0..25 {
                taken.push(catalog.next_lease(hour(7)).await.unwrap());
            }
            taken
        })
    };
    let mut all = BTreeSet::from([0]);
    for taker in (0..4).map(take).collect::<Vec<_>>() {
        all.extend(taker.await.unwrap());
    }
    assert_eq!(all, (0..=100).collect(), "none twice");
    let catalog = bench.reopen(catalog).await;
    assert_eq!(catalog.next_lease(hour(7)).await.unwrap(), 101, "nor after a restart");
    catalog.skip_leases(hour(7), 200).await.unwrap();
    catalog.skip_leases(hour(7), 20).await.unwrap();
    assert_eq!(catalog.next_lease(hour(7)).await.unwrap(), 201, "those that were seen are gone");
    catalog.skip_leases(hour(9), u16::MAX).await.unwrap();
    refused(catalog.next_lease(hour(9)), Exhausted).await;
}

async fn all_of_it_stays(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let change = SettingsChange { capture: Some(true), ..Default::default() };
    catalog.change_settings(&acme, change, "olga", NOW).await.unwrap();
    enter(&*catalog, vec![both(&acme, "x1", NOW, 1), both(&acme, "x2", NOW, 2)]).await;
    catalog.mark_account_shredded(&acme, asked(NOW + 1)).await.unwrap();
    enter(&*catalog, vec![both(&acme, "x3", NOW, 3)]).await;
    let row = catalog.append_audit(event(Some(&acme), 1)).await.unwrap();
    let listed = catalog.exchanges(&acme, CaptureFilter::default()).await.unwrap();
    let settings = catalog.account(&acme).await.unwrap();

    let catalog = bench.reopen(catalog).await;
    catalog.ping().await.unwrap();
    assert_eq!(catalog.account(&acme).await.unwrap(), settings);
    assert_eq!(catalog.exchanges(&acme, CaptureFilter::default()).await.unwrap(), listed);
    let audit = catalog.audit(None, Order::Oldest, None, 10).await.unwrap().items;
    assert_eq!((audit.len(), &audit[1]), (2, &row), "the shred, and what came after");
    assert_eq!(catalog.sweep(100).await.unwrap(), 4);
}

//! Segments out of the way once nothing in them is alive, and rows back from what is in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use oubliette_catalog::{CaptureState, Part, Parts, SettingsChange};
use oubliette_service::{
    Options, Oubliette, PartOutcome, RebuildProgress, ServiceErrorKind, SweepOutcome,
};
use oubliette_store::testing::{FailingStore, Faults};

use crate::support::*;

/// The objects in the store.
fn objects(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.join("data/objects")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "seg") {
                found.push(path);
            }
        }
    }
    found
}

/// A world with ten exchanges in one uploaded segment.
async fn ten() -> World {
    let world = World::opted_in().await;
    for number in 0..10 {
        world.capture("acme", &format!("ex-{number}")).await;
    }
    let world = world.restart_after(|_| {}).await;
    assert_eq!(objects(world.folder.path()).len(), 1);
    world
}

async fn shred(world: &World, ids: std::ops::Range<u32>) {
    for number in ids {
        let id = exchange(&format!("ex-{number}"));
        world.service.shred(&owner("acme"), &account("acme"), &id, Parts::Both).await.unwrap();
    }
}

async fn sweep(world: &World) -> SweepOutcome {
    world.service.sweep(&operator(), |_| {}).await.unwrap()
}

fn forget_rows(folder: &Path, account: &str) {
    let catalog = rusqlite::Connection::open(folder.join("data/catalog.sqlite")).unwrap();
    for table in ["captures", "exchanges"] {
        let of = "account = (SELECT account FROM accounts WHERE id = ?1)";
        catalog.execute(&format!("DELETE FROM {table} WHERE {of}"), [account]).unwrap();
    }
}

#[tokio::test]
async fn a_segment_goes_as_soon_as_nothing_in_it_can_be_opened() {
    let world = ten().await;
    assert_eq!(sweep(&world).await, SweepOutcome { segments: 1, ..Default::default() });
    shred(&world, 0..9).await;
    assert_eq!(sweep(&world).await.deleted, 0, "one of ten is alive");
    shred(&world, 9..10).await;
    let size = std::fs::metadata(&objects(world.folder.path())[0]).unwrap().len();
    let outcome = sweep(&world).await;
    assert_eq!((outcome.deleted, outcome.deleted_bytes), (1, size));
    assert!(objects(world.folder.path()).is_empty());
    assert_eq!(world.service.counters().swept_segments, 1);
    assert_eq!(sweep(&world).await, SweepOutcome::default());

    let refused = world.service.sweep(&owner("acme"), |_| {}).await.unwrap_err();
    assert_eq!(refused.kind(), ServiceErrorKind::Forbidden);
}

#[tokio::test]
async fn expired_and_closed_accounts_leave_nothing_either() {
    let world = ten().await;
    world.clock.advance_ms(7 * DAY + HOUR);
    let _ = world.service.expire(&operator()).await.unwrap();
    assert_eq!(sweep(&world).await.deleted, 1);

    let world = ten().await;
    world.service.close_account(&owner("acme"), &account("acme")).await.unwrap();
    assert_eq!(sweep(&world).await.deleted, 1);
}

#[tokio::test]
async fn what_is_alive_in_a_mostly_dead_segment_moves_and_is_never_in_one_place_less() {
    let world = ten().await;
    let agent = world.agent_for("acme").await;
    shred(&world, 2..10).await;
    assert_eq!(sweep(&world).await.compacted, 0, "too young: rows may be on their way");
    world.clock.advance_ms(2 * HOUR);
    let outcome = sweep(&world).await;
    assert_eq!((outcome.compacted, outcome.moved), (1, 4));
    for part in [Part::Request, Part::Response] {
        assert!(world.read(&agent, "acme", "ex-1", part).await.is_ok());
    }
    // The copies are on this disk only.
    assert_eq!(sweep(&world).await.deleted, 0);
    assert_eq!(objects(world.folder.path()).len(), 1);

    // A crash in between is no matter.
    let world = world.crash_and_restart().await;
    let world = world.restart_after(|_| {}).await;
    assert_eq!(objects(world.folder.path()).len(), 2);
    assert_eq!(sweep(&world).await.deleted, 1);
    assert_eq!(objects(world.folder.path()).len(), 1);
    for id in ["ex-0", "ex-1"] {
        assert!(world.read(&agent, "acme", id, Part::Response).await.is_ok());
    }
    let gone = world.read(&agent, "acme", "ex-2", Part::Request).await;
    assert_eq!(gone, Err(ServiceErrorKind::Forgotten));
    // Shredding reaches the copy: there is one key.
    shred(&world, 0..2).await;
    assert_eq!(sweep(&world).await.deleted, 1);
}

#[tokio::test]
async fn records_without_a_row_keep_their_segment_and_get_their_row() {
    let world = ten().await;
    let agent = world.agent_for("acme").await;
    let world = world.restart_after(|folder| forget_rows(folder, "acme")).await;
    let outcome = sweep(&world).await;
    assert_eq!((outcome.deleted, outcome.entered), (0, 0), "too young to be judged");
    world.clock.advance_ms(2 * HOUR);
    let outcome = sweep(&world).await;
    assert_eq!((outcome.deleted, outcome.entered, outcome.erased), (0, 20, 0));
    assert!(world.read(&agent, "acme", "ex-7", Part::Request).await.is_ok());
    assert_eq!(sweep(&world).await.entered, 0);
}

#[tokio::test]
async fn dead_segments_go_by_themselves() {
    let options = Options {
        sweep_every: Duration::ZERO,
        expire_every: Duration::from_millis(20),
        ..Options::default()
    };
    let world = ten().await.restart_with(options, |_| {}).await;
    world.service.shred_account(&owner("acme"), &account("acme")).await.unwrap();
    for _ in 0..500 {
        if objects(world.folder.path()).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the segment is still there");
}

#[tokio::test]
async fn a_damaged_segment_is_told_and_left_alone() {
    let world = ten().await;
    shred(&world, 0..10).await;
    let object = &objects(world.folder.path())[0];
    let mut bytes = std::fs::read(object).unwrap();
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    std::fs::write(object, bytes).unwrap();
    let outcome = sweep(&world).await;
    assert_eq!((outcome.deleted, outcome.damaged), (0, 1));
    let rebuilt = world.service.rebuild(&operator(), |_| {}).await.unwrap();
    assert_eq!((rebuilt.damaged, rebuilt.records), (1, 0));
}

#[tokio::test]
async fn rows_come_back_from_the_segments() {
    let world = World::opted_in().await;
    world.opt_in("other").await;
    let long = SettingsChange { retention_days: Some(30), ..SettingsChange::default() };
    world.set("other", long).await;
    let agent = world.agent_for("acme").await;
    for number in 0..6 {
        world.capture("acme", &format!("ex-{number}")).await;
        world.capture("other", &format!("ex-{number}")).await;
    }
    shred(&world, 0..1).await;
    let (acme, other) = (world.rows("acme").await, world.rows("other").await);
    // All rows, one account and the memory of leases are lost.
    let world = world
        .restart_after(|folder| {
            forget_rows(folder, "acme");
            forget_rows(folder, "other");
            let path = folder.join("data/catalog.sqlite");
            let catalog = rusqlite::Connection::open(path).unwrap();
            catalog.execute("DELETE FROM active_hours", ()).unwrap();
            catalog.execute("DELETE FROM accounts WHERE id = 'other'", ()).unwrap();
            catalog.execute("DELETE FROM leases", ()).unwrap();
        })
        .await;
    // What is captured before the rebuild has run must not be harmed by it.
    let mut steps: Vec<RebuildProgress> = Vec::new();
    let done = world.service.rebuild(&operator(), |now| steps.push(now.clone())).await.unwrap();
    assert_eq!(steps.last(), Some(&done));
    assert_eq!((done.total, done.done, done.records), (2, 2, 24));
    assert_eq!((done.entered, done.forgotten, done.known, done.unreadable), (22, 2, 0, 0));
    assert_eq!((done.accounts, done.damaged), (1, 0));

    let alive = |rows: Vec<oubliette_catalog::Capture>| {
        let mut rows: Vec<_> =
            rows.into_iter().filter(|row| row.state == CaptureState::Stored).collect();
        rows.sort_by_key(|row| row.address);
        rows
    };
    assert_eq!(alive(world.rows("acme").await), alive(acme));
    assert_eq!(alive(world.rows("other").await), alive(other));
    assert!(world.read(&agent, "acme", "ex-1", Part::Request).await.is_ok());
    let settings = world.service.settings(&owner("other"), &account("other")).await.unwrap();
    assert_eq!((settings.capture, settings.retention_days), (false, 30));

    // Leases go on after those that were used: a leaf seals one payload.
    world.capture("acme", "ex-new").await;
    let again = world.service.rebuild(&operator(), |_| {}).await.unwrap();
    assert_eq!((again.known, again.entered, again.forgotten), (24, 0, 2));
    let refused = world.service.rebuild(&gateway(), |_| {}).await.unwrap_err();
    assert_eq!(refused.kind(), ServiceErrorKind::Forbidden);
}

impl World {
    /// A crash, and a life with a store that fails, lies and loses replies on a seed.
    async fn crash_into(self, seed: u64) -> Self {
        let Self { folder, clock, service } = self;
        drop(service);
        let service = patiently(|| async {
            let mut components = components(folder.path(), &clock, Options::default()).await?;
            let faults = Faults { fail: 15, lose_reply: 15, corrupt: 10, ..Faults::default() };
            components.store = Arc::new(FailingStore::new(components.store, seed, faults));
            components.spool.segment_bytes = 4096;
            components.spool.max_age = Duration::from_millis(10);
            components.spool.min_backoff = Duration::from_millis(1);
            components.spool.max_backoff = Duration::from_millis(5);
            Oubliette::start(components).await
        })
        .await;
        Self { folder, clock, service }
    }
}

#[tokio::test]
async fn after_crashes_recovery_and_one_sweep_all_is_kept_or_gone_and_nothing_is_left_over() {
    for seed in 0..3_u64 {
        let mut world = World::opted_in().await;
        let agent = world.agent_for("acme").await;
        // Whether each exchange that was acknowledged is to be there.
        let mut kept: BTreeMap<String, bool> = BTreeMap::new();
        for life in 0..5 {
            world = world.crash_into(seed * 100 + life).await;
            for number in 0..12 {
                let id = format!("ex-{life}-{number}");
                let stored = world.try_capture("acme", &id).await.is_ok_and(|outcome| {
                    outcomes(&outcome).iter().all(|it| matches!(it, PartOutcome::Stored { .. }))
                });
                if stored {
                    kept.insert(id, true);
                }
            }
            // Some of this life and of those before.
            let victims: Vec<String> = kept.keys().step_by(7).cloned().collect();
            for id in victims {
                let (owner, acme, exchange) = (owner("acme"), account("acme"), exchange(&id));
                if world.service.shred(&owner, &acme, &exchange, Parts::Both).await.is_ok() {
                    kept.insert(id, false);
                }
            }
        }
        let world = world.crash_and_restart().await;
        let world = world.restart_after(|_| {}).await;
        world.clock.advance_ms(2 * HOUR);
        sweep(&world).await;
        assert!(kept.values().filter(|kept| **kept).count() > 30, "something was kept");
        assert!(kept.values().filter(|kept| !**kept).count() > 5, "something was shredded");
        for (id, kept) in &kept {
            let read = world.read(&agent, "acme", id, Part::Response).await;
            match (kept, read) {
                (true, Ok(body)) => assert!(body.contains("<CREDIT_CARD_1>"), "{id}"),
                (false, Err(ServiceErrorKind::Forgotten)) => {}
                (_, other) => panic!("seed {seed}, {id}: {other:?}"),
            }
        }
        // What was compacted is uploaded, and its old segments go; then there is nothing to do.
        let world = world.restart_after(|_| {}).await;
        sweep(&world).await;
        let again = sweep(&world).await;
        let idle = SweepOutcome { segments: again.segments, ..SweepOutcome::default() };
        assert_eq!(again, idle);
        let rebuilt = world.service.rebuild(&operator(), |_| {}).await.unwrap();
        assert_eq!((rebuilt.entered, rebuilt.unreadable, rebuilt.damaged), (0, 0, 0));
        assert_nowhere(world.folder.path(), &[EMAIL, CARD]);
    }
}

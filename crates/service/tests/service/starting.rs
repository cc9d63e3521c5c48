//! Starting: after a crash, on what is missing, on what is not ours.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use oubliette_catalog::{AuditEvent, CaptureState, Catalog, Part, Parts, SqliteCatalog};
use oubliette_service::{Options, Oubliette, ServiceErrorKind};

use crate::support::*;

/// Runs something on a catalog past the service, as a crash or an accident would leave it.
fn meddle<F: Future>(folder: &Path, work: impl FnOnce(SqliteCatalog) -> F + Send + 'static) {
    let path = folder.join("data/catalog.sqlite");
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(work(SqliteCatalog::open(path).unwrap()));
    };
    std::thread::spawn(work).join().unwrap();
}

fn asked() -> AuditEvent {
    AuditEvent {
        at: START,
        account: None,
        actor: "olga".to_owned(),
        action: "exchange.shred".to_owned(),
        subject: String::new(),
        detail: serde_json::Value::Null,
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash() {
    let mut world = World::opted_in().await;
    let agent = world.agent_for("acme").await;
    for round in 0..3 {
        for number in 0..5 {
            world.capture("acme", &format!("ex-{round}-{number}")).await;
        }
        let id = exchange(&format!("ex-{round}-0"));
        world.service.shred(&owner("acme"), &account("acme"), &id, Parts::Both).await.unwrap();
        world = world.crash_and_restart().await;
        for earlier in 0..=round {
            let gone = world.read(&agent, "acme", &format!("ex-{earlier}-0"), Part::Request).await;
            assert_eq!(gone, Err(ServiceErrorKind::Forgotten));
            for number in 1..5 {
                let id = format!("ex-{earlier}-{number}");
                world.read(&agent, "acme", &id, Part::Response).await.unwrap();
            }
        }
    }
    assert_eq!(world.rows("acme").await.len(), 30);
}

#[tokio::test]
async fn a_record_without_a_row_gets_its_row_back_from_what_is_sealed_in_it() {
    let world = World::opted_in().await;
    let agent = world.agent_for("acme").await;
    world.capture("acme", "ex-1").await;
    world.capture("acme", "ex-2").await;
    let before = world.rows("acme").await;
    let world = world
        .crash_and_restart_after(|folder| {
            let path = folder.join("data/catalog.sqlite");
            let catalog = rusqlite::Connection::open(path).unwrap();
            let ex_1 = "SELECT exchange FROM exchanges WHERE id = 'ex-1'";
            catalog
                .execute(&format!("DELETE FROM captures WHERE exchange IN ({ex_1})"), ())
                .unwrap();
            catalog.execute("DELETE FROM exchanges WHERE id = 'ex-1'", ()).unwrap();
        })
        .await;
    let mut after = world.rows("acme").await;
    after.sort_by_key(|row| (std::cmp::Reverse(row.exchange.clone()), std::cmp::Reverse(row.part)));
    assert_eq!(after, before);
    assert!(world.read(&agent, "acme", "ex-1", Part::Request).await.is_ok());
    let details = world.service.exchange(&owner("acme"), &account("acme"), &exchange("ex-1")).await;
    assert_eq!(details.unwrap().exchange.model.as_deref(), Some("small"));
}

#[tokio::test]
async fn what_was_marked_before_a_crash_is_erased_before_captures_are_taken() {
    let world = World::opted_in().await;
    world.opt_in("other").await;
    let agent = world.agent_for("acme").await;
    for id in ["ex-1", "ex-2"] {
        world.capture("acme", id).await;
        world.capture("other", id).await;
    }
    let before = world.service.key_status(&operator()).unwrap().generation;
    let world = world
        .crash_and_restart_after(|folder| {
            meddle(folder, |catalog| async move {
                catalog
                    .mark_shredded(&account("acme"), &exchange("ex-1"), Parts::Both, asked())
                    .await
                    .unwrap();
                catalog.mark_account_shredded(&account("other"), asked()).await.unwrap();
            });
        })
        .await;
    assert!(world.service.key_status(&operator()).unwrap().generation > before);
    assert_eq!(world.service.metrics().await.pending_shreds, Some(0));
    let gone = world.read(&agent, "acme", "ex-1", Part::Request).await;
    assert_eq!(gone, Err(ServiceErrorKind::Forgotten));
    assert!(world.read(&agent, "acme", "ex-2", Part::Request).await.is_ok());
    // The account whose tree was erased has a new one.
    let others = world.agent_for("other").await;
    world.capture("other", "ex-3").await;
    assert!(world.read(&others, "other", "ex-3", Part::Request).await.is_ok());
    let gone = world.read(&others, "other", "ex-1", Part::Request).await;
    assert_eq!(gone, Err(ServiceErrorKind::Forgotten));
}

#[tokio::test]
async fn a_missing_key_is_named_and_nothing_is_made_in_its_place() {
    for (file, names) in [("service.key", "missing service key"), ("root.key", "missing root key")]
    {
        let world = World::opted_in().await;
        let World { folder, clock, service } = world;
        let _ = service.close(Duration::from_secs(10)).await.unwrap();
        drop(service);
        let path = folder.path().join("keys").join(file);
        let kept = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let mut error = components(folder.path(), &clock, Options::default()).await.unwrap_err();
        for _ in 0..100 {
            if !error.to_string().contains("in use") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            error = components(folder.path(), &clock, Options::default()).await.unwrap_err();
        }
        assert_eq!(error.kind(), ServiceErrorKind::Configuration);
        let text = error.to_string();
        assert!(text.starts_with(names) && text.contains("put the"), "{text}");
        assert!(!text.contains('\n') && !path.exists());

        fs::write(&path, kept).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        assert!(components(folder.path(), &clock, Options::default()).await.is_ok());
    }
}

#[tokio::test]
async fn a_folder_in_use_and_a_newer_catalog_are_named() {
    let world = World::new().await;
    let twice =
        components(world.folder.path(), &world.clock, Options::default()).await.unwrap_err();
    assert_eq!(twice.kind(), ServiceErrorKind::Configuration);
    assert!(twice.to_string().contains("in use by another process"), "{twice}");

    // A copy of the keys has a lock of its own, and would lead to the same pages, rows and log.
    let copied = |name: &str| {
        let (from, to) = (world.folder.path().join("keys"), world.folder.path().join(name));
        fs::create_dir(&to).unwrap();
        for file in ["root.key", "service.key", "log.key"] {
            fs::copy(from.join(file), to.join(file)).unwrap();
        }
        let data = layout(world.folder.path()).data_dir;
        oubliette_service::Layout::new(data, to)
    };
    let clock = Arc::clone(&world.clock);
    let twice = copied("copy").components(Options::default(), clock).await.unwrap_err();
    let anew = copied("other").begin_anew(&operator()).await.unwrap_err();
    for refused in [twice, anew] {
        assert_eq!(refused.kind(), ServiceErrorKind::Configuration);
        assert!(refused.to_string().starts_with("data folder"), "{refused}");
        assert!(refused.to_string().contains("in use by another process"), "{refused}");
    }
    world.service.create_account(&operator(), &account("acme")).await.unwrap();

    let World { folder, clock, service } = world;
    let _ = service.close(Duration::from_secs(10)).await.unwrap();
    drop(service);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let catalog = rusqlite::Connection::open(folder.path().join("data/catalog.sqlite")).unwrap();
    catalog.pragma_update(None, "user_version", 999).unwrap();
    drop(catalog);
    let newer = components(folder.path(), &clock, Options::default()).await.unwrap_err();
    assert_eq!(newer.kind(), ServiceErrorKind::Configuration);
    assert!(newer.to_string().contains("newer"), "{newer}");
}

#[tokio::test]
async fn the_embedded_default_opens_with_the_clock_of_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let service = Oubliette::open(layout(folder.path()), Options::default()).await.unwrap();
    assert!(service.now_ms() > 1_700_000_000_000);
    service.ready().await.unwrap();
    service.create_account(&operator(), &account("acme")).await.unwrap();
    let _ = service.close(Duration::from_secs(10)).await.unwrap();
    assert_eq!(service.ready().await.unwrap_err().kind(), ServiceErrorKind::Unavailable);
}

#[tokio::test]
async fn an_older_catalog_is_refused_and_the_rest_of_it_can_go_on() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    world.capture("acme", "ex-2").await;
    let agent = world.agent_for("acme").await;
    let World { folder, clock, service } = world;
    let path = folder.path().join("data/catalog.sqlite");
    // A backup as the documentation asks for it: of the catalog alone, by SQLite.
    let backup = folder.path().join("backup.sqlite");
    let into = format!("VACUUM INTO '{}'", backup.display());
    rusqlite::Connection::open(&path).unwrap().execute_batch(&into).unwrap();
    let first = exchange("ex-1");
    service.shred(&owner("acme"), &account("acme"), &first, Parts::Both).await.unwrap();
    let _ = service.close(Duration::from_secs(10)).await.unwrap();
    drop(service);
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(folder.path().join(format!("data/catalog.sqlite{ending}")));
    }
    let mut error = None;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        fs::copy(&backup, &path).unwrap();
        let refused = components(folder.path(), &clock, Options::default()).await.unwrap_err();
        if !refused.to_string().contains("in use") {
            error = Some(refused);
            break;
        }
    }
    let error = error.unwrap();
    assert_eq!(error.kind(), ServiceErrorKind::Configuration, "{error}");
    let text = error.to_string();
    assert!(text.contains("older backup") && text.contains("keys begin-anew"), "{text}");

    // As it says. The log of deletions, which is of a later time than the catalog, goes on.
    let stranger = layout(folder.path()).begin_anew(&owner("acme")).await.unwrap_err();
    assert_eq!(stranger.kind(), ServiceErrorKind::Forbidden);
    let begun = layout(folder.path()).begin_anew(&operator()).await.unwrap();
    assert_eq!(begun.accounts, 1);
    let service =
        Oubliette::start(components(folder.path(), &clock, Options::default()).await.unwrap())
            .await
            .unwrap();
    let world = World { folder, clock, service };
    for id in ["ex-1", "ex-2"] {
        let read = world.read(&agent, "acme", id, Part::Request).await;
        assert_eq!(read, Err(ServiceErrorKind::Forgotten), "all bodies are forgotten early");
    }
    let rows = world.rows("acme").await;
    assert!(rows.iter().all(|row| row.state == CaptureState::Shredded), "{rows:?}");
    world.capture("acme", "ex-3").await;
    assert!(world.read(&agent, "acme", "ex-3", Part::Request).await.is_ok());
    let third = exchange("ex-3");
    let done = world.service.shred(&owner("acme"), &account("acme"), &third, Parts::Both).await;
    assert!(done.unwrap().receipt.unwrap().shred.generation.from >= begun.generation);
    let verified = world.service.verify_keys(&operator()).await.unwrap();
    assert!(verified.log_size >= 2, "that of before, and that of now: {verified:?}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}

/// Rows need not be on the disk when a capture is acknowledged: they are made again from its records.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_power_failure_took_are_made_again() {
    let world = World::opted_in().await;
    let agent = world.agent_for("acme").await;
    world.capture("acme", "ex-0").await;
    let log = |folder: &Path| folder.join("data/catalog.sqlite-wal");
    let synced = log(world.folder.path()).metadata().unwrap().len();
    for number in 1..30 {
        world.capture("acme", &format!("ex-{number}")).await;
    }
    let written = log(world.folder.path()).metadata().unwrap().len();
    assert!(written > synced);
    // The power goes: of what was not synced the disk has the beginning, up to anywhere.
    let left = tempfile::tempdir().unwrap();
    copy(world.folder.path(), left.path());
    for part in 0..4 {
        let copied = tempfile::tempdir().unwrap();
        copy(left.path(), copied.path());
        let cut = synced + (written - synced) * part / 4 + part;
        let file = fs::File::options().write(true).open(log(copied.path())).unwrap();
        file.set_len(cut).unwrap();
        let file = copied.path().join("data/catalog.sqlite");
        let catalog = rusqlite::Connection::open(file).unwrap();
        let rows = "SELECT count(*) FROM captures";
        let rows: i64 = catalog.query_row(rows, (), |row| row.get(0)).unwrap();
        assert!(rows < 60, "{rows}: none was lost");
        drop(catalog);

        let clock = Arc::clone(&world.clock);
        let parts = components(copied.path(), &clock, Options::default()).await.unwrap();
        let service = Oubliette::start(parts).await.unwrap();
        let again = World { folder: copied, clock, service };
        assert_eq!(again.rows("acme").await.len(), 60);
        for number in 0..30 {
            let read = again.read(&agent, "acme", &format!("ex-{number}"), Part::Response).await;
            assert!(read.is_ok(), "{number}: {read:?}");
        }
    }
}

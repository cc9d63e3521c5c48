//! What is particular to SQLite; the contract itself is tested by the conformance suite.

use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tempfile::TempDir;

use super::*;
use crate::{
    error::CatalogErrorKind,
    testing::{Bench, conformance, leaf, one},
};

/// Files in one folder; it remembers which catalog lies where.
struct Files {
    folder: TempDir,
    next: AtomicUsize,
    open: Mutex<Vec<(usize, std::path::PathBuf)>>,
}

impl Files {
    fn keep(&self, path: std::path::PathBuf) -> Arc<dyn Catalog> {
        let catalog: Arc<dyn Catalog> = Arc::new(SqliteCatalog::open(&path).unwrap());
        self.open.lock().unwrap().push((address(&catalog), path));
        catalog
    }
}

fn address(catalog: &Arc<dyn Catalog>) -> usize {
    Arc::as_ptr(catalog).cast::<()>().addr()
}

#[async_trait]
impl Bench for Files {
    async fn fresh(&self) -> Arc<dyn Catalog> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        self.keep(self.folder.path().join(format!("{n}.db")))
    }

    async fn reopen(&self, catalog: Arc<dyn Catalog>) -> Arc<dyn Catalog> {
        let path = {
            let mut open = self.open.lock().unwrap();
            let at = open.iter().rposition(|(at, _)| *at == address(&catalog)).unwrap();
            open.remove(at).1
        };
        drop(catalog);
        self.keep(path)
    }
}

fn acme() -> AccountId {
    AccountId::new("acme").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_of_a_catalog() {
    let files = Files {
        folder: tempfile::tempdir().unwrap(),
        next: AtomicUsize::new(0),
        open: Mutex::new(Vec::new()),
    };
    conformance(&files).await;
}

#[tokio::test]
async fn refuses_a_file_of_a_newer_binary_and_leaves_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    drop(SqliteCatalog::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let before = fs::read(&path).unwrap();
    let errors = [SqliteCatalog::open(&path).unwrap_err(), SqlitePages::open(&path).unwrap_err()];
    for error in errors {
        assert_eq!(error.kind(), CatalogErrorKind::TooNew);
        assert_eq!(
            error.to_string(),
            "catalog schema 7 is newer than this binary understands (2): upgrade oubliette"
        );
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn refuses_what_is_no_catalog() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "these are not the pages you are looking for\n".repeat(100)).unwrap();
    let error = SqliteCatalog::open(&path).unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Damaged);
    assert!(error.to_string().contains("notes.txt"), "{error}");

    let path = folder.path().join("browser.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE history (url TEXT)").unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    let error = SqliteCatalog::open(&path).unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Damaged);
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before, "it is not ours to touch");

    let error = SqliteCatalog::open(folder.path().join("missing/catalog.db")).unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Unavailable);
    assert!(error.to_string().contains("check that its folder exists"), "{error}");
    let error = SqliteCatalog::open(folder.path()).unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Unavailable, "{error}");
}

/// Overwrites pages of a file, numbered from 1.
fn damage(path: &Path, pages: impl Fn(usize) -> bool) {
    let mut bytes = fs::read(path).unwrap();
    let size = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    for (page, number) in bytes.chunks_mut(size).zip(1..) {
        if pages(number) {
            page.fill(0xee);
        }
    }
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn says_so_when_pages_are_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&path).unwrap();
    catalog.create_account(&acme(), 1).await.unwrap();
    drop(catalog);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'accounts'";
    let accounts: usize =
        connection.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap() as usize;
    drop(connection);

    damage(&path, |page| page == accounts);
    let catalog = SqliteCatalog::open(&path).unwrap();
    let errors = [
        catalog.account(&acme()).await.unwrap_err(),
        catalog.remove_account(&acme(), 1).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), CatalogErrorKind::Damaged, "{error:?}");
        assert!(error.to_string().contains("restore it from a backup"), "{error}");
    }
    catalog.next_lease(Hour::MAX).await.expect("what is whole still works");
    drop(catalog);

    damage(&path, |page| page > 1);
    let error = SqliteCatalog::open(&path).unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Damaged, "{error:?}");
}

/// The first page of a listing must cost the same however much there is: no plan may go through a
/// whole table or sort.
#[tokio::test]
async fn listings_find_their_rows_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&path).unwrap();
    catalog.create_account(&acme(), 1).await.unwrap();
    let connection = schema::connect(&path).unwrap();
    let known = accounts::known(&connection, &acme()).unwrap();
    let plan = |query: listing::Query| {
        let sql = format!("EXPLAIN QUERY PLAN {}", query.sql);
        let mut statement = connection.prepare(&sql).unwrap();
        let values = rusqlite::params_from_iter(query.values);
        let rows = statement.query_map(values, |row| row.get::<_, String>(3)).unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    };
    let cursor = Some(Cursor { time: 3, row: 4 });
    for order in [Order::Newest, Order::Oldest] {
        for filter in [
            CaptureFilter { order, ..Default::default() },
            CaptureFilter { order, cursor, from: Some(1), to: Some(9), ..Default::default() },
            CaptureFilter {
                order,
                cursor,
                part: Some(Part::Request),
                state: Some(crate::capture::CaptureState::Stored),
                ..Default::default()
            },
        ] {
            for (plan, index) in [
                (plan(reading::captures_query(&known, &filter)), "captures_by_time"),
                (plan(reading::exchanges_query(&known, &filter)), "exchanges_by_time"),
                (plan(audit::query(Some(&acme()), order, cursor, 5)), "audit_by_account"),
            ] {
                assert!(plan.contains(index), "{plan}");
                assert!(!plan.contains("SCAN") && !plan.contains("B-TREE"), "{plan}");
            }
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_worth_another_try_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path: Arc<Path> = folder.path().join("catalog.db").into();
    drop(SqliteCatalog::open(&path).unwrap());
    let connection = schema::connect(&path).unwrap();
    // SQLite's own limit raises the error that a full disk does.
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    connection.pragma_update(None, "max_page_count", pages).unwrap();
    let writer = Writer::start(connection, Arc::clone(&path), Turns::default()).unwrap();
    let rules = || crate::account::SettingsChange {
        custom_rules: Some(Some("#".repeat(1 << 20))),
        ..Default::default()
    };
    let create = writer.run(|c| accounts::create(c, &acme(), 1));
    let fill = writer.run(move |c| accounts::change(c, &acme(), rules(), "olga", 2));
    let (created, filled) = tokio::join!(create, fill);
    let error = filled.unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Retry);
    assert!(error.to_string().contains("free some space"), "{error}");
    // Whether they shared a transaction or not: an error means no account, and success one.
    let found = writer.run(|c| accounts::find(c, &acme())).await;
    match created {
        Ok(account) => assert_eq!(found.unwrap(), account),
        Err(error) => {
            assert_eq!(error.kind(), CatalogErrorKind::Retry);
            assert_eq!(found.unwrap_err().kind(), CatalogErrorKind::NotFound);
        }
    }
}

#[tokio::test]
async fn captures_that_are_entered_together_fail_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = SqliteCatalog::open(folder.path().join("catalog.db")).unwrap();
    catalog.create_account(&acme(), 1).await.unwrap();
    // Hold the thread up, so that what follows shares one transaction and one savepoint.
    let (release, wait) = std::sync::mpsc::channel();
    let hold = catalog.writer.run(move |_| {
        wait.recv().unwrap();
        Ok(())
    });
    let enter = |id, n| catalog.insert_batch(vec![one(&acme(), id, Part::Request, leaf(n))], 1);
    let release = async {
        tokio::task::yield_now().await;
        release.send(()).unwrap();
    };
    let (_, first, taken, last, ()) =
        tokio::join!(hold, enter("x1", 1), enter("x2", 1), enter("x3", 3), release);
    assert_eq!(first.unwrap(), [[crate::Entry::Inserted]]);
    assert_eq!(taken.unwrap_err().kind(), CatalogErrorKind::Conflict);
    assert_eq!(last.unwrap(), [[crate::Entry::Inserted]]);
    let x2 = crate::ExchangeId::new("x2").unwrap();
    let error = catalog.exchange(&acme(), &x2).await.unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::NotFound, "nothing of it is left");
}

#[tokio::test]
async fn audit_rows_cannot_be_changed_even_by_a_mistake_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&path).unwrap();
    let event = AuditEvent {
        at: 1,
        account: None,
        actor: "sam".into(),
        action: "capture.read".into(),
        subject: "x".into(),
        detail: serde_json::Value::Null,
    };
    catalog.append_audit(event).await.unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    for sql in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"] {
        let error = connection.execute_batch(sql).unwrap_err();
        assert!(error.to_string().contains("audit rows are never"), "{error}");
    }
}

#[tokio::test]
async fn leases_run_out_rather_than_around() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&path).unwrap();
    let hour = Hour::new(9).unwrap();
    assert_eq!(catalog.next_lease(hour).await.unwrap(), 0);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("UPDATE leases SET next = 65535", []).unwrap();
    assert_eq!(catalog.next_lease(hour).await.unwrap(), u16::MAX);
    for _ in 0..2 {
        let error = catalog.next_lease(hour).await.unwrap_err();
        assert_eq!(error.kind(), CatalogErrorKind::Exhausted);
    }
}

#[cfg(unix)]
#[test]
fn only_its_user_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let _catalog = SqliteCatalog::open(&path).unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

#[test]
fn dropping_outside_of_a_runtime_closes_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(catalog.create_account(&acme(), 1)).unwrap();
    drop(runtime);
    drop(catalog);
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["catalog.db"], "the last connection folds the log into the file");
}

#[tokio::test]
async fn a_catalog_of_schema_1_knows_its_hours_and_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch(include_str!("schema/1.sql")).unwrap();
    file.pragma_update(None, "application_id", 0x4f55_424c).unwrap();
    file.pragma_update(None, "user_version", 1).unwrap();
    for (number, id, days) in [(1, "busy", 7), (2, "quiet", 1)] {
        file.execute(
            "INSERT INTO accounts (account, id, created_at, capture, redact, retention_days,
                 max_body_bytes, attachments, version, updated_at, updated_by)
             VALUES (?1, ?2, 0, 1, 1, ?3, 1, 'drop', 1, 0, '')",
            (number, id, days),
        )
        .unwrap();
    }
    file.execute_batch(
        "INSERT INTO exchanges (exchange, account, id, time) VALUES (1, 1, 'x', 0), (2, 1, 'y', 0);
         INSERT INTO audit (at, actor, action, subject, detail) VALUES (5, '', '', '', ''), (9, '', '', '', '')",
    )
    .unwrap();
    for (exchange, hour, part) in [(1, 500_000, 0), (1, 500_000, 1), (2, 500_003, 0)] {
        let leaf = LeafAddress::new(Hour::new(hour).unwrap(), 3, part).unwrap();
        file.execute(
            "INSERT INTO captures (exchange, account, part, address, captured_at, retention_days,
                 segment, object, offset, len, format, findings)
             VALUES (?1, 1, ?2, ?3, ?4, 7, 's', 'o', 0, 1, 'json', '{}')",
            (exchange, part, super::convert::address(leaf), i64::from(hour) * 3_600_000 + 5),
        )
        .unwrap();
    }
    drop(file);
    let catalog = SqliteCatalog::open(&path).unwrap();
    assert_eq!(catalog.expiry_clock().await.unwrap(), Some(9), "it was not earlier than this");
    let due = async |hour| {
        let due = catalog.due_hours(Hour::new(hour).unwrap(), 9).await.unwrap();
        due.into_iter().map(|(id, _)| id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(due(500_001 + 168).await, ["quiet", "busy"], "the quiet one once, with the newest");
    assert_eq!(due(500_003 + 24).await, [""; 0]);
    assert_eq!(due(500_004 + 168).await, ["quiet", "busy", "busy"]);
}

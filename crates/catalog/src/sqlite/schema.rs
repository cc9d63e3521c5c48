//! The tables, and how a file of an older binary comes by them.

use std::{fs::File, fs::OpenOptions, io, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::fault::{Fault, Result};
use crate::error::{CatalogError, CatalogErrorKind};

/// What each schema version adds to the one before. Released ones are never edited.
const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// "OUBL": tells our files from those of other programs, in SQLite's header field for that.
const APPLICATION_ID: i64 = 0x4f55_424c;

/// How long to wait for another process: longer than any transaction of ours takes on a slow disk.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The schema version this binary writes.
pub(super) fn current_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("a handful")
}

/// Creates the file if there is none, checks that it is ours, and brings it up to date.
pub(super) fn prepare(path: &Path) -> Result<()> {
    create(path).map_err(|cause| {
        Fault::Ours(
            CatalogError::new(
                CatalogErrorKind::Unavailable,
                format!(
                    "the catalog {} cannot be created: check that its folder exists and belongs to this user",
                    path.display()
                ),
            )
            .with_source(cause),
        )
    })?;
    migrate(&mut connect(path)?, path)
}

/// A connection with our settings. The file must exist.
pub(super) fn connect(path: &Path) -> Result<Connection> {
    // No SQLite mutex: each connection is used by one thread at a time. No URI: a path is a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Everything stays prepared: there are fewer than a hundred statements.
    connection.set_prepared_statement_cache_capacity(128);
    refuse_others(&connection, path)?;
    // FULL: a commit is on the disk when it returns, also in WAL mode. secure_delete: what is
    // deleted is overwritten in the pages (old copies in the log remain until it wraps; what must
    // be forgotten for certain is forgotten by key). The log is folded into the file every 16 MiB,
    // so that pages which are written again and again are copied less often; what a power failure
    // takes of the rows that are not synced is less than that. The size limit gives disk back after
    // a peak.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA wal_autocheckpoint = 4096;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    Ok(connection)
}

/// Writes what stands there already: a transaction that writes nothing would not be synced, nor would
/// what is before it in the log.
pub(super) fn touch(connection: &Connection) -> Result<()> {
    Ok(connection.pragma_update(None, "user_version", current_version())?)
}

/// Creates an empty file that only this user may read, and makes its name durable.
fn create(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => {
            file.sync_all()?;
            #[cfg(unix)]
            File::open(folder_of(path))?.sync_all()?;
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Refuses files of newer binaries and of other programs, before anything is written to them.
fn refuse_others(connection: &Connection, path: &Path) -> Result<()> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let current = current_version();
    if application == APPLICATION_ID && version > current {
        return Err(CatalogError::new(
            CatalogErrorKind::TooNew,
            format!(
                "catalog schema {version} is newer than this binary understands ({current}): upgrade oubliette"
            ),
        )
        .into());
    }
    let empty = application == 0 && version == 0 && tables == 0;
    if application != APPLICATION_ID && !empty {
        return Err(CatalogError::new(
            CatalogErrorKind::Damaged,
            format!(
                "{} is a database of another program: name another file for the catalog",
                path.display()
            ),
        )
        .into());
    }
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    loop {
        // The version is read under the write lock, so that two processes that start at once do
        // not both take the step.
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        refuse_others(&step, path)?;
        let version: i64 = step.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let done = usize::try_from(version).map_err(|_| Fault::Unreadable("schema version"))?;
        let Some(migration) = MIGRATIONS.get(done) else {
            return Ok(());
        };
        step.execute_batch(migration)?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.pragma_update(None, "user_version", version + 1)?;
        step.commit()?;
    }
}

//! A few connections for reading, beside the writer.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::{
    fault::{Fault, Result},
    schema,
};
use crate::error::{CatalogError, CatalogErrorKind};

/// Reads at the same time. Each is short; more would only hold more memory.
const READERS: usize = 4;

#[derive(Debug)]
pub(super) struct Readers {
    path: Arc<Path>,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
    waiting: Arc<Mutex<Waiting>>,
}

/// Look-ups that share a state of the database.
#[derive(Default)]
struct Waiting {
    lookups: VecDeque<Lookup>,
    /// Whether somebody is at them.
    attended: bool,
}

/// Does one look-up, or passes on why none can be done.
type Lookup = Box<dyn FnOnce(Result<&Connection, CatalogError>) + Send>;

/// Look-ups on one state of the database: a bound on how long the first waits for the last.
const TOGETHER: usize = 64;

impl Readers {
    pub(super) fn new(path: Arc<Path>) -> Self {
        let permits = Arc::new(Semaphore::new(READERS));
        Self { path, permits, idle: Arc::default(), waiting: Arc::default() }
    }

    /// As [`run`](Self::run), for a look-up of a row or two: those that wait at the same time share
    /// a thread and a transaction, which cost more than the look-up does. Each sees what was
    /// committed before it was asked for.
    pub(super) async fn look_up<T, F>(&self, work: F) -> Result<T, CatalogError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let path = Arc::clone(&self.path);
        let lookup: Lookup = Box::new(move |connection| {
            // One that panics must not take the others of its round with it.
            let found = connection.and_then(|connection| {
                catch_unwind(AssertUnwindSafe(|| work(connection)))
                    .unwrap_or_else(|_| Err(Fault::Ours(cut_off())))
                    .map_err(|fault| fault.explain(&path))
            });
            let _ = reply.send(found); // whoever asked may have gone
        });
        let attended = {
            let mut waiting = lock(&self.waiting);
            waiting.lookups.push_back(lookup);
            std::mem::replace(&mut waiting.attended, true)
        };
        if !attended {
            let mut attend = Attend { waiting: Arc::clone(&self.waiting), done: false };
            let (path, idle) = (Arc::clone(&self.path), Arc::clone(&self.idle));
            tokio::task::spawn_blocking(move || {
                while let Some(round) = attend.next_round() {
                    let mut round = round.into_iter();
                    let done = read(&path, &idle, |connection| {
                        round.by_ref().for_each(|lookup| lookup(Ok(connection)));
                        Ok(())
                    });
                    if let Err(error) = done.map_err(|fault| fault.explain(&path)) {
                        round.for_each(|lookup| {
                            lookup(Err(CatalogError::new(error.kind(), error.to_string())));
                        });
                    }
                }
            });
        }
        answer.await.unwrap_or_else(|_| Err(cut_off()))
    }

    /// Runs `work` on one state of the database, off the async threads.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, CatalogError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let permit =
            Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let (path, idle) = (Arc::clone(&self.path), Arc::clone(&self.idle));
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read(&path, &idle, work).map_err(|fault| fault.explain(&path))
        });
        reading.await.unwrap_or_else(|_| Err(cut_off()))
    }
}

fn cut_off() -> CatalogError {
    CatalogError::new(
        CatalogErrorKind::Internal,
        "a read of the catalog panicked or was cut off by a shutdown",
    )
}

/// Whoever does the look-ups. If it is cut off, those that wait are let go with an error.
struct Attend {
    waiting: Arc<Mutex<Waiting>>,
    done: bool,
}

impl Attend {
    /// Some look-ups; `None` if there are none, after which the next to come needs another.
    fn next_round(&mut self) -> Option<Vec<Lookup>> {
        let mut waiting = lock(&self.waiting);
        let some = waiting.lookups.len().min(TOGETHER);
        waiting.attended = some > 0;
        self.done = some == 0;
        (some > 0).then(|| waiting.lookups.drain(..some).collect())
    }
}

impl Drop for Attend {
    fn drop(&mut self) {
        if !self.done {
            let mut waiting = lock(&self.waiting);
            waiting.attended = false;
            waiting.lookups.clear();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No critical section leaves anything half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("lookups", &self.lookups.len()).finish_non_exhaustive()
    }
}

fn read<T>(
    path: &Path,
    idle: &Mutex<Vec<Connection>>,
    work: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    let kept = lock(idle).pop();
    let connection = match kept {
        Some(connection) => connection,
        None => {
            let connection = schema::connect(path)?;
            connection.pragma_update(None, "query_only", true)?;
            connection
        }
    };
    // If `work` panics, the connection goes with it and the next read opens another.
    let outcome =
        connection.unchecked_transaction().map_err(Fault::from).and_then(|state| work(&state));
    lock(idle).push(connection);
    outcome
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    fn readers() -> (tempfile::TempDir, Readers) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        schema::prepare(&path).unwrap();
        (folder, Readers::new(path.as_path().into()))
    }

    fn count(connection: &Connection) -> Result<i64> {
        Ok(connection.query_row("SELECT count(*) FROM accounts", (), |row| row.get(0))?)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn look_ups_are_all_answered_and_see_what_was_committed() {
        let (_folder, readers) = readers();
        let writer = schema::connect(&readers.path).unwrap();
        for done in 0..50 {
            let all = join_all((0..TOGETHER * 2).map(|_| readers.look_up(count))).await;
            assert!(all.iter().all(|found| *found.as_ref().unwrap() == done), "{done}");
            writer
                .execute(
                    "INSERT INTO accounts (id, created_at, capture, redact, retention_days,
                         max_body_bytes, attachments, version, updated_at, updated_by)
                     VALUES (?1, 0, 0, 1, 7, 1, 'drop', 1, 0, '')",
                    [format!("a{done}")],
                )
                .unwrap();
        }
    }

    #[tokio::test]
    async fn one_that_panics_or_fails_does_not_keep_the_next_from_an_answer() {
        let (_folder, readers) = readers();
        let panics = readers.look_up(|_| -> Result<()> { panic!("on purpose") });
        assert_eq!(panics.await.unwrap_err().kind(), CatalogErrorKind::Internal);
        assert_eq!(readers.look_up(count).await.unwrap(), 0);
        let wrong = readers.look_up(|c| Ok(c.execute("SELECT nothing", ())?)).await;
        assert!(wrong.is_err());
        assert_eq!(readers.look_up(count).await.unwrap(), 0);
        let nowhere = Readers::new(Path::new("/nowhere/x.db").into());
        for _ in 0..2 {
            assert!(nowhere.look_up(count).await.is_err(), "there is no such file");
        }
    }

    #[test]
    fn a_runtime_that_ends_does_not_keep_the_next_from_an_answer() {
        let (_folder, readers) = readers();
        let runtime = || tokio::runtime::Runtime::new().unwrap();
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let ended = runtime();
        let held = readers.look_up(move |_| {
            let _ = wait.recv();
            Ok(())
        });
        let held = ended.block_on(async { tokio::time::timeout(SOON, held).await });
        assert!(held.is_err(), "it waits");
        ended.shutdown_background();
        drop(release);
        assert_eq!(runtime().block_on(readers.look_up(count)).unwrap(), 0);
    }

    const SOON: std::time::Duration = std::time::Duration::from_millis(20);
}

//! The one thread that writes.
//!
//! Requests wait in a bounded queue. The thread takes all that wait, up to a limit, runs each in a
//! savepoint of its own inside one transaction, and answers when that transaction is on the disk. So
//! one fsync serves many, and a request that fails undoes nothing but itself.
//!
//! Captures that are entered wait for no fsync, and those that follow each other share a savepoint, or
//! have none where nothing else waits: it copies every page that is written for the first time, which
//! costs as much as entering one.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    entering::{self, Round},
    fault::{Fault, Result},
    turn::Turns,
};
use crate::{
    capture::Entry,
    error::{CatalogError, CatalogErrorKind},
    exchange::NewExchange,
};

/// Requests that may wait before callers have to. Far more than are ever under way at once; it
/// bounds memory should the disk stop.
const QUEUE: usize = 1024;

/// Requests in one transaction: enough to make the fsync cheap, few enough that the first of them
/// does not wait long for the last: as many as the service's queue lets through by default.
const BATCH: usize = 256;

#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Request>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, path: Arc<Path>, turns: Turns) -> Result<Self> {
        let (queue, requests) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("catalog-writer".to_owned())
            .spawn(move || serve(&connection, requests, &path, &turns))
            .map_err(|cause| {
                CatalogError::new(CatalogErrorKind::Retry, "no thread for the catalog's writer")
                    .with_source(cause)
            })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Runs `work` in the next transaction and returns when that is durable.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, CatalogError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let request = Waiting { work: Some(work), outcome: None, reply };
        self.ask(Box::new(request), answer).await
    }

    /// Enters captures in the next transaction and returns when that has taken place.
    pub(super) async fn enter(
        &self,
        exchanges: Vec<NewExchange>,
        now: i64,
    ) -> Result<Vec<Vec<Entry>>, CatalogError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Box::new(Entering { exchanges, now, outcome: None, reply }), answer).await
    }

    async fn ask<T>(
        &self,
        request: Box<dyn Request>,
        answer: oneshot::Receiver<Result<T, CatalogError>>,
    ) -> Result<T, CatalogError> {
        let stopped = || {
            CatalogError::new(
                CatalogErrorKind::Unavailable,
                "the catalog's writer has stopped: restart",
            )
        };
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(request).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    /// Lets the queue run empty and waits for the thread, so that the file is closed afterwards.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A request of whatever type, as the thread sees it.
trait Request: Send {
    /// Does the work and keeps the outcome; whether to keep what it wrote.
    fn run(&mut self, connection: &Connection, path: &Path, round: &mut Round) -> bool;

    /// Whether it can be done again if it was undone, and needs no fsync.
    fn is_entering(&self) -> bool {
        false
    }

    /// Answers with the outcome, or with the failure of the transaction it was part of.
    fn answer(self: Box<Self>, failure: Option<(CatalogErrorKind, String)>);
}

struct Waiting<T, F> {
    work: Option<F>,
    outcome: Outcome<T>,
    reply: Reply<T>,
}

struct Entering {
    exchanges: Vec<NewExchange>,
    now: i64,
    outcome: Outcome<Vec<Vec<Entry>>>,
    reply: Reply<Vec<Vec<Entry>>>,
}

type Outcome<T> = Option<Result<T, CatalogError>>;
type Reply<T> = oneshot::Sender<Result<T, CatalogError>>;

impl<T, F> Request for Waiting<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T> + Send,
{
    fn run(&mut self, connection: &Connection, path: &Path, _round: &mut Round) -> bool {
        let Some(work) = self.work.take() else { return false };
        caught(&mut self.outcome, path, || work(connection))
    }

    fn answer(self: Box<Self>, failure: Option<(CatalogErrorKind, String)>) {
        answer(self.outcome, failure, self.reply);
    }
}

impl Request for Entering {
    fn run(&mut self, connection: &Connection, path: &Path, round: &mut Round) -> bool {
        let work = || entering::insert(connection, &self.exchanges, self.now, round);
        caught(&mut self.outcome, path, work)
    }

    fn is_entering(&self) -> bool {
        true
    }

    fn answer(self: Box<Self>, failure: Option<(CatalogErrorKind, String)>) {
        answer(self.outcome, failure, self.reply);
    }
}

fn caught<T>(outcome: &mut Outcome<T>, path: &Path, work: impl FnOnce() -> Result<T>) -> bool {
    let done = catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Fault::Ours(panicked(panic.as_ref()))))
        .map_err(|fault| fault.explain(path));
    outcome.insert(done).is_ok()
}

fn answer<T>(outcome: Outcome<T>, failure: Option<(CatalogErrorKind, String)>, reply: Reply<T>) {
    let outcome = match (outcome, failure) {
        // Its own error says more than the one it may have caused for the others.
        (Some(Err(own)), _) => Err(own),
        (_, Some((kind, message))) => Err(CatalogError::new(kind, message)),
        (Some(Ok(value)), None) => Ok(value),
        (None, None) => Err(CatalogError::new(CatalogErrorKind::Internal, "a write was not run")),
    };
    let _ = reply.send(outcome); // whoever asked may have gone; what was written stays
}

fn panicked(_panic: &(dyn Any + Send)) -> CatalogError {
    // The panic's own message is not passed on: it might quote a value.
    CatalogError::new(
        CatalogErrorKind::Internal,
        "a write to the catalog panicked: please report this as a bug of oubliette",
    )
}

fn serve(
    connection: &Connection,
    mut requests: mpsc::Receiver<Box<dyn Request>>,
    path: &Path,
    turns: &Turns,
) {
    let mut synced = true;
    while let Some(first) = requests.blocking_recv() {
        let _turn = turns.wait();
        let mut batch = vec![first];
        while batch.len() < BATCH {
            let Ok(next) = requests.try_recv() else { break };
            batch.push(next);
        }
        let sync = batch.iter().any(|request| !request.is_entering());
        let done = synchronous(connection, &mut synced, sync)
            .and_then(|()| transact(connection, &mut batch, path));
        let failure = done.err().map(|fault| {
            let error = fault.explain(path);
            tracing::error!(kind = ?error.kind(), %error, "a catalog transaction failed");
            (error.kind(), error.to_string())
        });
        for request in batch {
            request.answer(failure.clone());
        }
    }
}

/// Whether commits wait for the disk from now on. Those that do take all before them along: the log is
/// one file, and is read up to the first gap.
fn synchronous(connection: &Connection, synced: &mut bool, sync: bool) -> Result<()> {
    if *synced != sync {
        let mode = if sync { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", mode)?;
        *synced = sync;
    }
    Ok(())
}

fn transact(connection: &Connection, batch: &mut [Box<dyn Request>], path: &Path) -> Result<()> {
    if batch.iter().all(|request| request.is_entering()) && enter_all(connection, batch, path)? {
        return Ok(());
    }
    control(connection, "BEGIN IMMEDIATE")?;
    let outcome = run_all(connection, batch, path).and_then(|()| control(connection, "COMMIT"));
    if outcome.is_err() && !connection.is_autocommit() {
        control(connection, "ROLLBACK")?;
    }
    outcome
}

/// Enters without a savepoint; whether all went well. If not, nothing was done.
fn enter_all(connection: &Connection, batch: &mut [Box<dyn Request>], path: &Path) -> Result<bool> {
    control(connection, "BEGIN IMMEDIATE")?;
    let mut round = Round::default();
    let all = batch.iter_mut().all(|request| request.run(connection, path, &mut round));
    let outcome = if all { control(connection, "COMMIT") } else { Ok(()) };
    // SQLite may have undone it by itself, for want of room, say.
    if !connection.is_autocommit() {
        control(connection, "ROLLBACK")?;
    }
    outcome.map(|()| all)
}

/// Begins or ends something. Stays prepared: parsing it costs as much as a row.
fn control(connection: &Connection, statement: &str) -> Result<()> {
    connection.prepare_cached(statement)?.execute(())?;
    Ok(())
}

fn run_all(connection: &Connection, mut batch: &mut [Box<dyn Request>], path: &Path) -> Result<()> {
    while !batch.is_empty() {
        let entering = batch.iter().take_while(|request| request.is_entering()).count();
        let (some, rest) = batch.split_at_mut(entering.max(1));
        batch = rest;
        if !run_together(connection, some, path)? && some.len() > 1 {
            // One of them has undone all. By itself each of the others goes.
            for one in some.chunks_mut(1) {
                run_together(connection, one, path)?;
            }
        }
    }
    Ok(())
}

/// Runs requests in one savepoint, as far as they go; whether what they wrote is kept.
fn run_together(
    connection: &Connection,
    some: &mut [Box<dyn Request>],
    path: &Path,
) -> Result<bool> {
    control(connection, "SAVEPOINT request")?;
    let mut round = Round::default();
    let keep = some.iter_mut().all(|request| request.run(connection, path, &mut round));
    if connection.is_autocommit() {
        // A full disk, say: SQLite has undone everything, also what went before.
        return Err(CatalogError::new(
            CatalogErrorKind::Retry,
            format!("the catalog {} could not be written: try again", path.display()),
        )
        .into());
    }
    if !keep {
        control(connection, "ROLLBACK TO request")?;
    }
    control(connection, "RELEASE request")?;
    Ok(keep)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY)").unwrap();
        Writer::start(connection, Path::new("x.db").into(), Turns::default()).unwrap()
    }

    fn insert(n: i64) -> impl FnOnce(&Connection) -> Result<()> + Send + 'static {
        move |connection| {
            connection.execute("INSERT INTO t VALUES (?1)", [n])?;
            Ok(())
        }
    }

    async fn rows(writer: &Writer) -> i64 {
        let count = |connection: &Connection| {
            Ok(connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?)
        };
        writer.run(count).await.unwrap()
    }

    #[tokio::test]
    async fn a_failure_or_a_panic_undoes_only_itself() {
        let writer = writer();
        // Hold the thread up, so that what follows shares one transaction.
        let (release, wait) = std::sync::mpsc::channel();
        let hold = writer.run(move |_| {
            wait.recv().unwrap();
            Ok(())
        });
        let half = writer.run(|connection| {
            insert(2)(connection)?;
            Err::<(), _>(CatalogError::invalid("no").into())
        });
        let panics = writer.run(|connection| {
            insert(3)(connection)?;
            panic!("on purpose")
        });
        let release = async {
            tokio::task::yield_now().await;
            release.send(()).unwrap();
            Ok::<(), CatalogError>(())
        };
        let (hold, first, half, panicked, last, _) = tokio::join!(
            hold,
            writer.run(insert(1)),
            half,
            async {
                let p: Result<(), CatalogError> = panics.await;
                p
            },
            writer.run(insert(4)),
            release
        );
        hold.unwrap();
        first.unwrap();
        last.unwrap();
        assert_eq!(half.unwrap_err().kind(), CatalogErrorKind::Invalid);
        assert_eq!(panicked.unwrap_err().kind(), CatalogErrorKind::Internal);
        assert_eq!(rows(&writer).await, 2);
    }

    #[tokio::test]
    async fn a_lost_transaction_fails_all_of_it() {
        let writer = writer();
        let lost = writer.run(|connection| {
            insert(1)(connection)?;
            // What SQLite does by itself when the disk is full.
            connection.execute_batch("ROLLBACK")?;
            Ok(())
        });
        assert_eq!(lost.await.unwrap_err().kind(), CatalogErrorKind::Retry);
        assert_eq!(rows(&writer).await, 0);
        writer.run(insert(5)).await.unwrap();
        assert_eq!(rows(&writer).await, 1);
    }
}

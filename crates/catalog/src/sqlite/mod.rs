//! The catalog in one SQLite file.

mod accounts;
mod audit;
mod convert;
mod entering;
mod fault;
mod forgetting;
mod hours;
mod jobs;
mod keys;
mod leases;
mod listing;
mod pages;
mod readers;
mod reading;
mod schema;
mod segments;
mod tickets;
mod turn;
mod writer;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use oubliette_keytree::{Hour, LeafAddress};

pub use self::pages::SqlitePages;
use self::{readers::Readers, turn::Turns, writer::Writer};
use crate::{
    account::{Account, AccountId, Settings, SettingsChange},
    audit::{AuditEvent, AuditRow},
    capture::{
        Capture, Entry, LiveSegment, Location, Part, Parts, Relocation, ReplaceOutcome, Replacement,
    },
    catalog::Catalog,
    error::CatalogError,
    exchange::{ExchangeId, ExchangeRecord, NewExchange},
    job::{Job, JobState},
    key::ApiKey,
    page::{CaptureFilter, Cursor, Order, Page},
    shred::PendingShred,
    ticket::{Grant, Ticket},
};

type Result<T, E = CatalogError> = std::result::Result<T, E>;

/// A [`Catalog`] in one SQLite file, in write-ahead mode with full synchronisation, but for captures
/// that are entered.
///
/// One thread writes, for all callers at once: what waits shares a transaction and an fsync, each
/// request in a savepoint of its own. A few connections read beside it. Other processes may have the
/// file open too; whoever finds it locked for ten seconds is told to
/// [`Retry`](crate::CatalogErrorKind::Retry).
///
/// The calls need a tokio runtime, opening does not. Dropping it finishes what was asked for and
/// closes the file.
pub struct SqliteCatalog {
    path: Arc<Path>,
    writer: Writer,
    readers: Readers,
    turns: Turns,
}

impl SqliteCatalog {
    /// Opens the catalog at `path`, creates it if it is not there (its folder must be), and brings
    /// an older one up to date. Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`TooNew`](crate::CatalogErrorKind::TooNew) if a newer binary wrote it,
    /// [`Damaged`](crate::CatalogErrorKind::Damaged) if it is not a catalog or its pages do not
    /// check out, [`Unavailable`](crate::CatalogErrorKind::Unavailable) if it cannot be created or
    /// written, [`Retry`](crate::CatalogErrorKind::Retry) if another process keeps it locked.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path: Arc<Path> = path.as_ref().into();
        let turns = Turns::default();
        let start = || {
            schema::prepare(&path)?;
            Writer::start(schema::connect(&path)?, Arc::clone(&path), turns.clone())
        };
        let writer = start().map_err(|fault| fault.explain(&path))?;
        Ok(Self { readers: Readers::new(Arc::clone(&path)), path, writer, turns })
    }

    /// The key pages in the same file, with a connection of their own.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn pages(&self) -> Result<SqlitePages> {
        SqlitePages::beside(Arc::clone(&self.path), self.turns.clone())
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for SqliteCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteCatalog").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn create_account(&self, id: &AccountId, now: i64) -> Result<Account> {
        let id = id.clone();
        self.writer.run(move |c| accounts::create(c, &id, now)).await
    }

    async fn accounts(&self, cursor: Option<Cursor>, limit: u32) -> Result<Page<Account>> {
        self.readers.run(move |c| accounts::list(c, cursor, limit)).await
    }

    async fn account(&self, id: &AccountId) -> Result<Account> {
        let id = id.clone();
        self.readers.run(move |c| accounts::find(c, &id)).await
    }

    async fn change_settings(
        &self,
        id: &AccountId,
        change: SettingsChange,
        by: &str,
        now: i64,
    ) -> Result<Settings> {
        let (id, by) = (id.clone(), by.to_owned());
        self.writer.run(move |c| accounts::change(c, &id, change, &by, now)).await
    }

    async fn remove_account(&self, id: &AccountId, now: i64) -> Result<PendingShred> {
        let id = id.clone();
        self.writer.run(move |c| accounts::remove(c, &id, now)).await
    }

    async fn insert_batch(&self, exchanges: Vec<NewExchange>, now: i64) -> Result<Vec<Vec<Entry>>> {
        entering::check(&exchanges)?;
        self.writer.enter(exchanges, now).await
    }

    async fn sync(&self) -> Result<()> {
        self.writer.run(schema::touch).await
    }

    async fn exchange(&self, account: &AccountId, id: &ExchangeId) -> Result<ExchangeRecord> {
        let (account, id) = (account.clone(), id.clone());
        let read = move |c: &_| reading::exchange(c, &accounts::known(c, &account)?, &id);
        self.readers.look_up(read).await
    }

    async fn capture(
        &self,
        account: &AccountId,
        exchange: &ExchangeId,
        part: Part,
    ) -> Result<Capture> {
        let (account, exchange) = (account.clone(), exchange.clone());
        let read =
            move |c: &_| reading::capture(c, &accounts::known(c, &account)?, &exchange, part);
        self.readers.run(read).await
    }

    async fn exchanges(
        &self,
        account: &AccountId,
        filter: CaptureFilter,
    ) -> Result<Page<ExchangeRecord>> {
        let account = account.clone();
        let read = move |c: &_| reading::list_exchanges(c, &accounts::known(c, &account)?, &filter);
        self.readers.run(read).await
    }

    async fn captures(&self, account: &AccountId, filter: CaptureFilter) -> Result<Page<Capture>> {
        let account = account.clone();
        let read = move |c: &_| reading::list_captures(c, &accounts::known(c, &account)?, &filter);
        self.readers.run(read).await
    }

    async fn replace_location(&self, replacement: Replacement, now: i64) -> Result<ReplaceOutcome> {
        replacement.check()?;
        self.writer.run(move |c| entering::replace(c, &replacement, now)).await
    }

    async fn mark_shredded(
        &self,
        account: &AccountId,
        exchange: &ExchangeId,
        parts: Parts,
        asked: AuditEvent,
    ) -> Result<Vec<PendingShred>> {
        let (account, exchange) = (account.clone(), exchange.clone());
        let write = move |c: &_| {
            let at = audit::append(c, asked)?.event.at;
            forgetting::mark_parts(c, &accounts::known(c, &account)?, &exchange, parts, at)
        };
        self.writer.run(write).await
    }

    async fn mark_account_shredded(
        &self,
        account: &AccountId,
        asked: AuditEvent,
    ) -> Result<PendingShred> {
        let account = account.clone();
        let write = move |c: &_| {
            let at = audit::append(c, asked)?.event.at;
            forgetting::mark_account(c, &account, at)
        };
        self.writer.run(write).await
    }

    async fn mark_expired_before(&self, expired: Vec<(AccountId, Hour)>, now: i64) -> Result<()> {
        self.writer.run(move |c| forgetting::mark_expired(c, &expired, now)).await
    }

    async fn note_hour(&self, account: &AccountId, hour: Hour) -> Result<()> {
        let account = account.clone();
        let write = move |c: &_| hours::note(c, accounts::known(c, &account)?.number, hour);
        self.writer.run(write).await
    }

    async fn due_hours(&self, before: Hour, limit: u32) -> Result<Vec<(AccountId, u16)>> {
        self.readers.run(move |c| hours::due(c, before, limit)).await
    }

    async fn strike_hours(&self, done: Vec<(AccountId, Hour)>) -> Result<u64> {
        self.writer.run(move |c| hours::strike(c, &done)).await
    }

    async fn expiry_clock(&self) -> Result<Option<i64>> {
        self.readers.run(hours::clock).await
    }

    async fn set_expiry_clock(&self, at: i64) -> Result<()> {
        self.writer.run(move |c| hours::set_clock(c, at)).await
    }

    async fn sweep(&self, limit: u32) -> Result<u32> {
        self.writer.run(move |c| forgetting::sweep(c, limit)).await
    }

    async fn retire_addresses(
        &self,
        account: &AccountId,
        addresses: Vec<LeafAddress>,
        now: i64,
    ) -> Result<Vec<PendingShred>> {
        let account = account.clone();
        let write = move |c: &_| forgetting::retire_orphans(c, &account, &addresses, now);
        self.writer.run(write).await
    }

    async fn pending_shreds(&self, after: Option<u64>, limit: u32) -> Result<Vec<PendingShred>> {
        self.readers.run(move |c| forgetting::pending(c, after, limit)).await
    }

    async fn complete_shreds(&self, ids: Vec<u64>) -> Result<()> {
        self.writer.run(move |c| forgetting::complete(c, &ids)).await
    }

    async fn live_segments(&self) -> Result<HashMap<String, LiveSegment>> {
        self.readers.run(segments::live).await
    }

    async fn locations(
        &self,
        account: &AccountId,
        addresses: Vec<LeafAddress>,
    ) -> Result<Vec<Option<Location>>> {
        let account = account.clone();
        let read = move |c: &_| segments::locations(c, &accounts::known(c, &account)?, &addresses);
        self.readers.run(read).await
    }

    async fn relocate(&self, moves: Vec<Relocation>) -> Result<u64> {
        self.writer.run(move |c| segments::relocate(c, &moves)).await
    }

    async fn skip_leases(&self, hour: Hour, through: u16) -> Result<()> {
        self.writer.run(move |c| leases::skip(c, hour, through)).await
    }

    async fn next_lease(&self, hour: Hour) -> Result<u16> {
        self.writer.run(move |c| leases::next(c, hour)).await
    }

    async fn insert_api_key(&self, key: ApiKey) -> Result<()> {
        key.check()?;
        self.writer.run(move |c| keys::insert(c, &key)).await
    }

    async fn api_key(&self, id: &str) -> Result<Option<ApiKey>> {
        let id = id.to_owned();
        self.readers.run(move |c| keys::find(c, &id)).await
    }

    async fn api_keys(&self, account: Option<&AccountId>) -> Result<Vec<ApiKey>> {
        let account = account.cloned();
        self.readers.run(move |c| keys::list(c, account.as_ref())).await
    }

    async fn revoke_api_key(&self, id: &str, now: i64) -> Result<ApiKey> {
        let id = id.to_owned();
        self.writer.run(move |c| keys::revoke(c, &id, now)).await
    }

    async fn open_ticket(&self, ticket: Ticket) -> Result<()> {
        ticket.check()?;
        self.writer.run(move |c| tickets::open(c, &ticket)).await
    }

    async fn ticket(&self, account: &AccountId, id: &str) -> Result<Ticket> {
        let (account, id) = (account.clone(), id.to_owned());
        self.readers.run(move |c| tickets::find(c, &accounts::known(c, &account)?, &id)).await
    }

    async fn tickets(
        &self,
        account: &AccountId,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Ticket>> {
        let account = account.clone();
        let read = move |c: &_| tickets::list(c, &accounts::known(c, &account)?, cursor, limit);
        self.readers.run(read).await
    }

    async fn close_ticket(&self, account: &AccountId, id: &str, now: i64) -> Result<Ticket> {
        let (account, id) = (account.clone(), id.to_owned());
        self.writer.run(move |c| tickets::close(c, &accounts::known(c, &account)?, &id, now)).await
    }

    async fn create_grant(&self, grant: Grant) -> Result<()> {
        grant.check()?;
        self.writer.run(move |c| tickets::grant(c, &grant)).await
    }

    async fn grant(&self, account: &AccountId, id: &str) -> Result<Grant> {
        let (account, id) = (account.clone(), id.to_owned());
        let read = move |c: &_| tickets::find_grant(c, &accounts::known(c, &account)?, &id);
        self.readers.run(read).await
    }

    async fn grants(&self, account: &AccountId, ticket: Option<&str>) -> Result<Vec<Grant>> {
        let (account, ticket) = (account.clone(), ticket.map(str::to_owned));
        let read =
            move |c: &_| tickets::grants(c, &accounts::known(c, &account)?, ticket.as_deref());
        self.readers.run(read).await
    }

    async fn revoke_grant(&self, account: &AccountId, id: &str, now: i64) -> Result<Grant> {
        let (account, id) = (account.clone(), id.to_owned());
        self.writer.run(move |c| tickets::revoke(c, &accounts::known(c, &account)?, &id, now)).await
    }

    async fn live_grants(&self, agent: &str, account: &AccountId, now: i64) -> Result<Vec<Grant>> {
        let (agent, account) = (agent.to_owned(), account.clone());
        let read = move |c: &_| tickets::live(c, &agent, &accounts::known(c, &account)?, now);
        self.readers.run(read).await
    }

    async fn append_audit(&self, event: AuditEvent) -> Result<AuditRow> {
        self.writer.run(move |c| audit::append(c, event)).await
    }

    async fn audit(
        &self,
        account: Option<&AccountId>,
        order: Order,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<AuditRow>> {
        let account = account.cloned();
        let read = move |c: &_| audit::list(c, account.as_ref(), order, cursor, limit);
        self.readers.run(read).await
    }

    async fn create_job(&self, job: Job) -> Result<()> {
        job.check()?;
        self.writer.run(move |c| jobs::create(c, &job)).await
    }

    async fn job(&self, id: &str) -> Result<Job> {
        let id = id.to_owned();
        self.readers.run(move |c| jobs::find(c, &id)).await
    }

    async fn jobs(&self, account: Option<&AccountId>, state: Option<JobState>) -> Result<Vec<Job>> {
        let account = account.cloned();
        self.readers.run(move |c| jobs::list(c, account.as_ref(), state)).await
    }

    async fn save_job(&self, job: Job) -> Result<()> {
        self.writer.run(move |c| jobs::save(c, &job)).await
    }

    async fn ping(&self) -> Result<()> {
        let read = |c: &rusqlite::Connection| {
            c.prepare_cached("SELECT count(*) FROM sqlite_schema")?
                .query_row([], |row| row.get::<_, i64>(0))?;
            Ok(())
        };
        self.readers.run(read).await
    }
}

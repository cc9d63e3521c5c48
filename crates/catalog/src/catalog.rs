//! The contract every catalog keeps.

use std::collections::HashMap;
use std::fmt::Debug;

use async_trait::async_trait;
use oubliette_keytree::{Hour, LeafAddress};

use crate::{
    account::{Account, AccountId, Settings, SettingsChange},
    audit::{AuditEvent, AuditRow},
    capture::{
        Capture, Entry, LiveSegment, Location, Part, Parts, Relocation, ReplaceOutcome, Replacement,
    },
    error::CatalogError,
    exchange::{ExchangeId, ExchangeRecord, NewExchange},
    job::{Job, JobState},
    key::ApiKey,
    page::{CaptureFilter, Cursor, Order, Page},
    shred::PendingShred,
    ticket::{Grant, Ticket},
};

type Result<T, E = CatalogError> = std::result::Result<T, E>;

/// The database of everything but the bodies and the keys.
///
/// # Contract
/// - **Durable**: when a call that changes something returns `Ok`, the change survives a power
///   failure. When it returns an error, nothing was changed. Captures that were
///   [entered](Self::insert_batch) are the exception: they survive the end of the process at once, and
///   a power failure once a later change or [`sync`](Self::sync) has returned. No change survives
///   without those before it.
/// - **Atomic**: each call takes place as a whole or not at all, and later calls see it.
/// - **Cancellation**: a future that is dropped may or may not have taken place. Every change is
///   either idempotent or reported as [`Conflict`](crate::CatalogErrorKind::Conflict) the second
///   time.
/// - **Removed accounts**: every call that names a removed account gives
///   [`NotFound`](crate::CatalogErrorKind::NotFound), except [`account`](Self::account), which shows
///   the tombstone, and the audit rows, which stay.
/// - **Time** is handed in, in Unix milliseconds.
///
/// # Forgetting, in the order that survives a crash
/// 1. *Mark*: [`mark_shredded`](Self::mark_shredded) and its like stop pointing at the addresses and
///    enter them as [`PendingShred`]s, in one transaction. From here on nobody is led to them.
/// 2. *Erase*: the caller commits the shreds to the key tree.
/// 3. *Complete*: [`complete_shreds`](Self::complete_shreds). What a crash keeps from being completed
///    is erased once more, which does no harm: a single leaf may be acknowledged before. A whole tree
///    may not, as it might get leaves meanwhile.
///
/// Whoever starts after a crash begins with [`pending_shreds`](Self::pending_shreds) and goes on at
/// step 2, before it takes captures: a whole tree that is to be erased must not have new leaves in
/// use. Erasing a key twice does no harm. Expiry needs no such list, because pruning the hours
/// before a time can be repeated at any time.
#[async_trait]
pub trait Catalog: Send + Sync + Debug {
    // -- accounts ------------------------------------------------------------

    /// Creates an account with default settings: nothing is captured.
    ///
    /// # Errors
    /// `Conflict` if the name is taken, also by a removed account.
    async fn create_account(&self, id: &AccountId, now: i64) -> Result<Account>;

    /// The accounts that are not removed, in the order of their creation.
    async fn accounts(&self, cursor: Option<Cursor>, limit: u32) -> Result<Page<Account>>;

    /// One account, or the tombstone of a removed one.
    ///
    /// # Errors
    /// `NotFound` if there never was one of this name.
    async fn account(&self, id: &AccountId) -> Result<Account>;

    /// Changes settings as [`Settings::changed`] says and returns them as they are now.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for a value out of range, `Conflict` if the expected version is not
    /// the present one.
    async fn change_settings(
        &self,
        id: &AccountId,
        change: SettingsChange,
        by: &str,
        now: i64,
    ) -> Result<Settings>;

    /// Removes an account: its settings, tickets, grants, API keys and jobs at once, its exchanges
    /// from sight at once and from the database in the course of [`sweep`](Self::sweep). What stays
    /// is the name, the times and the audit rows. The returned shred of its whole key tree is still
    /// to be done.
    ///
    /// # Errors
    /// `NotFound`.
    async fn remove_account(&self, id: &AccountId, now: i64) -> Result<PendingShred>;

    // -- exchanges and captures ----------------------------------------------

    /// Enters sealed captures, all in one transaction; for each exchange one [`Entry`] per capture,
    /// in the order given.
    ///
    /// Entering the same again changes nothing. A second part of a known exchange is added to it,
    /// and details that were unknown are filled in. An address that is not taken up although it was
    /// sealed (a duplicate under another address, or one that came too late) becomes a pending
    /// shred in the same transaction.
    ///
    /// The one change that is not durable at once, because it need not be: whoever enters captures has
    /// them in sealed records on a disk and can enter them again. Before it lets go of those records it
    /// calls [`sync`](Self::sync).
    ///
    /// # Errors
    /// `Invalid` if an exchange has no captures or two of one part, `Conflict` if an address is in
    /// use for another capture; then nothing at all is entered.
    async fn insert_batch(&self, exchanges: Vec<NewExchange>, now: i64) -> Result<Vec<Vec<Entry>>>;

    /// Returns once everything that was changed before survives a power failure.
    async fn sync(&self) -> Result<()>;

    /// One exchange with its captures.
    ///
    /// # Errors
    /// `NotFound`.
    async fn exchange(&self, account: &AccountId, id: &ExchangeId) -> Result<ExchangeRecord>;

    /// One capture.
    ///
    /// # Errors
    /// `NotFound`.
    async fn capture(
        &self,
        account: &AccountId,
        exchange: &ExchangeId,
        part: Part,
    ) -> Result<Capture>;

    /// Lists exchanges by their time.
    ///
    /// # Errors
    /// `NotFound` for the account.
    async fn exchanges(
        &self,
        account: &AccountId,
        filter: CaptureFilter,
    ) -> Result<Page<ExchangeRecord>>;

    /// Lists captures by the time they were captured.
    ///
    /// # Errors
    /// `NotFound` for the account.
    async fn captures(&self, account: &AccountId, filter: CaptureFilter) -> Result<Page<Capture>>;

    /// Puts a newly sealed record in the place of an old one, if the row still has the old address
    /// and is alive. Whichever of the two addresses loses becomes a pending shred in the same
    /// transaction.
    ///
    /// # Errors
    /// `Invalid` if the two addresses are the same or of different hours, `NotFound` for the
    /// account.
    async fn replace_location(&self, replacement: Replacement, now: i64) -> Result<ReplaceOutcome>;

    // -- forgetting ----------------------------------------------------------

    /// Marks one or both parts of an exchange as shredded; what comes in for them later is refused.
    /// Returns what is now to be erased: nothing, if they were dead already. `asked` says who asked for
    /// it and when, and is appended to the audit by the same change, so that the two wait for the disk
    /// together and neither is there without the other.
    ///
    /// # Errors
    /// `NotFound` if there is no such exchange; then nothing is appended either.
    async fn mark_shredded(
        &self,
        account: &AccountId,
        exchange: &ExchangeId,
        parts: Parts,
        asked: AuditEvent,
    ) -> Result<Vec<PendingShred>>;

    /// Marks every capture entered so far as shredded, however many there are, at a cost that does
    /// not depend on their number. The returned shred of the whole key tree is still to be done.
    /// `asked` is as for [`mark_shredded`](Self::mark_shredded).
    ///
    /// # Errors
    /// `NotFound`.
    async fn mark_account_shredded(
        &self,
        account: &AccountId,
        asked: AuditEvent,
    ) -> Result<PendingShred>;

    /// Marks every capture of these accounts whose address lies before the hour as expired, also those
    /// still to come, at a cost that does not depend on their number. It never goes back: an earlier
    /// hour than before changes nothing. Accounts that are not there are left out. The caller prunes
    /// the key tree now.
    async fn mark_expired_before(&self, expired: Vec<(AccountId, Hour)>, now: i64) -> Result<()>;

    /// Notes that something may be sealed for an account in an hour; a second time changes nothing. To
    /// be called, and waited for, before the first key of the hour is used: expiry visits the hours that
    /// are noted, and no others. Entering a capture notes its hour too.
    ///
    /// # Errors
    /// `NotFound`.
    async fn note_hour(&self, account: &AccountId, hour: Hour) -> Result<()>;

    /// The accounts with noted hours that were over before the hour `before`, each once for every such
    /// hour, those first whose hours are over longest, and their retention in days. An hour is over as many
    /// hours after it as the account's retention has. Costs what it gives, however many accounts there are.
    async fn due_hours(&self, before: Hour, limit: u32) -> Result<Vec<(AccountId, u16)>>;

    /// Strikes the noted hours of these accounts off that lie before the hour, after the key tree has pruned
    /// them; how many that were.
    async fn strike_hours(&self, done: Vec<(AccountId, Hour)>) -> Result<u64>;

    /// The time up to which expiry has gone, in Unix milliseconds; `None` before it ever has.
    async fn expiry_clock(&self) -> Result<Option<i64>>;

    /// Keeps that time. It never goes back.
    async fn set_expiry_clock(&self, at: i64) -> Result<()>;

    /// Clears what dead captures and removed accounts leave behind, at most `limit` rows, and says
    /// how many there were; fewer than `limit` means that all is clear. They are out of sight
    /// before that; this takes the rows out of the database, in steps that do not hold up others.
    async fn sweep(&self, limit: u32) -> Result<u32>;

    /// Enters addresses of records that nobody points at. Those that a live capture has are left
    /// out: the returned ones are to be erased.
    ///
    /// # Errors
    /// `NotFound` for the account.
    async fn retire_addresses(
        &self,
        account: &AccountId,
        addresses: Vec<LeafAddress>,
        now: i64,
    ) -> Result<Vec<PendingShred>>;

    /// What is still to be erased, oldest first, after the id `after`; of removed accounts too.
    async fn pending_shreds(&self, after: Option<u64>, limit: u32) -> Result<Vec<PendingShred>>;

    /// Strikes these off the list, after the key tree has erased them. Unknown ids do no harm.
    async fn complete_shreds(&self, ids: Vec<u64>) -> Result<()>;

    // -- segments ------------------------------------------------------------

    /// What is alive in each segment, by the segment's id: how many captures and how many bytes of
    /// records. Segments that no live capture points to are not there. One pass over all rows, for
    /// the store's sweep; rows that come and go meanwhile may or may not be counted.
    async fn live_segments(&self) -> Result<HashMap<String, LiveSegment>>;

    /// Where the live captures with these addresses lie, in the same order; `None` for addresses
    /// that no live capture has. Recovery asks it for every record of a spool.
    ///
    /// # Errors
    /// `NotFound` for the account.
    async fn locations(
        &self,
        account: &AccountId,
        addresses: Vec<LeafAddress>,
    ) -> Result<Vec<Option<Location>>>;

    /// Points live captures to copies of their records, each only if it still has the old place, and
    /// says how many that were. The addresses stay: a copy is under the same key.
    async fn relocate(&self, moves: Vec<Relocation>) -> Result<u64>;

    // -- leases --------------------------------------------------------------

    /// A lease number of this hour that was never handed out before and never will be again.
    ///
    /// # Errors
    /// `Exhausted` after 65,536 leases of one hour.
    async fn next_lease(&self, hour: Hour) -> Result<u16>;

    /// Takes lease numbers as handed out up to this one: records under it have been seen.
    async fn skip_leases(&self, hour: Hour, through: u16) -> Result<()>;

    // -- API keys ------------------------------------------------------------

    /// Adds an API key.
    ///
    /// # Errors
    /// `Conflict` if the id is taken, `Invalid` if role and account do not fit, `NotFound` for the
    /// account.
    async fn insert_api_key(&self, key: ApiKey) -> Result<()>;

    /// The key with this id, revoked or not; `None` if there is none.
    async fn api_key(&self, id: &str) -> Result<Option<ApiKey>>;

    /// All keys, or those of one account, in the order of their creation.
    async fn api_keys(&self, account: Option<&AccountId>) -> Result<Vec<ApiKey>>;

    /// Revokes a key; a second time changes nothing.
    ///
    /// # Errors
    /// `NotFound`.
    async fn revoke_api_key(&self, id: &str, now: i64) -> Result<ApiKey>;

    // -- tickets and grants --------------------------------------------------

    /// Opens a ticket.
    ///
    /// # Errors
    /// `Conflict` if the id is taken, `NotFound` for the account, `Invalid`.
    async fn open_ticket(&self, ticket: Ticket) -> Result<()>;

    /// One ticket of the account.
    ///
    /// # Errors
    /// `NotFound`, also if it is another account's.
    async fn ticket(&self, account: &AccountId, id: &str) -> Result<Ticket>;

    /// The account's tickets, newest first.
    async fn tickets(
        &self,
        account: &AccountId,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Ticket>>;

    /// Closes a ticket and revokes its grants; a second time changes nothing.
    ///
    /// # Errors
    /// `NotFound`, also if it is another account's.
    async fn close_ticket(&self, account: &AccountId, id: &str, now: i64) -> Result<Ticket>;

    /// Adds a grant to an open ticket of the same account.
    ///
    /// # Errors
    /// `Conflict` if the id is taken or the ticket is closed, `NotFound` for account and ticket,
    /// `Invalid`.
    async fn create_grant(&self, grant: Grant) -> Result<()>;

    /// One grant of the account.
    ///
    /// # Errors
    /// `NotFound`, also if it is another account's.
    async fn grant(&self, account: &AccountId, id: &str) -> Result<Grant>;

    /// The account's grants, or those of one ticket, dead ones included.
    async fn grants(&self, account: &AccountId, ticket: Option<&str>) -> Result<Vec<Grant>>;

    /// Revokes a grant; a second time changes nothing.
    ///
    /// # Errors
    /// `NotFound`, also if it is another account's.
    async fn revoke_grant(&self, account: &AccountId, id: &str, now: i64) -> Result<Grant>;

    /// The grants by which this agent may read from this account now: neither revoked nor over nor
    /// still to come, and their ticket open. Whether one covers a body, [`Grant::covers`] says.
    async fn live_grants(&self, agent: &str, account: &AccountId, now: i64) -> Result<Vec<Grant>>;

    // -- audit ---------------------------------------------------------------

    /// Appends a row, durable before the call returns. No row is ever changed or removed.
    async fn append_audit(&self, event: AuditEvent) -> Result<AuditRow>;

    /// Rows about one account, or all, in the order of their numbers or the reverse.
    async fn audit(
        &self,
        account: Option<&AccountId>,
        order: Order,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<AuditRow>>;

    // -- jobs ----------------------------------------------------------------

    /// Enters a new job.
    ///
    /// # Errors
    /// `Conflict` if the id is taken, `NotFound` for the account, `Invalid`.
    async fn create_job(&self, job: Job) -> Result<()>;

    /// One job.
    ///
    /// # Errors
    /// `NotFound`.
    async fn job(&self, id: &str) -> Result<Job>;

    /// Jobs, of one account and in one state if given, in the order of their creation.
    async fn jobs(&self, account: Option<&AccountId>, state: Option<JobState>) -> Result<Vec<Job>>;

    /// Saves `state`, `cursor`, `counts` and `updated_at` of a running job.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if it is no longer running: someone cancelled it, so stop.
    async fn save_job(&self, job: Job) -> Result<()>;

    // -- the database itself -------------------------------------------------

    /// Whether the database answers; for readiness probes.
    async fn ping(&self) -> Result<()>;
}

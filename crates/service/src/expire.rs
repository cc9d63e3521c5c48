//! Forgetting because time is up, and what else is done every minute.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex as SyncMutex, MutexGuard, PoisonError};

use oubliette_catalog::{Account, AccountId, MAX_PAGE};
use oubliette_keytree::{AccountTag, Hour, Op};
use oubliette_store::{LifecycleRule, RetentionClass};
use oubliette_translog::Reason;
use serde::Serialize;
use serde_json::json;
use tokio::sync::Mutex;

use crate::access::Principal;
use crate::committer::Purpose;
use crate::error::Result;
use crate::expiry_clock::ExpiryClock;
use crate::oubliette::{Inner, Oubliette};
use crate::policy::{first_kept, first_to_come};
use crate::shred::GenerationChange;

/// What an expiry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ExpireOutcome {
    /// How many accounts had hours to forget.
    pub accounts: u64,
    /// The generations of the root key before and after.
    pub generation: GenerationChange,
    /// Rows of the catalog that were cleared.
    pub rows: u64,
    /// Objects that the store removed; always 0 for stores that do so by themselves.
    pub objects: u64,
    /// By how many seconds the machine's clock is further ahead than expiry believes; 0 if it does.
    pub clock_ahead_seconds: u64,
}

impl Oubliette {
    /// Forgets now what is over, for all accounts. It also happens every minute by itself.
    ///
    /// Costs as much as there are accounts with hours that are over, and in which something was captured.
    ///
    /// # Errors
    /// `Forbidden`, `Unavailable`; what could not be done is done by the next one.
    pub async fn expire(&self, by: &Principal) -> Result<ExpireOutcome> {
        by.must_operate()?;
        self.inner().expire().await
    }

    /// Says that the machine's clock is right, however far it has jumped: expiry goes by it from now on.
    ///
    /// # Errors
    /// `Forbidden`, `Unavailable`.
    pub async fn accept_clock(&self, by: &Principal) -> Result<()> {
        by.must_operate()?;
        let inner = self.inner();
        let now = inner.now_ms();
        let at = inner.expiry.at();
        inner.record(by, None, "clock.accept", "expiry", json!({ "from": at, "to": now })).await?;
        inner.catalog.set_expiry_clock(now).await?;
        inner.expiry.clock().accept(now);
        Ok(())
    }
}

/// What expiry remembers from one time to the next.
#[derive(Debug)]
pub(crate) struct Expiry {
    clock: SyncMutex<ExpiryClock>,
    /// One at a time. The time that was last kept.
    kept: Mutex<Option<i64>>,
    last: SyncMutex<Option<i64>>,
    /// Classes whose lifecycle rule is in force.
    in_force: SyncMutex<HashSet<RetentionClass>>,
    /// Whether those of all accounts have been looked at: earlier lives may have left some out.
    all_looked_at: AtomicBool,
}

impl Expiry {
    pub(crate) fn new(clock: ExpiryClock) -> Self {
        Self {
            clock: SyncMutex::new(clock),
            kept: Mutex::default(),
            last: SyncMutex::default(),
            in_force: SyncMutex::default(),
            all_looked_at: AtomicBool::new(false),
        }
    }

    /// When the last one ended.
    pub(crate) fn last(&self) -> Option<i64> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that expiry goes by, as of its last round.
    pub(crate) fn at(&self) -> i64 {
        self.clock().at()
    }

    /// By how much the machine's clock is further ahead than can be believed, in milliseconds.
    pub(crate) fn held(&self) -> Option<i64> {
        self.clock().held()
    }

    fn clock(&self) -> MutexGuard<'_, ExpiryClock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of the classes whose rule is still to be put in force.
    fn missing(&self, classes: impl IntoIterator<Item = RetentionClass>) -> Vec<RetentionClass> {
        let in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        let missing: HashSet<_> = classes.into_iter().filter(|c| !in_force.contains(c)).collect();
        missing.into_iter().collect()
    }

    fn are_in_force(&self, classes: Vec<RetentionClass>) {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner).extend(classes);
    }
}

impl Inner {
    /// What is due every minute. Each part is tried whatever became of the others.
    pub(crate) async fn round(&self) {
        self.erase_orphans().await;
        if let Err(error) = self.finish_shreds().await {
            tracing::warn!(%error, "keys that are to be erased wait for the next round");
        }
        self.leases.drop_before(self.hour()).await;
        if let Err(error) = self.expire().await {
            tracing::warn!(%error, "expiry waits for the next round");
        }
        self.sweep_if_due().await;
        self.publish().await;
    }

    pub(crate) async fn expire(&self) -> Result<ExpireOutcome> {
        let mut kept = self.expiry.kept.lock().await;
        let now = self.expiry_time(&mut kept).await?;
        let mut generation = self.committer.commit(Vec::new()).await?;
        let mut count = 0;
        loop {
            let due = self.catalog.due_hours(first_to_come(now), MOST_HOURS).await?;
            let is_all = due.len() < MOST_HOURS as usize;
            let accounts = self.by_tag(due, now);
            let mut struck = 0;
            for accounts in accounts.chunks(ACCOUNTS_TOGETHER) {
                let done = self.expire_accounts(accounts, now).await?;
                (generation.to, struck) = (done.0.to, struck + done.1);
            }
            count += accounts.len() as u64;
            // If none is struck, another round finds out why; this one must not turn for ever.
            if is_all || struck == 0 {
                break;
            }
        }

        let mut rows = 0;
        loop {
            let swept = self.catalog.sweep(SWEEP_ROWS).await?;
            rows += u64::from(swept);
            if swept < SWEEP_ROWS {
                break;
            }
        }
        self.ensure_lifecycle().await;
        let objects = match self.store.sweep(now.div_euclid(1000)).await {
            Ok(objects) => objects,
            Err(error) => {
                // The keys are gone; this only takes out the bin.
                tracing::warn!(%error, "segments that are over wait to be removed");
                0
            }
        };
        *self.expiry.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.now_ms());
        let clock_ahead_seconds = self.expiry.held().map_or(0, |ms| ms.unsigned_abs() / 1000);
        Ok(ExpireOutcome { accounts: count, generation, rows, objects, clock_ahead_seconds })
    }

    /// The time to expire by, kept where the next life finds it before anything goes by it.
    async fn expiry_time(&self, kept: &mut Option<i64>) -> Result<i64> {
        let (now, held) = {
            let mut clock = self.expiry.clock();
            (clock.advance(self.now_ms(), self.clock.steady_ms()), clock.held())
        };
        if let Some(ahead) = held {
            tracing::warn!(
                ahead_seconds = ahead / 1000,
                "the machine's clock has jumped ahead; expiry does not follow it: set the clock right, or \
                 run `oubliette expire --accept-clock` if so much time has really passed"
            );
        }
        if kept.is_none_or(|kept| kept < now) {
            self.catalog.set_expiry_clock(now).await?;
            *kept = Some(now);
        }
        Ok(now)
    }

    /// Each account once, with the first hour it keeps. In the order of tags, which is that of the key
    /// pages, so that accounts that are expired together lie together.
    fn by_tag(&self, due: Vec<(AccountId, u16)>, now: i64) -> Vec<(AccountTag, AccountId, Hour)> {
        let due = due.into_iter().map(|(id, days)| (id, first_kept(days, now)));
        let once: BTreeMap<AccountId, Hour> = due.collect();
        let mut accounts: Vec<_> =
            once.into_iter().map(|(id, hour)| (self.key.account_tag(&id), id, hour)).collect();
        accounts.sort_unstable_by_key(|(tag, ..)| *tag);
        accounts
    }

    /// Forgets hours of some accounts in one commit: first nobody is led there any more, then the keys go,
    /// then the hours are struck off.
    async fn expire_accounts(
        &self,
        accounts: &[(AccountTag, AccountId, Hour)],
        now: i64,
    ) -> Result<(GenerationChange, u64)> {
        let hours: Vec<_> = accounts.iter().map(|(_, id, hour)| (id.clone(), *hour)).collect();
        self.catalog.mark_expired_before(hours.clone(), now).await?;
        let ops = accounts.iter().map(|(tag, _, hour)| Op::PruneHoursBefore(*tag, *hour)).collect();
        let purpose = Purpose { reason: Reason::Expiry, requested_at: now };
        let generation = self.committer.erase(ops, purpose, Vec::new()).await?.generation;
        Ok((generation, self.catalog.strike_hours(hours).await?))
    }

    pub(crate) async fn all_accounts(&self) -> Result<Vec<Account>> {
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.catalog.accounts(cursor, MAX_PAGE).await?;
            all.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }

    /// Sees to it that the store removes segments of every class in use. A store that is away gets
    /// its rules in a later round: segments outlive their keys by then, nothing else.
    async fn ensure_lifecycle(&self) {
        let mut classes = self.policies.classes();
        let first = !self.expiry.all_looked_at.load(Ordering::Relaxed);
        if first {
            let Ok(accounts) = self.all_accounts().await else { return };
            classes.extend(accounts.iter().filter_map(|account| {
                RetentionClass::for_retention(account.settings.retention_days.into()).ok()
            }));
        }
        let missing = self.expiry.missing(classes);
        if !missing.is_empty() {
            let rules: Vec<_> = missing.iter().copied().map(LifecycleRule::new).collect();
            if let Err(error) = self.store.ensure_lifecycle(&rules).await {
                tracing::warn!(%error, "lifecycle rules wait for the next round");
                return;
            }
            self.expiry.are_in_force(missing);
        }
        self.expiry.all_looked_at.store(true, Ordering::Relaxed);
    }
}

/// So many noted hours are looked at together: their accounts are sorted by where they lie, and take some
/// 100 bytes each.
const MOST_HOURS: u32 = 1_000_000;

/// So many accounts share a commit. Whoever shreds meanwhile waits for one commit of these, not for all.
const ACCOUNTS_TOGETHER: usize = 2048;

/// So many rows are cleared in one step, which holds up other writers for some milliseconds.
const SWEEP_ROWS: u32 = 1000;

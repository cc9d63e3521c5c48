//! Forgetting because time is up, and what else is done every minute.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex as SyncMutex, PoisonError};

use futures::{StreamExt, TryStreamExt, stream};
use oubliette_catalog::{Account, CatalogErrorKind, MAX_PAGE};
use oubliette_keytree::{AccountTag, Hour, Op};
use oubliette_store::{LifecycleRule, RetentionClass};
use oubliette_translog::Reason;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::access::Principal;
use crate::committer::Purpose;
use crate::error::Result;
use crate::oubliette::{Inner, Oubliette};
use crate::policy::first_kept;
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
}

impl Oubliette {
    /// Forgets now what is over, for all accounts under one rotation of the root. It also happens
    /// every minute by itself.
    ///
    /// # Errors
    /// `Forbidden`, `Unavailable`; what could not be done is done by the next one.
    pub async fn expire(&self, by: &Principal) -> Result<ExpireOutcome> {
        by.must_operate()?;
        self.inner().expire().await
    }
}

/// What expiry remembers from one time to the next.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    /// One at a time. Up to which hour each account is forgotten: what did not move costs nothing.
    forgotten: Mutex<HashMap<AccountTag, Hour>>,
    last: SyncMutex<Option<i64>>,
    /// Classes whose lifecycle rule is in force.
    in_force: SyncMutex<HashSet<RetentionClass>>,
}

impl Expiry {
    /// When the last one ended.
    pub(crate) fn last(&self) -> Option<i64> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut forgotten = self.expiry.forgotten.lock().await;
        let now = self.now_ms();
        let accounts = self.all_accounts().await?;
        let moved: Vec<(&Account, AccountTag, Hour)> = accounts
            .iter()
            .map(|account| {
                let tag = self.key.account_tag(&account.id);
                (account, tag, first_kept(&account.settings, now))
            })
            .filter(|(_, tag, hour)| forgotten.get(tag).is_none_or(|done| done < hour))
            .collect();

        // First nobody is led there any more, then the keys go.
        stream::iter(&moved)
            .map(Ok)
            .try_for_each_concurrent(MARKS_TOGETHER, |(account, _, hour)| async move {
                match self.catalog.mark_expired_before(&account.id, *hour, now).await {
                    Err(error) if error.kind() == CatalogErrorKind::NotFound => Ok(()), // closed
                    done => done,
                }
            })
            .await?;
        let ops = moved.iter().map(|(_, tag, hour)| Op::PruneHoursBefore(*tag, *hour)).collect();
        let purpose = Purpose { reason: Reason::Expiry, requested_at: now };
        let generation = self.committer.erase(ops, purpose, Vec::new()).await?.generation;
        let count = moved.len() as u64;
        forgotten.extend(moved.iter().map(|(_, tag, hour)| (*tag, *hour)));

        let mut rows = 0;
        loop {
            let swept = self.catalog.sweep(SWEEP_ROWS).await?;
            rows += u64::from(swept);
            if swept < SWEEP_ROWS {
                break;
            }
        }
        self.ensure_lifecycle(&accounts).await;
        let objects = match self.store.sweep(now.div_euclid(1000)).await {
            Ok(objects) => objects,
            Err(error) => {
                // The keys are gone; this only takes out the bin.
                tracing::warn!(%error, "segments that are over wait to be removed");
                0
            }
        };
        *self.expiry.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        Ok(ExpireOutcome { accounts: count, generation, rows, objects })
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
    async fn ensure_lifecycle(&self, accounts: &[Account]) {
        let classes = accounts.iter().filter_map(|account| {
            RetentionClass::for_retention(account.settings.retention_days.into()).ok()
        });
        let missing = self.expiry.missing(classes);
        if missing.is_empty() {
            return;
        }
        let rules: Vec<_> = missing.iter().copied().map(LifecycleRule::new).collect();
        match self.store.ensure_lifecycle(&rules).await {
            Ok(()) => self.expiry.are_in_force(missing),
            Err(error) => tracing::warn!(%error, "lifecycle rules wait for the next round"),
        }
    }
}

/// So many accounts are marked at the same time: the catalog puts them into one transaction.
const MARKS_TOGETHER: usize = 64;

/// So many rows are cleared in one step, which holds up other writers for some milliseconds.
const SWEEP_ROWS: u32 = 1000;

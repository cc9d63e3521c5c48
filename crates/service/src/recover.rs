//! What a crash left: records that lie in the spool and have no row.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt, stream};
use oubliette_catalog::{AccountId, CatalogErrorKind, Entry, NewExchange};
use oubliette_keytree::{AccountTag, LeafAddress, Op};
use oubliette_seal::Expected;
use oubliette_store::{Recovered, RecoveredRecord, StoreErrorKind};
use oubliette_translog::Reason;

use crate::committer::Purpose;
use crate::error::Result;
use crate::oubliette::Inner;
use crate::record::Inside;
use crate::workers::with_opener;

/// What recovery did, for the log.
#[derive(Debug, Default)]
struct Found {
    entered: u64,
    erased: u64,
    unreadable: u64,
}

impl Inner {
    /// Gives records without a row theirs, from what is sealed inside them, or erases their keys:
    /// if the account does not capture any more, or another record of the same part stands already.
    ///
    /// They may have been acknowledged: a row is on the disk only before its record's file goes. Whatever
    /// was asked of the account after that answer would have brought its row there.
    pub(crate) async fn recover(&self, recovered: &Recovered) -> Result<()> {
        for damaged in &recovered.damaged {
            let (key, whole) = (damaged.object_key, damaged.whole_records);
            tracing::error!(%key, whole, path = %damaged.path.display(), "a spool file was damaged");
        }
        if recovered.segments.is_empty() {
            return Ok(());
        }
        let missing = self.without_row(recovered).await?;
        let found = stream::iter(&missing)
            .map(|(account, record)| self.recover_one(account, record))
            .buffer_unordered(TOGETHER)
            .try_fold(Found::default(), |mut found, fate| async move {
                match fate {
                    Fate::Forgotten => {}
                    Fate::Entered => found.entered += 1,
                    Fate::Erased => found.erased += 1,
                    Fate::Unreadable => found.unreadable += 1,
                }
                Ok(found)
            })
            .await?;
        let Found { entered, erased, unreadable } = found;
        if entered + erased + unreadable > 0 {
            tracing::info!(entered, erased, unreadable, "records without a row were found");
        }
        // Duplicates among them are on the list now.
        self.finish_shreds().await
    }

    /// The records that no live row points to, of accounts that are there.
    async fn without_row(
        &self,
        recovered: &Recovered,
    ) -> Result<Vec<(AccountId, RecoveredRecord)>> {
        let accounts: HashMap<AccountTag, AccountId> = self
            .all_accounts()
            .await?
            .into_iter()
            .map(|account| (self.key.account_tag(&account.id), account.id))
            .collect();
        let mut by_account: HashMap<&AccountId, Vec<RecoveredRecord>> = HashMap::new();
        for record in recovered.records() {
            // Of an account that is closed, the tree is gone.
            if let Some(account) = accounts.get(&record.account) {
                by_account.entry(account).or_default().push(record);
            }
        }
        let mut missing = Vec::new();
        for (account, records) in by_account {
            for records in records.chunks(LOOKED_UP_TOGETHER) {
                let addresses = records.iter().map(|record| record.address).collect();
                let rows = match self.catalog.locations(account, addresses).await {
                    Ok(rows) => rows,
                    Err(error) if error.kind() == CatalogErrorKind::NotFound => break,
                    Err(error) => return Err(error.into()),
                };
                let without = records.iter().zip(rows).filter(|(_, row)| row.is_none());
                missing.extend(without.map(|(record, _)| (account.clone(), *record)));
            }
        }
        Ok(missing)
    }

    async fn recover_one(&self, account: &AccountId, record: &RecoveredRecord) -> Result<Fate> {
        let RecoveredRecord { location, account: tag, address } = *record;
        let Some(key) = self.tree.derive_leaf(tag, address)? else { return Ok(Fate::Forgotten) };
        let gate = self.policies.gate(account).await?;
        let policy = gate.hold().await?;
        if !policy.settings.capture {
            return self.erase_one(tag, address).await;
        }
        let bytes = match self.spool.read(&location).await {
            Ok(bytes) => bytes,
            Err(error)
                if matches!(error.kind(), StoreErrorKind::NotFound | StoreErrorKind::Damaged) =>
            {
                return Ok(Fate::Unreadable);
            }
            Err(error) => return Err(error.into()),
        };
        let expected = Expected { account: tag, address };
        let opened = self
            .workers
            .run(move || with_opener(|opener| opener.open(&bytes, &expected, &key)))
            .await;
        let Ok(Ok(opened)) = opened else { return Ok(Fate::Unreadable) };
        let Ok(inside) = Inside::from_bytes(opened.exchange()) else {
            return Ok(Fate::Unreadable);
        };
        if inside.exchange.account != *account {
            return Ok(Fate::Unreadable);
        }
        let row = inside.row(address, &location, opened.content_type(), opened.report());
        let new = NewExchange { exchange: inside.exchange, captures: vec![row] };
        let entries = self.catalog.insert_batch(vec![new], self.now_ms()).await?;
        Ok(match entries.into_iter().flatten().next() {
            Some(Entry::Inserted) => Fate::Entered,
            _ => Fate::Erased, // it is on the list of what is to be erased
        })
    }

    async fn erase_one(&self, tag: AccountTag, address: LeafAddress) -> Result<Fate> {
        let purpose = Purpose { reason: Reason::Unfinished, requested_at: self.now_ms() };
        let ops = vec![Op::PruneLeaf(tag, address)];
        self.committer.erase(ops, purpose, Vec::new()).await?;
        Ok(Fate::Erased)
    }
}

/// What became of one record.
enum Fate {
    /// Its key is gone.
    Forgotten,
    /// It has a row now.
    Entered,
    /// Its key was to be erased.
    Erased,
    /// It is not what a record should be. Nothing points at it; its key goes with its hour.
    Unreadable,
}

/// So many records are looked at at the same time; each may be a body in memory.
const TOGETHER: usize = 16;

/// Rows that are looked for at the same time: one by one the way there costs more than the look-up.
const LOOKED_UP_TOGETHER: usize = 4096;

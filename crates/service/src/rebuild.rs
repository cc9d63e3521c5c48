//! The catalog's rows from what is sealed in the segments.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use oubliette_catalog::{AccountId, CatalogErrorKind, Entry, NewExchange, SettingsChange};
use oubliette_keytree::{AccountTag, Hour, LeafKey};
use oubliette_seal::{Expected, OpenedBody, SealErrorKind};
use oubliette_store::{IndexEntry, Location, ObjectInfo, SegmentIndex, StoreErrorKind, list_all};
use serde::Serialize;
use serde_json::json;

use crate::access::Principal;
use crate::error::{Result, ServiceError, ServiceErrorKind};
use crate::oubliette::{Inner, Oubliette};
use crate::record::Inside;
use crate::workers::with_opener;

/// How far a rebuild is. In JSON it is a line of the HTTP API's progress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RebuildProgress {
    /// Segments looked at.
    pub done: u64,
    /// Segments there were when it began.
    pub total: u64,
    /// Records in them.
    pub records: u64,
    /// Records that had a row already.
    pub known: u64,
    /// Records that have a row now.
    pub entered: u64,
    /// Records whose key is gone: shredded, expired or replaced by a later one.
    pub forgotten: u64,
    /// Records that could not be read or opened although there is a key.
    pub unreadable: u64,
    /// Segments whose index could not be read.
    pub damaged: u64,
    /// Accounts that were not in the catalog and are again, with capture switched off.
    pub accounts: u64,
}

impl Oubliette {
    /// Gives every record of the object store that has a key and no row its row back, from what is
    /// sealed inside it. What has a row stays as it is, so it may be run at any time and again.
    ///
    /// Accounts that the catalog does not know are made again: with capture off, since consent is
    /// not in the records, and with the longest retention that their records name. What no record
    /// holds does not come back: settings, rules, tickets, grants, API keys and the audit. What
    /// was shredded or has expired has no key and stays gone. `progress` is called after every
    /// segment.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable` if keys, store or catalog fail: run it again.
    pub async fn rebuild(
        &self,
        by: &Principal,
        progress: impl FnMut(&RebuildProgress) + Send,
    ) -> Result<RebuildProgress> {
        by.must_operate()?;
        let inner = self.inner();
        inner.record(by, None, "catalog.rebuild", "catalog", json!({})).await?;
        inner.rebuild(progress).await
    }
}

impl Inner {
    async fn rebuild(
        &self,
        mut progress: impl FnMut(&RebuildProgress) + Send,
    ) -> Result<RebuildProgress> {
        // What still lies in the spool is in the object store then, and one listing finds it all.
        let flushed = self.spool.flush(FLUSH_WITHIN).await?;
        if flushed.left > 0 {
            return Err(ServiceError::unavailable(
                "segments wait in the spool and the object store does not take them: see that it \
                 can be reached, then run it again",
            ));
        }
        let mut classes: BTreeMap<_, Vec<ObjectInfo>> = BTreeMap::new();
        for object in list_all(&*self.store, "").await? {
            classes.entry(object.key.class()).or_default().push(object);
        }
        let total = classes.values().map(Vec::len).sum::<usize>() as u64;
        let mut now = RebuildProgress { total, ..RebuildProgress::default() };
        progress(&now);
        let people = People::known(self).await?;
        // The longest class first: an account that is made again from one of its records then has
        // at least the retention of all of them, and nothing of it expires on the way.
        for (_, objects) in classes.into_iter().rev() {
            let mut results = stream::iter(objects)
                .map(|object| self.rebuild_segment(object, &people))
                .buffer_unordered(SEGMENTS_TOGETHER);
            while let Some(result) = results.next().await {
                let counted = result?;
                now.done += 1;
                now.records += counted.records;
                now.known += counted.known;
                now.entered += counted.entered;
                now.forgotten += counted.forgotten;
                now.unreadable += counted.unreadable;
                now.damaged += counted.damaged;
                now.accounts += counted.accounts;
                progress(&now);
            }
        }
        people.settle(self).await?;
        // Records that lost to another of the same part are on the list now.
        self.finish_shreds().await?;
        self.wake.notify_one(); // classes of new accounts need their lifecycle rule
        Ok(now)
    }

    async fn rebuild_segment(
        &self,
        object: ObjectInfo,
        people: &People,
    ) -> Result<RebuildProgress> {
        let mut counted = RebuildProgress::default();
        let index = match SegmentIndex::fetch_sized(&*self.store, &object.key, object.size).await {
            Ok(index) => index,
            Err(error) => match error.kind() {
                StoreErrorKind::NotFound => return Ok(counted), // expired meanwhile
                StoreErrorKind::Damaged => {
                    tracing::error!(key = %object.key, %error, "a segment cannot be read");
                    counted.damaged += 1;
                    return Ok(counted);
                }
                _ => return Err(error.into()),
            },
        };
        counted.records = index.entries().len() as u64;
        self.pass_leases(&index).await?;

        let mut without_row = Vec::new();
        let mut by_tag: HashMap<AccountTag, Vec<IndexEntry>> = HashMap::new();
        for entry in index.entries() {
            by_tag.entry(entry.account).or_default().push(*entry);
        }
        for (tag, entries) in by_tag {
            let rows = match people.id(tag) {
                None => vec![None; entries.len()],
                Some(account) => {
                    let addresses = entries.iter().map(|entry| entry.address).collect();
                    match self.catalog.locations(&account, addresses).await {
                        Ok(rows) => rows,
                        // Closed, and its tree with it.
                        Err(e) if e.kind() == CatalogErrorKind::NotFound => {
                            counted.forgotten += entries.len() as u64;
                            continue;
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
            };
            for (entry, row) in entries.into_iter().zip(rows) {
                match row {
                    Some(_) => counted.known += 1,
                    None => without_row.push(entry),
                }
            }
        }
        without_row.sort_by_key(|entry| entry.offset);
        for chunk in chunks(&without_row) {
            let opened = self.open_records(&index, chunk).await?;
            counted.forgotten += opened.forgotten;
            counted.unreadable += opened.unreadable;
            self.enter_records(&index, opened.records, people, &mut counted).await?;
        }
        Ok(counted)
    }

    /// Opens records of one segment, in the order of their places.
    pub(crate) async fn open_records(
        &self,
        index: &SegmentIndex,
        entries: &[IndexEntry],
    ) -> Result<Opened> {
        let mut opened = Opened::default();
        let mut keyed: Vec<(IndexEntry, LeafKey)> = Vec::with_capacity(entries.len());
        for entry in entries {
            match self.tree.derive_leaf(entry.account, entry.address)? {
                Some(key) => keyed.push((*entry, key)),
                None => opened.forgotten += 1,
            }
        }
        let locations: Vec<Location> =
            keyed.iter().map(|(entry, _)| entry.location(index.object_key())).collect();
        let mut found = Vec::with_capacity(keyed.len());
        for ((entry, key), bytes) in keyed.into_iter().zip(self.spool.read_all(&locations).await) {
            match bytes {
                Ok(bytes) => found.push((entry, key, bytes)),
                Err(error) => match error.kind() {
                    StoreErrorKind::NotFound | StoreErrorKind::Damaged => opened.unreadable += 1,
                    _ => return Err(error.into()),
                },
            }
        }
        let work = move || found.into_iter().map(open).collect::<Vec<_>>();
        let results = self.workers.run(work).await;
        for result in results.map_err(|_| ServiceError::internal("records cannot be opened"))? {
            match result {
                Ok(record) => opened.records.push(record),
                Err(Unopened::OtherKey) => opened.forgotten += 1,
                Err(Unopened::Unreadable) => opened.unreadable += 1,
            }
        }
        Ok(opened)
    }

    /// Gives opened records of one segment their rows, and makes their accounts if need be.
    pub(crate) async fn enter_records(
        &self,
        index: &SegmentIndex,
        opened: Vec<OpenedRecord>,
        people: &People,
        counted: &mut RebuildProgress,
    ) -> Result<()> {
        let mut by_account: BTreeMap<AccountId, Vec<(IndexEntry, NewExchange)>> = BTreeMap::new();
        for (entry, inside, body) in opened {
            let account = inside.exchange.account.clone();
            if self.key.account_tag(&account) != entry.account {
                counted.unreadable += 1; // it claims to be another's
                continue;
            }
            people
                .saw(self, entry.account, &account, inside.retention_days, index, counted)
                .await?;
            let location = entry.location(index.object_key());
            let row = inside.row(entry.address, &location, body.content_type(), body.report());
            let new = NewExchange { exchange: inside.exchange, captures: vec![row] };
            by_account.entry(account).or_default().push((entry, new));
        }
        for (account, rows) in by_account {
            self.rebuild_rows(&account, rows, counted).await?;
        }
        self.catalog.sync().await?; // no spool file stands behind them
        Ok(())
    }

    async fn rebuild_rows(
        &self,
        account: &AccountId,
        rows: Vec<(IndexEntry, NewExchange)>,
        counted: &mut RebuildProgress,
    ) -> Result<()> {
        let gate = match self.policies.gate(account).await {
            Ok(gate) => gate,
            Err(error) if error.kind() == ServiceErrorKind::NotFound => {
                counted.forgotten += rows.len() as u64; // closed meanwhile
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // From here on the account's tree is not erased as a whole.
        let _policy = match gate.hold().await {
            Ok(policy) => policy,
            Err(_) => {
                counted.forgotten += rows.len() as u64;
                return Ok(());
            }
        };
        let mut new = Vec::with_capacity(rows.len());
        for (entry, row) in rows {
            match self.tree.derive_leaf(entry.account, entry.address)? {
                Some(_) => new.push(row),
                None => counted.forgotten += 1, // shredded while it was being read
            }
        }
        let entries = self.catalog.insert_batch(new, self.now_ms()).await?;
        for entry in entries.into_iter().flatten() {
            match entry {
                Entry::Inserted => counted.entered += 1,
                _ => counted.forgotten += 1, // on the list of what is to be erased
            }
        }
        Ok(())
    }

    /// Lease numbers that records were sealed under are never handed out again, whatever the catalog
    /// remembers of them.
    async fn pass_leases(&self, index: &SegmentIndex) -> Result<()> {
        let mut leases: HashMap<Hour, u16> = HashMap::new();
        for entry in index.entries() {
            let lease = leases.entry(entry.address.hour()).or_default();
            *lease = entry.address.lease().max(*lease);
        }
        for (hour, lease) in leases {
            self.catalog.skip_leases(hour, lease).await?;
        }
        Ok(())
    }
}

/// What became of records that were to be opened.
#[derive(Default)]
pub(crate) struct Opened {
    pub(crate) records: Vec<OpenedRecord>,
    /// Their key is gone.
    pub(crate) forgotten: u64,
    /// They cannot be had, or are not what a record should be.
    pub(crate) unreadable: u64,
}

type OpenedRecord = (IndexEntry, Inside, OpenedBody);

enum Unopened {
    /// The leaf has a key, and not the one that the record was sealed under: the account was
    /// shredded as a whole and has another tree since.
    OtherKey,
    Unreadable,
}

fn open(
    (entry, key, bytes): (IndexEntry, LeafKey, bytes::Bytes),
) -> Result<OpenedRecord, Unopened> {
    let expected = Expected { account: entry.account, address: entry.address };
    let opened = with_opener(|opener| opener.open(&bytes, &expected, &key));
    let opened = opened.map_err(|error| match error.kind() {
        SealErrorKind::Authentication => Unopened::OtherKey,
        _ => Unopened::Unreadable,
    })?;
    let inside = Inside::from_bytes(opened.exchange()).map_err(|_| Unopened::Unreadable)?;
    Ok((entry, inside, opened))
}

/// Entries in pieces that are read, opened and entered together.
pub(crate) fn chunks(mut entries: &[IndexEntry]) -> impl Iterator<Item = &[IndexEntry]> {
    std::iter::from_fn(move || {
        let (chunk, rest) = entries.split_at(chunk_len(entries));
        entries = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// How many of the first entries are read together.
fn chunk_len(entries: &[IndexEntry]) -> usize {
    let mut bytes = 0;
    let fits = |entry: &&IndexEntry| {
        bytes += u64::from(entry.len);
        bytes <= CHUNK_BYTES
    };
    entries.iter().take(CHUNK_RECORDS).take_while(fits).count().max(1).min(entries.len())
}

/// The accounts there are, and those that a rebuild has made.
pub(crate) struct People {
    ids: Mutex<HashMap<AccountTag, AccountId>>,
    /// Made again: the longest retention that was seen.
    made: tokio::sync::Mutex<HashMap<AccountId, u16>>,
}

impl People {
    pub(crate) async fn known(inner: &Inner) -> Result<Self> {
        let accounts = inner.all_accounts().await?;
        let ids = accounts.into_iter().map(|it| (inner.key.account_tag(&it.id), it.id)).collect();
        Ok(Self { ids: Mutex::new(ids), made: tokio::sync::Mutex::default() })
    }

    pub(crate) fn id(&self, tag: AccountTag) -> Option<AccountId> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).get(&tag).cloned()
    }

    /// Makes the account of a record if there is none.
    async fn saw(
        &self,
        inner: &Inner,
        tag: AccountTag,
        account: &AccountId,
        retention_days: u16,
        index: &SegmentIndex,
        counted: &mut RebuildProgress,
    ) -> Result<()> {
        let mut made = self.made.lock().await;
        if let Some(longest) = made.get_mut(account) {
            *longest = retention_days.max(*longest);
            return Ok(());
        }
        if self.id(tag).is_some() {
            return Ok(());
        }
        match inner.catalog.create_account(account, inner.now_ms()).await {
            // A name that was closed: it stays closed.
            Err(error) if error.kind() == CatalogErrorKind::Conflict => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                counted.accounts += 1;
                set_retention(inner, account, index.object_key().class().get()).await?;
                made.insert(account.clone(), retention_days);
                tracing::warn!(%account, "an account was made again, with capture off");
            }
        }
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(tag, account.clone());
        Ok(())
    }

    /// Gives the accounts that were made the retention that their records had.
    async fn settle(self, inner: &Inner) -> Result<()> {
        stream::iter(self.made.into_inner())
            .map(Ok)
            .try_for_each(|(account, days)| async move {
                let gate = inner.policies.gate(&account).await?;
                let mut policy = gate.change().await?;
                let settings = set_retention(inner, &account, days).await?;
                *policy = Some(inner.policies.policy(&account, settings).await);
                Ok(())
            })
            .await
    }
}

async fn set_retention(
    inner: &Inner,
    account: &AccountId,
    days: u16,
) -> Result<oubliette_catalog::Settings> {
    let change = SettingsChange { retention_days: Some(days), ..SettingsChange::default() };
    Ok(inner.catalog.change_settings(account, change, "rebuild", inner.now_ms()).await?)
}

/// Segments that are looked at at the same time.
const SEGMENTS_TOGETHER: usize = 4;

/// Bytes of records that are read and opened together, for each of those segments.
const CHUNK_BYTES: u64 = 8 << 20;

/// Records that are entered together: one transaction of the catalog.
const CHUNK_RECORDS: usize = 1024;

/// Long enough for an object store that is there.
const FLUSH_WITHIN: Duration = Duration::from_secs(60);

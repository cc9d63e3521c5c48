//! Taking segments out of the store as soon as nothing in them can be opened, and moving what is
//! left of mostly dead ones together.

use std::collections::HashMap;
use std::sync::{Mutex as SyncMutex, PoisonError};

use oubliette_catalog::{AccountId, CatalogErrorKind, LiveSegment, Location, Relocation};
use oubliette_keytree::{AccountTag, Generation};
use oubliette_store::{
    IndexEntry, ObjectInfo, ObjectKey, SegmentIndex, StoreErrorKind, segment_overhead,
};
use serde::Serialize;
use serde_json::json;
use tokio::sync::Mutex;

use crate::access::Principal;
use crate::error::Result;
use crate::oubliette::{Inner, Oubliette};
use crate::rebuild::{People, RebuildProgress, chunks};
use crate::record;

/// What a sweep of the store did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SweepOutcome {
    /// Segments in the object store when it began.
    pub segments: u64,
    /// Segments in which nothing could be opened any more, and that are gone.
    pub deleted: u64,
    /// Their bytes.
    pub deleted_bytes: u64,
    /// Mostly dead segments whose living records were copied elsewhere. They go with a later
    /// sweep, once the copies are in the object store.
    pub compacted: u64,
    /// Those records.
    pub moved: u64,
    /// Records without a row that have one now.
    pub entered: u64,
    /// Records without a row whose key is erased now.
    pub erased: u64,
    /// Segments whose index could not be read. They are left alone.
    pub damaged: u64,
}

impl Oubliette {
    /// Looks through the object store: deletes segments in which every key is gone, copies what is
    /// alive out of segments that are mostly dead, and gives records without a row theirs or erases
    /// their keys. Deletion rests on the keys and not on the catalog: a record that could still be
    /// opened keeps its segment, whatever the rows say.
    ///
    /// The parts that need no look into the segments run by themselves every
    /// [`Options::sweep_every`](crate::Options) after something was forgotten.
    ///
    /// `progress` is called after every page of the store's listing.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable` if store, catalog or keys fail: what was done stays done.
    pub async fn sweep(
        &self,
        by: &Principal,
        progress: impl FnMut(&SweepOutcome) + Send,
    ) -> Result<SweepOutcome> {
        by.must_operate()?;
        let inner = self.inner();
        inner.record(by, None, "store.sweep", "store", json!({})).await?;
        inner.sweep_store(Depth::Full, progress).await
    }
}

/// How closely segments are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Only those that the catalog says are dead or mostly dead.
    Marked,
    /// All that hold more than their rows account for.
    Full,
}

/// What the sweep remembers from one time to the next.
#[derive(Debug, Default)]
pub(crate) struct Sweeping {
    /// One at a time.
    running: Mutex<()>,
    /// When the last one ended and at which generation of the keys it began. Where nothing was
    /// erased since there is nothing to find.
    last: SyncMutex<Option<(i64, Generation)>>,
}

impl Sweeping {
    fn last(&self) -> Option<(i64, Generation)> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Sweeps the store if something was erased since and the last time is long enough ago.
    pub(crate) async fn sweep_if_due(&self) {
        let now = self.now_ms();
        let every = i64::try_from(self.sweep_every.as_millis()).unwrap_or(i64::MAX);
        let Ok(generation) = self.tree.status().map(|status| status.generation) else { return };
        match self.sweeping.last() {
            None => {
                // Nothing is in a hurry at a start.
                *self.sweeping.last.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((now, Generation::ZERO));
                return;
            }
            Some((at, before)) if before == generation || now.saturating_sub(at) < every => return,
            Some(_) => {}
        }
        if let Err(error) = self.sweep_store(Depth::Marked, |_| {}).await {
            tracing::warn!(%error, "dead segments wait for the next sweep");
        }
    }

    async fn sweep_store(
        &self,
        depth: Depth,
        mut progress: impl FnMut(&SweepOutcome) + Send,
    ) -> Result<SweepOutcome> {
        let _alone = self.sweeping.running.lock().await;
        let generation = self.tree.status()?.generation;
        let people = People::known(self).await?;
        let live = self.catalog.live_segments().await?;
        let mut outcome = SweepOutcome::default();
        let mut after = None;
        loop {
            let page = self.store.list("", after.as_ref()).await?;
            for object in page.objects {
                outcome.segments += 1;
                let segment = live.get(&object.key.segment().to_string()).copied();
                self.sweep_segment(depth, object, segment, &people, &mut outcome).await?;
            }
            progress(&outcome);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if outcome.erased > 0 {
            self.finish_shreds().await?;
        }
        // A segment that was compacted now is still to be deleted.
        let again = if outcome.compacted > 0 { Generation::ZERO } else { generation };
        *self.sweeping.last.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((self.now_ms(), again));
        self.metrics.count(|counters| {
            counters.swept_segments += outcome.deleted;
            counters.swept_bytes += outcome.deleted_bytes;
            counters.compacted_segments += outcome.compacted;
        });
        if outcome.deleted + outcome.compacted + outcome.entered + outcome.erased > 0 {
            tracing::info!(?outcome, "the store was swept");
        }
        Ok(outcome)
    }

    async fn sweep_segment(
        &self,
        depth: Depth,
        object: ObjectInfo,
        live: Option<LiveSegment>,
        people: &People,
        outcome: &mut SweepOutcome,
    ) -> Result<()> {
        let live = live.unwrap_or_default();
        let is_settled =
            object.key.segment().unix_seconds() + SETTLED_AFTER <= self.now_ms().div_euclid(1000);
        let is_sparse = live.captures > 0
            && is_settled
            && live.bytes.saturating_mul(2) < object.size
            && self.stays_for_long(&object.key);
        let adds_up = live.bytes + segment_overhead(live.captures) == object.size;
        if live.captures > 0 && !is_sparse && (depth == Depth::Marked || adds_up) {
            return Ok(());
        }
        let index = match SegmentIndex::fetch_sized(&*self.store, &object.key, object.size).await {
            Ok(index) => index,
            Err(error) => match error.kind() {
                StoreErrorKind::NotFound => return Ok(()), // its rule was faster
                StoreErrorKind::Damaged => {
                    tracing::error!(key = %object.key, %error, "a segment cannot be read");
                    outcome.damaged += 1;
                    return Ok(());
                }
                _ => return Err(error.into()),
            },
        };
        let mut standing = self.standing(&index, people).await?;
        let mut orphans = std::mem::take(&mut standing.orphans);
        orphans.sort_by_key(|entry| entry.offset);
        for chunk in chunks(&orphans) {
            let opened = self.open_records(&index, chunk).await?;
            standing.kept += opened.unreadable;
            if is_settled {
                let mut counted = RebuildProgress::default();
                self.enter_records(&index, opened.records, people, &mut counted).await?;
                standing.kept += counted.entered + counted.unreadable;
                outcome.entered += counted.entered;
                outcome.erased += counted.forgotten;
            } else {
                // A row may be on its way.
                standing.kept += opened.records.len() as u64;
            }
        }
        if standing.is_dead() {
            self.store.delete(&object.key).await?;
            outcome.deleted += 1;
            outcome.deleted_bytes += object.size;
        } else if is_sparse && !standing.alive.is_empty() {
            let moved = self.compact(&index, standing.alive).await?;
            outcome.compacted += u64::from(moved > 0);
            outcome.moved += moved;
        }
        Ok(())
    }

    /// Whether a segment's records live on for so long that copying them is worth it.
    fn stays_for_long(&self, key: &ObjectKey) -> bool {
        let kept = i64::from(key.class().get()) * 86_400;
        let left = key.segment().unix_seconds() + kept - self.now_ms().div_euclid(1000);
        left * 4 > kept
    }

    /// How each record of a segment stands.
    async fn standing(&self, index: &SegmentIndex, people: &People) -> Result<Standing> {
        let mut standing = Standing::default();
        let mut by_tag: HashMap<AccountTag, Vec<IndexEntry>> = HashMap::new();
        for entry in index.entries() {
            if self.tree.derive_leaf(entry.account, entry.address)?.is_some() {
                by_tag.entry(entry.account).or_default().push(*entry);
            }
        }
        for (tag, entries) in by_tag {
            let Some(account) = people.id(tag) else {
                // A catalog that lost its rows, or an account that is just being made.
                standing.kept += entries.len() as u64;
                continue;
            };
            let addresses = entries.iter().map(|entry| entry.address).collect();
            let rows = match self.catalog.locations(&account, addresses).await {
                Ok(rows) => rows,
                Err(error) if error.kind() == CatalogErrorKind::NotFound => {
                    standing.kept += entries.len() as u64; // being closed: its tree goes first
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            for (entry, row) in entries.into_iter().zip(rows) {
                match row {
                    None => standing.orphans.push(entry),
                    Some(row) => {
                        let there = record::to_store(&row)?;
                        if there == entry.location(index.object_key()) {
                            standing.alive.push((account.clone(), entry, row));
                        } else if self.spool.holds(&there.object_key) {
                            // The copy is on this disk only: the object outlives the machine.
                            standing.kept += 1;
                        }
                    }
                }
            }
        }
        Ok(standing)
    }

    /// Copies living records out of a segment, and points their rows to the copies.
    async fn compact(
        &self,
        index: &SegmentIndex,
        alive: Vec<(AccountId, IndexEntry, Location)>,
    ) -> Result<u64> {
        let mut moved = 0;
        let mut rest = &alive[..];
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |(_, entry, _): &&(AccountId, IndexEntry, Location)| {
                bytes += u64::from(entry.len);
                bytes <= COPIED_TOGETHER
            };
            let (chunk, after) = rest.split_at(rest.iter().take_while(fits).count().max(1));
            rest = after;
            let locations: Vec<_> =
                chunk.iter().map(|(_, entry, _)| entry.location(index.object_key())).collect();
            let copies = self.spool.copy_all(&locations).await?;
            let moves = chunk.iter().zip(copies).filter_map(|((account, entry, from), to)| {
                Some(Relocation {
                    account: account.clone(),
                    address: entry.address,
                    from: from.clone(),
                    to: record::to_catalog(&to?),
                })
            });
            moved += self.catalog.relocate(moves.collect()).await?;
        }
        Ok(moved)
    }
}

/// How the records of a segment stand. Those without a key are not in it.
#[derive(Default)]
struct Standing {
    /// A row points to them.
    alive: Vec<(AccountId, IndexEntry, Location)>,
    /// No row points to them, and there is a key for their address. Whether it is theirs is known
    /// once they are opened: an account that was shredded as a whole has a new tree since.
    orphans: Vec<IndexEntry>,
    /// Others that their segment is kept for.
    kept: u64,
}

impl Standing {
    fn is_dead(&self) -> bool {
        self.alive.is_empty() && self.orphans.is_empty() && self.kept == 0
    }
}

/// Seconds after which every record of a segment has its row or will not get one: a segment is open
/// for seconds and a row follows its record within milliseconds.
const SETTLED_AFTER: i64 = 3600;

/// Bytes of records that are in memory while they are copied.
const COPIED_TOGETHER: u64 = 8 << 20;

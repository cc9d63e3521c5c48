//! Reading single records from the object store without waiting for its slow moments.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use lru::LruCache;
use tokio::time::{Instant, sleep};

use crate::error::{StoreError, StoreErrorKind};
use crate::object::ObjectStore;
use crate::segment::{Location, read_record};

/// Reads records: from a small cache of ciphertext, else with one ranged GET, and with a second one
/// beside it if the first takes longer than nineteen of twenty reads do.
pub(super) struct Reading {
    store: Arc<dyn ObjectStore>,
    cache: Mutex<Cache>,
    /// Microseconds that nineteen of twenty reads take at most, as it looks now.
    usual: AtomicU64,
    /// Second GETs under way.
    hedges: AtomicUsize,
    cached: AtomicU64,
    hedged: AtomicU64,
}

struct Cache {
    records: LruCache<Location, Bytes>,
    bytes: usize,
}

impl Reading {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            cache: Mutex::new(Cache { records: LruCache::new(MOST_CACHED), bytes: 0 }),
            usual: AtomicU64::new(FIRST_GUESS),
            hedges: AtomicUsize::new(0),
            cached: AtomicU64::new(0),
            hedged: AtomicU64::new(0),
        }
    }

    pub(super) async fn read(&self, location: &Location) -> Result<Bytes, StoreError> {
        if let Some(record) = self.cache().records.get(location).cloned() {
            self.cached.fetch_add(1, Ordering::Relaxed);
            return Ok(record);
        }
        let record = self.fetch(location).await?;
        if record.len() <= LARGEST_CACHED {
            self.cache().put(*location, &record);
        }
        Ok(record)
    }

    /// Reads that were answered by the cache, and reads for which a second GET was made.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.cached.load(Ordering::Relaxed), self.hedged.load(Ordering::Relaxed))
    }

    async fn fetch(&self, location: &Location) -> Result<Bytes, StoreError> {
        // A large body takes long in itself, and twice as much of it would only make it longer.
        if location.len as usize > LARGEST_HEDGED {
            return read_record(&*self.store, location).await;
        }
        let begun = Instant::now();
        let usual = Duration::from_micros(self.usual.load(Ordering::Relaxed));
        let first = pin!(read_record(&*self.store, location));
        let result = match select(first, pin!(sleep(usual))).await {
            Either::Left((result, _)) => result,
            Either::Right(((), first)) => match Hedge::begin(&self.hedges) {
                None => first.await,
                Some(_hedge) => {
                    self.hedged.fetch_add(1, Ordering::Relaxed);
                    let second = pin!(read_record(&*self.store, location));
                    match select(first, second).await {
                        Either::Left((Err(error), other)) if is_open(&error) => other.await,
                        Either::Right((Err(error), other)) if is_open(&error) => other.await,
                        Either::Left((result, _)) | Either::Right((result, _)) => result,
                    }
                }
            },
        };
        self.learn(begun.elapsed());
        result
    }

    /// Moves the estimate so that one read in twenty is above it: nineteen steps up for one that
    /// is, one step down for one that is not.
    fn learn(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let usual = self.usual.load(Ordering::Relaxed);
        let step = usual / 200;
        let moved = if took > usual { usual + 19 * step } else { usual - step };
        // Two that learn at the same time may lose one lesson.
        self.usual.store(moved.clamp(SHORTEST_WAIT, LONGEST_WAIT), Ordering::Relaxed);
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn put(&mut self, location: Location, record: &Bytes) {
        // A copy of its own: the slice would keep all that was read with it.
        let copy = Bytes::copy_from_slice(record);
        self.bytes += copy.len();
        if let Some((_, replaced)) = self.records.push(location, copy) {
            self.bytes -= replaced.len();
        }
        while self.bytes > CACHE_BYTES {
            let Some((_, oldest)) = self.records.pop_lru() else { return };
            self.bytes -= oldest.len();
        }
    }
}

/// Whether another answer may be better.
fn is_open(error: &StoreError) -> bool {
    error.kind() != StoreErrorKind::NotFound
}

/// One second GET under way.
struct Hedge<'a>(&'a AtomicUsize);

impl<'a> Hedge<'a> {
    /// `None` if there are enough: a store that is slow for all is not made faster by more.
    fn begin(hedges: &'a AtomicUsize) -> Option<Self> {
        let add = |now: usize| (now < MOST_HEDGES).then_some(now + 1);
        hedges.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok().map(|_| Self(hedges))
    }
}

impl Drop for Hedge<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

const MOST_CACHED: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");
/// Ciphertext in memory: who reads a body often looks at its neighbour and at it again.
const CACHE_BYTES: usize = 16 << 20;
const LARGEST_CACHED: usize = 256 << 10;
const LARGEST_HEDGED: usize = 1 << 20;
const MOST_HEDGES: usize = 8;
/// 100 ms, until it is known better.
const FIRST_GUESS: u64 = 100_000;
/// 10 ms and 2 s.
const SHORTEST_WAIT: u64 = 10_000;
const LONGEST_WAIT: u64 = 2_000_000;

#[cfg(test)]
mod tests {
    use super::super::tests::{NOON, class, sealed};
    use super::*;
    use crate::testing::{FailingStore, Faults};
    use crate::{MemoryStore, Spool, SpoolLimits};

    async fn stored(store: &Arc<FailingStore>, count: u32) -> Vec<(Location, Vec<u8>)> {
        let dir = tempfile::tempdir().unwrap();
        let limits = SpoolLimits { min_free_bytes: 0, ..SpoolLimits::default() };
        let to = Arc::clone(store);
        let (spool, _) = Spool::open(dir.path(), limits, to as _, Arc::new(|| NOON)).await.unwrap();
        let mut records = Vec::new();
        for number in 0..count {
            let body = sealed(number, 900);
            let bytes = body.record().to_vec();
            records.push((spool.append(body, class()).await.unwrap(), bytes));
        }
        assert_eq!(spool.flush(Duration::from_secs(20)).await.unwrap().left, 0);
        records
    }

    fn store() -> Arc<FailingStore> {
        Arc::new(FailingStore::new(Arc::new(MemoryStore::new()), 7, Faults::default()))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_slow_answer_is_not_waited_for() {
        let store = store();
        let records = stored(&store, 6).await;
        let reading = Reading::new(Arc::clone(&store) as _);
        let begun = Instant::now();
        for (location, bytes) in &records {
            let longest_delay = Duration::from_secs(60);
            store.set_faults(Faults { delay: 100, longest_delay, ..Faults::default() });
            let mends = Arc::clone(&store);
            let mended = tokio::spawn(async move {
                sleep(Duration::from_millis(40)).await;
                mends.set_faults(Faults::default());
            });
            assert!(reading.read(location).await.unwrap() == bytes);
            mended.await.unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert!(reading.counts().1 >= 4);
        assert_eq!(reading.hedges.load(Ordering::SeqCst), 0);
        assert!(reading.usual.load(Ordering::SeqCst) > FIRST_GUESS, "it has learnt");
    }

    #[tokio::test]
    async fn what_was_read_is_read_again_without_the_store_and_the_cache_stays_small() {
        let store = store();
        let records = stored(&store, 50).await;
        let reading = Reading::new(Arc::clone(&store) as _);
        for (location, _) in &records {
            reading.read(location).await.unwrap();
        }
        store.set_down(true);
        for (location, bytes) in &records {
            assert!(reading.read(location).await.unwrap() == bytes);
        }
        assert_eq!(reading.counts(), (50, 0));
        let mut cache = reading.cache();
        let held: usize = cache.records.iter().map(|(_, record)| record.len()).sum();
        assert_eq!(cache.bytes, held);
        let large = Bytes::from(vec![0; LARGEST_CACHED]);
        for number in 0..200 {
            let location = Location { offset: number, ..records[0].0 };
            cache.put(location, &large);
            assert!(cache.bytes <= CACHE_BYTES);
        }
        let held: usize = cache.records.iter().map(|(_, record)| record.len()).sum();
        assert_eq!(cache.bytes, held);
    }

    #[tokio::test]
    async fn what_is_nowhere_is_told_at_once_and_failures_are_not_kept() {
        let store = store();
        let records = stored(&store, 1).await;
        let reading = Reading::new(Arc::clone(&store) as _);
        store.set_down(true);
        assert_eq!(reading.read(&records[0].0).await.unwrap_err().kind(), StoreErrorKind::Retry);
        store.set_down(false);
        assert!(reading.read(&records[0].0).await.is_ok());
    }
}

//! Whether a store does what is needed, tried out on the store itself.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{LifecycleRule, ObjectStore, list_all};
use crate::error::{StoreError, StoreErrorKind};
use crate::key::{ObjectKey, RetentionClass, SegmentId};
use crate::segment::{HEADER_LEN, IndexEntry, footer, header};

/// One thing that was tried, and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was tried, in a word or two.
    pub name: &'static str,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen; for what is bad, also how to mend it. Without secrets.
    pub detail: String,
}

/// How a [`Check`] went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not there, and not needed.
    Unneeded,
    /// Bodies cannot be kept in this store as it is.
    Bad,
}

impl Check {
    pub(crate) fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Good, detail: detail.into() }
    }

    pub(crate) fn unneeded(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Unneeded, detail: detail.into() }
    }

    pub(crate) fn bad(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Bad, detail: detail.into() }
    }

    fn failed(name: &'static str, error: &StoreError) -> Self {
        Self::bad(name, describe(error))
    }
}

/// An error and its cause, in one line.
fn describe(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error} ({cause})"),
        None => error.to_string(),
    }
}

/// Tries out a store: writes a segment without records under a key of its own in the shortest
/// class, reads it whole and in parts, lists it, removes it, and looks at the lifecycle rules and
/// at what else the server can do. Objects of others are not touched. Some twenty requests.
///
/// It does not fail: what cannot be done is a check that went badly.
pub async fn check_store(
    store: &dyn ObjectStore,
    rules: &[LifecycleRule],
    unix_seconds: i64,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let key = match SegmentId::generate(unix_seconds) {
        Ok(id) => ObjectKey::new(RetentionClass::SHORTEST, id),
        Err(error) => return vec![Check::failed("random numbers", &error)],
    };
    match objects(store, &key).await {
        Ok(found) => checks.extend(found),
        Err(check) => checks.push(check),
    }
    if !checks.iter().any(|check| check.verdict == Verdict::Bad) {
        checks.extend(store.capabilities(&key).await);
    }
    // Where nothing could be written there is nothing to remove.
    let written =
        checks.iter().any(|check| check.name == "write" && check.verdict == Verdict::Good);
    if let Err(error) = store.delete(&key).await
        && written
    {
        checks.push(Check::failed("delete", &error));
    }
    checks.push(lifecycle(store, rules).await);
    checks
}

async fn objects(store: &dyn ObjectStore, key: &ObjectKey) -> Result<Vec<Check>, Check> {
    let segment = padded_segment(key);
    let size = segment.len() as u64;
    let fails = |name| move |error: StoreError| Check::failed(name, &error);
    let mut checks = Vec::new();

    store.put(key, segment.clone().into()).await.map_err(fails("write"))?;
    // An upload whose reply was lost is repeated.
    store.put(key, segment.clone().into()).await.map_err(fails("write again"))?;
    checks.push(Check::good("write", format!("{size} bytes, twice under one key")));

    let told = store.size(key).await.map_err(fails("size"))?;
    let whole = store.get_range(key, 0..size).await.map_err(fails("read"))?;
    if told != size || whole != segment {
        return Err(Check::bad("read", "what comes back is not what was written"));
    }
    checks.push(Check::good("read", "comes back as it was written"));

    let part = |range: Range<u64>| &segment[range.start as usize..range.end as usize];
    let mut times = Vec::new();
    for range in [0..1, 36..size - 1, size - 64..size, size / 2..size / 2 + 100, 7..8] {
        let begun = Instant::now();
        let bytes = store.get_range(key, range.clone()).await.map_err(fails("range"))?;
        times.push(begun.elapsed());
        if bytes != part(range) {
            return Err(Check::bad("range", "a part of an object is not the part asked for"));
        }
    }
    match store.get_range(key, size - 1..size + 1).await {
        Err(error) if error.kind() == StoreErrorKind::Damaged => {}
        Err(error) => return Err(Check::failed("range", &error)),
        Ok(_) => return Err(Check::bad("range", "bytes beyond the end of an object are made up")),
    }
    times.sort();
    let median = times[times.len() / 2];
    let slow = if median > SLOW {
        ": slow for what is near; see Servers in the documentation"
    } else {
        ""
    };
    checks.push(Check::good("range", format!("exact; {} ms a read{slow}", median.as_millis())));

    let listed = list_all(store, &key.class().prefix()).await.map_err(fails("list"))?;
    if !listed.iter().any(|object| object.key == *key && object.size == size) {
        return Err(Check::bad("list", "an object that was written is not in the listing"));
    }
    checks.push(Check::good("list", "finds what was written"));

    let other = SegmentId::generate(key.segment().unix_seconds()).map_err(fails("delete"))?;
    let other = ObjectKey::new(key.class(), other);
    store.put(&other, segment.clone().into()).await.map_err(fails("write"))?;
    store.delete(&other).await.map_err(fails("delete"))?;
    store.delete(&other).await.map_err(fails("delete again"))?;
    match store.size(&other).await {
        Err(error) if error.kind() == StoreErrorKind::NotFound => {}
        Err(error) => return Err(Check::failed("delete", &error)),
        Ok(_) => return Err(Check::bad("delete", "an object is still there after its deletion")),
    }
    checks.push(Check::good("delete", "what is deleted is gone, and missing is told from failing"));
    Ok(checks)
}

async fn lifecycle(store: &dyn ObjectStore, wanted: &[LifecycleRule]) -> Check {
    let name = "lifecycle";
    let found = match store.lifecycle().await {
        Ok(found) => found,
        Err(error) => return Check::failed(name, &error),
    };
    let missing: Vec<_> =
        wanted.iter().filter(|rule| !found.contains(rule)).map(|rule| rule.id()).collect();
    if missing.is_empty() {
        let days = wanted.iter().map(|rule| rule.class().to_string()).collect::<Vec<_>>();
        Check::good(name, format!("a rule in force for each of {}", days.join(" ")))
    } else {
        Check::bad(
            name,
            format!(
                "no rule in force, or not as it should be: {}; run `oubliette store init`",
                missing.join(" ")
            ),
        )
    }
}

/// A segment with one frame of bytes that differ everywhere, so that a shifted range shows, and
/// nothing in its index: should it stay behind, a sweep takes it for what it is.
fn padded_segment(key: &ObjectKey) -> Vec<u8> {
    let mut segment = header(*key).to_vec();
    debug_assert_eq!(segment.len(), HEADER_LEN);
    let mut block = Sha256::digest(key.to_string()).to_vec();
    while segment.len() < PROBE_LEN {
        segment.extend_from_slice(&block);
        block = Sha256::digest(&block).to_vec();
    }
    let hash = Sha256::new().chain_update(&segment);
    let none: &[IndexEntry] = &[];
    let footer = footer(none, segment.len() as u64, 0, hash);
    segment.extend_from_slice(&footer);
    segment
}

/// Longer than a network packet, and quick to send.
const PROBE_LEN: usize = 8 << 10;

/// A read on one machine takes a millisecond or two; Garage without `TCP_NODELAY` takes 44.
const SLOW: Duration = Duration::from_millis(40);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::segment::SegmentIndex;
    use crate::testing::{FailingStore, Faults};
    use crate::{FolderStore, MemoryStore};

    const NOON: i64 = 1_793_448_000;

    fn verdicts(checks: &[Check]) -> Vec<(&'static str, Verdict)> {
        checks.iter().map(|check| (check.name, check.verdict)).collect()
    }

    #[tokio::test]
    async fn a_good_store_is_told_from_one_without_rules_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let stores: [Arc<dyn ObjectStore>; 2] =
            [Arc::new(MemoryStore::new()), Arc::new(FolderStore::open(dir.path()).await.unwrap())];
        for store in stores {
            let rules = LifecycleRule::all();
            let checks = check_store(&*store, &rules, NOON).await;
            let (last, others) = checks.split_last().unwrap();
            assert_eq!((last.name, last.verdict), ("lifecycle", Verdict::Bad));
            assert!(last.detail.contains("oubliette-r7") && last.detail.contains("store init"));
            assert!(others.iter().all(|check| check.verdict == Verdict::Good), "{others:?}");
            store.ensure_lifecycle(&rules).await.unwrap();
            let checks = check_store(&*store, &rules, NOON).await;
            assert!(checks.iter().all(|check| check.verdict == Verdict::Good), "{checks:?}");
            assert!(list_all(&*store, "").await.unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn a_store_that_fails_is_bad_and_says_why() {
        let store = FailingStore::new(Arc::new(MemoryStore::new()), 1, Faults::default());
        store.set_down(true);
        let checks = check_store(&store, &[], NOON).await;
        assert_eq!(verdicts(&checks)[0], ("write", Verdict::Bad));
        assert!(checks[0].detail.contains("is down"), "{checks:?}");
    }

    #[test]
    fn what_is_written_is_a_segment() {
        let key = ObjectKey::new(RetentionClass::SHORTEST, SegmentId::generate(NOON).unwrap());
        let index = SegmentIndex::verify(&padded_segment(&key)).unwrap();
        assert_eq!((index.object_key(), index.entries().len()), (key, 0));
    }
}

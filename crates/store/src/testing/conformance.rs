//! One suite that every object store must pass.

use bytes::Bytes;
use futures::future::join_all;

use crate::error::StoreErrorKind;
use crate::key::{ObjectKey, RetentionClass, SegmentId};
use crate::object::{LifecycleRule, ObjectInfo, ObjectStore, list_all};

/// 2026-10-31T12:00:00Z.
const NOON: i64 = 1_793_448_000;

/// Checks the contract of [`ObjectStore`].
///
/// The suite works in retention classes 36,401 to 36,404, cleans up behind itself, and may share a
/// bucket with anything else but another run of itself. It writes about 9 MiB. The rules it sets
/// stay.
///
/// # Panics
///
/// If the store breaks the contract.
pub async fn conformance(store: &dyn ObjectStore) {
    clean(store).await;
    objects(store).await;
    ranges(store).await;
    concurrent_puts(store).await;
    listing(store).await;
    lifecycle(store).await;
    clean(store).await;
}

/// Distinct classes keep the parts of the suite from seeing each other's objects.
fn class(part: u32) -> RetentionClass {
    RetentionClass::days(36_400 + part).expect("in range")
}

fn key(part: u32, unix_seconds: i64) -> ObjectKey {
    let segment = SegmentId::generate(unix_seconds).expect("the system has randomness");
    ObjectKey::new(class(part), segment)
}

/// Bytes that differ everywhere, so that a shifted range shows.
fn content(len: usize, seed: u8) -> Bytes {
    (0..len).map(|i| (i.wrapping_mul(31) >> 3) as u8 ^ seed).collect()
}

async fn clean(store: &dyn ObjectStore) {
    for part in 1..=4 {
        for object in list_all(store, &class(part).prefix()).await.expect("list") {
            store.delete(&object.key).await.expect("delete");
        }
    }
}

async fn objects(store: &dyn ObjectStore) {
    let key = key(1, NOON);
    let missing = |kind| assert_eq!(kind, StoreErrorKind::NotFound);
    missing(store.size(&key).await.expect_err("nothing there yet").kind());
    missing(store.get_range(&key, 0..1).await.expect_err("nothing there yet").kind());
    store.delete(&key).await.expect("deleting nothing is no error");

    let body = content(100_000, 1);
    store.put(&key, body.clone()).await.expect("put");
    assert_eq!(store.size(&key).await.expect("size"), 100_000);
    assert_eq!(store.get_range(&key, 0..100_000).await.expect("get"), body);
    store.put(&key, body.clone()).await.expect("a put may be repeated");
    assert_eq!(store.get_range(&key, 0..100_000).await.expect("get"), body);

    store.delete(&key).await.expect("delete");
    missing(store.size(&key).await.expect_err("deleted").kind());
    missing(store.get_range(&key, 0..1).await.expect_err("deleted").kind());
    store.delete(&key).await.expect("a delete may be repeated");
}

async fn ranges(store: &dyn ObjectStore) {
    let key = key(1, NOON);
    let body = content(8 << 20, 2);
    store.put(&key, body.clone()).await.expect("put of a larger body");
    let len = body.len() as u64;
    for range in [0..1, 0..len, 1..2, 4095..4097, 65_535..200_000, len - 1..len] {
        let at = usize::try_from(range.start).expect("small")
            ..usize::try_from(range.end).expect("small");
        assert_eq!(
            store.get_range(&key, range.clone()).await.expect("range"),
            body.slice(at),
            "{range:?}"
        );
    }
    for range in [0..len + 1, len - 1..len + 1, len..len + 1, len + 5..len + 6] {
        let error = store.get_range(&key, range.clone()).await.expect_err("past the end");
        assert_eq!(error.kind(), StoreErrorKind::Damaged, "{range:?}");
    }
    let backwards = std::ops::Range { start: 2, end: 1 };
    for range in [0..0, 5..5, backwards] {
        let error = store.get_range(&key, range.clone()).await.expect_err("empty range");
        assert_eq!(error.kind(), StoreErrorKind::Invalid, "{range:?}");
    }
    store.delete(&key).await.expect("delete");
}

async fn concurrent_puts(store: &dyn ObjectStore) {
    let key = key(1, NOON);
    let body = content(300_000, 3);
    let puts = join_all((0..6).map(|_| store.put(&key, body.clone())));
    let reads = join_all((0..6).map(|_| store.get_range(&key, 0..300_000)));
    let (puts, reads) = futures::join!(puts, reads);
    for put in puts {
        put.expect("puts of one key at the same time all succeed");
    }
    for read in reads {
        match read {
            Ok(read) => assert_eq!(read, body, "a reader sees the whole object"),
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::NotFound, "or none: {error}"),
        }
    }
    store.delete(&key).await.expect("delete");
}

async fn listing(store: &dyn ObjectStore) {
    assert_eq!(list_all(store, &class(2).prefix()).await.expect("list"), []);
    let mut expected = Vec::new();
    for i in 0..12_u32 {
        let key = key(2 + i % 2, NOON + i64::from(i) * 1800);
        store.put(&key, content(10 + i as usize, 4)).await.expect("put");
        expected.push(ObjectInfo { key, size: 10 + u64::from(i) });
    }
    expected.sort_by_key(|object| object.key);
    let of_class = |part| -> Vec<_> {
        expected.iter().filter(|o| o.key.class() == class(part)).copied().collect()
    };
    for part in [2, 3] {
        let listed = list_all(store, &class(part).prefix()).await.expect("list");
        assert_eq!(listed, of_class(part), "all of the class, in order, and nothing else");
    }
    let hour = format!("{}2026/10/31/13/", class(2).prefix());
    let in_hour: Vec<_> =
        of_class(2).into_iter().filter(|o| o.key.to_string().starts_with(&hour)).collect();
    assert!(!in_hour.is_empty());
    assert_eq!(list_all(store, &hour).await.expect("list"), in_hour);
    let half = &format!("{}2026/10/31/1", class(2).prefix());
    assert_eq!(list_all(store, half).await.expect("a prefix may end anywhere"), of_class(2));

    let all = of_class(2);
    for (i, object) in all.iter().enumerate() {
        let page = store.list(&class(2).prefix(), Some(&object.key)).await.expect("list");
        assert_eq!(page.objects, all[i + 1..], "the listing goes on after the key");
        assert_eq!(page.next, None);
    }
}

async fn lifecycle(store: &dyn ObjectStore) {
    let rules = [1, 2].map(|part| LifecycleRule::new(class(part)));
    store.ensure_lifecycle(&rules).await.expect("ensure");
    store.ensure_lifecycle(&rules).await.expect("ensuring again changes nothing");
    let another = LifecycleRule::new(class(4));
    store.ensure_lifecycle(&[another]).await.expect("ensure one more");
    let in_force = store.lifecycle().await.expect("lifecycle");
    for rule in rules.iter().chain([&another]) {
        let times = in_force.iter().filter(|found| *found == rule).count();
        assert_eq!(times, 1, "rule {} is in force once", rule.id());
    }

    let object = key(4, NOON);
    store.put(&object, content(10, 5)).await.expect("put");
    store.sweep(NOON + 36_404 * 86_400).await.expect("sweep");
    assert_eq!(store.size(&object).await.expect("not over yet"), 10);
}

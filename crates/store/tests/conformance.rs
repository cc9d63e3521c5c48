//! Every object store passes the one suite; S3 if the environment names a server.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use bytes::Bytes;
use oubliette_store::testing::conformance;
use oubliette_store::{
    FolderStore, LifecycleRule, MemoryStore, ObjectKey, ObjectStore, RetentionClass, S3Settings,
    S3Store, SegmentId, list_all,
};

const NOON: i64 = 1_793_448_000; // 2026-10-31T12:00:00Z

#[tokio::test]
async fn memory() {
    let store = MemoryStore::new();
    conformance(&store).await;
    pages_and_sweeps(&store).await;
}

#[tokio::test]
async fn folder() {
    let dir = tempfile::tempdir().unwrap();
    let store = FolderStore::open(dir.path().join("deeper/still")).await.unwrap();
    conformance(&store).await;
    pages_and_sweeps(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3() {
    let (Ok(endpoint), Ok(bucket)) =
        (std::env::var("OUBLIETTE_TEST_S3_ENDPOINT"), std::env::var("OUBLIETTE_TEST_S3_BUCKET"))
    else {
        eprintln!("skipped: set OUBLIETTE_TEST_S3_ENDPOINT and OUBLIETTE_TEST_S3_BUCKET");
        return;
    };
    let settings = S3Settings {
        bucket,
        endpoint: Some(endpoint),
        region: Some(std::env::var("AWS_REGION").unwrap_or_else(|_| "garage".into())),
        path_style: Some(true),
    };
    let store = S3Store::connect(&settings).await.unwrap();
    conformance(&store).await;

    let elsewhere = S3Settings { bucket: "no-such-bucket".into(), ..settings };
    let store = S3Store::connect(&elsewhere).await.unwrap();
    let error = store.list("r7/", None).await.unwrap_err();
    assert!(
        matches!(
            error.kind(),
            oubliette_store::StoreErrorKind::Configuration
                | oubliette_store::StoreErrorKind::Denied
        ),
        "{error:?}"
    );
}

/// For stores that list page by page and sweep by themselves.
async fn pages_and_sweeps(store: &dyn ObjectStore) {
    let class = RetentionClass::days(1).unwrap();
    let put = async |at| {
        let key = ObjectKey::new(class, SegmentId::generate(at).unwrap());
        store.put(&key, Bytes::from_static(b"x")).await.unwrap();
        key
    };
    for i in 0..2100 {
        put(NOON + i).await;
    }
    let young = put(NOON + 86_400).await;
    let other = ObjectKey::new(RetentionClass::days(2).unwrap(), young.segment());
    store.put(&other, Bytes::from_static(b"x")).await.unwrap();

    let page = store.list("r1/", None).await.unwrap();
    assert!(page.objects.len() < 2101 && page.next.is_some(), "there are several pages");
    let listed = list_all(store, "r1/").await.unwrap();
    assert_eq!(listed.len(), 2101);
    assert!(listed.is_sorted_by_key(|object| object.key));

    assert_eq!(store.sweep(NOON + 10 * 86_400).await.unwrap(), 0, "no rule, no removal");
    store.ensure_lifecycle(&[LifecycleRule::new(class)]).await.unwrap();
    assert_eq!(store.sweep(NOON + 2 * 86_400 + 2100).await.unwrap(), 2100);
    assert_eq!(list_all(store, "r1/").await.unwrap().len(), 1);
    assert_eq!(store.size(&young).await.unwrap(), 1);
    assert_eq!(store.size(&other).await.unwrap(), 1);
}

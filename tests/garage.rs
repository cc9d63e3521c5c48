//! The object store against a real S3 server.

mod support;

use std::collections::BTreeMap;
use std::future::Future;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use oubliette_store::testing::conformance;
use oubliette_store::{
    Check, LifecycleRule, ObjectKey, ObjectStore, RetentionClass, S3Settings, S3Store, SegmentId,
    StoreErrorKind, Verdict, check_store, list_all,
};
use support::{Garage, assert_nowhere, search_tree};

const NOON: i64 = 1_793_448_000; // 2026-10-31T12:00:00Z

#[test]
fn store_keeps_its_contract() {
    let Some(garage) = garage_with_credentials("store_keeps_its_contract") else { return };
    block_on(async { conformance(&connect(&garage).await).await });
}

#[test]
fn object_lies_in_the_data_folder_as_it_was_put() {
    let test = "object_lies_in_the_data_folder_as_it_was_put";
    let Some(garage) = garage_with_credentials(test) else { return };
    let body: Bytes = (0..500_000_u32).flat_map(u32::to_le_bytes).collect();
    let needles = [&body[..64], &body[1_900_000..1_900_064]];
    assert_nowhere(&[garage.folder()], &needles);
    block_on(async {
        let store = connect(&garage).await;
        let key = a_key();
        store.put(&key, body.clone()).await.unwrap();
        let size = store.size(&key).await.unwrap();
        assert_eq!(size, body.len() as u64);
        assert!(store.get_range(&key, 0..size).await.unwrap() == body);
    });
    // The control of every test that searches this folder and finds nothing.
    let hits = search_tree(&garage.data_dir(), &needles);
    assert!((0..2).all(|needle| hits.iter().any(|hit| hit.needle == needle)), "{hits:?}");
}

#[test]
fn outage_is_worth_a_retry_and_loses_nothing() {
    let test = "outage_is_worth_a_retry_and_loses_nothing";
    let Some(mut garage) = garage_with_credentials(test) else { return };
    block_on(async {
        let store = connect(&garage).await;
        let (before, after) = (a_key(), a_key());
        store.put(&before, Bytes::from_static(b"kept")).await.unwrap();

        garage.stop();
        let refused = store.put(&after, Bytes::from_static(b"late")).await.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Retry, "{refused}");

        garage.restart();
        assert_eq!(store.get_range(&before, 0..4).await.unwrap(), "kept");
        assert_eq!(store.size(&after).await.unwrap_err().kind(), StoreErrorKind::NotFound);
        store.put(&after, Bytes::from_static(b"late")).await.unwrap();

        garage.pause();
        let hung = tokio::time::timeout(Duration::from_secs(60), store.get_range(&after, 0..4));
        let hung = hung.await.expect("every operation has a deadline of its own").unwrap_err();
        assert_eq!(hung.kind(), StoreErrorKind::Retry, "{hung}");
        garage.resume();
        assert_eq!(store.get_range(&after, 0..4).await.unwrap(), "late");
    });
}

/// A server, in a process whose environment has its credentials.
///
/// The store takes credentials from the environment only, and a test cannot change its own without
/// unsafe code. So the test that calls this runs itself once more, as a child that can. `None`
/// means that the child has done everything, or that there is no server.
fn garage_with_credentials(test: &str) -> Option<Garage> {
    let has_credentials =
        std::env::var("AWS_ACCESS_KEY_ID").is_ok_and(|key| key == Garage::ACCESS_KEY);
    if has_credentials || !Garage::is_installed() {
        return Garage::start();
    }
    let program = std::env::current_exe().expect("a test knows its own program");
    let child = Command::new(program)
        .args(["--exact", test, "--nocapture"])
        .envs(Garage::credentials())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .expect("a test can run itself");
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}\n{}",
        String::from_utf8_lossy(&child.stderr)
    );
    None
}

async fn connect(garage: &Garage) -> S3Store {
    let settings = S3Settings {
        bucket: Garage::BUCKET.into(),
        endpoint: Some(garage.endpoint()),
        region: Some(Garage::REGION.into()),
        path_style: Some(true),
    };
    S3Store::connect(&settings).await.expect("the settings make sense")
}

fn a_key() -> ObjectKey {
    let segment = SegmentId::generate(NOON).expect("a time that segments can have");
    ObjectKey::new(RetentionClass::days(7).expect("a class"), segment)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(future)
}

#[test]
fn what_the_server_can_do_is_found_out() {
    let Some(garage) = garage_with_credentials("what_the_server_can_do_is_found_out") else {
        return;
    };
    block_on(async {
        let store = connect(&garage).await;
        let now = NOON;
        let rules = LifecycleRule::all();
        let verdicts = |checks: Vec<Check>| -> BTreeMap<_, _> {
            checks.into_iter().map(|check| (check.name, (check.verdict, check.detail))).collect()
        };
        let before = verdicts(check_store(&store, &rules, now).await);
        assert_eq!(before["lifecycle"].0, Verdict::Bad, "{before:?}");
        store.ensure_lifecycle(&rules).await.unwrap();
        let checks = verdicts(check_store(&store, &rules, now).await);
        let bad: Vec<_> = checks.iter().filter(|(_, it)| it.0 == Verdict::Bad).collect();
        assert!(bad.is_empty(), "{bad:?}");
        for name in ["write", "read", "range", "list", "delete", "lifecycle", "checksum"] {
            assert_eq!(checks[name].0, Verdict::Good, "{name}: {checks:?}");
        }
        // Which is why nothing rests on it.
        assert_eq!(checks["conditional put"].0, Verdict::Unneeded, "{checks:?}");
        assert!(list_all(&store, "").await.unwrap().is_empty());
    });
}

#[test]
fn rules_take_out_the_bin_when_their_time_has_come() {
    let test = "rules_take_out_the_bin_when_their_time_has_come";
    if Garage::is_installed() && Garage::other_clock().is_none() {
        support::skip("no libfaketime to move Garage's clock: apt-get install -y libfaketime");
        return;
    }
    let Some(mut garage) = garage_with_credentials(test) else { return };
    block_on(async {
        let store = connect(&garage).await;
        let now = NOON;
        let mut keys = Vec::new();
        for days in [7, 30] {
            let class = RetentionClass::days(days).unwrap();
            store.ensure_lifecycle(&[LifecycleRule::new(class)]).await.unwrap();
            let key = ObjectKey::new(class, SegmentId::generate(now).unwrap());
            store.put(&key, Bytes::from_static(b"a segment")).await.unwrap();
            keys.push(key);
        }
        // A class without a rule: what is not ours to expire stays.
        let unruled = ObjectKey::new(RetentionClass::days(8).unwrap(), keys[0].segment());
        store.put(&unruled, Bytes::from_static(b"a segment")).await.unwrap();

        // On day 7 nothing has gone, on day 10 the shorter class has.
        for (days, gone) in [(7, false), (10, true)] {
            garage.stop();
            garage.live_through_lifecycle_after(days);
            garage.restart();
            let there = store.size(&keys[0]).await.map_err(|error| error.kind());
            assert_eq!(there, if gone { Err(StoreErrorKind::NotFound) } else { Ok(9) }, "{days}");
            assert_eq!(store.size(&keys[1]).await.unwrap(), 9);
            assert_eq!(store.size(&unruled).await.unwrap(), 9);
        }
    });
}

//! What a deletion leaves behind to be shown to others.

use oubliette_catalog::{Parts, SettingsChange};
use oubliette_service::ServiceErrorKind;
use oubliette_service::translog::{Keys, Reason, verify};
use oubliette_store::{FileStore as _, FolderStore};

use crate::support::*;

#[tokio::test]
async fn a_shred_gives_a_receipt_that_names_the_keys_by_what_the_records_carry() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    let headers: Vec<_> = records(&world).await;
    let shred = |id: &'static str| {
        let world = &world;
        async move {
            let (owner, acme, id) = (owner("acme"), account("acme"), exchange(id));
            world.service.shred(&owner, &acme, &id, Parts::Both).await.unwrap()
        }
    };
    let done = shred("ex-1").await;
    let receipt = done.receipt.clone().expect("keys were destroyed");
    let bytes = serde_json::to_vec(&receipt).unwrap();
    let verified = verify(&bytes, &world.service.log_public_key()).unwrap();
    let statement = verified.statement;
    assert_eq!((statement.reason, statement.count), (Reason::Request, 2));
    assert_eq!(statement.requested_at, START);
    assert_eq!(statement.generation.from, done.generation.from.number());
    assert_eq!(statement.generation.to, done.generation.to.number());
    let status = world.service.key_status(&operator()).unwrap();
    assert_eq!(statement.directory.to, hex(&status.directory));
    let [erased] = statement.erased.as_slice() else { panic!("one account") };
    let Keys::Payloads(keys) = &erased.keys else { panic!("payloads") };
    // Tag and commitment, where docs/format.md says they are in a record.
    for (tag, commitment) in &headers {
        assert_eq!(&erased.account, tag);
        assert!(keys.contains(commitment), "{commitment}");
    }
    assert_eq!(headers.len(), 2);

    assert_eq!(shred("ex-1").await.receipt, None, "nothing was left to destroy");
    // Under later heads, and after a crash, it is still the same log.
    world.capture("acme", "ex-2").await;
    let later = shred("ex-2").await.receipt.unwrap();
    assert_eq!(later.log.index, receipt.log.index + 1);
    let world = world.crash_and_restart().await;
    verify(&bytes, &world.service.log_public_key()).unwrap();
    let checked = world.service.verify_keys(&operator()).await.unwrap();
    assert!(checked.log_size >= 2, "{checked:?}");
}

#[tokio::test]
async fn accounts_and_hours_have_leaves_of_their_own() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    let done = world.service.shred_account(&owner("acme"), &account("acme")).await.unwrap();
    let statement = done.receipt.unwrap().shred;
    assert_eq!((statement.reason, statement.count), (Reason::Account, 0));
    assert!(matches!(statement.erased.as_slice(), [erased] if erased.keys == Keys::All));

    let on = SettingsChange { capture: Some(true), ..SettingsChange::default() };
    world.set("acme", on).await;
    world.capture("acme", "ex-2").await;
    world.clock.advance_ms(7 * DAY + HOUR);
    world.service.expire(&operator()).await.unwrap();
    let log = std::fs::read(world.folder.path().join("data/log/leaves")).unwrap();
    let log = String::from_utf8_lossy(&log);
    assert!(log.contains(r#""reason":"expiry""#) && log.contains("hours_before"), "{log}");
    for word in ["acme", "ex-1", EMAIL, CARD] {
        assert!(!log.contains(word), "{word} is in the log");
    }
}

#[tokio::test]
async fn the_log_is_published_and_a_log_of_others_is_not_overwritten() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    world.service.shred_account(&owner("acme"), &account("acme")).await.unwrap();
    let _ = world.service.close(std::time::Duration::from_secs(10)).await.unwrap();
    let objects = FolderStore::open(world.folder.path().join("data/objects")).await.unwrap();
    let head = objects.get_file("log/checkpoint").await.unwrap().unwrap();
    let checked = world.service.verify_keys(&operator()).await.unwrap();
    assert_eq!(checked.checkpoint.as_bytes(), head);
    assert_eq!(checked.published_size, checked.log_size);
    let size = checked.log_size;
    let entries = format!("log/tile/entries/000.p/{size}");
    assert!(objects.get_file(&entries).await.unwrap().is_some(), "{entries}");

    let stranger = World::opted_in().await;
    let theirs = stranger.service.verify_keys(&operator()).await.unwrap().checkpoint;
    objects.put_file("log/checkpoint", theirs.clone().into()).await.unwrap();
    let error = world.service.verify_keys(&operator()).await.unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::Damaged, "{error}");
    let world = world.crash_and_restart().await;
    let _ = world.service.close(std::time::Duration::from_secs(10)).await.unwrap();
    let head = objects.get_file("log/checkpoint").await.unwrap().unwrap();
    assert_eq!(head, theirs.as_bytes(), "left as it is");
}

/// Tag and commitment of every record in the spool, in hexadecimal.
async fn records(world: &World) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(world.folder.path().join("data/spool")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        let starts = bytes.windows(4).enumerate().filter(|(_, window)| window == b"OUBR");
        found.extend(
            starts.map(|(at, _)| (hex(&bytes[at + 16..at + 32]), hex(&bytes[at + 40..at + 72]))),
        );
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

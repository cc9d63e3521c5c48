//! Redacting again under other rules.

use std::sync::Mutex;

use oubliette_catalog::{Part, Parts, SettingsChange};
use oubliette_service::{ReredactOutcome, ReredactRange, ServiceErrorKind};

use crate::capturing::RULES;
use crate::support::*;

async fn again(world: &World, dry_run: bool) -> ReredactOutcome {
    let range = ReredactRange::default();
    let acme = account("acme");
    world.service.reredact(&owner("acme"), &acme, range, dry_run, |_| {}).await.unwrap()
}

fn stricter() -> SettingsChange {
    let rules = RULES.replace("BADGE-[0-9]{4}", "ex-[0-9]+").replace("ACME_BADGE", "EXCHANGE");
    SettingsChange { custom_rules: Some(Some(rules)), ..Default::default() }
}

#[tokio::test]
async fn stored_bodies_are_redacted_under_todays_rules_and_their_old_keys_erased() {
    let world = World::opted_in().await;
    for number in 0..3 {
        world.capture("acme", &format!("ex-{number}")).await;
    }
    let agent = world.agent_for("acme").await;
    let before = world.rows("acme").await;
    world.clock.advance_ms(5 * HOUR);
    world.set("acme", stricter()).await;

    let dry = again(&world, true).await;
    assert_eq!((dry.progress.done, dry.progress.total, dry.progress.changed), (6, 6, 3));
    assert_eq!(world.rows("acme").await, before, "a dry run changes nothing");

    let seen = Mutex::new(Vec::new());
    let done = world
        .service
        .reredact(&owner("acme"), &account("acme"), ReredactRange::default(), false, |progress| {
            seen.lock().unwrap().push(progress.clone());
        })
        .await
        .unwrap();
    assert_eq!((done.progress.done, done.progress.changed, done.progress.failed), (6, 3, 0));
    assert_eq!(done.findings, [("acme.badge".to_owned(), 3)].into());
    let seen = seen.into_inner().unwrap();
    assert_eq!((seen[0].done, seen[0].total), (0, 6));
    assert_eq!(seen.last(), Some(&done.progress));

    let read = world.read(&agent, "acme", "ex-1", Part::Request).await.unwrap();
    assert_eq!(read, r#"{"input":"I am <EMAIL_ADDRESS_1>, number <EXCHANGE_1>"}"#);
    let after = world.rows("acme").await;
    for (old, new) in before.iter().zip(&after) {
        assert_eq!((&old.exchange, old.part), (&new.exchange, new.part));
        assert_ne!(old.address, new.address, "a new key for each");
        assert_eq!(old.address.hour(), new.address.hour(), "no body becomes younger");
        assert_eq!(old.captured_at, new.captured_at);
        assert_eq!(new.rule_set.as_ref(), Some(&done.rule_set));
        assert!(new.findings.values().sum::<u64>() >= old.findings.values().sum());
    }
    assert_eq!(world.service.metrics().await.pending_shreds, Some(0), "the old keys are gone");
    assert_eq!(world.service.counters().reredacted, 6);

    let nothing = again(&world, false).await;
    assert_eq!((nothing.progress.done, nothing.progress.changed), (6, 0));
    assert_eq!(world.rows("acme").await, after, "twice is once");
    assert_eq!(world.service.counters().reredacted, 6);

    // The hour of the first capture decides, not that of the second seal.
    world.clock.set(START / HOUR * HOUR + 7 * DAY + 1);
    world.service.expire(&operator()).await.unwrap();
    let gone = world.read(&agent, "acme", "ex-1", Part::Request).await;
    assert_eq!(gone, Err(ServiceErrorKind::Forgotten));
}

#[tokio::test]
async fn a_range_a_shred_and_settings_are_honoured() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    world.clock.advance_ms(HOUR);
    world.capture("acme", "ex-2").await;
    world.capture("acme", "ex-3").await;
    world
        .service
        .shred(&owner("acme"), &account("acme"), &exchange("ex-3"), Parts::Both)
        .await
        .unwrap();
    world.set("acme", stricter()).await;
    let range = ReredactRange { from: Some(START + 1), to: None };
    let acme = account("acme");
    let done = world.service.reredact(&operator(), &acme, range, false, |_| {}).await.unwrap();
    assert_eq!((done.progress.total, done.progress.done, done.progress.changed), (2, 2, 1));
    let agent = world.agent_for("acme").await;
    let outside = world.read(&agent, "acme", "ex-1", Part::Request).await.unwrap();
    assert!(outside.contains("number ex-1"), "{outside}");
    let gone = world.read(&agent, "acme", "ex-3", Part::Request).await;
    assert_eq!(gone, Err(ServiceErrorKind::Forgotten));

    world.set("acme", SettingsChange { redact: Some(false), ..Default::default() }).await;
    let off = world.service.reredact(&owner("acme"), &acme, range, false, |_| {}).await;
    assert_eq!(off.unwrap_err().kind(), ServiceErrorKind::Conflict);
}

#[tokio::test]
async fn bodies_stored_without_redaction_are_redacted_once_it_is_on() {
    let world = World::opted_in().await;
    world.set("acme", SettingsChange { redact: Some(false), ..Default::default() }).await;
    world.capture("acme", "ex-1").await;
    world.set("acme", SettingsChange { redact: Some(true), ..Default::default() }).await;
    assert_eq!(again(&world, false).await.progress.changed, 2);
    let agent = world.agent_for("acme").await;
    for part in [Part::Request, Part::Response] {
        let read = world.read(&agent, "acme", "ex-1", part).await.unwrap();
        assert!(read.contains("<EMAIL_ADDRESS_1>") && !read.contains(EMAIL), "{read}");
    }
}

#[tokio::test]
async fn a_run_that_was_killed_goes_on_where_it_was() {
    let world = World::opted_in().await;
    for number in 0..150 {
        world.capture("acme", &format!("ex-{number}")).await;
    }
    world.set("acme", stricter()).await;
    // Given up after the first page: 256 of 300 bodies.
    let (service, acme) = (world.service.clone(), account("acme"));
    let (reached, mut until) = tokio::sync::mpsc::unbounded_channel();
    let run = tokio::spawn(async move {
        service
            .reredact(&owner("acme"), &acme, ReredactRange::default(), false, |progress| {
                reached.send(progress.done).unwrap();
            })
            .await
    });
    while until.recv().await.unwrap() == 0 {}
    run.abort();
    let _ = run.await;
    let world = world.crash_and_restart().await;
    let done = again(&world, false).await;
    assert_eq!((done.progress.done, done.progress.total), (300, 300));
    // What the first run saved is included; what it did after that is done and not counted.
    assert!((128..=150).contains(&done.progress.changed), "{done:?}");
    assert_eq!(done.progress.failed, 0);
    let agent = world.agent_for("acme").await;
    for number in [0, 77, 149] {
        let read =
            world.read(&agent, "acme", &format!("ex-{number}"), Part::Request).await.unwrap();
        assert!(read.contains("<EXCHANGE_1>"), "{read}");
    }
    let rows = world.rows("acme").await;
    assert!(rows.iter().all(|row| row.rule_set.as_ref() == Some(&done.rule_set)));
    assert_eq!(world.service.metrics().await.pending_shreds, Some(0));
}

//! Consent, redaction, duplicates, limits.

use std::time::Duration;

use oubliette_catalog::{
    CaptureState, Catalog, Exchange, Part, Parts, Role, SettingsChange, SqliteCatalog,
};
use oubliette_redact::CapturedBody;
use oubliette_service::{
    CaptureOutcome, Clock, DropReason, Envelope, Options, PartOutcome, Principal, ServiceErrorKind,
};

use crate::support::*;

const STORED_1: PartOutcome = PartOutcome::Stored { findings: 1 };
const STORED_2: PartOutcome = PartOutcome::Stored { findings: 2 };

fn dropped(reason: DropReason) -> PartOutcome {
    PartOutcome::Dropped { reason }
}

#[tokio::test]
async fn nothing_is_kept_of_an_account_that_has_not_opted_in() {
    let world = World::new().await;
    world.service.create_account(&operator(), &account("acme")).await.unwrap();
    let outcome = world.capture("acme", "ex-1").await;
    assert_eq!(outcomes(&outcome), [dropped(DropReason::NotOptedIn); 2]);
    assert!(world.rows("acme").await.is_empty());
    assert_eq!(world.service.counters().dropped[&DropReason::NotOptedIn], 2);
    let status = world.service.metrics().await;
    assert_eq!((status.spool.spool_bytes, status.queued_captures), (0, 0));
    assert_nowhere(world.folder.path(), &[EMAIL, CARD, "number ex-1", "ex-1"]);

    let unknown = world.try_capture("nobody", "ex-1").await.unwrap_err();
    assert_eq!(unknown.kind(), ServiceErrorKind::NotFound);
}

#[tokio::test]
async fn switching_off_holds_before_the_call_returns() {
    let world = World::opted_in().await;
    assert_eq!(outcomes(&world.capture("acme", "ex-1").await), [STORED_1, STORED_2]);
    // While captures pour in, capture is switched off; what begins afterwards is dropped.
    let pouring: Vec<_> = (0..50)
        .map(|number| {
            let (service, time) = (world.service.clone(), world.clock.now_ms());
            tokio::spawn(async move {
                service.capture(&gateway(), envelope("acme", &format!("p-{number}"), time)).await
            })
        })
        .collect();
    world.set("acme", SettingsChange { capture: Some(false), ..Default::default() }).await;
    let rows_then = world.rows("acme").await.len();
    let bytes_then = world.service.metrics().await.counters.stored;
    assert_eq!(
        outcomes(&world.capture("acme", "ex-2").await),
        [dropped(DropReason::NotOptedIn); 2]
    );
    for capture in pouring {
        capture.await.unwrap().unwrap();
    }
    assert_eq!(world.rows("acme").await.len(), rows_then, "none was stored after the call");
    assert_eq!(world.service.metrics().await.counters.stored, bytes_then.max(rows_then as u64));
    assert!(world.actions("acme").await.contains(&"settings.change".to_owned()));
}

#[tokio::test]
async fn what_is_stored_is_redacted_and_nothing_raw_is_on_the_disk() {
    let world = World::opted_in().await;
    assert_eq!(outcomes(&world.capture("acme", "ex-1").await), [STORED_1, STORED_2]);
    let agent = world.agent_for("acme").await;
    let request = world.read(&agent, "acme", "ex-1", Part::Request).await.unwrap();
    assert_eq!(request, r#"{"input":"I am <EMAIL_ADDRESS_1>, number ex-1"}"#);
    let response = world.read(&agent, "acme", "ex-1", Part::Response).await.unwrap();
    assert!(response.contains("Dear <EMAIL_ADDRESS_1>, your card <CREDIT_CARD_1>"), "{response}");

    let rows = world.rows("acme").await;
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.state == CaptureState::Stored && row.rule_set.is_some()));
    assert_eq!(rows.iter().map(|row| row.findings.values().sum::<u64>()).sum::<u64>(), 3);
    let counters = world.service.counters();
    assert_eq!(counters.findings["EMAIL_ADDRESS"], 2);
    assert!(counters.captured_bytes > 0 && counters.sealed_bytes > 0);

    let closed = world.service.close(Duration::from_secs(20)).await.unwrap();
    assert_eq!((closed.captures, closed.segments), (0, 0));
    assert!(world.folder.path().join("data/objects").is_dir());
    assert_nowhere(world.folder.path(), &[EMAIL, "4111 1111", "Dear <EMAIL", "I am <EMAIL"]);
    let late = world.try_capture("acme", "ex-2").await.unwrap_err();
    assert_eq!(late.kind(), ServiceErrorKind::Unavailable);
}

#[tokio::test]
async fn an_account_may_go_without_redaction_on_record_and_is_still_sealed() {
    let world = World::opted_in().await;
    world.set("acme", SettingsChange { redact: Some(false), ..Default::default() }).await;
    let outcome = world.capture("acme", "ex-1").await;
    assert_eq!(outcomes(&outcome), [PartOutcome::Stored { findings: 0 }; 2]);
    let agent = world.agent_for("acme").await;
    let read = world
        .service
        .read(&agent, &account("acme"), &exchange("ex-1"), Part::Request)
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(read.body.bytes()).contains(EMAIL));
    let recorded = read.body.report().unredacted_by.clone().unwrap();
    assert!(recorded.starts_with("local at "), "{recorded}");
    assert_eq!(read.capture.rule_set, None);
    assert_nowhere(world.folder.path(), &[EMAIL, CARD]);
}

#[tokio::test]
async fn a_repeat_is_answered_and_not_stored_again() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    let before = world.service.metrics().await.spool.spool_bytes;
    assert_eq!(outcomes(&world.capture("acme", "ex-1").await), [PartOutcome::Duplicate; 2]);
    assert_eq!(world.service.metrics().await.spool.spool_bytes, before);
    assert_eq!(world.rows("acme").await.len(), 2);

    // The same exchange many times at once: one is stored, whoever it is.
    let at_once = futures::future::join_all((0..8).map(|_| world.capture("acme", "ex-2"))).await;
    let stored = at_once.iter().filter(|outcome| outcomes(outcome) == [STORED_1, STORED_2]);
    assert_eq!(stored.count(), 1);
    assert_eq!(world.rows("acme").await.len(), 4);

    world
        .service
        .shred(&owner("acme"), &account("acme"), &exchange("ex-1"), Parts::Both)
        .await
        .unwrap();
    assert_eq!(outcomes(&world.capture("acme", "ex-1").await), [PartOutcome::Forgotten; 2]);
}

/// By its time an exchange can tell that it is new to this life of the service. Here it says so wrongly, as
/// that of a gateway whose clock is ahead.
#[tokio::test]
async fn a_repeat_that_looks_new_is_found_out_and_what_was_sealed_in_vain_is_erased() {
    let world = World::opted_in().await;
    let agent = world.agent_for("acme").await;
    world.capture("acme", "ex-1").await;
    world.capture("acme", "ex-2").await;
    let (owner, acme) = (owner("acme"), account("acme"));
    world.service.shred(&owner, &acme, &exchange("ex-2"), Parts::Both).await.unwrap();
    let rows = world.rows("acme").await;

    let world = world.crash_and_restart().await;
    let generation = async || world.service.metrics().await.keys.unwrap().generation;
    let before = generation().await;
    assert_eq!(outcomes(&world.capture("acme", "ex-1").await), [PartOutcome::Duplicate; 2]);
    assert_eq!(outcomes(&world.capture("acme", "ex-2").await), [PartOutcome::Forgotten; 2]);
    let mut tries = 0..500;
    while world.service.metrics().await.pending_shreds != Some(0) {
        assert!(tries.next().is_some(), "not erased");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after = generation().await;
    assert_ne!(after, before, "otherwise nothing was sealed in vain, and this tests nothing");
    assert_eq!(world.rows("acme").await, rows);
    world.read(&agent, "acme", "ex-1", Part::Request).await.unwrap();
    world.read(&agent, "acme", "ex-2", Part::Request).await.unwrap_err();
    // Now it is known.
    assert_eq!(outcomes(&world.capture("acme", "ex-1").await), [PartOutcome::Duplicate; 2]);
    assert_eq!(generation().await, after);
}

#[tokio::test]
async fn the_second_part_may_come_later() {
    let world = World::opted_in().await;
    let whole = envelope("acme", "ex-1", world.clock.now_ms());
    let Envelope { exchange: details, request, response } = whole;
    let first = Envelope { exchange: details.clone(), request, response: None };
    let outcome = world.service.capture(&gateway(), first).await.unwrap();
    assert_eq!((outcome.parts.request, outcome.parts.response), (Some(STORED_1), None));
    let second = Envelope { exchange: details, request: None, response };
    let outcome = world.service.capture(&gateway(), second).await.unwrap();
    assert_eq!((outcome.parts.request, outcome.parts.response), (None, Some(STORED_2)));
    assert_eq!(
        serde_json::to_string(&outcome).unwrap(),
        r#"{"id":"ex-1","account":"acme","parts":{"response":{"outcome":"stored","findings":2}}}"#
    );
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_no_record_without_its_row() {
    let world = World::opted_in().await;
    let capture = world.capture("acme", "ex-1");
    assert!(tokio::time::timeout(Duration::ZERO, capture).await.is_err(), "given up at once");
    let closed = world.service.close(Duration::from_secs(20)).await.unwrap();
    assert_eq!(closed.captures, 0, "closing waits for it");
    assert_eq!(world.rows("acme").await.len(), 2);
}

#[tokio::test]
async fn a_full_queue_drops_and_counts_and_never_waits() {
    let options = Options { queue_captures: 1, ..Options::default() };
    let world = World::with(options).await;
    world.opt_in("acme").await;
    let many = futures::future::join_all((0..20).map(|number| {
        let id = format!("ex-{number}");
        let world = &world;
        async move { world.try_capture("acme", &id).await }
    }))
    .await;
    let busy = many
        .iter()
        .filter(|outcome| {
            outcome.as_ref().is_err_and(|error| error.kind() == ServiceErrorKind::Busy)
        })
        .count();
    assert!(busy > 0 && busy < 20, "{busy}");
    assert_eq!(world.service.counters().busy, busy as u64);
    assert_eq!(world.rows("acme").await.len(), 2 * (20 - busy), "what was taken is kept");
}

#[tokio::test]
async fn what_cannot_be_redacted_is_dropped_with_a_reason() {
    let world = World::opted_in().await;
    world.set("acme", SettingsChange { max_body_bytes: Some(4096), ..Default::default() }).await;
    let outcome = |id: &'static str, body: CapturedBody| {
        let details = Exchange::new(account("acme"), exchange(id), world.clock.now_ms());
        let envelope = Envelope { exchange: details, request: Some(body), response: None };
        let service = world.service.clone();
        async move { service.capture(&gateway(), envelope).await.unwrap().parts.request.unwrap() }
    };
    let encoded = |bytes: &[u8], encoding: &str| {
        CapturedBody::new(bytes.to_vec(), None, Some(encoding.to_owned()))
    };
    let long = CapturedBody::new(vec![b'a'; 4097], None, None);
    assert_eq!(outcome("long", long).await, dropped(DropReason::TooLarge));
    let unknown = encoded(EMAIL.as_bytes(), "rot13");
    assert_eq!(outcome("unknown", unknown).await, dropped(DropReason::UnknownEncoding));
    let damaged = encoded(EMAIL.as_bytes(), "gzip");
    assert_eq!(outcome("damaged", damaged).await, dropped(DropReason::DamagedEncoding));
    assert!(world.rows("acme").await.is_empty());
    assert_nowhere(world.folder.path(), &[EMAIL]);

    let old = envelope("acme", "old", world.clock.now_ms() - 8 * DAY);
    let outcome = world.service.capture(&gateway(), old).await.unwrap();
    assert_eq!(outcomes(&outcome), [dropped(DropReason::Expired); 2]);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_and_change_nothing() {
    let world = World::opted_in().await;
    let refused = |change: SettingsChange| {
        let service = world.service.clone();
        async move {
            service.change_settings(&owner("acme"), &account("acme"), change).await.unwrap_err()
        }
    };
    let rules =
        |text: &str| SettingsChange { custom_rules: Some(Some(text.into())), ..Default::default() };
    let policy =
        |written| SettingsChange { body_policy: Some(Some(written)), ..Default::default() };
    let broken = RULES.replace("BADGE-[0-9]{4}", "BADGE-[0-9");
    for (change, names) in [
        (rules("pack = "), "custom_rules"),
        (rules(&broken), "acme.badge"),
        (rules(&RULES.replace("score", "skore")), "skore"),
        (SettingsChange { operator: Some(Some("shout".into())), ..Default::default() }, "mask"),
        (SettingsChange { retention_days: Some(0), ..Default::default() }, "retention_days"),
        (policy(serde_json::json!({"exclude": ["tools"], "forse": ["a"]})), "\"forse\""),
        (policy(serde_json::json!({"force": ["a[0]"]})), "\"force\""),
        (policy(serde_json::json!(["tools"])), "body_policy"),
    ] {
        let error = refused(change).await;
        assert_eq!(error.kind(), ServiceErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(names) && !error.to_string().contains('\n'), "{error}");
    }
    let stale = SettingsChange { expected_version: Some(0), ..Default::default() };
    assert_eq!(refused(stale).await.kind(), ServiceErrorKind::Conflict);
    let settings = world.service.settings(&owner("acme"), &account("acme")).await.unwrap();
    assert_eq!((settings.version, settings.custom_rules), (1, None));

    world.set("acme", rules(RULES)).await;
    let body = json(r#"{"input":"my BADGE-1234"}"#);
    let details = Exchange::new(account("acme"), exchange("ex-1"), world.clock.now_ms());
    let envelope = Envelope { exchange: details, request: Some(body), response: None };
    let outcome = world.service.capture(&gateway(), envelope).await.unwrap();
    assert_eq!(outcome.parts.request, Some(STORED_1));
}

#[tokio::test]
async fn rules_that_no_longer_compile_fail_closed() {
    let world = World::opted_in().await;
    // A rule that an earlier release accepted and this one does not: written past the service.
    let world = world
        .crash_and_restart_after(|folder| {
            let catalog = folder.join("data/catalog.sqlite");
            let write = move || {
                let rules = RULES.replace("{4}", "{4");
                let change =
                    SettingsChange { custom_rules: Some(Some(rules)), ..Default::default() };
                let catalog = SqliteCatalog::open(catalog).unwrap();
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime
                    .block_on(catalog.change_settings(&account("acme"), change, "a test", START))
                    .unwrap();
            };
            std::thread::spawn(write).join().unwrap();
        })
        .await;
    let outcome = world.capture("acme", "ex-1").await;
    assert_eq!(outcomes(&outcome), [dropped(DropReason::RulesBroken); 2]);
    assert!(world.rows("acme").await.is_empty());
    assert_nowhere(world.folder.path(), &[EMAIL, CARD]);
}

#[tokio::test]
async fn only_a_gateway_of_the_account_may_capture() {
    let world = World::opted_in().await;
    for by in [
        operator(),
        owner("acme"),
        Principal::local(Role::Agent, None),
        Principal::local(Role::Gateway, Some(account("other"))),
    ] {
        let envelope = envelope("acme", "ex-1", world.clock.now_ms());
        let error = world.service.capture(&by, envelope).await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Forbidden, "{by:?}");
    }
    let details = Exchange::new(account("acme"), exchange("ex-1"), START);
    let empty = Envelope { exchange: details, request: None, response: None };
    let error = world.service.capture(&gateway(), empty).await.unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::Invalid);
}

/// A pack as an account might write it.
pub(crate) const RULES: &str = r#"
pack = "acme"
[[rule]]
id = "acme.badge"
entity = "ACME_BADGE"
category = "pii"
description = "Acme staff badge"
pattern = 'BADGE-[0-9]{4}'
boundary = "word"
score = 0.9
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_goes_back_loses_nothing_that_was_acknowledged() {
    let mut world = World::opted_in().await;
    let agent = world.agent_for("acme").await;
    let stored = |outcome: &CaptureOutcome| {
        outcomes(outcome).iter().all(|part| matches!(part, PartOutcome::Stored { .. }))
    };
    let times = [START, START - 3 * HOUR, START - 2 * DAY, START + HOUR, START];
    for (number, at) in times.into_iter().enumerate() {
        world.clock.set(at);
        assert!(stored(&world.capture("acme", &format!("ex-{number}")).await), "{at}");
        if number == 2 {
            world = world.crash_and_restart().await;
        }
    }
    // To where everything was forgotten before there was an account: refused, and said so.
    world.clock.set(START - 30 * DAY);
    let early = world.capture("acme", "too-early").await;
    assert_eq!(outcomes(&early), [dropped(DropReason::Expired); 2]);
    world.clock.set(START + HOUR);
    for number in 0..times.len() {
        let read = world.read(&agent, "acme", &format!("ex-{number}"), Part::Request).await;
        assert!(read.unwrap().contains(&format!("number ex-{number}")));
    }
}

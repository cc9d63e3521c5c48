//! Who may read what, until when, and what is written down about it.

use std::time::Duration;

use oubliette_catalog::{Exchange, Part, Parts, Role, Scope, SettingsChange};
use oubliette_service::{Clock as _, Envelope, NewGrant, ServiceErrorKind};

use crate::support::*;

#[tokio::test]
async fn a_body_is_read_only_under_a_live_grant_and_each_read_is_audited() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    let agent = world.agent().await;
    let refused = Err(ServiceErrorKind::Forbidden);
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Request).await, refused);
    assert_eq!(
        world.read(&agent, "acme", "no-such", Part::Request).await,
        refused,
        "learns nothing"
    );
    assert_eq!(world.read(&agent, "nobody", "ex-1", Part::Request).await, refused);
    for by in [owner("acme"), operator(), gateway()] {
        assert_eq!(world.read(&by, "acme", "ex-1", Part::Request).await, refused, "{by:?}");
    }
    assert_eq!(world.service.counters().reads, 0);

    let until = START + HOUR;
    let (ticket, grant) =
        world.grant("acme", &agent, until, Scope::Account, Parts::Request).await.unwrap();
    let read = world
        .service
        .read(&agent, &account("acme"), &exchange("ex-1"), Part::Request)
        .await
        .unwrap();
    assert_eq!((&read.grant, &read.ticket), (&grant, &ticket));
    assert_eq!(read.body.content_type(), Some("application/json"));
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Response).await, refused, "not this part");
    let never = world.read(&agent, "acme", "no-such", Part::Request).await;
    assert_eq!(never, Err(ServiceErrorKind::NotFound));

    let page = world.service.audit(&owner("acme"), &account("acme"), None, 100).await.unwrap();
    let reads: Vec<_> =
        page.items.iter().filter(|row| row.event.action == "capture.read").collect();
    assert_eq!(reads.len(), 1);
    assert_eq!(reads[0].event.subject, "ex-1/request");
    assert_eq!(reads[0].event.actor, format!("sam ({})", agent.key_id()));
    assert_eq!(reads[0].event.detail["grant"], grant.as_str());
    let refusals = page.items.iter().filter(|row| row.event.action == "capture.read_refused");
    assert_eq!(refusals.count(), 7);
    assert_eq!(world.service.counters().reads, 1);

    world.clock.set(until);
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Request).await, refused, "it has ended");
}

/// What the account wants left alone, taken out and tokenized is, and only a grant turns a token back.
#[tokio::test]
async fn a_body_policy_holds_and_tokens_turn_back_under_a_grant() {
    let world = World::opted_in().await;
    let written = serde_json::json!({
        "exclude": ["metadata"], "force": ["note"], "operators": {"EMAIL_ADDRESS": "tokenize"},
        "apis": {"openai.embeddings": {"force": ["input"]}},
    });
    let change = SettingsChange { body_policy: Some(Some(written.clone())), ..Default::default() };
    world.set("acme", change).await;
    let settings = world.service.settings(&owner("acme"), &account("acme")).await.unwrap();
    assert_eq!(settings.body_policy, Some(written));
    let body = format!(r#"{{"metadata":"{CARD}","note":"so","input":"{EMAIL}, {CARD}"}}"#);
    for (id, api) in [("ex-1", "openai.chat"), ("ex-2", "openai.embeddings")] {
        let mut details = Exchange::new(account("acme"), exchange(id), world.clock.now_ms());
        details.api = Some(api.into());
        let envelope = Envelope { exchange: details, request: Some(json(&body)), response: None };
        world.service.capture(&gateway(), envelope).await.unwrap();
    }
    let agent = world.agent_for("acme").await;
    let read = world.read(&agent, "acme", "ex-1", Part::Request).await.unwrap();
    let starts = format!(r#"{{"metadata":"{CARD}","note":"<REDACTED>","input":"<EMAIL_ADDRESS~"#);
    assert!(read.starts_with(&starts) && read.ends_with(r#">, <CREDIT_CARD_1>"}"#), "{read}");
    let of_api = world.read(&agent, "acme", "ex-2", Part::Request).await.unwrap();
    let left_out = r#"{"metadata":"<CREDIT_CARD_1>","note":"so","input":"<REDACTED>"}"#;
    assert_eq!(of_api, left_out, "an API's paths stand in place of the others");

    let (acme, ex_1) = (account("acme"), exchange("ex-1"));
    let revealed = world.service.reveal(&agent, &acme, &ex_1, Part::Request).await.unwrap();
    let text = String::from_utf8(revealed.bytes().to_vec()).unwrap();
    assert!(text.ends_with(&format!(r#""input":"{EMAIL}, <CREDIT_CARD_1>"}}"#)), "{text}");
    let stranger = world.agent().await;
    let refused = world.service.reveal(&stranger, &acme, &ex_1, Part::Request).await.unwrap_err();
    assert_eq!(refused.kind(), ServiceErrorKind::Forbidden);
    let page = world.service.audit(&owner("acme"), &acme, None, 100).await.unwrap();
    let count = |action: &str| page.items.iter().filter(|row| row.event.action == action).count();
    assert_eq!((count("capture.reveal"), count("capture.read_refused")), (1, 1));
}

#[tokio::test]
async fn a_grant_covers_its_scope_and_ends_with_its_ticket() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    world.capture("acme", "ex-2").await;
    let agent = world.agent().await;
    let only = Scope::Exchanges { ids: vec![exchange("ex-1")] };
    let (ticket, _) = world.grant("acme", &agent, START + DAY, only, Parts::Both).await.unwrap();
    assert!(world.read(&agent, "acme", "ex-1", Part::Response).await.is_ok());
    let refused = Err(ServiceErrorKind::Forbidden);
    assert_eq!(world.read(&agent, "acme", "ex-2", Part::Response).await, refused);
    world.service.close_ticket(&owner("acme"), &account("acme"), &ticket).await.unwrap();
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Response).await, refused);

    let then = Scope::Time { from: START - 1, to: START };
    world.grant("acme", &agent, START + DAY, then, Parts::Both).await.unwrap();
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Response).await, refused);
    let now = Scope::Time { from: START, to: START + 1 };
    let (_, grant) = world.grant("acme", &agent, START + DAY, now, Parts::Both).await.unwrap();
    assert!(world.read(&agent, "acme", "ex-1", Part::Response).await.is_ok());
    world.service.revoke_grant(&owner("acme"), &account("acme"), &grant).await.unwrap();
    assert_eq!(world.read(&agent, "acme", "ex-1", Part::Response).await, refused);
}

#[tokio::test]
async fn a_segment_that_vanished_is_told_from_one_whose_time_was_up() {
    let world = World::opted_in().await;
    world.capture("acme", "ex-1").await;
    let agent = world.agent_for("acme").await;
    let _ = world.service.close(Duration::from_secs(20)).await.unwrap();
    assert!(world.read(&agent, "acme", "ex-1", Part::Request).await.is_ok(), "from the store");
    std::fs::remove_dir_all(world.folder.path().join("data/objects/r7")).unwrap();
    // The other body, since the one that was read is still in memory, sealed.
    let missing = world.read(&agent, "acme", "ex-1", Part::Response).await;
    assert_eq!(missing, Err(ServiceErrorKind::Damaged));
    world.set("acme", SettingsChange { retention_days: Some(30), ..Default::default() }).await;
    world.clock.advance_ms(9 * DAY);
    let expired = world.read(&agent, "acme", "ex-1", Part::Response).await;
    assert_eq!(expired, Err(ServiceErrorKind::Forgotten));
}

#[tokio::test]
async fn grants_are_for_agents_and_by_owners() {
    let world = World::opted_in().await;
    world.service.create_account(&operator(), &account("other")).await.unwrap();
    let agent = world.agent().await;
    let past = world.grant("acme", &agent, START, Scope::Account, Parts::Both).await.unwrap_err();
    assert_eq!(past.kind(), ServiceErrorKind::Invalid);
    for nobody in [&gateway(), &operator()] {
        let error =
            world.grant("acme", nobody, START + 1, Scope::Account, Parts::Both).await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Invalid, "no agent's key");
    }
    let ticket =
        world.service.open_ticket(&owner("acme"), &account("acme"), "slow".into()).await.unwrap();
    let grant = NewGrant {
        agent: agent.key_id().into(),
        until: START + 1,
        scope: Scope::Account,
        parts: Parts::Both,
    };
    for by in [operator(), owner("other"), agent.clone()] {
        let error = world
            .service
            .grant(&by, &account("acme"), &ticket.id, grant.clone())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Forbidden, "{by:?}");
    }
    world.service.revoke_api_key(&operator(), agent.key_id()).await.unwrap();
    let error = world.service.grant(&owner("acme"), &account("acme"), &ticket.id, grant).await;
    assert_eq!(error.unwrap_err().kind(), ServiceErrorKind::Invalid, "revoked");
}

#[tokio::test]
async fn api_keys_open_what_they_are_for_and_nothing_else() {
    let world = World::opted_in().await;
    let service = &world.service;
    let made = service
        .create_api_key(&operator(), Role::Owner, Some(account("acme")), "console".into())
        .await
        .unwrap();
    let presented = made.expose_secret().to_owned();
    let who = service.authenticate(&presented).await.unwrap();
    assert_eq!((who.role(), who.name()), (Role::Owner, "console"));
    assert!(service.settings(&who, &account("acme")).await.is_ok());
    assert!(!format!("{made:?}").contains(&presented[presented.len() - 64..]));

    let mut other_secret = presented.clone();
    let last = if presented.ends_with('0') { "1" } else { "0" };
    other_secret.replace_range(presented.len() - 1.., last);
    let other_id = presented.replacen("oub_k", "oub_q", 1);
    for wrong in [other_secret.as_str(), other_id.as_str(), "", "oub_"] {
        let error = service.authenticate(wrong).await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Unauthenticated);
        assert_eq!(error.to_string(), service.authenticate("x").await.unwrap_err().to_string());
    }
    assert_nowhere(world.folder.path(), &[&presented[presented.len() - 64..]]);
    service.revoke_api_key(&operator(), who.key_id()).await.unwrap();
    assert!(service.authenticate(&presented).await.is_err(), "revoked");
    let refused = service.create_api_key(&who, Role::Agent, None, "x".into()).await;
    assert_eq!(refused.unwrap_err().kind(), ServiceErrorKind::Forbidden);
}

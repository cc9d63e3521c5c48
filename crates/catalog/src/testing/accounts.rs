//! Accounts and settings.

use super::{Bench, NOW, account, both, enter, exchange_id, refused, with_acme};
use crate::{
    account::{Attachments, Consent, Settings, SettingsChange},
    error::CatalogErrorKind::{Conflict, Invalid, NotFound},
    key::{ApiKey, Role},
    page::{CaptureFilter, Order},
    shred::ShredTarget,
    ticket::Ticket,
};

pub(super) async fn all(bench: &dyn Bench) {
    off_by_default(bench).await;
    changes(bench).await;
    listing(bench).await;
    removal(bench).await;
}

async fn off_by_default(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let settings = catalog.account(&acme).await.unwrap().settings;
    assert!(!settings.capture, "nothing is captured without consent");
    assert!(settings.redact);
    assert_eq!(settings.retention_days, 7);
    assert_eq!(settings.attachments, Attachments::Drop);
    assert_eq!(settings, Settings::new(NOW));

    refused(catalog.create_account(&acme, NOW), Conflict).await;
    refused(catalog.account(&account("nobody")), NotFound).await;
    let change = SettingsChange { capture: Some(true), ..Default::default() };
    refused(catalog.change_settings(&account("nobody"), change, "olga", NOW), NotFound).await;
}

async fn changes(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let change = SettingsChange {
        capture: Some(true),
        redact: Some(false),
        retention_days: Some(30),
        max_body_bytes: Some(1 << 30),
        operator: Some(Some("mask".into())),
        attachments: Some(Attachments::KeepStripped),
        custom_rules: Some(Some("[[rules]]\nid = \"x\"".into())),
        body_policy: Some(Some(serde_json::json!({"exclude": ["tools"]}))),
        expected_version: Some(0),
    };
    let changed = catalog.change_settings(&acme, change, "olga", NOW + 1).await.unwrap();
    let expected = Settings {
        capture: true,
        redact: false,
        redaction_consent: Some(Consent { by: "olga".into(), at: NOW + 1 }),
        retention_days: 30,
        max_body_bytes: 1 << 30,
        operator: Some("mask".into()),
        attachments: Attachments::KeepStripped,
        custom_rules: Some("[[rules]]\nid = \"x\"".into()),
        body_policy: Some(serde_json::json!({"exclude": ["tools"]})),
        version: 1,
        updated_at: NOW + 1,
        updated_by: "olga".into(),
    };
    assert_eq!(changed, expected);
    assert_eq!(catalog.account(&acme).await.unwrap().settings, expected);

    let stale =
        SettingsChange { capture: Some(false), expected_version: Some(0), ..Default::default() };
    refused(catalog.change_settings(&acme, stale, "olga", NOW + 2), Conflict).await;
    let never = SettingsChange { retention_days: Some(0), ..Default::default() };
    refused(catalog.change_settings(&acme, never, "olga", NOW + 2), Invalid).await;
    assert_eq!(catalog.account(&acme).await.unwrap().settings, expected, "nothing changed");

    let back = SettingsChange {
        redact: Some(true),
        operator: Some(None),
        custom_rules: Some(None),
        ..Default::default()
    };
    let changed = catalog.change_settings(&acme, back, "otto", NOW + 3).await.unwrap();
    assert_eq!(
        (changed.redaction_consent, changed.operator, changed.custom_rules, changed.version),
        (None, None, None, 2)
    );
    assert!(changed.capture, "what is not named stays");
}

async fn listing(bench: &dyn Bench) {
    let catalog = bench.fresh().await;
    let names = ["zeta", "alpha", "mid", "removed", "last"];
    for name in names {
        catalog.create_account(&account(name), NOW).await.unwrap();
    }
    catalog.remove_account(&account("removed"), NOW).await.unwrap();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = catalog.accounts(cursor, 2).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|account| account.id.to_string()));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["zeta", "alpha", "mid", "last"]);
}

async fn removal(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let change = SettingsChange {
        capture: Some(true),
        custom_rules: Some(Some("names = 'of people'".into())),
        ..Default::default()
    };
    catalog.change_settings(&acme, change, "olga", NOW).await.unwrap();
    enter(&*catalog, vec![both(&acme, "x1", NOW, 1), both(&acme, "x2", NOW, 2)]).await;
    let key = ApiKey {
        id: "key".into(),
        role: Role::Owner,
        account: Some(acme.clone()),
        name: "olga".into(),
        hash: [7; 32],
        created_at: NOW,
        revoked_at: None,
    };
    catalog.insert_api_key(key).await.unwrap();
    let ticket = Ticket {
        id: "t".into(),
        account: acme.clone(),
        subject: "a case".into(),
        opened_by: "olga".into(),
        opened_at: NOW,
        closed_at: None,
    };
    catalog.open_ticket(ticket).await.unwrap();

    let shred = catalog.remove_account(&acme, NOW + 9).await.unwrap();
    assert_eq!((&shred.account, shred.target), (&acme, ShredTarget::Account));
    let pending = catalog.pending_shreds(None, 10).await.unwrap();
    assert_eq!(pending, std::slice::from_ref(&shred));

    let tombstone = catalog.account(&acme).await.unwrap();
    assert_eq!(tombstone.removed_at, Some(NOW + 9));
    assert_eq!(tombstone.settings, Settings::new(NOW + 9), "nothing of its own is left");
    assert_eq!(catalog.api_key("key").await.unwrap(), None);
    refused(catalog.exchange(&acme, &exchange_id("x1")), NotFound).await;
    refused(catalog.captures(&acme, CaptureFilter::default()), NotFound).await;
    refused(catalog.ticket(&acme, "t"), NotFound).await;
    refused(catalog.remove_account(&acme, NOW), NotFound).await;
    refused(catalog.create_account(&acme, NOW), Conflict).await;
    assert!(catalog.audit(Some(&acme), Order::Newest, None, 1).await.is_ok(), "audit rows stay");

    assert_eq!(catalog.sweep(1).await.unwrap(), 1);
    assert_eq!(catalog.sweep(100).await.unwrap(), 1);
    assert_eq!(catalog.sweep(100).await.unwrap(), 0);
    catalog.complete_shreds(vec![shred.id]).await.unwrap();
    assert_eq!(catalog.pending_shreds(None, 10).await.unwrap(), []);
}

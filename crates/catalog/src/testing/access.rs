//! API keys, tickets and grants.

use super::{Bench, NOW, account, refused, with_acme};
use crate::{
    account::AccountId,
    capture::Parts,
    error::CatalogErrorKind::{Conflict, Invalid, NotFound},
    key::{ApiKey, Role},
    ticket::{Grant, Scope, Ticket},
};

pub(super) async fn all(bench: &dyn Bench) {
    api_keys(bench).await;
    tickets(bench).await;
    grants(bench).await;
    grants_end_with_their_ticket(bench).await;
}

fn key(id: &str, role: Role, account: Option<&AccountId>) -> ApiKey {
    ApiKey {
        id: id.into(),
        role,
        account: account.cloned(),
        name: format!("name of {id}"),
        hash: std::array::from_fn(|n| u8::try_from(n).unwrap()),
        created_at: NOW,
        revoked_at: None,
    }
}

fn ticket(account: &AccountId, id: &str) -> Ticket {
    Ticket {
        id: id.into(),
        account: account.clone(),
        subject: "answers are cut off".into(),
        opened_by: "olga".into(),
        opened_at: NOW,
        closed_at: None,
    }
}

fn grant(account: &AccountId, ticket: &str, id: &str, agent: &str) -> Grant {
    Grant {
        id: id.into(),
        ticket: ticket.into(),
        account: account.clone(),
        agent: agent.into(),
        scope: Scope::Account,
        parts: Parts::Both,
        granted_by: "olga".into(),
        not_before: NOW,
        until: NOW + 1000,
        revoked_at: None,
    }
}

async fn api_keys(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let gateway = key("gateway", Role::Gateway, None);
    let owner = key("owner", Role::Owner, Some(&acme));
    for new in [&gateway, &owner] {
        catalog.insert_api_key(new.clone()).await.unwrap();
    }
    assert_eq!(catalog.api_key("owner").await.unwrap(), Some(owner.clone()));
    assert_eq!(catalog.api_key("other").await.unwrap(), None);
    assert_eq!(catalog.api_keys(None).await.unwrap(), [gateway, owner.clone()]);
    assert_eq!(catalog.api_keys(Some(&acme)).await.unwrap(), std::slice::from_ref(&owner));

    refused(catalog.insert_api_key(key("owner", Role::Agent, None)), Conflict).await;
    refused(catalog.insert_api_key(key("o", Role::Owner, None)), Invalid).await;
    refused(catalog.insert_api_key(key("o", Role::Operator, Some(&acme))), Invalid).await;
    let nobody = account("nobody");
    refused(catalog.insert_api_key(key("o", Role::Owner, Some(&nobody))), NotFound).await;

    let revoked = catalog.revoke_api_key("owner", NOW + 1).await.unwrap();
    assert_eq!(revoked, ApiKey { revoked_at: Some(NOW + 1), ..owner });
    assert_eq!(catalog.revoke_api_key("owner", NOW + 2).await.unwrap(), revoked);
    assert_eq!(catalog.api_key("owner").await.unwrap(), Some(revoked));
    refused(catalog.revoke_api_key("other", NOW), NotFound).await;
}

async fn tickets(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let other = account("other");
    catalog.create_account(&other, NOW).await.unwrap();
    for id in ["t1", "t2", "t3"] {
        catalog.open_ticket(ticket(&acme, id)).await.unwrap();
    }
    assert_eq!(catalog.ticket(&acme, "t2").await.unwrap(), ticket(&acme, "t2"));
    refused(catalog.open_ticket(ticket(&other, "t1")), Conflict).await;
    refused(catalog.open_ticket(ticket(&account("nobody"), "t9")), NotFound).await;
    let empty = Ticket { subject: String::new(), ..ticket(&acme, "t9") };
    refused(catalog.open_ticket(empty), Invalid).await;
    refused(catalog.ticket(&other, "t1"), NotFound).await;
    refused(catalog.close_ticket(&other, "t1", NOW), NotFound).await;

    let first = catalog.tickets(&acme, None, 2).await.unwrap();
    let ids = |tickets: &[Ticket]| tickets.iter().map(|t| t.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first.items), ["t3", "t2"]);
    let second = catalog.tickets(&acme, first.next, 2).await.unwrap();
    assert_eq!((ids(&second.items), second.next), (vec!["t1".to_owned()], None));
    assert_eq!(catalog.tickets(&other, None, 2).await.unwrap().items, []);
}

async fn grants(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    let other = account("other");
    catalog.create_account(&other, NOW).await.unwrap();
    catalog.open_ticket(ticket(&acme, "t1")).await.unwrap();
    catalog.open_ticket(ticket(&acme, "t2")).await.unwrap();
    let ids = [super::exchange_id("x1"), super::exchange_id("x2")].to_vec();
    let listed = Grant {
        scope: Scope::Exchanges { ids },
        parts: Parts::Response,
        ..grant(&acme, "t1", "listed", "sam")
    };
    let timed =
        Grant { scope: Scope::Time { from: 5, to: 9 }, ..grant(&acme, "t2", "timed", "sam") };
    let theirs = grant(&acme, "t2", "theirs", "kim");
    for new in [&listed, &timed, &theirs] {
        catalog.create_grant(new.clone()).await.unwrap();
    }
    assert_eq!(catalog.grant(&acme, "listed").await.unwrap(), listed);
    let all = catalog.grants(&acme, None).await.unwrap();
    assert_eq!(all, [listed.clone(), timed.clone(), theirs.clone()]);
    assert_eq!(catalog.grants(&acme, Some("t2")).await.unwrap(), [timed.clone(), theirs]);

    let live = |agent: &'static str, account: &AccountId, now| {
        let (catalog, account) = (catalog.clone(), account.clone());
        async move { catalog.live_grants(agent, &account, now).await.unwrap() }
    };
    assert_eq!(live("sam", &acme, NOW).await, [listed.clone(), timed.clone()]);
    assert_eq!(live("sam", &acme, NOW + 999).await.len(), 2);
    assert_eq!(live("sam", &acme, NOW - 1).await, [], "not yet");
    assert_eq!(live("sam", &acme, NOW + 1000).await, [], "no longer");
    assert_eq!(live("sam", &other, NOW).await, [], "another account");
    assert_eq!(live("sa", &acme, NOW).await, [], "another agent");

    let revoked = catalog.revoke_grant(&acme, "listed", NOW + 1).await.unwrap();
    assert_eq!(revoked.revoked_at, Some(NOW + 1));
    assert_eq!(catalog.revoke_grant(&acme, "listed", NOW + 2).await.unwrap(), revoked);
    assert_eq!(live("sam", &acme, NOW + 1).await, std::slice::from_ref(&timed));

    refused(catalog.create_grant(timed), Conflict).await;
    refused(catalog.create_grant(grant(&acme, "t9", "g", "sam")), NotFound).await;
    refused(catalog.create_grant(grant(&other, "t1", "g", "sam")), NotFound).await;
    let over = Grant { until: NOW, ..grant(&acme, "t1", "g", "sam") };
    refused(catalog.create_grant(over), Invalid).await;
    refused(catalog.grant(&other, "timed"), NotFound).await;
    refused(catalog.revoke_grant(&other, "timed", NOW), NotFound).await;
    refused(catalog.live_grants("sam", &account("nobody"), NOW), NotFound).await;
}

async fn grants_end_with_their_ticket(bench: &dyn Bench) {
    let (catalog, acme) = with_acme(bench).await;
    catalog.open_ticket(ticket(&acme, "t1")).await.unwrap();
    catalog.open_ticket(ticket(&acme, "t2")).await.unwrap();
    catalog.create_grant(grant(&acme, "t1", "g1", "sam")).await.unwrap();
    catalog.create_grant(grant(&acme, "t2", "g2", "sam")).await.unwrap();
    let closed = catalog.close_ticket(&acme, "t1", NOW + 1).await.unwrap();
    assert_eq!(closed.closed_at, Some(NOW + 1));
    assert_eq!(catalog.close_ticket(&acme, "t1", NOW + 2).await.unwrap(), closed);
    let live = catalog.live_grants("sam", &acme, NOW + 1).await.unwrap();
    assert_eq!(live.iter().map(|g| &g.id[..]).collect::<Vec<_>>(), ["g2"]);
    assert_eq!(catalog.grant(&acme, "g1").await.unwrap().revoked_at, Some(NOW + 1));
    refused(catalog.create_grant(grant(&acme, "t1", "g3", "sam")), Conflict).await;
}

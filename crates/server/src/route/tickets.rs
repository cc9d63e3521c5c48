//! Tickets and the grants given for them.

use axum::{Json as Shown, extract::State, http::StatusCode};
use oubliette_service::{
    NewGrant,
    catalog::{AccountId, ExchangeId, Grant, Parts, Scope, Ticket},
};
use serde::{Deserialize, Serialize};

use super::{Answer, Nothing, next, paging};
use crate::{
    api_error::ApiError,
    app::App,
    guard::Caller,
    input::{
        fields::{Detail, Id},
        json::{Input, Json},
        path::Path,
        query::Query,
        time::{Time, shown},
    },
};

/// `POST /v1/accounts/{account}/tickets`
pub(crate) async fn open(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    Json(input): Json<TicketInput>,
) -> Result<(StatusCode, Shown<TicketView>), ApiError> {
    let ticket = app.oubliette().open_ticket(&by, &path.account()?, input.subject.0).await?;
    Ok((StatusCode::CREATED, Shown(TicketView::of(ticket))))
}

/// `GET /v1/accounts/{account}/tickets`
pub(crate) async fn list(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    query: Query,
) -> Answer<TicketList> {
    let (cursor, limit) = paging(query)?;
    let page = app.oubliette().tickets(&by, &path.account()?, cursor, limit).await?;
    Ok(Shown(TicketList {
        tickets: page.items.into_iter().map(TicketView::of).collect(),
        next: next(page.next),
    }))
}

/// `POST /v1/accounts/{account}/tickets/{ticket}/close`
pub(crate) async fn close(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<TicketView> {
    let ticket = path.text("ticket");
    Ok(Shown(TicketView::of(app.oubliette().close_ticket(&by, &path.account()?, ticket).await?)))
}

/// `POST /v1/accounts/{account}/tickets/{ticket}/grants`
pub(crate) async fn grant(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    Json(input): Json<GrantInput>,
) -> Result<(StatusCode, Shown<GrantView>), ApiError> {
    let grant = NewGrant {
        agent: input.agent.0,
        until: input.until.0,
        scope: input.scope.into_scope()?,
        parts: input.parts,
    };
    let ticket = path.text("ticket");
    let grant = app.oubliette().grant(&by, &path.account()?, ticket, grant).await?;
    Ok((StatusCode::CREATED, Shown(GrantView::of(grant))))
}

/// `GET /v1/accounts/{account}/grants`
pub(crate) async fn grants(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    query: Query,
) -> Answer<GrantList> {
    query.done()?;
    let grants = app.oubliette().grants(&by, &path.account()?).await?;
    Ok(Shown(GrantList { grants: grants.into_iter().map(GrantView::of).collect() }))
}

/// `DELETE /v1/accounts/{account}/grants/{grant}`
pub(crate) async fn revoke(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<GrantView> {
    let grant = path.text("grant");
    Ok(Shown(GrantView::of(app.oubliette().revoke_grant(&by, &path.account()?, grant).await?)))
}

/// A new ticket.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TicketInput {
    subject: Detail,
}

/// A new grant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantInput {
    agent: Detail,
    until: Time,
    scope: ScopeInput,
    #[serde(default)]
    parts: Parts,
}

impl Input for TicketInput {}
impl Input for GrantInput {}

/// A scope. A struct and not a tagged enum: serde reads those by way of a copy in which it loses
/// the place of what is wrong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeInput {
    kind: ScopeKind,
    ids: Option<Vec<Id<ExchangeId>>>,
    from: Option<Time>,
    to: Option<Time>,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum ScopeKind {
    Account,
    Exchanges,
    Time,
}

impl ScopeInput {
    fn into_scope(self) -> Result<Scope, ApiError> {
        match (self.kind, self.ids, self.from, self.to) {
            (ScopeKind::Account, None, None, None) => Ok(Scope::Account),
            (ScopeKind::Exchanges, Some(ids), None, None) => {
                Ok(Scope::Exchanges { ids: ids.into_iter().map(|Id(id)| id).collect() })
            }
            (ScopeKind::Time, None, Some(from), Some(to)) => {
                Ok(Scope::Time { from: from.0, to: to.0 })
            }
            _ => Err(ApiError::invalid(
                "scope: kind account stands alone, exchanges takes ids, time takes from and to",
            )),
        }
    }
}

/// A page of tickets.
#[derive(Debug, Serialize)]
pub(crate) struct TicketList {
    tickets: Vec<TicketView>,
    next: Option<String>,
}

/// A ticket.
#[derive(Debug, Serialize)]
pub(crate) struct TicketView {
    id: String,
    account: AccountId,
    subject: String,
    opened_by: String,
    opened_at: Time,
    closed_at: Option<Time>,
}

impl TicketView {
    fn of(ticket: Ticket) -> Self {
        Self {
            id: ticket.id,
            account: ticket.account,
            subject: ticket.subject,
            opened_by: ticket.opened_by,
            opened_at: Time(ticket.opened_at),
            closed_at: shown(ticket.closed_at),
        }
    }
}

/// An account's grants.
#[derive(Debug, Serialize)]
pub(crate) struct GrantList {
    grants: Vec<GrantView>,
}

/// A grant.
#[derive(Debug, Serialize)]
pub(crate) struct GrantView {
    id: String,
    ticket: String,
    account: AccountId,
    agent: String,
    scope: ScopeView,
    parts: Parts,
    granted_by: String,
    not_before: Time,
    until: Time,
    revoked_at: Option<Time>,
}

#[derive(Debug, Serialize)]
struct ScopeView {
    kind: ScopeKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<Vec<ExchangeId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Time>,
}

impl GrantView {
    fn of(grant: Grant) -> Self {
        let (kind, ids, from, to) = match grant.scope {
            Scope::Account => (ScopeKind::Account, None, None, None),
            Scope::Exchanges { ids } => (ScopeKind::Exchanges, Some(ids), None, None),
            Scope::Time { from, to } => (ScopeKind::Time, None, Some(from), Some(to)),
        };
        Self {
            id: grant.id,
            ticket: grant.ticket,
            account: grant.account,
            agent: grant.agent,
            scope: ScopeView { kind, ids, from: shown(from), to: shown(to) },
            parts: grant.parts,
            granted_by: grant.granted_by,
            not_before: Time(grant.not_before),
            until: Time(grant.until),
            revoked_at: shown(grant.revoked_at),
        }
    }
}

//! Accounts, their settings and their audit rows.

use axum::{Json as Shown, extract::State, http::StatusCode};
use oubliette_service::catalog::{
    Account, AccountId, Attachments, AuditRow, Settings, SettingsChange,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, next, paging};
use crate::{
    api_error::ApiError,
    app::App,
    guard::Caller,
    input::{
        fields::Id,
        json::{Input, Json},
        path::Path,
        query::Query,
        time::{Time, shown},
    },
};

/// `POST /v1/accounts`
pub(crate) async fn create(
    State(app): State<App>,
    Caller(by): Caller,
    Json(input): Json<AccountInput>,
) -> Result<(StatusCode, Shown<AccountView>), ApiError> {
    let account = app.oubliette().create_account(&by, &input.id.0).await?;
    Ok((StatusCode::CREATED, Shown(AccountView::of(account))))
}

/// `GET /v1/accounts`
pub(crate) async fn list(
    State(app): State<App>,
    Caller(by): Caller,
    query: Query,
) -> Answer<AccountList> {
    let (cursor, limit) = paging(query)?;
    let page = app.oubliette().accounts(&by, cursor, limit).await?;
    Ok(Shown(AccountList {
        accounts: page.items.into_iter().map(AccountView::of).collect(),
        next: next(page.next),
    }))
}

/// `GET /v1/accounts/{account}`
pub(crate) async fn show(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
) -> Answer<AccountView> {
    Ok(Shown(AccountView::of(app.oubliette().account(&by, &path.account()?).await?)))
}

/// `GET /v1/accounts/{account}/settings`
pub(crate) async fn settings(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
) -> Answer<SettingsView> {
    Ok(Shown(SettingsView::of(app.oubliette().settings(&by, &path.account()?).await?)))
}

/// `PATCH /v1/accounts/{account}/settings`
pub(crate) async fn change_settings(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    Json(change): Json<SettingsChange>,
) -> Answer<SettingsView> {
    let changed = app.oubliette().change_settings(&by, &path.account()?, change).await?;
    Ok(Shown(SettingsView::of(changed)))
}

/// `GET /v1/accounts/{account}/audit`
pub(crate) async fn audit(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    query: Query,
) -> Answer<AuditList> {
    let (cursor, limit) = paging(query)?;
    let page = app.oubliette().audit(&by, &path.account()?, cursor, limit).await?;
    Ok(Shown(AuditList {
        audit: page.items.into_iter().map(AuditView::of).collect(),
        next: next(page.next),
    }))
}

/// A new account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountInput {
    id: Id<AccountId>,
}

impl Input for AccountInput {}
impl Input for SettingsChange {}

/// A page of accounts.
#[derive(Debug, Serialize)]
pub(crate) struct AccountList {
    accounts: Vec<AccountView>,
    next: Option<String>,
}

/// An account.
#[derive(Debug, Serialize)]
pub(crate) struct AccountView {
    id: AccountId,
    created_at: Time,
    removed_at: Option<Time>,
    settings: SettingsView,
}

impl AccountView {
    fn of(account: Account) -> Self {
        Self {
            id: account.id,
            created_at: Time(account.created_at),
            removed_at: shown(account.removed_at),
            settings: SettingsView::of(account.settings),
        }
    }
}

/// An account's settings.
#[derive(Debug, Serialize)]
pub(crate) struct SettingsView {
    capture: bool,
    redact: bool,
    redaction_consent: Option<ConsentView>,
    retention_days: u16,
    max_body_bytes: u64,
    operator: Option<String>,
    attachments: Attachments,
    custom_rules: Option<String>,
    body_policy: Option<serde_json::Value>,
    version: u64,
    updated_at: Time,
    updated_by: String,
}

/// Who switched redaction off, and when.
#[derive(Debug, Serialize)]
struct ConsentView {
    by: String,
    at: Time,
}

impl SettingsView {
    fn of(settings: Settings) -> Self {
        let consent = settings.redaction_consent;
        Self {
            capture: settings.capture,
            redact: settings.redact,
            redaction_consent: consent.map(|c| ConsentView { by: c.by, at: Time(c.at) }),
            retention_days: settings.retention_days,
            max_body_bytes: settings.max_body_bytes,
            operator: settings.operator,
            attachments: settings.attachments,
            custom_rules: settings.custom_rules,
            body_policy: settings.body_policy,
            version: settings.version,
            updated_at: Time(settings.updated_at),
            updated_by: settings.updated_by,
        }
    }
}

/// A page of audit rows.
#[derive(Debug, Serialize)]
pub(crate) struct AuditList {
    audit: Vec<AuditView>,
    next: Option<String>,
}

/// One audit row.
#[derive(Debug, Serialize)]
struct AuditView {
    seq: u64,
    at: Time,
    account: Option<AccountId>,
    actor: String,
    action: String,
    subject: String,
    detail: Value,
}

impl AuditView {
    fn of(AuditRow { seq, event }: AuditRow) -> Self {
        Self {
            seq,
            at: Time(event.at),
            account: event.account,
            actor: event.actor,
            action: event.action,
            subject: event.subject,
            detail: event.detail,
        }
    }
}

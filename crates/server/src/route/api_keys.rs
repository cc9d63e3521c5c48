//! API keys.

use axum::{Json as Shown, extract::State, http::StatusCode};
use oubliette_service::catalog::{AccountId, ApiKey, Role};
use serde::{Deserialize, Serialize};

use super::{Answer, Nothing};
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

/// `POST /v1/api-keys`
///
/// A stolen operator's key must not be able to make itself successors that outlive it.
pub(crate) async fn create(
    State(app): State<App>,
    Caller(by): Caller,
    Json(input): Json<ApiKeyInput>,
) -> Result<(StatusCode, Shown<NewApiKeyView>), ApiError> {
    if input.role == Role::Operator && app.local_caller() != Some(&by) {
        return Err(ApiError::forbidden(
            "operators' keys are made beside the data folder: oubliette api-key create --role operator",
        ));
    }
    let account = input.account.map(|Id(account)| account);
    let new = app.oubliette().create_api_key(&by, input.role, account, input.name.0).await?;
    let key = new.expose_secret().to_owned();
    Ok((StatusCode::CREATED, Shown(NewApiKeyView { key, about: ApiKeyView::of(new.key) })))
}

/// `GET /v1/api-keys`
pub(crate) async fn list(
    State(app): State<App>,
    Caller(by): Caller,
    query: Query,
) -> Answer<ApiKeyList> {
    query.done()?;
    let keys = app.oubliette().api_keys(&by).await?;
    Ok(Shown(ApiKeyList { api_keys: keys.into_iter().map(ApiKeyView::of).collect() }))
}

/// `DELETE /v1/api-keys/{id}`
pub(crate) async fn revoke(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<ApiKeyView> {
    Ok(Shown(ApiKeyView::of(app.oubliette().revoke_api_key(&by, path.text("id")).await?)))
}

/// A new API key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKeyInput {
    role: Role,
    account: Option<Id<AccountId>>,
    name: Detail,
}

impl Input for ApiKeyInput {}

/// All API keys.
#[derive(Debug, Serialize)]
pub(crate) struct ApiKeyList {
    api_keys: Vec<ApiKeyView>,
}

/// Everything about an API key but the key.
#[derive(Debug, Serialize)]
pub(crate) struct ApiKeyView {
    id: String,
    role: Role,
    account: Option<AccountId>,
    name: String,
    created_at: Time,
    revoked_at: Option<Time>,
}

impl ApiKeyView {
    fn of(key: ApiKey) -> Self {
        Self {
            id: key.id,
            role: key.role,
            account: key.account,
            name: key.name,
            created_at: Time(key.created_at),
            revoked_at: shown(key.revoked_at),
        }
    }
}

/// A new API key, with the key: shown this once, and never by `Debug`.
#[derive(Serialize)]
pub(crate) struct NewApiKeyView {
    #[serde(flatten)]
    about: ApiKeyView,
    key: String,
}

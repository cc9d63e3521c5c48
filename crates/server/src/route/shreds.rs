//! Forgetting because someone asked.

use axum::{Json as Shown, extract::State};
use oubliette_service::{ShredOutcome, catalog::Parts};

use super::{Answer, Nothing};
use crate::{
    app::App,
    guard::Caller,
    input::{json::Json, path::Path},
};

/// `DELETE /v1/accounts/{account}/exchanges/{exchange}`
pub(crate) async fn exchange(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<ShredOutcome> {
    let (account, exchange) = (path.account()?, path.exchange()?);
    Ok(Shown(app.oubliette().shred(&by, &account, &exchange, Parts::Both).await?))
}

/// `DELETE /v1/accounts/{account}/exchanges/{exchange}/{part}`
pub(crate) async fn part(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<ShredOutcome> {
    let (account, exchange, part) = (path.account()?, path.exchange()?, path.part()?);
    Ok(Shown(app.oubliette().shred(&by, &account, &exchange, part.into()).await?))
}

/// `POST /v1/accounts/{account}/shred`
pub(crate) async fn account(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<ShredOutcome> {
    Ok(Shown(app.oubliette().shred_account(&by, &path.account()?).await?))
}

/// `DELETE /v1/accounts/{account}`
pub(crate) async fn close_account(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<ShredOutcome> {
    Ok(Shown(app.oubliette().close_account(&by, &path.account()?).await?))
}

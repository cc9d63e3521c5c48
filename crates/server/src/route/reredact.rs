//! Redacting again, with its progress streamed.

use axum::{extract::State, response::Response};
use oubliette_service::{ReredactProgress, ReredactRange};
use serde::Deserialize;

use super::progress;
use crate::{
    api_error::ApiError,
    app::App,
    guard::Caller,
    input::{
        json::{Input, Json},
        path::Path,
        time::Time,
    },
};

/// `POST /v1/accounts/{account}/reredact`
pub(crate) async fn reredact(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    Json(input): Json<ReredactInput>,
) -> Result<Response, ApiError> {
    let account = path.account()?;
    let time = |time: Option<Time>| time.map(|Time(ms)| ms);
    let range = ReredactRange { from: time(input.from), to: time(input.to) };

    progress::streamed(&app.clone(), move |teller| async move {
        let progress = |progress: &ReredactProgress| teller.tell(progress);
        app.oubliette().reredact(&by, &account, range, input.dry_run, progress).await
    })
    .await
}

/// What to redact again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReredactInput {
    from: Option<Time>,
    to: Option<Time>,
    #[serde(default)]
    dry_run: bool,
}

impl Input for ReredactInput {
    const OPTIONAL: bool = true;
}

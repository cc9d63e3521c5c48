//! What operators do and look at.

use axum::{Json as Shown, extract::State, response::Response};
use oubliette_service::{
    ExpireOutcome, GenerationChange, KeysVerified, RebuildProgress, Status, SweepOutcome,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, Nothing, progress};
use crate::{
    api_error::ApiError,
    app::App,
    guard::Caller,
    input::{
        json::{Input, Json},
        query::Query,
        time::{Time, shown},
    },
};

/// What is said with `POST /v1/expire`; nothing, usually.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Expire {
    /// The machine's clock is right, however far it has jumped.
    accept_clock: bool,
}

impl Input for Expire {
    const OPTIONAL: bool = true;
}

/// `POST /v1/expire`
pub(crate) async fn expire(
    State(app): State<App>,
    Caller(by): Caller,
    Json(wanted): Json<Expire>,
) -> Answer<ExpireOutcome> {
    if wanted.accept_clock {
        app.oubliette().accept_clock(&by).await?;
    }
    Ok(Shown(app.oubliette().expire(&by).await?))
}

/// `POST /v1/store/sweep`
pub(crate) async fn sweep(
    State(app): State<App>,
    Caller(by): Caller,
    Json(Nothing {}): Json<Nothing>,
) -> Result<Response, ApiError> {
    progress::streamed(&app.clone(), move |teller| async move {
        app.oubliette().sweep(&by, |now: &SweepOutcome| teller.tell(now)).await
    })
    .await
}

/// `POST /v1/catalog/rebuild`
pub(crate) async fn rebuild(
    State(app): State<App>,
    Caller(by): Caller,
    Json(Nothing {}): Json<Nothing>,
) -> Result<Response, ApiError> {
    progress::streamed(&app.clone(), move |teller| async move {
        app.oubliette().rebuild(&by, |now: &RebuildProgress| teller.tell(now)).await
    })
    .await
}

/// `GET /v1/keys/status`
pub(crate) async fn key_status(
    State(app): State<App>,
    Caller(by): Caller,
    query: Query,
) -> Answer<KeyStatusView> {
    query.done()?;
    Ok(Shown(KeyStatusView::of(&app.oubliette().key_status(&by)?)))
}

/// `GET /v1/keys/verify`
pub(crate) async fn verify_keys(
    State(app): State<App>,
    Caller(by): Caller,
    query: Query,
) -> Answer<KeysVerified> {
    query.done()?;
    Ok(Shown(app.oubliette().verify_keys(&by).await?))
}

/// `GET /v1/keys/public`
pub(crate) async fn public_key(State(app): State<App>, query: Query) -> Answer<Value> {
    query.done()?;
    Ok(Shown(json!({ "log_key": app.oubliette().log_public_key() })))
}

/// `POST /v1/keys/rotate`
pub(crate) async fn rotate_keys(
    State(app): State<App>,
    Caller(by): Caller,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<RotationView> {
    Ok(Shown(RotationView { generation: app.oubliette().rotate_keys(&by).await? }))
}

/// `GET /v1/status`
pub(crate) async fn status(
    State(app): State<App>,
    Caller(by): Caller,
    query: Query,
) -> Answer<Value> {
    query.done()?;
    let status = app.oubliette().status(&by).await?;
    Ok(Shown(status_view(&status, app.oubliette().now_ms())))
}

/// The size of the key state.
#[derive(Debug, Serialize)]
pub(crate) struct KeyStatusView {
    generation: u64,
    /// SHA-256 of the top key page: what receipts call the directory.
    directory: String,
    accounts: u64,
    entries: u64,
    pages: u64,
    bytes: u64,
}

impl KeyStatusView {
    fn of(status: &oubliette_keytree::Status) -> Self {
        Self {
            generation: status.generation.number(),
            directory: status.directory.iter().map(|byte| format!("{byte:02x}")).collect(),
            accounts: status.accounts,
            entries: status.entries,
            pages: status.pages,
            bytes: status.bytes,
        }
    }
}

/// What a rotation did.
#[derive(Debug, Serialize)]
pub(crate) struct RotationView {
    generation: GenerationChange,
}

fn status_view(status: &Status, now: i64) -> Value {
    let spool = &status.spool;
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "time": Time(now),
        "queue": {"captures": status.queued_captures, "bytes": status.queued_bytes},
        "spool": {
            "bytes": spool.spool_bytes,
            "max_bytes": spool.max_bytes,
            "pending_bytes": spool.pending_bytes,
            "max_pending_bytes": spool.max_pending_bytes,
            "open_segments": spool.open_segments,
            "waiting_segments": spool.waiting_segments,
            "set_aside_segments": spool.set_aside_segments,
            "damaged_files": spool.damaged_files,
            "oldest_waiting_ms": spool.oldest_waiting_age.map(|age| age.as_millis() as u64),
        },
        "uploads": {
            "running": spool.uploading_segments,
            "running_bytes": spool.uploading_bytes,
            "done": spool.uploaded_segments,
            "failed": spool.upload_failures,
            "last_error": spool.last_upload_error.as_ref().map(ToString::to_string),
        },
        "keys": status.keys.as_ref().map(KeyStatusView::of),
        "catalog": {"pending_shreds": status.pending_shreds},
        "last_expiry": shown(status.last_expiry),
        "clock_ahead_seconds": status.clock_ahead_ms.map_or(0, |ms| ms / 1000),
    })
}

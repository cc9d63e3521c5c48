//! What is asked without an API key: is it alive, is it ready, what does it count.

use axum::{
    Json as Shown,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    app::App,
    metrics::{CONTENT_TYPE, text},
};

/// `GET /healthz`: the process answers. Nothing is looked at, so that trouble with a disk or a
/// bucket does not have it restarted.
pub(crate) async fn alive() -> Shown<Value> {
    Shown(json!({"alive": true}))
}

/// `GET /readyz`: a capture could be kept now.
pub(crate) async fn ready(State(app): State<App>) -> Result<Shown<Value>, ApiError> {
    app.oubliette().ready().await?;
    Ok(Shown(json!({"ready": true})))
}

/// `GET /metrics`
pub(crate) async fn metrics(State(app): State<App>) -> Result<Response, ApiError> {
    let status = app.oubliette().metrics().await;
    let text =
        text(status, app.oubliette().now_ms(), app.requests()).map_err(|_| ApiError::internal())?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

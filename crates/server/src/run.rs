//! What happens to every request, whatever it asks for.

use std::time::{Duration, Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::Instrument;

use crate::{api_error::ApiError, app::App, guard::KeyId, metrics::known};

/// Runs a request to its end on a task of its own, and logs and counts it.
///
/// The task is what makes half a request impossible: a caller that goes away, or that we stop
/// waiting for, does not cancel a shred between its two writes. It is also where a panic ends.
pub(crate) async fn run(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unknown", MatchedPath::as_str);
    let key_id = KeyId::default();
    request.extensions_mut().insert(key_id.clone());

    let running = app.running().begin();
    let work = async move {
        let response = next.run(request).await;
        drop(running);
        response
    };
    let task = tokio::spawn(work.in_current_span());
    let mut response = match tokio::time::timeout(app.options().request_timeout, task).await {
        Ok(Ok(response)) => response,
        Ok(Err(failed)) if failed.is_panic() => {
            // The panic itself is on standard error; its payload goes no further.
            tracing::error!(method = known(&method), route, "a request panicked");
            ApiError::internal().into_response()
        }
        Ok(Err(_)) => ApiError::unavailable("the server is stopping").into_response(),
        Err(_) => ApiError::timeout().into_response(),
    };
    let headers = response.headers_mut();
    // Not even errors: whether a body exists is nobody's business but the account's.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

    note(&app, &method, route, response.status(), started.elapsed(), key_id.get());
    response
}

fn note(app: &App, method: &Method, route: &str, status: StatusCode, took: Duration, key: &str) {
    app.requests().count(method, route, status, took);
    let (method, status, ms) = (known(method), status.as_u16(), took.as_secs_f64() * 1000.0);
    // The template and not the path: exchange ids are chosen by gateways and may mean something.
    if status >= 500 {
        tracing::warn!(method, route, status, ms, key, "request");
    } else {
        tracing::info!(method, route, status, ms, key, "request");
    }
}

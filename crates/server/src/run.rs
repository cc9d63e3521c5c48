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

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use axum::{
        Router,
        body::{Body, to_bytes},
        middleware::from_fn_with_state,
        routing::get,
    };
    use oubliette_service::{Layout, Options, Oubliette};
    use tower::ServiceExt;

    use super::*;
    use crate::options::ServerOptions;

    async fn app(options: ServerOptions) -> (App, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("data"), folder.path().join("keys"));
        let options_of_the_service = Options { threads: 1, ..Options::default() };
        let oubliette = Oubliette::open(layout, options_of_the_service).await.unwrap();
        (App::new(oubliette, options, None), folder)
    }

    async fn answer(router: Router) -> (StatusCode, String) {
        let response =
            router.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status();
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_that_tells_nothing() {
        let (app, _folder) = app(ServerOptions::default()).await;
        async fn panics() -> &'static str {
            panic!("with what was being worked on")
        }
        let router =
            Router::new().route("/", get(panics)).layer(from_fn_with_state(app.clone(), run));
        let (status, body) = answer(router).await;
        assert_eq!(status, 500);
        assert!(body.contains(r#""code":"internal""#), "{body}");
        assert!(!body.contains("worked on"), "{body}");
        app.running().none().await; // the panic took its guard along
    }

    /// A route that works for 200 ms, and whether it came to its end.
    fn slow(app: &App) -> (Router, Arc<AtomicBool>) {
        let done = Arc::new(AtomicBool::new(false));
        let work = {
            let done = Arc::clone(&done);
            move || async move {
                tokio::time::sleep(Duration::from_millis(200)).await;
                done.store(true, Ordering::SeqCst);
            }
        };
        (Router::new().route("/", get(work)).layer(from_fn_with_state(app.clone(), run)), done)
    }

    #[tokio::test]
    async fn what_takes_too_long_goes_on_and_is_waited_for_at_the_end() {
        let request_timeout = Duration::from_millis(20);
        let (app, _folder) = app(ServerOptions { request_timeout, ..Default::default() }).await;
        let (router, done) = slow(&app);
        let (status, body) = answer(router).await;
        assert_eq!(status, 504);
        assert!(body.contains(r#""code":"timeout""#), "{body}");
        assert!(!done.load(Ordering::SeqCst));
        app.running().none().await;
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_cancels_nothing() {
        let (app, _folder) = app(ServerOptions::default()).await;
        let (router, done) = slow(&app);
        // What hyper does when the connection ends.
        tokio::time::timeout(Duration::from_millis(20), answer(router)).await.unwrap_err();
        assert!(!done.load(Ordering::SeqCst));
        app.running().none().await;
        assert!(done.load(Ordering::SeqCst));
    }
}

//! Redacting again, with its progress streamed.

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures::stream;
use oubliette_service::{ReredactProgress, ReredactRange};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::Instrument;

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
///
/// The job has a task of its own. A caller that goes away does not stop it, and one that reads
/// slowly does not slow it: lines of progress that find the channel full are left out, the last
/// line is not. What fails before the first line is an error as everywhere else; what fails later
/// is the last line.
pub(crate) async fn reredact(
    State(app): State<App>,
    Caller(by): Caller,
    path: Path,
    Json(input): Json<ReredactInput>,
) -> Result<Response, ApiError> {
    let account = path.account()?;
    let time = |time: Option<Time>| time.map(|Time(ms)| ms);
    let range = ReredactRange { from: time(input.from), to: time(input.to) };

    let (lines, mut received) = mpsc::channel(WAITING_LINES);
    let running = app.running().begin();
    let job = async move {
        let progress = |progress: &ReredactProgress| {
            let _ = lines.try_send(Line::Progress(json!(progress)));
        };
        let oubliette = app.oubliette();
        let outcome = oubliette.reredact(&by, &account, range, input.dry_run, progress).await;
        // From here on only the caller is waited for, and stopping does not wait for callers.
        drop(running);
        let last = match outcome {
            Ok(outcome) => {
                let mut line = json!(outcome);
                line["finished"] = true.into();
                Line::Finished(line)
            }
            Err(error) => Line::Failed(error.into()),
        };
        // Fails only if the caller has gone.
        let _ = lines.send(last).await;
    };
    tokio::spawn(job.in_current_span());

    match received.recv().await {
        Some(Line::Failed(error)) => Err(error),
        first => {
            let first = first.unwrap_or_else(Line::lost);
            let content_type = [(header::CONTENT_TYPE, "application/x-ndjson")];
            Ok((content_type, Body::from_stream(ndjson(first, received))).into_response())
        }
    }
}

/// Lines until the last one.
fn ndjson(
    first: Line,
    received: mpsc::Receiver<Line>,
) -> impl futures::Stream<Item = Result<String, std::convert::Infallible>> {
    stream::unfold(Some((first, received)), |state| async {
        let (line, mut received) = state?;
        let (value, more) = match line {
            Line::Progress(value) => (value, true),
            Line::Finished(value) => (value, false),
            Line::Failed(error) => (error.to_json(), false),
        };
        let next = if more {
            Some((received.recv().await.unwrap_or_else(Line::lost), received))
        } else {
            None
        };
        Some((Ok(format!("{value}\n")), next))
    })
}

/// What the job tells.
#[derive(Debug)]
enum Line {
    Progress(Value),
    Finished(Value),
    Failed(ApiError),
}

impl Line {
    /// The job ended without a last line: it panicked.
    fn lost() -> Self {
        Self::Failed(ApiError::internal())
    }
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

/// Enough that a caller who reads at all misses little.
const WAITING_LINES: usize = 32;

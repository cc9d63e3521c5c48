//! Long work whose progress is streamed, a line of JSON at a time.

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use futures::stream;
use oubliette_service::ServiceError;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::Instrument;

use crate::{api_error::ApiError, app::App};

/// Where work tells how far it is.
#[derive(Debug, Clone)]
pub(super) struct Teller(mpsc::Sender<Line>);

impl Teller {
    /// Tells, unless whoever listens is behind.
    pub(super) fn tell(&self, progress: &impl Serialize) {
        let _ = self.0.try_send(Line::Progress(json!(progress)));
    }
}

/// Runs work in a task of its own and answers with its progress.
///
/// A caller that goes away does not stop it, and one that reads slowly does not slow it: lines of
/// progress that find the channel full are left out, the last line is not. What fails before the
/// first line is an error as everywhere else; what fails later is the last line.
pub(super) async fn streamed<F, T>(
    app: &App,
    work: impl FnOnce(Teller) -> F,
) -> Result<Response, ApiError>
where
    F: Future<Output = Result<T, ServiceError>> + Send + 'static,
    T: Serialize + Send,
{
    let (lines, mut received) = mpsc::channel(WAITING_LINES);
    let running = app.running().begin();
    let work = work(Teller(lines.clone()));
    let job = async move {
        let outcome = work.await;
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

/// Enough that a caller who reads at all misses little.
const WAITING_LINES: usize = 32;

//! JSON bodies.

use std::time::Duration;

use axum::{
    extract::{FromRequest, Request},
    http::header,
};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::explain::explain;
use crate::{api_error::ApiError, app::App, budget::Share, options::ServerOptions};

/// What a route takes as its body.
pub(crate) trait Input: DeserializeOwned + Send + 'static {
    /// Whether no body at all means `{}`.
    const OPTIONAL: bool = false;

    /// The most bytes it may have.
    fn limit(options: &ServerOptions) -> usize {
        options.max_request_bytes
    }
}

/// The body of a request, read whole and parsed.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Input> FromRequest<App> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let mut share = app.reading().share();
        let limit = T::limit(app.options());
        let bytes = read(request, limit, app.options().read_timeout, &mut share).await?;
        if bytes.is_empty() && T::OPTIONAL {
            return parse(b"{}").map(Self);
        }
        if bytes.len() <= INLINE_BYTES {
            return parse(&bytes).map(Self);
        }
        let parsing = tokio::task::spawn_blocking(move || {
            let parsed = parse(&bytes).map(Self);
            drop((bytes, share));
            parsed
        });
        parsing.await.unwrap_or_else(|_| Err(ApiError::internal()))
    }
}

/// Reads a body, within its limit and in time.
///
/// An envelope holds raw bodies, so it is wiped when it is dropped.
async fn read(
    request: Request,
    limit: usize,
    timeout: Duration,
    share: &mut Share,
) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let too_large = || {
        ApiError::too_large(format!(
            "the request is larger than {limit} bytes: send less, or raise the server's limit"
        ))
    };
    let busy = || ApiError::busy("too much is being read already: nothing was kept of this");
    if request.headers().get(header::CONTENT_ENCODING).is_some_and(|how| how != "identity") {
        return Err(ApiError::invalid("a request has no content-encoding: send plain JSON"));
    }
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|len| len.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|len| len > limit) {
        return Err(too_large());
    }
    if !share.hold(announced.unwrap_or(0)) {
        return Err(busy());
    }
    let reading = async {
        // Room for all of it at once: growing would leave copies behind that nobody wipes.
        let mut bytes = Zeroizing::new(Vec::with_capacity(announced.unwrap_or(0)));
        let mut body = request.into_body().into_data_stream();
        while let Some(chunk) = body.next().await {
            let chunk = chunk
                .map_err(|_| ApiError::invalid("the request ended before its body was complete"))?;
            if bytes.len() + chunk.len() > limit {
                return Err(too_large());
            }
            if !share.hold(bytes.len() + chunk.len()) {
                return Err(busy());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    match tokio::time::timeout(timeout, reading).await {
        Ok(read) => read,
        Err(_) => Err(ApiError::too_slow()),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::invalid("the request has no body: send a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| ApiError::invalid(explain(&error)))?;
    // What follows the object: a fixed text with a line and a column.
    json.end().map_err(|error| ApiError::invalid(format!("the request is not JSON: {error}")))?;
    Ok(value)
}

/// Up to here parsing takes less than a hundred microseconds and a thread of its own would cost
/// more; beyond, it would hold up the requests beside it.
const INLINE_BYTES: usize = 64 << 10;

//! What a caller is told when something cannot be done: a status, a code and one line.

use std::{error::Error, fmt};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use oubliette_service::{ServiceError, ServiceErrorKind};
use serde_json::{Value, json};

/// An error as the API shows it: `{"error": {"code", "message"}}`.
///
/// The message names the thing and the mend. It is made of words of this crate and of messages of
/// the service, which hold ids and counts; nothing a caller sent as a value is put into it.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl ApiError {
    /// As it stands in an answer, or in the last line of one that had already begun.
    pub(crate) fn to_json(&self) -> Value {
        json!({"error": {"code": self.code, "message": self.message}})
    }

    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// The request is wrong; repeating it is of no use.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    /// No API key, or none that we know. One text for all causes, so that nothing can be learnt
    /// from it.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "no valid API key: send the header authorization: Bearer KEY, with a key that was not revoked",
        )
    }

    /// The key is known and may not do this.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "this address does not take this method: see the header allow",
        )
    }

    /// The body did not arrive in time.
    pub(crate) fn too_slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "too_slow",
            "the request's body did not arrive in time; nothing was done",
        )
    }

    /// It exists already or has changed in the meantime.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// Shredded or expired: gone for good.
    pub(crate) fn forgotten(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "forgotten", message)
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// A queue is full: dropped and counted.
    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", message)
    }

    /// The cause stays in the log: what went wrong inside is no caller's business.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "a mistake on our side; the server's log says more",
        )
    }

    /// Key, store or catalog cannot be had at the moment.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// The answer took too long. The work goes on: it may still be done.
    pub(crate) fn timeout() -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "timeout",
            "not done in time and still being worked on: look again or repeat the request later",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.to_json())).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let message = error.to_string();
        match error.kind() {
            ServiceErrorKind::Invalid => Self::invalid(message),
            ServiceErrorKind::Unauthenticated => Self::unauthenticated(),
            ServiceErrorKind::Forbidden => Self::forbidden(message),
            ServiceErrorKind::NotFound => Self::not_found(message),
            ServiceErrorKind::Conflict => Self::conflict(message),
            ServiceErrorKind::Forgotten => Self::forgotten(message),
            ServiceErrorKind::TooLarge => Self::too_large(message),
            ServiceErrorKind::Busy => Self::busy(message),
            ServiceErrorKind::Unavailable => {
                tracing::warn!(error = %Chain(&error), "unavailable");
                Self::unavailable(message)
            }
            ServiceErrorKind::Damaged => {
                tracing::error!(error = %Chain(&error), "damaged");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", message)
            }
            _ => {
                tracing::error!(error = %Chain(&error), "a mistake of ours");
                Self::internal()
            }
        }
    }
}

/// An error with its causes, in one line for the log. Our errors hold no body, key or credential.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

//! `/metrics`: what is counted, as OpenMetrics text that Prometheus reads.
//!
//! No label names an account, an exchange or a key: whoever may scrape learns nothing about whose
//! traffic there is.

mod requests;
mod service;

use std::fmt;

use oubliette_service::Status;
use prometheus_client::{encoding::text::encode, registry::Registry};

pub(crate) use self::requests::{Requests, known};
use self::service::Snapshot;

/// The media type of [`text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is counted, as it is now.
pub(crate) fn text(status: Status, now_ms: i64, requests: &Requests) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("oubliette");
    requests.register(&mut registry);
    registry.register_collector(Box::new(Snapshot { status, now_ms }));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

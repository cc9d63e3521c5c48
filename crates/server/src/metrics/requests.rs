//! HTTP requests, counted and timed.

use std::{borrow::Cow, time::Duration};

use axum::http::{Method, StatusCode};
use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Counts requests by method, route template and status, and times them by route.
#[derive(Debug)]
pub(crate) struct Requests {
    total: Family<Labels<3>, Counter>,
    seconds: Family<Labels<1>, Histogram, fn() -> Histogram>,
}

type Labels<const N: usize> = [(&'static str, Cow<'static, str>); N];

impl Default for Requests {
    fn default() -> Self {
        Self {
            total: Family::default(),
            // From a settings read to a large capture that waits for its fsync.
            seconds: Family::new_with_constructor(|| {
                Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0])
            }),
        }
    }
}

impl Requests {
    /// Counts one answer. `route` is a template of ours, never a path.
    pub(crate) fn count(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let route: Cow<'static, str> = Cow::Owned(route.to_owned());
        self.total
            .get_or_create(&[
                ("method", known(method).into()),
                ("route", route.clone()),
                ("status", status.as_u16().to_string().into()),
            ])
            .inc();
        self.seconds.get_or_create(&[("route", route)]).observe(took.as_secs_f64());
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("http_requests", "HTTP requests answered", self.total.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time until an answer began",
            Unit::Seconds,
            self.seconds.clone(),
        );
    }
}

/// The method, if it is one of those there are: callers may invent others without end.
pub(crate) fn known(method: &Method) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}

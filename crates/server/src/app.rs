//! What all routes share.

use std::sync::Arc;

use oubliette_service::{Oubliette, Principal};

use crate::{budget::Budget, metrics::Requests, options::ServerOptions, running::Running};

/// The service behind the routes, and the server's own state.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    oubliette: Oubliette,
    options: ServerOptions,
    local_caller: Option<Principal>,
    running: Running,
    reading: Budget,
    requests: Requests,
}

impl App {
    pub(crate) fn new(
        oubliette: Oubliette,
        options: ServerOptions,
        local_caller: Option<Principal>,
    ) -> Self {
        // The largest request must fit, or it could never be read.
        let reading =
            options.max_reading_bytes.max(options.max_capture_bytes).max(options.max_request_bytes);
        Self(Arc::new(Shared {
            oubliette,
            reading: Budget::new(reading),
            options,
            local_caller,
            running: Running::new(),
            requests: Requests::default(),
        }))
    }

    pub(crate) fn oubliette(&self) -> &Oubliette {
        &self.0.oubliette
    }

    pub(crate) fn options(&self) -> &ServerOptions {
        &self.0.options
    }

    /// Who calls if no API key is shown; only where requests cannot come from outside.
    pub(crate) fn local_caller(&self) -> Option<&Principal> {
        self.0.local_caller.as_ref()
    }

    pub(crate) fn running(&self) -> &Running {
        &self.0.running
    }

    /// Memory for requests that are being read.
    pub(crate) fn reading(&self) -> &Budget {
        &self.0.reading
    }

    pub(crate) fn requests(&self) -> &Requests {
        &self.0.requests
    }
}

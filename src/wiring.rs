//! From settings to a running service.

use std::time::Duration;

use oubliette_server::ServerOptions;
use oubliette_service::{
    Layout, Options, Oubliette, RootLayout, ServiceError, ServiceErrorKind, StoreLayout,
};
use oubliette_store::{S3Settings, SpoolLimits};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Settings, Store};
use crate::failure::{Failure, chain};
use crate::rules;

/// The runtime of everything that waits.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("threads cannot be started: {error}")))
}

/// Opens the data folder.
pub(crate) async fn open(settings: &Settings) -> Result<Oubliette, Failure> {
    let options = Options {
        queue_captures: settings.queue.captures,
        queue_bytes: settings.queue.bytes,
        packs: rules::packs(settings, &[])?,
        most_clock_ahead: settings.max_clock_jump,
        ..Options::default()
    };
    Oubliette::open(layout(settings), options).await.map_err(|error| cannot_open(&error))
}

/// Makes durable what was acknowledged, and hands it to the object store if that is there.
pub(crate) async fn close(oubliette: &Oubliette) -> Result<(), Failure> {
    let closed = oubliette.close(CLOSE_WITHIN).await;
    closed.map(|_| ()).map_err(|error| Failure::failed(chain(&error)))
}

/// Waits for the signals that ask a process to end.
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// From here on they no longer end the process by themselves.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::failed(format!("no signal handler: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Returns with the name of the first one that came.
    pub(crate) async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// For callers within the process: they have no reason to be slow, and may ask for a lot.
pub(crate) fn patient(mut options: ServerOptions) -> ServerOptions {
    options.request_timeout = Duration::from_secs(24 * 60 * 60);
    options
}

pub(crate) fn layout(settings: &Settings) -> Layout {
    let mut layout = Layout::new(&settings.data_dir, &settings.keys_dir);
    layout.store = match &settings.store {
        Store::Folder(path) => StoreLayout::Folder(Some(path.clone())),
        Store::S3 { bucket, endpoint, region, path_style } => StoreLayout::S3(S3Settings {
            bucket: bucket.clone(),
            endpoint: endpoint.clone(),
            region: region.clone(),
            path_style: *path_style,
        }),
    };
    layout.root = settings.root.clone();
    // Names of their own, so that one kind of root is never taken for another.
    match &layout.root {
        RootLayout::File => {}
        RootLayout::Tpm { .. } => layout.root_file = settings.keys_dir.join("root.tpm"),
        RootLayout::Pkcs11 { .. } => layout.root_file = settings.keys_dir.join("root.pkcs11"),
    }
    layout.spool = SpoolLimits {
        max_bytes: settings.spool.max_bytes,
        min_free_bytes: settings.spool.min_free_bytes,
        segment_bytes: settings.spool.segment_bytes,
        max_age: settings.spool.max_age,
        verify_uploads: settings.spool.verify_uploads,
        ..SpoolLimits::default()
    };
    layout
}

pub(crate) fn cannot_open(error: &ServiceError) -> Failure {
    let message = chain(error);
    match error.kind() {
        // Right in itself, and free again as soon as the other process ends.
        _ if message.contains(IN_USE) => Failure::failed(message),
        ServiceErrorKind::Configuration | ServiceErrorKind::Invalid => Failure::usage(message),
        _ => Failure::failed(message),
    }
}

/// What the key tree says of a root that another process has.
pub(crate) const IN_USE: &str = "is in use by another process";

/// Long enough for an upload to an object store that is there; what is left waits safely on disk.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

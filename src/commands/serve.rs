//! `oubliette serve`.

use std::io;

use oubliette_server::{ServerOptions, serve};
use tokio::net::TcpListener;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::{Global, Serve};
use crate::config::{Log, Settings, Sources};
use crate::failure::{Failure, chain};
use crate::{hardening, wiring};

/// Runs the sidecar until it is told to stop.
pub(super) fn run(global: &Global, arguments: Serve) -> Result<(), Failure> {
    let mut sources = Sources::read(global)?;
    if let Some(listen) = arguments.listen {
        sources.layers.flag("--listen", "listen", listen);
    }
    let settings = sources.settings()?;
    log_to_stderr(&settings.log)?;
    wiring::runtime()?.block_on(run_until_stopped(&settings))
}

async fn run_until_stopped(settings: &Settings) -> Result<(), Failure> {
    // Before anything else, so that a signal during a long recovery is not lost.
    let mut stop = wiring::Stop::listen()?;

    // The port first: a second server on it would otherwise only fail after opening the data.
    let listener = TcpListener::bind(settings.listen).await.map_err(|error| {
        let mend = match error.kind() {
            io::ErrorKind::AddrInUse => "; stop what listens there or give another --listen",
            _ => "",
        };
        Failure::failed(format!("cannot listen on {}: {error}{mend}", settings.listen))
    })?;
    let address = listener.local_addr()?;
    // Before the first key is in memory.
    let locked = hardening::lock_memory();
    let oubliette = wiring::open(settings).await?;
    if !locked {
        tracing::warn!(
            "memory is not locked, so keys may be swapped out: raise the limit on locked memory to \
             unlimited (LimitMEMLOCK=infinity in systemd), or run without swap"
        );
    }
    tracing::info!(
        %address,
        data_dir = %settings.data_dir.display(),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    let stop = async {
        let signal = stop.asked().await;
        tracing::info!(signal, "stopping");
    };
    let closed = serve(listener, oubliette, ServerOptions::default(), stop)
        .await
        .map_err(|error| Failure::failed(chain(&error)))?;
    tracing::info!(segments_left = closed.segments, "stopped");
    Ok(())
}

fn log_to_stderr(log: &Log) -> Result<(), Failure> {
    let targets: Targets =
        log.level.parse().map_err(|_| Failure::usage("log.level is no log level"))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(targets);
    let set = if log.json {
        registry.with(lines.json()).try_init()
    } else {
        registry.with(lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr()))).try_init()
    };
    set.map_err(|error| Failure::failed(format!("logging cannot be set up: {error}")))
}

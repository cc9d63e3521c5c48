//! The server: connections in, a graceful end.

use std::{error::Error, fmt, future::Future, io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use oubliette_service::{Closed, Oubliette};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::{app::App, options::ServerOptions, router::with_app};

/// Serves the API on a listener until `shutdown` is done, then stops without losing anything.
///
/// Stopping means: accept no more connections, let running requests finish (also those whose caller
/// has gone) for at most [`ServerOptions::shutdown_timeout`], then close the [`Oubliette`], which
/// uploads what it can within the same time again. The answer says what was left on this disk.
///
/// There is no TLS here: put it on loopback or behind whatever speaks TLS for the gateway.
///
/// # Errors
/// If the Oubliette could not be closed properly. Failing connections are no errors of the server.
pub async fn serve(
    listener: TcpListener,
    oubliette: Oubliette,
    options: ServerOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<Closed, ServerError> {
    let app = App::new(oubliette, options, None);
    let router = with_app(&app);
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(app.options().max_connections));

    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        if let Some((stream, slot)) = accepted {
            let connection = connection(stream, router.clone(), app.options());
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                // Callers hang up and send rubbish as they like.
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection ended early");
                }
                drop(slot);
            });
        }
    }
    drop(listener);

    tracing::info!("stopping: waiting for running requests");
    let finished = async {
        graceful.shutdown().await;
        app.running().none().await;
    };
    if tokio::time::timeout(app.options().shutdown_timeout, finished).await.is_err() {
        tracing::warn!("stopping although requests are still running");
    }
    // A share of its own: requests that did not end must not take it away.
    app.oubliette()
        .close(app.options().shutdown_timeout)
        .await
        .map_err(|error| ServerError { kind: ServerErrorKind::Close, source: Box::new(error) })
}

/// The next connection, once there is a slot for it; `None` if it was gone before it was accepted.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, slot)),
        Err(error) if is_the_callers(&error) => None,
        Err(error) => {
            // No file descriptors left, most likely: give those that are open time to go.
            tracing::warn!(%error, "cannot accept connections");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

fn connection(
    stream: TcpStream,
    router: Router,
    options: &ServerOptions,
) -> http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>> {
    // Answers are small and complete: waiting for more to send only adds delay.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}

fn is_the_callers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// Why the server could not do its work.
#[derive(Debug)]
pub struct ServerError {
    kind: ServerErrorKind,
    source: Box<dyn Error + Send + Sync>,
}

/// What kind of failure a [`ServerError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerErrorKind {
    /// Closing failed. What was acknowledged is durable all the same; the next start recovers.
    Close,
}

impl ServerError {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ServerErrorKind {
        self.kind
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ServerErrorKind::Close => f.write_str("could not close properly"),
        }
    }
}

impl Error for ServerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// Long enough for connections to end, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

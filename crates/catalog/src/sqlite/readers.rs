//! A few connections for reading, beside the writer.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{
    fault::{Fault, Result},
    schema,
};
use crate::error::{CatalogError, CatalogErrorKind};

/// Reads at the same time. Each is short; more would only hold more memory.
const READERS: usize = 4;

#[derive(Debug)]
pub(super) struct Readers {
    path: Arc<Path>,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: Arc<Path>) -> Self {
        let permits = Arc::new(Semaphore::new(READERS));
        Self { path, permits, idle: Arc::default() }
    }

    /// Runs `work` on one state of the database, off the async threads.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, CatalogError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let permit =
            Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let (path, idle) = (Arc::clone(&self.path), Arc::clone(&self.idle));
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read(&path, &idle, work).map_err(|fault| fault.explain(&path))
        });
        reading.await.unwrap_or_else(|_| {
            Err(CatalogError::new(
                CatalogErrorKind::Internal,
                "a read of the catalog panicked or was cut off by a shutdown",
            ))
        })
    }
}

fn read<T>(
    path: &Path,
    idle: &Mutex<Vec<Connection>>,
    work: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    let idle = || idle.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = idle().pop();
    let connection = match kept {
        Some(connection) => connection,
        None => {
            let connection = schema::connect(path)?;
            connection.pragma_update(None, "query_only", true)?;
            connection
        }
    };
    // If `work` panics, the connection goes with it and the next read opens another.
    let outcome =
        connection.unchecked_transaction().map_err(Fault::from).and_then(|state| work(&state));
    idle().push(connection);
    outcome
}

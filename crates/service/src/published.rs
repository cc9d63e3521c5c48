//! The log of deletions, as others see it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oubliette_store::FileStore;
use oubliette_translog::Log;
use serde::Serialize;

use crate::access::Principal;
use crate::error::{Result, ServiceError};
use crate::oubliette::{Inner, Oubliette};

/// The log, and where it is published.
#[derive(Debug)]
pub(crate) struct Published {
    log: Arc<Mutex<Log>>,
    store: Arc<dyn FileStore>,
    /// One at a time: how many leaves are published, once that is known.
    size: tokio::sync::Mutex<Option<u64>>,
}

/// What [`Oubliette::verify_keys`] found in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeysVerified {
    /// The generation of the root key; every key page it leads to opened when the service started.
    pub generation: u64,
    /// SHA-256 of the top key page, in hexadecimal: what receipts call the directory.
    pub directory: String,
    /// How many leaves the log of deletions has. All were read and hash to the signed head.
    pub log_size: u64,
    /// How many of them are published, under a head from which the log has grown.
    pub published_size: u64,
    /// The signed head.
    pub checkpoint: String,
}

impl Published {
    pub(crate) fn new(log: Arc<Mutex<Log>>, store: Arc<dyn FileStore>) -> Self {
        Self { log, store, size: tokio::sync::Mutex::default() }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // A panic leaves a log that was prepared at worst, which the next commit overwrites.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The size of the log that lies published, which must be one that ours grew from.
    async fn size_published(&self) -> Result<u64> {
        let Some(bytes) = self.store.get_file(CHECKPOINT).await? else { return Ok(0) };
        let text = std::str::from_utf8(&bytes).map_err(|_| not_ours())?;
        self.log().check_grew_from(text).map_err(|cause| not_ours().with_source(cause))
    }

    async fn publish(&self) -> Result<u64> {
        let mut size = self.size.lock().await;
        let since = match *size {
            Some(size) => size,
            None => self.size_published().await?,
        };
        let (now, files) = {
            let log = self.log();
            // The first head is published too: whoever looks should find a log.
            if log.size() == since && (since > 0 || size.is_some()) {
                *size = Some(since);
                return Ok(since);
            }
            (log.size(), log.tiles(since).map_err(unreadable)?)
        };
        // The head comes last, so whoever sees it finds all that it stands for.
        for (name, bytes) in files {
            self.store.put_file(&format!("log/{name}"), bytes.into()).await?;
        }
        *size = Some(now);
        Ok(now)
    }
}

impl Inner {
    /// Brings the log to where others can read it. What fails is tried again in the next round.
    pub(crate) async fn publish(&self) {
        if let Err(error) = self.published.publish().await {
            tracing::warn!(%error, "the log of deletions waits to be published");
        }
    }
}

impl Oubliette {
    /// The public key of the log of deletions, in the form of signed notes. No secret, for anybody who
    /// is to check a receipt.
    #[must_use]
    pub fn log_public_key(&self) -> String {
        self.inner().published.log().key().verifier_key().to_owned()
    }

    /// Checks the key directory and the whole log of deletions: every leaf is read, and what was
    /// published must be a beginning of it. Costs a reading of the log.
    ///
    /// # Errors
    /// `Forbidden`; `Damaged` with what is not in order; `Unavailable` if it could not be looked at.
    pub async fn verify_keys(&self, by: &Principal) -> Result<KeysVerified> {
        by.must_operate()?;
        let inner = self.inner();
        let status = inner.tree.status()?;
        let published_size = inner.published.size_published().await?;
        let published = Arc::clone(&inner.published.log);
        let (log_size, checkpoint) = tokio::task::spawn_blocking(move || {
            let log = published.lock().unwrap_or_else(PoisonError::into_inner);
            log.check_all().map(|()| (log.size(), log.checkpoint().to_owned()))
        })
        .await
        .map_err(|_| ServiceError::internal("checking the log failed"))?
        .map_err(unreadable)?;
        Ok(KeysVerified {
            generation: status.generation.number(),
            directory: hex::encode(status.directory),
            log_size,
            published_size,
            checkpoint,
        })
    }
}

fn not_ours() -> ServiceError {
    ServiceError::damaged(
        "the log of deletions that lies published in the object store is not one that ours grew \
         from: two services use one bucket, or the log in the data folder was put back from a copy",
    )
}

fn unreadable(cause: oubliette_translog::LogError) -> ServiceError {
    ServiceError::damaged(cause.to_string()).with_source(cause)
}

const CHECKPOINT: &str = "log/checkpoint";

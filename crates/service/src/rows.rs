//! Rows of captures, which are durable later than their records and before the records' spool files go.

use std::sync::Arc;

use async_trait::async_trait;
use oubliette_catalog::Catalog;
use oubliette_store::{Keeper, ObjectKey, StoreError, StoreErrorKind};
use tokio::sync::watch;

/// Has the catalog on the disk before a file goes from which rows could be made again.
pub(crate) struct Rows {
    catalog: Arc<dyn Catalog>,
    /// Whether what an earlier life left in the spool has its rows.
    recovered: watch::Receiver<bool>,
}

impl Rows {
    /// To be told `true` once recovery is done: until then no file goes.
    pub(crate) fn new(catalog: Arc<dyn Catalog>) -> (Self, watch::Sender<bool>) {
        let (done, recovered) = watch::channel(false);
        (Self { catalog, recovered }, done)
    }
}

#[async_trait]
impl Keeper for Rows {
    async fn let_go(&self, _key: &ObjectKey) -> Result<(), StoreError> {
        let mut recovered = self.recovered.clone();
        recovered.wait_for(|done| *done).await.map_err(|_| {
            StoreError::new(StoreErrorKind::Closed, "the service ended before it had recovered")
        })?;
        self.catalog.sync().await.map_err(|error| {
            let message = "the rows of an uploaded segment are not on the disk yet; its file stays";
            StoreError::new(StoreErrorKind::Retry, message).with_source(error)
        })
    }
}

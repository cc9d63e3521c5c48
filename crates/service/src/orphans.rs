//! Records that were written and must not be kept, but whose keys could not be erased at once.

use std::sync::{Mutex, PoisonError};

use oubliette_keytree::{AccountTag, LeafAddress, Op};

use crate::oubliette::Inner;

/// Leaves that no row points at and that are still to be erased.
///
/// They arise when a record is on disk and then the catalog fails. The catalog's own list of
/// pending shreds cannot hold them, for the same reason; should the process die first, recovery
/// meets the records in the spool.
#[derive(Debug, Default)]
pub(crate) struct Orphans(Mutex<Vec<(AccountTag, LeafAddress)>>);

impl Inner {
    /// Erases the keys of records that are not to be kept, now or as soon as it can be done.
    pub(crate) async fn abandon(&self, account: AccountTag, addresses: Vec<LeafAddress>) {
        self.orphans.put(addresses.into_iter().map(|address| (account, address)).collect());
        self.erase_orphans().await;
    }

    /// Tries once more what is left.
    pub(crate) async fn erase_orphans(&self) {
        let orphans = self.orphans.take();
        if orphans.is_empty() {
            return;
        }
        let ops = orphans.iter().map(|(account, address)| Op::PruneLeaf(*account, *address));
        if let Err(error) = self.committer.commit(ops.collect()).await {
            tracing::warn!(%error, count = orphans.len(), "keys of abandoned records wait to be erased");
            self.orphans.put(orphans);
        }
    }
}

impl Orphans {
    fn put(&self, mut more: Vec<(AccountTag, LeafAddress)>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).append(&mut more);
    }

    fn take(&self) -> Vec<(AccountTag, LeafAddress)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

//! Records that were written and must not be kept, but whose keys could not be erased at once.

use std::sync::{Mutex, PoisonError};

use oubliette_keytree::{AccountTag, LeafAddress, Op};
use oubliette_translog::Reason;

use crate::committer::Purpose;
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
        let purpose = Purpose { reason: Reason::Unfinished, requested_at: self.now_ms() };
        if let Err(error) = self.committer.erase(ops.collect(), purpose, Vec::new()).await {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServiceErrorKind;
    use crate::testing::with_failing_root;

    #[tokio::test]
    async fn what_could_not_be_erased_at_once_is_erased_in_a_later_round() {
        let (_folder, service, fails) = with_failing_root().await;
        let inner = service.inner();
        let tag = AccountTag::from_bytes([7; 16]);
        inner.committer.commit(vec![Op::CreateAccount(tag)]).await.unwrap();
        let acme = oubliette_catalog::AccountId::new("acme").unwrap();
        inner.catalog.create_account(&acme, inner.now_ms()).await.unwrap();
        let leaves = inner.leases.take(&acme, tag, inner.hour(), 2).await.unwrap().unwrap();
        let [first, second] = [leaves[0].0, leaves[1].0];

        fails.store(true, std::sync::atomic::Ordering::SeqCst);
        inner.abandon(tag, vec![first]).await;
        assert!(inner.tree.derive_leaf(tag, first).unwrap().is_some(), "not yet");
        let error = inner.committer.commit(vec![Op::PruneAccount(tag)]).await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Unavailable);

        fails.store(false, std::sync::atomic::Ordering::SeqCst);
        inner.round().await;
        assert!(inner.tree.derive_leaf(tag, first).unwrap().is_none());
        assert!(inner.tree.derive_leaf(tag, second).unwrap().is_some());
    }
}

//! Forgetting because someone asked: audit and mark, erase the key, answer, strike off.

use oubliette_catalog::{
    AccountId, ExchangeId, Parts, PendingShred, SettingsChange, ShredReason, ShredTarget,
};
use oubliette_keytree::{Generation, Op};
use oubliette_translog::{Reason, Receipt};
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::access::Principal;
use crate::committer::{Committed, Purpose};
use crate::error::{Result, ServiceError};
use crate::oubliette::{Inner, Oubliette};
use crate::policy::new_tree;

/// What a shred did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShredOutcome {
    /// How many keys were erased: 0 if all was gone already. A whole tree counts as one.
    pub shredded: u64,
    /// The generations of the root key before and after.
    pub generation: GenerationChange,
    /// The proof that these keys were destroyed, for whoever asked; none if all was gone already.
    pub receipt: Option<Receipt>,
}

/// From which generation of the root key to which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GenerationChange {
    /// The generation before.
    #[serde(serialize_with = "number")]
    pub from: Generation,
    /// The generation in force now; the same if there was nothing to erase.
    #[serde(serialize_with = "number")]
    pub to: Generation,
}

fn number<S: Serializer>(generation: &Generation, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(generation.number())
}

impl ShredOutcome {
    fn of(shredded: u64, done: Committed) -> Self {
        let Committed { generation, receipts } = done;
        // Of one request at most two keys or one tree: one statement.
        Self { shredded, generation, receipt: receipts.into_iter().next() }
    }
}

impl Oubliette {
    /// Forgets one or both bodies of an exchange for good. Its neighbours stay. What comes in for
    /// these parts later is refused.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`. After `Unavailable` nobody is led to the bodies any more, but their
    /// keys may not be erased yet; that is tried again, also by asking once more.
    pub async fn shred(
        &self,
        by: &Principal,
        account: &AccountId,
        exchange: &ExchangeId,
        parts: Parts,
    ) -> Result<ShredOutcome> {
        by.must_own(account)?;
        let inner = self.inner();
        let detail = json!({ "parts": parts });
        let asked = inner.event(by, Some(account), "exchange.shred", exchange.as_str(), detail);
        let pending = inner.catalog.mark_shredded(account, exchange, parts, asked).await?;
        if pending.is_empty() {
            // Dead already. But is its key gone? The answer says so, so it had better be.
            inner.finish_shreds().await?;
            let now = inner.tree.status()?.generation;
            let generation = GenerationChange { from: now, to: now };
            return Ok(ShredOutcome { shredded: 0, generation, receipt: None });
        }
        let done = inner.erase_leaves(&pending, Reason::Request).await?;
        let shredded = pending.len() as u64;
        inner.metrics.count(|counters| counters.shredded += shredded);
        Ok(ShredOutcome::of(shredded, done))
    }

    /// Forgets everything captured so far, at a cost that does not depend on how much that is. The
    /// account and its settings stay; capture is switched off.
    ///
    /// Captures that are under way are waited for, so nothing that was captured before this returns
    /// can be read afterwards.
    ///
    /// # Errors
    /// As [`shred`](Self::shred).
    pub async fn shred_account(&self, by: &Principal, account: &AccountId) -> Result<ShredOutcome> {
        by.must_own(account)?;
        let inner = self.inner();
        let gate = inner.policies.gate(account).await?;
        let mut policy = gate.change().await?;
        let off = SettingsChange { capture: Some(false), ..SettingsChange::default() };
        let settings =
            inner.catalog.change_settings(account, off, &by.actor(), inner.now_ms()).await?;
        if let Some(policy) = policy.as_mut() {
            policy.settings = settings.clone();
        }
        let asked = inner.event(by, Some(account), "account.shred", account.as_str(), json!({}));
        let pending = inner.catalog.mark_account_shredded(account, asked).await?;
        inner.leases.drop_account(gate.tag).await;
        let mut ops = vec![Op::PruneAccount(gate.tag)];
        ops.extend(new_tree(gate.tag, &settings, inner.expiry.at()));
        let purpose = Purpose { reason: Reason::Account, requested_at: pending.since };
        let done = inner.committer.erase(ops, purpose, vec![pending.id]).await?;
        inner.metrics.count(|counters| counters.shredded += 1);
        Ok(ShredOutcome::of(1, done))
    }

    /// Forgets everything of an account and closes it for good: its settings, tickets, grants and
    /// API keys go, its name and its audit rows stay.
    ///
    /// # Errors
    /// As [`shred`](Self::shred).
    pub async fn close_account(&self, by: &Principal, account: &AccountId) -> Result<ShredOutcome> {
        by.must_own_or_operate(account)?;
        let inner = self.inner();
        let gate = inner.policies.gate(account).await?;
        let mut policy = gate.change().await?;
        inner.record(by, Some(account), "account.close", account.as_str(), json!({})).await?;
        let pending = inner.catalog.remove_account(account, inner.now_ms()).await?;
        *policy = None;
        inner.leases.drop_account(gate.tag).await;
        let ops = vec![Op::PruneAccount(gate.tag)];
        let purpose = Purpose { reason: Reason::Account, requested_at: pending.since };
        let done = inner.committer.erase(ops, purpose, vec![pending.id]).await?;
        inner.metrics.count(|counters| counters.shredded += 1);
        Ok(ShredOutcome::of(1, done))
    }

    /// The size and the generation of the key state.
    ///
    /// # Errors
    /// `Forbidden`, `Unavailable` if the keys cannot be used until a restart.
    pub fn key_status(&self, by: &Principal) -> Result<oubliette_keytree::Status> {
        by.must_operate()?;
        Ok(self.inner().tree.status()?)
    }

    /// Puts a new root key in force and erases the present one.
    ///
    /// # Errors
    /// `Forbidden`, `Unavailable`.
    pub async fn rotate_keys(&self, by: &Principal) -> Result<GenerationChange> {
        by.must_operate()?;
        let inner = self.inner();
        inner.record(by, None, "keys.rotate", "root", json!({})).await?;
        // The tree turns its root over when something changes: an account that comes and goes.
        let mut tag = [0; 16];
        getrandom::fill(&mut tag).map_err(ServiceError::no_randomness)?;
        let nobody = oubliette_keytree::AccountTag::from_bytes(tag);
        inner.committer.commit(vec![Op::CreateAccount(nobody), Op::PruneAccount(nobody)]).await
    }
}

impl Inner {
    /// Erases what is still on the catalog's list. All of it, or an error.
    pub(crate) async fn finish_shreds(&self) -> Result<()> {
        let mut after = None;
        loop {
            let pending = self.catalog.pending_shreds(after, PAGE).await?;
            let Some(last) = pending.last() else { return Ok(()) };
            after = Some(last.id);
            let (leaves, trees): (Vec<_>, Vec<_>) =
                pending.into_iter().partition(|shred| matches!(shred.target, ShredTarget::Leaf(_)));
            for reason in [ShredReason::Shredded, ShredReason::Replaced, ShredReason::Orphaned] {
                let of_it = leaves.iter().filter(|shred| shred.reason == reason).cloned();
                let of_it: Vec<_> = of_it.collect();
                if !of_it.is_empty() {
                    self.erase_leaves(&of_it, logged(reason)).await?;
                }
            }
            for shred in &trees {
                self.erase_tree(shred).await?;
            }
        }
    }

    /// Whether the account's whole tree is still to be erased. Until it is, there must be no new
    /// leaves in it. Asked with the policy held alone.
    pub(crate) async fn awaits_erasure(&self, account: &AccountId) -> Result<bool> {
        let mut after = None;
        loop {
            let pending = self.catalog.pending_shreds(after, PAGE).await?;
            let Some(last) = pending.last() else { return Ok(false) };
            after = Some(last.id);
            if pending.iter().any(|shred| is_tree_of(shred, account)) {
                return Ok(true);
            }
        }
    }

    async fn erase_leaves(&self, pending: &[PendingShred], reason: Reason) -> Result<Committed> {
        let ops = pending.iter().map(|shred| {
            let tag = self.key.account_tag(&shred.account);
            match shred.target {
                ShredTarget::Leaf(address) => Op::PruneLeaf(tag, address),
                ShredTarget::Account => Op::PruneAccount(tag),
            }
        });
        let ids = pending.iter().map(|shred| shred.id).collect();
        let requested_at = pending.iter().map(|shred| shred.since).min().unwrap_or_default();
        self.committer.erase(ops.collect(), Purpose { reason, requested_at }, ids).await
    }

    /// Erases a whole tree, with nothing under way in it, unless someone else has done so since the
    /// list was read: by now there may be new leaves in use.
    async fn erase_tree(&self, shred: &PendingShred) -> Result<()> {
        let purpose = Purpose { reason: Reason::Account, requested_at: shred.since };
        let gate = match self.policies.gate(&shred.account).await {
            Ok(gate) => gate,
            Err(error) if error.kind() == crate::ServiceErrorKind::NotFound => {
                // Closed, so there is nothing new and nothing under way.
                let tag = self.key.account_tag(&shred.account);
                let ops = vec![Op::PruneAccount(tag)];
                self.committer.erase(ops, purpose, vec![shred.id]).await?;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let policy = gate.change().await;
        let before = shred.id.checked_sub(1);
        let still = self.catalog.pending_shreds(before, 1).await?;
        if still.first().is_none_or(|first| first.id != shred.id) {
            return Ok(());
        }
        self.leases.drop_account(gate.tag).await;
        let mut ops = vec![Op::PruneAccount(gate.tag)];
        if let Some(policy) = policy.ok().as_deref().and_then(Option::as_ref) {
            ops.extend(new_tree(gate.tag, &policy.settings, self.expiry.at()));
        }
        self.committer.erase(ops, purpose, vec![shred.id]).await?;
        Ok(())
    }
}

/// The log's word for it.
fn logged(reason: ShredReason) -> Reason {
    match reason {
        ShredReason::Shredded => Reason::Request,
        ShredReason::Replaced => Reason::Reredaction,
        _ => Reason::Unfinished,
    }
}

/// How many pending shreds are looked at together, and erased in one commit.
const PAGE: u32 = 1000;

fn is_tree_of(shred: &PendingShred, account: &AccountId) -> bool {
    shred.target == ShredTarget::Account && shred.account == *account
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use oubliette_catalog::{Capture, CaptureFilter, Exchange, Order, Role};
    use oubliette_redact::CapturedBody;

    use super::*;
    use crate::testing::with_failing_root;
    use crate::{Envelope, PartOutcome, ServiceErrorKind};

    #[tokio::test]
    async fn what_is_not_erased_yet_is_not_called_erased_and_no_new_leaf_comes_before() {
        let (_folder, service, fails) = with_failing_root().await;
        let acme = AccountId::new("acme").unwrap();
        let owner = Principal::local(Role::Owner, Some(acme.clone()));
        let opt_in = || SettingsChange { capture: Some(true), ..SettingsChange::default() };
        let capture = |id: &str| {
            let exchange =
                Exchange::new(acme.clone(), ExchangeId::new(id).unwrap(), service.now_ms());
            let request = Some(CapturedBody::new(b"hello".to_vec(), None, None));
            let envelope = Envelope { exchange, request, response: None };
            let service = service.clone();
            async move {
                let gateway = Principal::local(Role::Gateway, None);
                service.capture(&gateway, envelope).await.unwrap().parts.request.unwrap()
            }
        };
        service.create_account(&Principal::local(Role::Operator, None), &acme).await.unwrap();
        service.change_settings(&owner, &acme, opt_in()).await.unwrap();
        let stored = PartOutcome::Stored { findings: 0 };
        assert_eq!(capture("ex-1").await, stored);
        assert_eq!(capture("ex-2").await, stored);

        let tag = service.inner().key.account_tag(&acme);
        let keys = || async {
            let filter = CaptureFilter { order: Order::Oldest, ..CaptureFilter::default() };
            let rows = service.captures(&owner, &acme, filter).await.unwrap().items;
            let key = |row: &Capture| service.inner().tree.derive_leaf(tag, row.address).unwrap();
            rows.iter().map(|row| key(row).map(|key| *key.expose_secret())).collect::<Vec<_>>()
        };
        let before = keys().await;

        fails.store(true, Ordering::SeqCst);
        let first = ExchangeId::new("ex-1").unwrap();
        for _ in 0..2 {
            let error = service.shred(&owner, &acme, &first, Parts::Both).await.unwrap_err();
            assert_eq!(error.kind(), ServiceErrorKind::Unavailable, "{error}");
        }
        let error = service.shred_account(&owner, &acme).await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Unavailable, "{error}");
        let error = service.change_settings(&owner, &acme, opt_in()).await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Unavailable, "{error}");
        assert!(!service.settings(&owner, &acme).await.unwrap().capture);
        assert_eq!(service.metrics().await.pending_shreds, Some(1), "the whole tree");
        assert_eq!(keys().await, before, "and indeed it is not erased");

        fails.store(false, Ordering::SeqCst);
        service.change_settings(&owner, &acme, opt_in()).await.unwrap();
        assert_eq!(service.metrics().await.pending_shreds, Some(0));
        assert_eq!(capture("ex-3").await, stored);
        let third = keys().await[2];
        service.inner().round().await;
        let after = keys().await;
        assert!(after[0] != before[0] && after[1] != before[1], "the old keys are gone");
        assert_eq!(after[2], third, "the new tree was not erased once more");
    }
}

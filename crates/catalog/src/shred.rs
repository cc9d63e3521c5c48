//! Pending shreds: addresses the catalog no longer points at and whose keys must still be erased.

use oubliette_keytree::LeafAddress;
use serde::{Deserialize, Serialize};

use crate::account::AccountId;

/// A key that must still be erased from the key tree.
///
/// The catalog writes it in the same transaction that stops pointing at the address, and it stays
/// until [`Catalog::complete_shreds`](crate::Catalog::complete_shreds). So an address is at any
/// moment in a live capture, or here, or its key is gone; a crash loses none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingShred {
    /// Numbers the pending shreds in the order they were entered; never used again.
    pub id: u64,
    /// Whose key tree.
    pub account: AccountId,
    /// What to erase in it.
    pub target: ShredTarget,
    /// Why.
    pub reason: ShredReason,
    /// Since when it waits, in Unix milliseconds.
    pub since: i64,
}

/// What to erase in a key tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShredTarget {
    /// One leaf.
    Leaf(LeafAddress),
    /// The whole tree, as it was when the shred was entered.
    Account,
}

/// Why a key is to be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ShredReason {
    /// Someone asked for the body, or for all of the account's, to be forgotten.
    Shredded,
    /// A newer record stands in its place.
    Replaced,
    /// A record that was written but never entered: a duplicate, one that came too late, or one
    /// that recovery found.
    Orphaned,
}

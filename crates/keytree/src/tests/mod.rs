//! Tests of the whole: against a model, under crashes, against a thief.

mod before;
mod crash;
mod model;
mod open;
mod size;
mod thief;
mod threads;

use std::sync::Arc;

use crate::{AccountTag, Hour, KeyTree, LeafAddress, MemoryPageStore, MemoryRootStore};

/// An account to play with. The bytes differ in front, so that accounts spread over the state.
fn account(n: u16) -> AccountTag {
    let mut tag = [0x11; 16];
    tag[..2].copy_from_slice(&n.wrapping_mul(40_503).to_be_bytes());
    AccountTag::from_bytes(tag)
}

fn hour(number: u32) -> Hour {
    Hour::new(number).unwrap()
}

fn leaf(hour_number: u32, lease: u16, sequence: u32) -> LeafAddress {
    LeafAddress::new(hour(hour_number), lease, sequence).unwrap()
}

fn key_of(tree: &KeyTree, account: AccountTag, leaf: LeafAddress) -> Option<[u8; 32]> {
    tree.derive_leaf(account, leaf).unwrap().map(|key| *key.expose_secret())
}

/// A tree in memory, and the stores to open it again.
fn in_memory() -> (KeyTree, Arc<MemoryRootStore>, Arc<MemoryPageStore>) {
    let roots = Arc::new(MemoryRootStore::default());
    let pages = Arc::new(MemoryPageStore::default());
    (KeyTree::open(Arc::clone(&roots), Arc::clone(&pages)).unwrap(), roots, pages)
}

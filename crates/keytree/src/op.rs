//! What a commit is asked to do, and what it did.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::address::{AccountTag, Hour, LeafAddress};
use crate::directory::{Draft, Node};
use crate::entry::{Entry, EntryKey, Subtree, below};
use crate::error::KeyTreeError;
use crate::key::NodeKey;
use crate::page::Generation;

/// One change to the tree. Each may be repeated: what is done already is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// Gives an account a tree of its own, from a new random node.
    ///
    /// An account whose tree was pruned whole may be created again. It gets another tree, and
    /// nothing that was sealed under the first one opens under the second.
    CreateAccount(AccountTag),
    /// Forgets one leaf.
    PruneLeaf(AccountTag, LeafAddress),
    /// Forgets every leaf of an hour before this one.
    PruneHoursBefore(AccountTag, Hour),
    /// Forgets every leaf.
    PruneAccount(AccountTag),
}

/// What became of one [`Op`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpOutcome {
    /// The account has a tree now.
    Created,
    /// The account had a tree already and keeps it.
    AlreadyExists,
    /// Something that could still be derived is forgotten now.
    Pruned,
    /// There was nothing left to forget.
    AlreadyGone,
    /// The account has no tree, or none any more.
    NoSuchAccount,
}

/// What a commit did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommitOutcome {
    /// What became of each operation, in their order.
    pub ops: Vec<OpOutcome>,
    /// The generation before.
    pub from: Generation,
    /// The generation now in force; the same if no operation had anything to do.
    pub to: Generation,
    /// How many key pages were written.
    pub pages_written: usize,
    /// The size of those pages together.
    pub bytes_written: usize,
}

/// A commit that is about to happen: it is settled what it does, and the root key is not replaced yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Prepared<'a> {
    /// What will become of each operation, in their order.
    pub ops: &'a [OpOutcome],
    /// The generation in force.
    pub from: Generation,
    /// The generation that comes.
    pub to: Generation,
    /// SHA-256 of the top page in force, sealed as it is: what names the state of all accounts.
    pub directory_from: [u8; 32],
    /// The same of the top page that comes.
    pub directory_to: [u8; 32],
}

/// Applies operations to the next generation in the making.
pub(crate) struct Applier {
    pub(crate) draft: Draft,
    pub(crate) accounts: u64,
    pub(crate) changed: bool,
}

impl Applier {
    pub(crate) fn apply(&mut self, op: &Op) -> Result<OpOutcome, KeyTreeError> {
        match *op {
            Op::CreateAccount(tag) => self.create(tag),
            Op::PruneLeaf(tag, leaf) => self.prune(tag, &(leaf.to_bits()..=leaf.to_bits())),
            Op::PruneHoursBefore(tag, hour) => match first_of(hour).checked_sub(1) {
                Some(last) => self.prune(tag, &(0..=last)),
                None if has_account(&self.draft.top, tag) => Ok(OpOutcome::AlreadyGone),
                None => Ok(OpOutcome::NoSuchAccount),
            },
            Op::PruneAccount(tag) => self.prune(tag, &(0..=u64::MAX)),
        }
    }

    fn create(&mut self, tag: AccountTag) -> Result<OpOutcome, KeyTreeError> {
        if has_account(&self.draft.top, tag) {
            return Ok(OpOutcome::AlreadyExists);
        }
        let entry = Entry { tag, subtree: Subtree::whole(NodeKey::generate()?) };
        let key = entry.key();
        self.draft.edit(key, |entries| {
            entries.insert(entries.partition_point(|other| other.key() < key), entry);
        })?;
        self.accounts += 1;
        self.changed = true;
        Ok(OpOutcome::Created)
    }

    fn prune(
        &mut self,
        tag: AccountTag,
        hole: &RangeInclusive<u64>,
    ) -> Result<OpOutcome, KeyTreeError> {
        if !has_account(&self.draft.top, tag) {
            return Ok(OpOutcome::NoSuchAccount);
        }
        let mut outcome = OpOutcome::AlreadyGone;
        // Once around for each page that holds some of it.
        while let Some(at) = first_overlap(&self.draft.top, tag, hole) {
            self.draft.edit(at, |entries| {
                let overlaps = |entry: &Entry| entry.tag == tag && entry.subtree.overlaps(hole);
                let start = entries.iter().position(overlaps).unwrap_or(entries.len());
                let end = start + entries[start..].iter().take_while(|e| overlaps(e)).count();
                let mut living = Vec::new();
                let mut rest = entries.split_off(end);
                for entry in entries.drain(start..) {
                    entry.subtree.carve(hole, &mut living);
                }
                entries.extend(living.into_iter().map(|subtree| Entry { tag, subtree }));
                entries.append(&mut rest);
            })?;
            outcome = OpOutcome::Pruned;
            self.changed = true;
        }
        if outcome == OpOutcome::Pruned && !has_account(&self.draft.top, tag) {
            self.accounts -= 1;
        }
        Ok(outcome)
    }
}

pub(crate) fn has_account(top: &Arc<Node>, tag: AccountTag) -> bool {
    top.at_or_after(EntryKey { tag, prefix: 0 }).is_some_and(|entry| entry.tag == tag)
}

/// The living subtree around one address.
pub(crate) fn covering(top: &Arc<Node>, tag: AccountTag, address: u64) -> Option<&Subtree> {
    let entry = top.at_or_before(EntryKey { tag, prefix: address })?;
    (entry.tag == tag && entry.subtree.covers(address)).then_some(&entry.subtree)
}

/// What lives of the subtree with this prefix and length, in order.
pub(crate) fn living(top: &Arc<Node>, tag: AccountTag, prefix: u64, len: u8) -> Vec<Subtree> {
    let last = prefix | below(len);
    let mut found = Vec::new();
    if let Some(above) = covering(top, tag, prefix).filter(|above| above.len() <= len) {
        found.push(above.descend(prefix, len));
        return found;
    }
    let mut from = prefix;
    while let Some(entry) = top.at_or_after(EntryKey { tag, prefix: from }) {
        if entry.tag != tag || entry.subtree.last() > last {
            break;
        }
        found.push(entry.subtree.duplicate());
        match entry.subtree.last().checked_add(1) {
            Some(next) => from = next,
            None => break,
        }
    }
    found
}

/// The first address of an hour.
pub(crate) fn first_of(hour: Hour) -> u64 {
    u64::from(hour.number()) << 40
}

/// Where the first entry of an account stands that has a leaf in the hole.
fn first_overlap(top: &Arc<Node>, tag: AccountTag, hole: &RangeInclusive<u64>) -> Option<EntryKey> {
    if let Some(above) = covering(top, tag, *hole.start()) {
        return Some(EntryKey { tag, prefix: above.first() });
    }
    let next = top.at_or_after(EntryKey { tag, prefix: *hole.start() })?;
    (next.tag == tag && next.subtree.overlaps(hole)).then(|| next.key())
}

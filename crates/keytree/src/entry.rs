//! One entry of the state: a subtree of one account that still lives.

use std::fmt;
use std::ops::RangeInclusive;

use crate::address::{AccountTag, LeafAddress};
use crate::key::{LeafKey, NodeKey, Side};

/// Where an entry stands in the state: account first, then the first address it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EntryKey {
    pub(crate) tag: AccountTag,
    pub(crate) prefix: u64,
}

/// A subtree that lives, and whose it is.
pub(crate) struct Entry {
    pub(crate) tag: AccountTag,
    pub(crate) subtree: Subtree,
}

impl Entry {
    pub(crate) fn key(&self) -> EntryKey {
        EntryKey { tag: self.tag, prefix: self.subtree.first() }
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self { tag: self.tag, subtree: self.subtree.duplicate() }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?}", self.tag, self.subtree)
    }
}

/// All leaves whose address begins with the first `len` bits of `prefix`, and the node above them.
///
/// The other bits of `prefix` are zero, so it is also the first address of the subtree.
pub(crate) struct Subtree {
    prefix: u64,
    len: u8,
    node: NodeKey,
}

impl Subtree {
    /// The length of an address, and so of the prefix of a single leaf.
    pub(crate) const DEPTH: u8 = 64;

    /// A subtree as read from a page; `None` if no subtree has this prefix and length.
    pub(crate) fn new(prefix: u64, len: u8, node: NodeKey) -> Option<Self> {
        (len <= Self::DEPTH && prefix & below(len) == 0).then_some(Self { prefix, len, node })
    }

    /// The whole tree of an account.
    pub(crate) fn whole(node: NodeKey) -> Self {
        Self { prefix: 0, len: 0, node }
    }

    pub(crate) fn first(&self) -> u64 {
        self.prefix
    }

    pub(crate) fn last(&self) -> u64 {
        self.prefix | below(self.len)
    }

    pub(crate) fn len(&self) -> u8 {
        self.len
    }

    pub(crate) fn node(&self) -> &NodeKey {
        &self.node
    }

    pub(crate) fn covers(&self, address: u64) -> bool {
        (self.first()..=self.last()).contains(&address)
    }

    pub(crate) fn overlaps(&self, hole: &RangeInclusive<u64>) -> bool {
        self.first() <= *hole.end() && *hole.start() <= self.last()
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self { prefix: self.prefix, len: self.len, node: self.node.duplicate() }
    }

    /// The two halves. The node above them is wiped.
    ///
    /// # Panics
    ///
    /// If this is a single leaf.
    pub(crate) fn split(self) -> (Self, Self) {
        assert!(self.len < Self::DEPTH, "a leaf has no children");
        let len = self.len + 1;
        let left = Self { prefix: self.prefix, len, node: self.node.child(Side::Left) };
        let bit = 1 << (Self::DEPTH - len);
        let right = Self { prefix: self.prefix | bit, len, node: self.node.child(Side::Right) };
        (left, right)
    }

    /// What lives of this subtree once the addresses in `hole` are gone: the largest subtrees that
    /// lie outside, in order. At most 64 for each end of the hole.
    pub(crate) fn carve(self, hole: &RangeInclusive<u64>, out: &mut Vec<Self>) {
        if !self.overlaps(hole) {
            out.push(self);
        } else if !(hole.contains(&self.first()) && hole.contains(&self.last())) {
            // Not wholly inside, so it has more than one leaf and can be split.
            let (left, right) = self.split();
            left.carve(hole, out);
            right.carve(hole, out);
        }
    }

    /// The subtree of length `len` around `address`, which must lie in this one.
    pub(crate) fn descend(&self, address: u64, len: u8) -> Self {
        debug_assert!(self.covers(address) && self.len <= len && len <= Self::DEPTH);
        let mut node = self.node.duplicate();
        for depth in self.len..len {
            let bit = (address >> (Self::DEPTH - 1 - depth)) & 1;
            node = node.child(if bit == 0 { Side::Left } else { Side::Right });
        }
        Self { prefix: address & !below(len), len, node }
    }

    /// The key of the leaf at `address`, which must lie in this subtree.
    pub(crate) fn leaf(&self, address: LeafAddress) -> LeafKey {
        self.descend(address.to_bits(), Self::DEPTH).node.into_leaf()
    }

    /// Ends the walk down at a single leaf.
    pub(crate) fn into_leaf(self) -> (LeafAddress, LeafKey) {
        debug_assert_eq!(self.len, Self::DEPTH);
        (LeafAddress::from_bits(self.prefix), self.node.into_leaf())
    }
}

impl fmt::Debug for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}/{}", self.prefix, self.len)
    }
}

/// The bits of an address that a prefix of this length leaves open.
pub(crate) fn below(len: u8) -> u64 {
    u64::MAX.checked_shr(u32::from(len)).unwrap_or(0)
}

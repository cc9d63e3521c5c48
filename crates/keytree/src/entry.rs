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
        let bit = 1 << (Self::DEPTH - len);
        let (left, right) = self.node.children();
        let left = Self { prefix: self.prefix, len, node: left };
        (left, Self { prefix: self.prefix | bit, len, node: right })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Hour;
    use crate::lease::Lease;

    fn node() -> NodeKey {
        let mut bytes = [0u8; 32];
        (0..32u8).for_each(|i| bytes[usize::from(i)] = i);
        NodeKey::from_bytes(&bytes)
    }

    /// From an independent implementation, Python's `hmac` module, over the node 00 01 … 1f:
    /// `for i in range(63, -1, -1): n = h(n, (address >> i) & 1)` with `h` as in `key.rs`.
    #[test]
    fn leaves_match_an_independent_implementation() {
        let vectors = [
            (0, 0, 0, "33bbc7ad7be4c4ccf9411098f93ff27f41f7a49afb4f621a71eb2efe88b3ec2a"),
            (
                493_000,
                7,
                12_345,
                "120baed46f8325a8d7160c2409cc0b2712a2c8c30c1ef11c63895db5d077c1a7",
            ),
            (
                (1 << 24) - 1,
                u16::MAX,
                (1 << 24) - 1,
                "d1944fc427880ddde85eb9ded7abb04ec020ccc89cc34262f65cd81a6f797d7c",
            ),
        ];
        for (hour, lease, sequence, expected) in vectors {
            let address = LeafAddress::new(Hour::new(hour).unwrap(), lease, sequence).unwrap();
            let key = Subtree::whole(node()).leaf(address);
            assert_eq!(hex::encode(key.expose_secret()), expected, "{address}");
        }
    }

    #[test]
    fn carving_out_one_leaf_leaves_the_siblings_of_its_path() {
        let address = 0x0123_4567_89ab_cdef;
        let mut living = Vec::new();
        Subtree::whole(node()).carve(&(address..=address), &mut living);
        assert_eq!(living.len(), 64);
        let mut lengths: Vec<_> = living.iter().map(Subtree::len).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, (1..=64).collect::<Vec<_>>());
        assert!(living.is_sorted_by_key(Subtree::first));
        assert!(!living.iter().any(|subtree| subtree.covers(address)));
    }

    #[test]
    fn carving_all_or_nothing() {
        let mut living = Vec::new();
        Subtree::whole(node()).carve(&(0..=u64::MAX), &mut living);
        assert!(living.is_empty());
        let (left, right) = Subtree::whole(node()).split();
        let first_of_right = right.first();
        left.carve(&(first_of_right..=u64::MAX), &mut living);
        assert_eq!((living.len(), living[0].first(), living[0].len()), (1, 0, 1));
    }

    #[test]
    fn only_true_prefixes_are_subtrees() {
        assert!(Subtree::new(1 << 63, 1, node()).is_some());
        assert!(Subtree::new(1 << 62, 1, node()).is_none());
        assert!(Subtree::new(1, 64, node()).is_some());
        assert!(Subtree::new(0, 65, node()).is_none());
    }

    #[test]
    fn a_lease_ends_after_its_last_leaf() {
        let top = Subtree::whole(node());
        let tag = AccountTag::from_bytes([0; 16]);
        let hour = Hour::new(0).unwrap();
        let mut lease = Lease::new(tag, hour, 0, vec![top.descend(0xfff0, 60)]).unwrap();
        assert_eq!(lease.size_hint(), (16, Some(16)));
        for bits in 0xfff0..=0xffff {
            let (address, key) = lease.next().unwrap();
            assert_eq!(address.to_bits(), bits);
            assert_eq!(key.expose_secret(), top.leaf(address).expose_secret());
        }
        assert!(lease.held().is_empty());
        assert!(lease.next().is_none() && lease.next().is_none());
        assert!(Lease::new(tag, hour, 0, Vec::new()).is_none());
    }

    #[test]
    fn debug_shows_no_key() {
        let entry =
            Entry { tag: AccountTag::from_bytes([0xee; 16]), subtree: Subtree::whole(node()) };
        let tag = "ee".repeat(16);
        assert_eq!(format!("{entry:?}"), format!("AccountTag({tag}): 0000000000000000/0"));
    }
}

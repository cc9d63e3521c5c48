//! A writer's share of the tree: leaves in order, nothing behind.

use std::fmt;
use std::iter::FusedIterator;

use crate::address::{AccountTag, Hour, LeafAddress};
use crate::entry::Subtree;
use crate::key::LeafKey;
use crate::stack::{OF_HASHES, without_trace};

/// The leaves of one `(hour, lease number)`, to be taken from left to right, each once.
///
/// It holds only the nodes to the right of where it stands, at most 24 of them: whoever steals it
/// can open nothing that was sealed under a leaf it has given out. Leaves that were pruned before
/// the lease was handed out are skipped; a prune after that does not reach it, so a shred takes
/// effect for leaves already given out and an expiry for hours in which nobody writes any more.
///
/// **A lease number is used once, ever**, for an hour of an account. The tree derives and keeps no
/// record of what it handed out, so that is the caller's duty: a counter that is made durable
/// before the lease is used, and never set back. A lease asked for twice gives the same keys
/// twice, and two payloads would share one.
///
/// Taking a leaf costs two HMACs on average, and up to 48 at a border.
pub struct Lease {
    tag: AccountTag,
    hour: Hour,
    number: u16,
    /// The last is the leftmost, so that taking it moves nothing.
    held: Vec<Subtree>,
    #[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
    pub(crate) kept: Option<Subtree>,
}

impl Lease {
    /// How many bits of an address name the lease.
    pub(crate) const PREFIX_LEN: u8 = 40;

    pub(crate) fn new(
        tag: AccountTag,
        hour: Hour,
        number: u16,
        mut living: Vec<Subtree>,
    ) -> Option<Self> {
        living.reverse();
        (!living.is_empty()).then_some(Self {
            tag,
            hour,
            number,
            held: living,
            #[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
            kept: None,
        })
    }

    /// The account whose leaves these are.
    #[must_use]
    pub fn account(&self) -> AccountTag {
        self.tag
    }

    /// The hour of capture that all its addresses carry.
    #[must_use]
    pub fn hour(&self) -> Hour {
        self.hour
    }

    /// The number under which it was handed out.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// How many leaves are left.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        let leaves: u64 =
            self.held.iter().map(|subtree| subtree.last() - subtree.first() + 1).sum();
        u32::try_from(leaves).expect("a lease has 2^24 leaves")
    }

    #[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
    pub(crate) fn held(&self) -> &[Subtree] {
        &self.held
    }
}

impl Iterator for Lease {
    type Item = (LeafAddress, LeafKey);

    /// Takes the next leaf; `None` once all are taken.
    fn next(&mut self) -> Option<Self::Item> {
        without_trace::<OF_HASHES, _>(|| {
            let mut subtree = self.held.pop()?;
            while subtree.len() < Subtree::DEPTH {
                let (left, right) = subtree.split();
                self.held.push(right);
                subtree = left;
            }
            Some(subtree.into_leaf())
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let remaining = self.remaining() as usize;
        (remaining, Some(remaining))
    }
}

impl FusedIterator for Lease {}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Lease({:?}, {}/{}, {} left)",
            self.tag,
            self.hour.number(),
            self.number,
            self.remaining()
        )
    }
}

//! Marks in a text, from bits to lists.

use super::{BLOCK, Kernel};

/// Marks of one kind: those set in the masks of some blocks, and once these are gathered, a list.
#[derive(Debug)]
pub(crate) struct Marks {
    masks: [u64; BLOCKS],
    any: u64,
    list: Box<[usize; ROOM]>,
    len: usize,
}

/// How many blocks are gathered: enough for a few hundred words.
pub(crate) const BLOCKS: usize = 32;
/// A word is followed by a byte that is of none; one may have begun before. Lists are written by the block.
pub(crate) const ROOM: usize = (BLOCKS * BLOCK / 2 + BLOCK).next_power_of_two();

impl Default for Marks {
    fn default() -> Self {
        Self { masks: [0; BLOCKS], any: 0, list: Box::new([0; ROOM]), len: 0 }
    }
}

impl Marks {
    /// Sets the mask of a block.
    #[inline(always)]
    pub(crate) fn set(&mut self, block: usize, mask: u64) {
        self.masks[block] = mask;
        self.any |= mask;
    }

    /// Lists the places in the masks of so many blocks, the first of which starts at `at`.
    #[inline]
    pub(crate) fn gather(&mut self, kernel: Kernel, at: usize, blocks: usize) {
        if self.any != 0 {
            self.len += kernel.places(at, &self.masks[..blocks], &mut self.list[self.len..]);
        }
    }

    pub(crate) fn get(&self) -> &[usize] {
        &self.list[..self.len]
    }

    /// One more.
    pub(crate) fn push(&mut self, at: usize) {
        self.list[self.len] = at;
        self.len += 1;
    }

    /// Forgets those from `end` on.
    pub(crate) fn cut(&mut self, end: usize) {
        self.len = self.get().partition_point(|&at| at < end);
    }

    pub(crate) fn clear(&mut self) {
        (self.len, self.any) = (0, 0);
    }
}

//! Where words stand.

use super::{BLOCK, Kernel, Masks};

/// A maximal run of ASCII letters and digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The words of some blocks, and the places of characters beyond ASCII, gathered to be looked up together:
/// a loop over many words runs faster than one over the few of each block.
#[derive(Debug)]
pub(crate) struct Words {
    kernel: Kernel,
    /// Where the first of the blocks starts, and how many there are.
    at: usize,
    blocks: usize,
    starts: Places,
    ends: Places,
    humps: Places,
    leads: Places,
    /// The last byte was of a word.
    inside: bool,
    /// The last byte was a small letter or a digit.
    small: bool,
}

/// Places of one kind: those set in the masks of some blocks, and once these are gathered, a list.
#[derive(Debug)]
struct Places {
    masks: [u64; BLOCKS],
    any: u64,
    list: Box<[usize; ROOM]>,
    len: usize,
}

/// How many blocks are gathered: enough for a few hundred words.
const BLOCKS: usize = 32;
/// A word is followed by a byte that is of none; one may have begun before.
pub(crate) const ROOM: usize = (BLOCKS * BLOCK / 2 + BLOCK).next_power_of_two();

impl Words {
    pub(crate) fn new(kernel: Kernel) -> Self {
        let places = || Places { masks: [0; BLOCKS], any: 0, list: Box::new([0; ROOM]), len: 0 };
        Self {
            kernel,
            at: 0,
            blocks: 0,
            starts: places(),
            ends: places(),
            humps: places(),
            leads: places(),
            inside: false,
            small: false,
        }
    }

    /// Forgets the last haystack.
    pub(crate) fn begin(&mut self) {
        (self.at, self.blocks, self.inside, self.small) = (0, 0, false, false);
        self.clear(0);
    }

    /// Takes the masks of the next block; true if it is time to [`gather`](Self::gather) the words, look them up
    /// and [`go_on`](Self::go_on).
    #[inline(always)]
    #[must_use]
    pub(crate) fn push(&mut self, masks: Masks) -> bool {
        let words = masks.alphanumeric;
        let before = words << 1 | u64::from(self.inside);
        self.inside = words >> 63 != 0;
        let small = words & !masks.upper;
        let humps = masks.upper & (small << 1 | u64::from(self.small));
        self.small = small >> 63 != 0;
        let block = self.blocks % BLOCKS;
        self.starts.set(block, words & !before);
        self.ends.set(block, before & !words);
        self.humps.set(block, humps);
        self.leads.set(block, masks.lead);
        self.blocks = block + 1;
        self.blocks == BLOCKS
    }

    /// Makes lists of what was pushed.
    pub(crate) fn gather(&mut self) {
        for places in [&mut self.starts, &mut self.ends, &mut self.humps, &mut self.leads] {
            if places.any != 0 {
                places.len += self.kernel.places(
                    self.at,
                    &places.masks[..self.blocks],
                    &mut places.list[places.len..],
                );
            }
        }
        self.at += self.blocks * BLOCK;
        self.blocks = 0;
    }

    /// Gathers the last, and ends a word that reaches the end of the haystack.
    pub(crate) fn finish(&mut self, end: usize) {
        self.gather();
        if self.starts.len > self.ends.len {
            self.ends.list[self.ends.len] = end;
            self.ends.len += 1;
        }
    }

    /// The words that are complete.
    pub(crate) fn words(&self) -> impl Iterator<Item = Word> {
        let (starts, ends) = (self.starts.get(), self.ends.get());
        starts.iter().zip(ends).map(|(&start, &end)| Word { start, end })
    }

    /// One of them.
    #[inline]
    pub(crate) fn word(&self, number: usize) -> Word {
        Word { start: self.starts.get()[number], end: self.ends.get()[number] }
    }

    /// Where within words a capital follows a small letter or a digit.
    pub(crate) fn humps(&self) -> &[usize] {
        self.humps.get()
    }

    /// Where characters beyond ASCII begin.
    pub(crate) fn leads(&self) -> &[usize] {
        self.leads.get()
    }

    /// Forgets what was looked up, but for a word that has not ended.
    pub(crate) fn go_on(&mut self) {
        self.clear(self.starts.len - self.ends.len);
    }

    fn clear(&mut self, pending: usize) {
        if pending > 0 {
            self.starts.list[0] = self.starts.list[self.starts.len - 1];
        }
        for places in [&mut self.starts, &mut self.ends, &mut self.humps, &mut self.leads] {
            (places.len, places.any) = (0, 0);
        }
        self.starts.len = pending;
    }
}

impl Places {
    #[inline(always)]
    fn set(&mut self, block: usize, mask: u64) {
        self.masks[block] = mask;
        self.any |= mask;
    }

    fn get(&self) -> &[usize] {
        &self.list[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_words_and_leads_are_found(
            text in "[abB_ é字]{0,3000}",
            dense in any::<bool>(),
            kernel in prop::sample::select(Kernel::all()),
        ) {
            let text = if dense { text.replace('_', "a-") } else { text };
            let bytes = text.as_bytes();
            let mut words = Words::new(kernel);
            let (mut found, mut humps, mut leads) = (Vec::new(), Vec::new(), Vec::new());
            let mut look = |words: &mut Words| {
                found.extend(words.words());
                humps.extend_from_slice(words.humps());
                leads.extend_from_slice(words.leads());
                words.go_on();
            };
            words.begin();
            kernel.classify(bytes, |_, masks| {
                if words.push(masks) {
                    words.gather();
                    look(&mut words);
                }
            });
            words.finish(bytes.len());
            look(&mut words);
            let mut expected = Vec::new();
            let mut at = 0;
            while at < bytes.len() {
                let len = bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                if len > 0 {
                    expected.push(Word { start: at, end: at + len });
                }
                at += len.max(1);
            }
            prop_assert_eq!(found, expected);
            let is_hump = |at: &usize| {
                bytes[*at].is_ascii_uppercase() && *at > 0 && bytes[at - 1].is_ascii_lowercase()
            };
            prop_assert_eq!(humps, (0..bytes.len()).filter(is_hump).collect::<Vec<_>>());
            let expected: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at] >= 0xC0).collect();
            prop_assert_eq!(leads, expected);
        }
    }
}

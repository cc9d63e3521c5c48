//! Where words stand.

use super::marks::{BLOCKS, Marks};
use super::{BLOCK, Kernel, Masks};

/// The words of some blocks, which are maximal runs of ASCII letters and digits, and the places of characters beyond ASCII, gathered to be looked up together:
/// a loop over many words runs faster than one over the few of each block.
#[derive(Debug)]
pub(crate) struct Words {
    kernel: Kernel,
    /// Where the first of the blocks starts, and how many there are.
    at: usize,
    blocks: usize,
    starts: Marks,
    ends: Marks,
    humps: Marks,
    leads: Marks,
    /// The last byte was of a word.
    inside: bool,
    /// The last byte was a small letter or a digit.
    small: bool,
}

impl Words {
    pub(crate) fn new(kernel: Kernel) -> Self {
        Self {
            kernel,
            at: 0,
            blocks: 0,
            starts: Marks::default(),
            ends: Marks::default(),
            humps: Marks::default(),
            leads: Marks::default(),
            inside: false,
            small: false,
        }
    }

    /// Forgets the last haystack.
    pub(crate) fn begin(&mut self) {
        (self.at, self.blocks, self.inside, self.small) = (0, 0, false, false);
        self.clear(None);
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
            places.gather(self.kernel, self.at, self.blocks);
        }
        self.at += self.blocks * BLOCK;
        self.blocks = 0;
    }

    /// Gathers the last, and ends a word that reaches the end of the haystack.
    pub(crate) fn finish(&mut self, end: usize) {
        self.gather();
        if self.starts.get().len() > self.ends.get().len() {
            self.ends.push(end);
        }
    }

    /// Where words begin, one of which may not have ended yet.
    pub(crate) fn starts(&self) -> &[usize] {
        self.starts.get()
    }

    /// One past where they end.
    pub(crate) fn ends(&self) -> &[usize] {
        self.ends.get()
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
        let pending = self.starts.get().get(self.ends.get().len()).copied();
        self.clear(pending);
    }

    fn clear(&mut self, pending: Option<usize>) {
        for places in [&mut self.starts, &mut self.ends, &mut self.humps, &mut self.leads] {
            places.clear();
        }
        if let Some(pending) = pending {
            self.starts.push(pending);
        }
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
                found.extend(words.starts().iter().copied().zip(words.ends().iter().copied()));
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
                    expected.push((at, at + len));
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

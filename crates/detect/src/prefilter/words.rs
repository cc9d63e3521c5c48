//! Where words stand.

use super::Masks;

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
    starts: Places,
    ends: Places,
    humps: Places,
    leads: Places,
    /// The last byte was of a word.
    inside: bool,
    /// The last byte was a small letter or a digit.
    small: bool,
}

/// Places, as many as are looked up together and a block's more.
#[derive(Debug)]
struct Places {
    list: Box<[usize; ROOM]>,
    len: usize,
}

/// A power of two, so that no place needs its bounds checked.
const ROOM: usize = 512;
/// From here on a further block may not fit.
const FULL: usize = ROOM - 65;

impl Default for Words {
    fn default() -> Self {
        let places = || Places { list: Box::new([0; ROOM]), len: 0 };
        Self {
            starts: places(),
            ends: places(),
            humps: places(),
            leads: places(),
            inside: false,
            small: false,
        }
    }
}

impl Words {
    /// Forgets the last haystack.
    pub(crate) fn begin(&mut self) {
        self.clear(0);
        (self.inside, self.small) = (false, false);
    }

    /// Takes the masks of the block that starts at `at`; true if it is time to look the words up and
    /// [`go_on`](Self::go_on). Blocks come in order.
    #[inline(always)]
    #[must_use]
    pub(crate) fn push(&mut self, at: usize, masks: Masks) -> bool {
        let words = masks.alphanumeric;
        let before = words << 1 | u64::from(self.inside);
        self.inside = words >> 63 != 0;
        self.starts.push(at, words & !before);
        self.ends.push(at, before & !words);
        let small = words & !masks.upper;
        let humps = masks.upper & (small << 1 | u64::from(self.small));
        self.small = small >> 63 != 0;
        if humps != 0 {
            self.humps.push(at, humps);
        }
        if masks.lead != 0 {
            self.leads.push(at, masks.lead);
        }
        let most = self.starts.len.max(self.ends.len).max(self.humps.len).max(self.leads.len);
        most > FULL
    }

    /// Ends a last word that reaches the end of the haystack.
    pub(crate) fn finish(&mut self, end: usize) {
        if self.inside && self.starts.len > self.ends.len {
            self.ends.list[self.ends.len] = end;
            self.ends.len += 1;
        }
    }

    /// The words that are complete.
    pub(crate) fn words(&self) -> impl Iterator<Item = Word> {
        let (starts, ends) = (self.starts.get(), self.ends.get());
        starts.iter().zip(ends).map(|(&start, &end)| Word { start, end })
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
        self.starts.len = pending;
        self.ends.len = 0;
        self.humps.len = 0;
        self.leads.len = 0;
    }
}

impl Places {
    /// Adds the places of the set bits, eight at a time: a loop that stops where the bits end would be
    /// mispredicted for nearly every block (G. Langdale, D. Lemire, simdjson).
    #[inline(always)]
    fn push(&mut self, at: usize, mut bits: u64) {
        let count = bits.count_ones() as usize;
        let mut next = self.len;
        loop {
            for place in next..next + 8 {
                self.list[place % ROOM] = at + bits.trailing_zeros() as usize;
                bits &= bits.wrapping_sub(1);
            }
            if bits == 0 {
                break;
            }
            next += 8;
        }
        self.len += count;
    }

    fn get(&self) -> &[usize] {
        &self.list[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::prefilter::Kernel;

    proptest! {
        #[test]
        fn all_words_and_leads_are_found(text in "[abB_ é字]{0,1200}", dense in any::<bool>()) {
            let text = if dense { text.replace('_', "a-") } else { text };
            let bytes = text.as_bytes();
            let mut words = Words::default();
            let (mut found, mut humps, mut leads) = (Vec::new(), Vec::new(), Vec::new());
            let mut look = |words: &mut Words| {
                found.extend(words.words());
                humps.extend_from_slice(words.humps());
                leads.extend_from_slice(words.leads());
                words.go_on();
            };
            words.begin();
            Kernel::best().classify(bytes, |at, masks| {
                if words.push(at, masks) {
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

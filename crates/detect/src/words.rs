//! Many words looked for in a little text: around a candidate, not in all of a haystack.
//!
//! An automaton over some thousand words takes megabytes, and a miss in the cache for every other byte. Here the
//! first up to four bytes of each place are hashed into a few kilobytes of bits; nearly always the answer is no.
//! ASCII case is folded.

use crate::finding::Span;

/// Words, lower case, to look for.
#[derive(Debug, Default)]
pub(crate) struct WordTable {
    words: Vec<Box<[u8]>>,
    /// The hashes of the words' first bytes.
    hashes: HashBits,
    /// The numbers of the words, by the hash of their first bytes.
    by_hash: Vec<(u32, u32)>,
    /// Which numbers of first bytes there are, from 1 to [`FIRST`].
    lens: Vec<usize>,
}

/// A set of hashes in one bit for each, which may hold others too.
#[derive(Debug, Default)]
struct HashBits {
    bits: Vec<u64>,
    /// How far to shift a hash for the number of a bit.
    shift: u32,
}

impl HashBits {
    /// Of these hashes: one bit in sixteen set, in at most eight kilobytes.
    fn new(hashes: &[u32]) -> Self {
        let log = (16 * hashes.len()).next_power_of_two().ilog2().clamp(6, 16);
        let shift = 32 - log;
        let mut bits = vec![0; 1 << (log - 6)];
        for bit in hashes.iter().map(|hash| (hash >> shift) as usize) {
            bits[bit / 64] |= 1 << (bit % 64);
        }
        Self { bits, shift }
    }

    #[inline(always)]
    fn may_hold(&self, hash: u32) -> bool {
        let bit = (hash >> self.shift) as usize;
        self.bits[bit / 64] >> (bit % 64) & 1 != 0
    }
}

/// As many first bytes of a word are hashed, if it has as many.
const FIRST: usize = 4;

impl WordTable {
    /// A table of these; their places in the list are their numbers.
    pub(crate) fn new(words: impl Iterator<Item = Vec<u8>>) -> Self {
        let words: Vec<Box<[u8]>> = words.map(Vec::into_boxed_slice).collect();
        if words.is_empty() {
            return Self::default();
        }
        let mut by_hash = Vec::with_capacity(words.len());
        let mut lens = Vec::new();
        for (number, word) in (0u32..).zip(&words) {
            let len = word.len().min(FIRST);
            let hash = hash(first_bytes(word), len);
            by_hash.push((hash, number));
            lens.push(len);
        }
        by_hash.sort_unstable();
        lens.sort_unstable();
        lens.dedup();
        let hashes: Vec<u32> = by_hash.iter().map(|&(hash, _)| hash).collect();
        Self { hashes: HashBits::new(&hashes), words, by_hash, lens }
    }

    /// The words that start in `from..until`, wherever they end, in order of their starts.
    #[inline]
    pub(crate) fn find(
        &self,
        haystack: &[u8],
        from: usize,
        until: usize,
        found: impl FnMut(Span, u32),
    ) {
        self.find_at(haystack, from..until, found);
    }

    /// The same, of those that start where a word starts: not between two ASCII letters or digits.
    #[inline]
    pub(crate) fn find_at_starts(
        &self,
        haystack: &[u8],
        from: usize,
        until: usize,
        found: impl FnMut(Span, u32),
    ) {
        let mut inside = from > 0 && haystack[from - 1].is_ascii_alphanumeric();
        let places = (from..until).filter(|&at| {
            let joins = haystack[at].is_ascii_alphanumeric();
            !(std::mem::replace(&mut inside, joins) && joins)
        });
        self.find_at(haystack, places, found);
    }

    #[inline]
    fn find_at(
        &self,
        haystack: &[u8],
        places: impl Iterator<Item = usize>,
        mut found: impl FnMut(Span, u32),
    ) {
        if self.words.is_empty() {
            return;
        }
        for at in places {
            let first = match haystack.get(at..at + FIRST) {
                Some(bytes) => u32::from_le_bytes(bytes.try_into().expect("four bytes")),
                None => first_bytes(&haystack[at..]),
            };
            for &len in &self.lens {
                let hash = hash(first, len);
                if self.hashes.may_hold(hash) {
                    self.look(haystack, at, hash, &mut found);
                }
            }
        }
    }

    #[cold]
    fn look(&self, haystack: &[u8], at: usize, hash: u32, found: &mut impl FnMut(Span, u32)) {
        let first = self.by_hash.partition_point(|&(other, _)| other < hash);
        for &(_, word) in self.by_hash[first..].iter().take_while(|&&(other, _)| other == hash) {
            let text = &self.words[word as usize];
            let end = at + text.len();
            if haystack.get(at..end).is_some_and(|bytes| bytes.eq_ignore_ascii_case(text)) {
                found(Span { start: at, end }, word);
            }
        }
    }
}

/// Up to [`FIRST`] bytes, the first lowest.
fn first_bytes(bytes: &[u8]) -> u32 {
    bytes.iter().take(FIRST).rev().fold(0, |first, &byte| first << 8 | u32::from(byte))
}

/// A hash of the first `len` bytes of `first`, letter case aside.
#[inline]
fn hash(first: u32, len: usize) -> u32 {
    // Folding takes some signs for others as well; that costs a look, not a word.
    let folded = (first | 0x2020_2020) & u32::MAX >> (8 * (FIRST - len));
    // Knuth's multiplicative hash, with the length mixed in.
    (folded ^ (len as u32) << 28).wrapping_mul(0x9E37_79B1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_word_is_found_and_nothing_else(
            words in prop::collection::btree_set("[ab_\u{e9}]{1,7}", 0..40),
            text in "[abAB_ \u{e9}]{0,80}",
            from in 0usize..80,
        ) {
            let words: Vec<String> = words.into_iter().collect();
            let table = WordTable::new(words.iter().map(|word| word.clone().into_bytes()));
            let text = text.as_bytes();
            let from = from.min(text.len());
            let mut expected = Vec::new();
            for start in from..text.len() {
                for (number, word) in (0u32..).zip(&words) {
                    let end = start + word.len();
                    if text.get(start..end).is_some_and(|t| t.eq_ignore_ascii_case(word.as_bytes())) {
                        expected.push((start, end, number));
                    }
                }
            }
            let mut found = Vec::new();
            table.find(text, from, text.len(), |span, word| found.push((span.start, span.end, word)));
            found.sort_unstable();
            prop_assert_eq!(&found, &expected);
            let mut at_starts = Vec::new();
            table.find_at_starts(text, from, text.len(), |span, word| {
                at_starts.push((span.start, span.end, word));
            });
            at_starts.sort_unstable();
            expected.retain(|&(start, ..)| {
                !(text[start].is_ascii_alphanumeric()
                    && start > 0 && text[start - 1].is_ascii_alphanumeric())
            });
            prop_assert_eq!(at_starts, expected);
        }
    }
}

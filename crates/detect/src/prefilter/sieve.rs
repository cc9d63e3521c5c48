//! Words held against the first bytes of thousands of literals.
//!
//! The first four bytes of a word lead to its *slot*, 64 bits of which those are set that stand for how literals go on
//! there (after B. Bloom, Space/time trade-offs in hash coding with allowable errors, 1970). Whether a word passes is
//! told without a branch that would depend on it: such branches could not be predicted, and cost more than all else.

/// How many bytes of a word lead to its slot.
const FIRST: u64 = 4;
/// How many bytes of a word are hashed, with its length.
pub(crate) const HASHED: usize = 8;

/// How literals begin.
#[derive(Debug, Default)]
pub(crate) struct Sieve {
    pub(super) slots: Vec<u64>,
    /// How far to shift a hash for the number of its slot.
    pub(super) shift: u32,
}

/// How a literal stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    /// As a word of so many bytes that does not go on.
    Whole(u64),
    /// By its first bytes, at least four of so many, the word there being so long as far as it is the literal's.
    Begun { bytes: usize, word: u64 },
}

impl Sieve {
    /// Of literals given by their first bytes, [folded](fold), and how they stand: one slot for each, in at most 64
    /// kilobytes.
    pub(crate) fn new(literals: &[(u64, Stands)]) -> Self {
        let log = literals.len().next_power_of_two().ilog2().clamp(1, 13);
        let shift = u32::BITS - log;
        let mut slots = vec![0; 1 << log];
        for &(bytes, stands) in literals {
            let (word, bit) = match stands {
                Stands::Whole(len) => (len, top(whole(bytes, len))),
                Stands::Begun { bytes: 4, word } => (word, fourth(bytes)),
                Stands::Begun { bytes: 5, word } => (word, fifth(bytes)),
                Stands::Begun { bytes: 6 | 7, word } => (word, top(begun(bytes, 6))),
                Stands::Begun { word, .. } => (word, top(begun(bytes, 8))),
            };
            slots[(slot_hash(bytes, word) >> shift) as usize] |= 1 << bit;
        }
        Self { slots, shift }
    }

    /// Whether a word of `len` bytes, given its first ones and any others, passes.
    #[inline(always)]
    pub(super) fn passes(&self, bytes: u64, len: u64) -> bool {
        let bytes = fold(bytes);
        let slot = self.slots[(slot_hash(bytes, len) >> self.shift) as usize];
        let asked = slot >> top(whole(bytes, len))
            | slot >> top(begun(bytes, 8))
            | slot >> top(begun(bytes, 6))
            | slot >> fifth(bytes)
            | slot >> fourth(bytes);
        asked & 1 != 0
    }

    /// Writes the numbers of the words that pass, and returns how many. The list has room for all.
    #[inline(always)]
    pub(super) fn sift(
        &self,
        haystack: &[u8],
        (starts, ends): (&[usize], &[usize]),
        kept: &mut [u16],
    ) -> usize {
        let mut count = 0;
        for (number, (&start, &end)) in starts.iter().zip(ends).enumerate() {
            kept[count] = number as u16;
            count += usize::from(self.passes(bytes_at(haystack, start), (end - start) as u64));
        }
        count
    }
}

/// Letters in lower case. Digits stay what they are, some signs become others.
#[inline(always)]
pub(crate) fn fold(bytes: u64) -> u64 {
    bytes | FOLD
}

pub(super) const FOLD: u64 = 0x2020_2020_2020_2020;

/// All ones in as many bytes as there are of `len`.
#[inline(always)]
pub(crate) const fn keep(len: u64) -> u64 {
    if len < HASHED as u64 { (1 << (8 * len)) - 1 } else { u64::MAX }
}

/// Eight bytes from `at` on, or as many as there are.
#[inline(always)]
pub(crate) fn bytes_at(haystack: &[u8], at: usize) -> u64 {
    match haystack.get(at..at + HASHED) {
        Some(bytes) => u64::from_le_bytes(bytes.try_into().expect("eight bytes")),
        None => first_bytes(&haystack[at..]),
    }
}

#[cold]
pub(crate) fn first_bytes(bytes: &[u8]) -> u64 {
    bytes.iter().take(HASHED).rev().fold(0, |all, &byte| all << 8 | u64::from(byte))
}

/// The hash of a word of `len` bytes, given its first ones, folded, and any others.
#[inline(always)]
pub(crate) fn whole(bytes: u64, len: u64) -> u64 {
    (bytes & keep(len) ^ len << WHOLE_LEN).wrapping_mul(WHOLE)
}

pub(super) const WHOLE: u64 = 0x9E37_79B9_7F4A_7C15;
pub(super) const WHOLE_LEN: u32 = 57;

/// The hash of the first `len` bytes, folded, from where a word begins.
#[inline(always)]
pub(crate) fn begun(bytes: u64, len: usize) -> u64 {
    (bytes & keep(len as u64) ^ begun_len(len)).wrapping_mul(BEGUN)
}

pub(super) const BEGUN: u64 = 0xD6E8_FEB8_6659_FD93;

pub(super) const fn begun_len(len: usize) -> u64 {
    (len as u64) << 56
}

/// How a literal goes on: the number of a bit.
#[inline(always)]
fn top(hash: u64) -> u64 {
    hash >> TOP
}

pub(super) const TOP: u32 = u64::BITS - 6;

/// The same of a literal that ends with its fifth byte.
#[inline(always)]
fn fifth(bytes: u64) -> u64 {
    bytes >> 32 & 63
}

/// And with its fourth, which is behind the word if that is shorter.
#[inline(always)]
fn fourth(bytes: u64) -> u64 {
    bytes >> 24 & 63
}

/// The hash that leads to the slot of a word of `len` bytes, given its first ones, folded, and any others.
#[inline(always)]
fn slot_hash(bytes: u64, len: u64) -> u32 {
    let first = bytes & keep(if len < FIRST { len } else { FIRST });
    (first as u32).wrapping_mul(SLOT)
}

pub(super) const SLOT: u32 = 0x9E37_79B1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::prefilter::Kernel;

    proptest! {
        #[test]
        fn kernels_agree_on_words_and_let_no_literal_go(
            text in "[abAB1_. ]{0,300}",
            literals in prop::collection::vec(("[ab1_]{4,9}", any::<bool>()), 0..20),
        ) {
            let bytes = text.as_bytes();
            let word = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let known: Vec<(u64, Stands)> = literals
                .iter()
                .map(|(literal, is_whole)| {
                    let (bytes, word) = (fold(first_bytes(literal.as_bytes())), word(literal.as_bytes()));
                    let begun = Stands::Begun { bytes: literal.len(), word: word as u64 };
                    (bytes, if *is_whole && word > 0 { Stands::Whole(word as u64) } else { begun })
                })
                .collect();
            let sieve = Sieve::new(&known);
            let starts: Vec<usize> = (0..bytes.len())
                .filter(|&at| word(&bytes[at..]) > 0 && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric()))
                .collect();
            let ends: Vec<usize> = starts.iter().map(|&at| at + word(&bytes[at..])).collect();
            let sift = |kernel: Kernel| {
                let mut kept = vec![0; starts.len() + 8];
                let count = kernel.sift(&sieve, bytes, (&starts, &ends), &mut kept);
                kept.truncate(count);
                kept
            };
            let kept = sift(Kernel::Portable);
            for kernel in Kernel::all() {
                prop_assert_eq!(&sift(kernel), &kept, "{}", kernel.name());
            }
            for (number, (&start, &end)) in (0u16..).zip(starts.iter().zip(&ends)) {
                let stands = |(literal, (_, known)): (&(String, bool), &(u64, Stands))| match known {
                    Stands::Whole(len) => {
                        end - start == *len as usize
                            && bytes[start..end].eq_ignore_ascii_case(&literal.0.as_bytes()[..end - start])
                    }
                    Stands::Begun { .. } => bytes
                        .get(start..start + literal.0.len())
                        .is_some_and(|text| text.eq_ignore_ascii_case(literal.0.as_bytes())),
                };
                if literals.iter().zip(&known).any(stands) {
                    prop_assert!(kept.contains(&number), "the word at {}", start);
                }
            }
        }
    }
}

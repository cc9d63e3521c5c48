//! Runs of digits and of token bytes.

use super::{BLOCK, Masks};

/// How long a run of digits and lone separators is that rules wait for. Years, prices and most counts are
/// shorter; hardly any number that points at a person is.
pub(crate) const DIGIT_RUN: usize = 6;

/// How long a run of token bytes is that rules wait for: longer than nearly all words, shorter than nearly
/// all keys.
pub(crate) const TOKEN_RUN: usize = 16;

/// What a run of digits goes on over if it stands alone between two digits.
pub(crate) const SEPARATORS: [u8; 4] = [b' ', b'-', b'.', b'/'];

/// Whether a byte is one of a token: `[A-Za-z0-9_-]`.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Whether a byte may separate digits.
fn is_separator(byte: u8) -> bool {
    SEPARATORS.contains(&byte)
}

/// What a run of digits has come to after some bytes: the rule by which [`Runs`] goes on whole blocks, byte
/// by byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Separated {
    len: u8,
    after_separator: bool,
}

impl Separated {
    /// How many bytes the run has, up to the last digit.
    pub(crate) fn len(self) -> usize {
        usize::from(self.len)
    }

    /// The run after one more byte; `None` once it is long enough.
    pub(crate) fn step(self, byte: u8) -> Option<Self> {
        if byte.is_ascii_digit() {
            let len = self.len + 1 + u8::from(self.after_separator);
            return (usize::from(len) < DIGIT_RUN).then_some(Self { len, after_separator: false });
        }
        let goes_on = is_separator(byte) && self.len > 0 && !self.after_separator;
        Some(Self { len: if goes_on { self.len } else { 0 }, after_separator: goes_on })
    }
}

/// Where a run stands: from its first byte to one past its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// All runs of a haystack that are long enough, in order, kept between haystacks for the memory.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Runs of at least [`DIGIT_RUN`] digits and separators.
    pub(crate) digits: Vec<Run>,
    /// Maximal runs of at least [`TOKEN_RUN`] token bytes.
    pub(crate) tokens: Vec<Run>,
    /// Every digit, a bit for each byte.
    every_digit: Vec<u64>,
    previous_digits: u64,
    previous_separators: u64,
    previous_token: u64,
}

impl Runs {
    /// Forgets the last haystack.
    pub(crate) fn begin(&mut self) {
        self.digits.clear();
        self.tokens.clear();
        self.every_digit.clear();
        (self.previous_digits, self.previous_separators, self.previous_token) = (0, 0, 0);
    }

    /// Takes the masks of the block that starts at `at`. Blocks come in order.
    #[inline(always)]
    pub(crate) fn push(&mut self, at: usize, masks: Masks) {
        if (masks.digits | self.previous_digits) != 0 {
            self.push_digits(at, masks);
        }
        self.previous_digits = masks.digits;
        self.every_digit.push(masks.digits);

        // Bit i: the sixteen bytes that end at i are all of a token.
        let both = both(masks.token, self.previous_token);
        let two = both & both << 1;
        let four = two & two << 2;
        let eight = four & four << 4;
        let ends = high(eight & eight << 8);
        if ends != 0 {
            push(&mut self.tokens, at, ends, TOKEN_RUN);
        }
        self.previous_token = masks.token;
    }

    /// Whether a digit stands in `from..to`.
    #[inline]
    pub(crate) fn has_digit(&self, from: usize, to: usize) -> bool {
        self.next_digit(from, to).is_some()
    }

    /// The first digit in `from..to`.
    #[inline]
    pub(crate) fn next_digit(&self, from: usize, to: usize) -> Option<usize> {
        let last = to.checked_sub(1).filter(|&last| last >= from)? / BLOCK;
        let mut block = from / BLOCK;
        let mut bits = self.every_digit.get(block)? & u64::MAX << (from % BLOCK);
        while bits == 0 {
            block += 1;
            bits = *self.every_digit.get(block).filter(|_| block <= last)?;
        }
        let at = block * BLOCK + bits.trailing_zeros() as usize;
        (at < to).then_some(at)
    }

    /// Whether at least so many digits stand in `from..to`.
    #[inline]
    pub(crate) fn has_digits(&self, from: usize, to: usize, least: usize) -> bool {
        let first = from / BLOCK;
        let blocks = self.every_digit.get(first..).unwrap_or_default().iter().zip(first..);
        let mut count = 0;
        for (&bits, block) in blocks.take_while(|&(_, block)| block * BLOCK < to) {
            let skip = from.saturating_sub(block * BLOCK);
            let keep = (to - block * BLOCK).min(BLOCK);
            count += (bits >> skip << skip << (BLOCK - keep)).count_ones() as usize;
        }
        count >= least
    }

    /// The first place from `from` on where no digit stands.
    #[inline]
    pub(crate) fn digits_end(&self, from: usize) -> usize {
        let mut at = from;
        while let Some(&bits) = self.every_digit.get(at / BLOCK) {
            let run = (!bits >> (at % BLOCK)).trailing_zeros() as usize;
            if at % BLOCK + run < BLOCK {
                return at + run;
            }
            at = (at / BLOCK + 1) * BLOCK;
        }
        at
    }

    fn push_digits(&mut self, at: usize, masks: Masks) {
        // A separator at a block's end is taken to join: whether it does is known with the next block.
        let digits = both(masks.digits, self.previous_digits);
        let separators = both(masks.separators, self.previous_separators);
        let joined = digits | separators & digits << 1 & (digits >> 1 | 1 << 127);
        let two = joined & joined << 1;
        let four = two & two << 2;
        let ends = high(four & two << 4);
        if ends != 0 {
            push(&mut self.digits, at, ends, DIGIT_RUN);
        }
        self.previous_separators = masks.separators;
    }
}

/// The present block above the previous one.
fn both(present: u64, previous: u64) -> u128 {
    u128::from(present) << 64 | u128::from(previous)
}

fn high(bits: u128) -> u64 {
    (bits >> 64) as u64
}

/// Adds the runs of `len` bytes that end at the set bits; such as touch or overlap become one.
#[cold]
fn push(runs: &mut Vec<Run>, at: usize, mut ends: u64, len: usize) {
    while ends != 0 {
        let first = ends.trailing_zeros() as usize;
        let count = (!(ends >> first)).trailing_zeros() as usize;
        let run = Run { start: at + first + 1 - len, end: at + first + count };
        match runs.last_mut() {
            Some(last) if run.start < last.end => last.end = run.end,
            _ => runs.push(run),
        }
        let after = first + count;
        ends = if after < BLOCK { ends & (u64::MAX << after) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::prefilter::Kernel;

    fn runs(haystack: &[u8]) -> Runs {
        let mut runs = Runs::default();
        Kernel::best().classify(haystack, |at, masks| runs.push(at, masks));
        runs
    }

    /// Byte by byte.
    fn naive(haystack: &[u8]) -> (Vec<bool>, Vec<bool>) {
        let mut digits = vec![false; haystack.len()];
        for start in 0..haystack.len() {
            let mut state = Separated::default();
            for (at, &byte) in haystack.iter().enumerate().skip(start) {
                match state.step(byte) {
                    Some(Separated { len: 0, .. }) => break,
                    Some(next) => state = next,
                    None => {
                        digits[start..=at].fill(true);
                        break;
                    }
                }
            }
        }
        let mut tokens = vec![false; haystack.len()];
        for start in 0..haystack.len() {
            let run = haystack.get(start..start + TOKEN_RUN);
            if run.is_some_and(|run| run.iter().all(|&byte| is_token_byte(byte))) {
                tokens[start..start + TOKEN_RUN].fill(true);
            }
        }
        (digits, tokens)
    }

    fn covered(runs: &[Run], len: usize) -> Vec<bool> {
        let mut covered = vec![false; len];
        runs.iter().for_each(|run| covered[run.start..run.end].fill(true));
        covered
    }

    #[test]
    fn numbers_are_runs_and_years_are_not() {
        let text = b"in 2024, 12 34 56 and 4111-1111 1111.1111 -- 1 2 3 4, 12.5%";
        let runs = runs(text);
        let found: Vec<&[u8]> = runs.digits.iter().map(|run| &text[run.start..run.end]).collect();
        assert_eq!(found, [&b"12 34 56"[..], b"4111-1111 1111.1111", b"1 2 3 4"]);
    }

    proptest! {
        #[test]
        fn digits_are_found_one_by_one(
            haystack in prop::collection::vec(prop::sample::select(b"12a".to_vec()), 0..300),
            from in 0usize..310,
            len in 0usize..310,
        ) {
            let runs = runs(&haystack);
            let to = haystack.len().min(from + len);
            let count = (from..to).filter(|&at| haystack[at].is_ascii_digit()).count();
            prop_assert!(runs.has_digits(from, from + len, count));
            prop_assert!(!runs.has_digits(from, from + len, count + 1));
            let expected = (from..to).find(|&at| haystack[at].is_ascii_digit());
            prop_assert_eq!(runs.next_digit(from, to), expected);
            if let Some(first) = expected {
                let end = (first..haystack.len()).find(|&at| !haystack[at].is_ascii_digit());
                prop_assert_eq!(runs.digits_end(first), end.unwrap_or(haystack.len()));
            }
        }

        #[test]
        fn runs_cover_what_bytes_make(
            haystack in prop::collection::vec(prop::sample::select(b"1234567 -./ab_,".to_vec()), 0..400)
        ) {
            let runs = runs(&haystack);
            let (digits, tokens) = naive(&haystack);
            let found = covered(&runs.digits, haystack.len());
            prop_assert!((0..haystack.len()).all(|at| found[at] || !digits[at]));
            prop_assert_eq!(covered(&runs.tokens, haystack.len()), tokens);
            for list in [&runs.digits, &runs.tokens] {
                prop_assert!(list.windows(2).all(|pair| pair[0].end <= pair[1].start));
            }
        }
    }
}

//! The pass over every byte: where anything could be at all.
//!
//! Text is read in blocks of 64 bytes. Of each block masks are made, a bit for a byte: digits, bytes of tokens,
//! separators, letters, and *hits*, where one of the [`Windows`] of a layer may start. [`Runs`] makes runs of digits
//! and tokens from them, [`Words`] words, nearly all of which a [`Sieve`] lets go. All that follows touches only what
//! these point at.
//!
//! The masks are made by whatever the processor has: AVX-512 with byte permutations, AVX2, or plain Rust.
//! Hits may differ between them, as each may let more through than it must; what is found does not, since
//! every hit is looked at again. Runs do not differ.

mod marks;
mod portable;
mod runs;
pub(crate) mod sieve;
mod windows;
mod words;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use marks::{BLOCKS, Marks, ROOM};
pub(crate) use runs::{DIGIT_RUN, Runs, Separated, TOKEN_RUN, is_token_byte};
pub(crate) use sieve::Sieve;
pub(crate) use windows::{PLACES, Tables, Window, Windows};
pub(crate) use words::Words;

/// The number of bytes a block has: as many as a word has bits.
pub(crate) const BLOCK: usize = 64;

/// What is known of a block: bit `i` speaks of byte `i`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Masks {
    /// `[0-9]`
    pub(crate) digits: u64,
    /// `[A-Za-z0-9_-]`
    pub(crate) token: u64,
    /// What may stand alone between digits, see [`runs::SEPARATORS`].
    pub(crate) separators: u64,
    /// `[A-Za-z0-9]`
    pub(crate) alphanumeric: u64,
    /// `[A-Z]`
    pub(crate) upper: u64,
    /// The first bytes of characters beyond ASCII, as far as UTF-8 has them: 0xC0 and above.
    pub(crate) lead: u64,
}

/// Two tables of windows: those of literals, and all others.
pub(crate) type Both<'t> = [&'t Tables; 2];
/// The hits of either in a block.
pub(crate) type Hits = [u64; 2];

/// What the processor offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernel {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
}

impl Kernel {
    /// The fastest.
    pub(crate) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(token) = x86::Avx512::detect() {
                return Self::Avx512(token);
            }
            if let Some(token) = x86::Avx2::detect() {
                return Self::Avx2(token);
            }
        }
        Self::Portable
    }

    /// All that can run here, to hold them against each other.
    #[cfg(any(test, feature = "naive"))]
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(x86::Avx2::detect().map(Self::Avx2));
            all.extend(x86::Avx512::detect().map(Self::Avx512));
        }
        all
    }

    /// The name by which `OUBLIETTE_KERNEL`-like switches and benches know it.
    #[cfg(any(test, feature = "naive"))]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
        }
    }

    /// Calls `each` with the place and the masks of every block, in order. In the last, bytes past the end
    /// count as zero.
    pub(crate) fn classify(self, haystack: &[u8], each: impl FnMut(usize, Masks)) {
        match self {
            Self::Portable => portable::classify(haystack, each),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(token) => token.classify(haystack, each),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => token.classify(haystack, each),
        }
    }

    /// Writes the places of all bits that are set in the masks of successive blocks, the first of which starts at
    /// `at`, and returns how many. The list has room for a block's more.
    pub(crate) fn places(self, at: usize, masks: &[u64], list: &mut [usize]) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => token.places(at, masks, list),
            _ => portable::places(at, masks, list),
        }
    }

    /// Writes the numbers of the words that pass a sieve, given where they start and end, and returns how many. The list
    /// has room for eight more than there are words.
    pub(crate) fn sift(
        self,
        sieve: &Sieve,
        haystack: &[u8],
        words: (&[usize], &[usize]),
        kept: &mut [u16],
    ) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => token.sift(sieve, haystack, words, kept),
            _ => sieve.sift(haystack, words, kept),
        }
    }

    /// Calls `each` with the place and the hits of every block, in order. Hits past the end are possible.
    pub(crate) fn hits(self, haystack: &[u8], tables: Both<'_>, each: impl FnMut(usize, Hits)) {
        if tables.iter().all(|tables| tables.is_empty()) {
            return;
        }
        match self {
            Self::Portable => portable::hits(haystack, tables, each),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(token) => token.hits(haystack, tables, each),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => token.hits(haystack, tables, each),
        }
    }
}

/// A block at the end of a haystack, filled up with zeros, with room for the places after it.
fn padded(rest: &[u8]) -> [u8; 2 * BLOCK] {
    let mut block = [0; 2 * BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    block
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::byteset::ByteSet;

    fn masks(kernel: Kernel, haystack: &[u8]) -> Vec<(usize, Masks)> {
        let mut all = Vec::new();
        kernel.classify(haystack, |at, masks| all.push((at, masks)));
        all
    }

    fn hits(kernel: Kernel, haystack: &[u8], windows: &Windows) -> Vec<usize> {
        let mut all = Vec::new();
        kernel.hits(haystack, windows.both(), |at, hits| {
            let mut bits = hits[0] | hits[1];
            while bits != 0 {
                all.push(at + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        });
        all
    }

    proptest! {
        #[test]
        fn kernels_agree_on_classes(haystack in prop::collection::vec(any::<u8>(), 0..400)) {
            let expected = masks(Kernel::Portable, &haystack);
            for kernel in Kernel::all() {
                prop_assert_eq!(&masks(kernel, &haystack), &expected, "{}", kernel.name());
            }
        }

        #[test]
        fn no_kernel_misses_a_window(
            haystack in prop::collection::vec(prop::sample::select(b"abcABC019 -@\xC3\xA9".to_vec()), 0..300),
            literals in prop::collection::vec(
                prop::collection::vec(prop::sample::select(b"abc019 -@\xC3\xA9".to_vec()), 1..7), 1..80)
        ) {
            let windows: Vec<Window> = literals
                .iter()
                .map(|literal| Window::new(literal.iter().map(|&b| ByteSet::either_case(b)).collect()))
                .collect();
            let windows = Windows::new(&windows);
            let mut expected: Vec<usize> = Vec::new();
            for at in 0..haystack.len() {
                let hit = literals.iter().any(|literal| {
                    haystack.get(at..at + literal.len().min(PLACES)).is_some_and(|text| {
                        text.eq_ignore_ascii_case(&literal[..literal.len().min(PLACES)])
                    })
                });
                expected.extend(hit.then_some(at));
            }
            for kernel in Kernel::all() {
                let found = hits(kernel, &haystack, &windows);
                prop_assert!(expected.iter().all(|at| found.binary_search(at).is_ok()), "{}", kernel.name());
            }
        }
    }
}

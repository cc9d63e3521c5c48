//! A set of bytes in 32 bytes.

/// A set of byte values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) const EMPTY: Self = Self([0; 4]);
    pub(crate) const ALL: Self = Self([u64::MAX; 4]);

    pub(crate) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(crate) fn insert_range(&mut self, first: u8, last: u8) {
        for (word, bits) in (0u8..).zip(&mut self.0) {
            let (from, to) = (word << 6, word << 6 | 63);
            let (first, last) = (first.max(from), last.min(to));
            if first <= last {
                *bits |= u64::MAX >> (63 - (last - first)) << (first - from);
            }
        }
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..4u8).flat_map(|word| {
            let mut bits = self.0[usize::from(word)];
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros())?;
                bits &= bits - 1;
                Some(word << 6 | u8::try_from(bit).expect("below 64"))
            })
        })
    }

    /// A byte as itself, a letter in both cases.
    pub(crate) fn either_case(byte: u8) -> Self {
        let mut set = Self::EMPTY;
        set.insert(byte.to_ascii_lowercase());
        set.insert(byte.to_ascii_uppercase());
        set
    }

    /// Whether the text has at `at` a byte for each of the sets, and they admit them.
    #[inline]
    pub(crate) fn all_admit(sets: &[Self], text: &[u8], at: usize) -> bool {
        let text = text.get(at..at + sets.len());
        text.is_some_and(|text| sets.iter().zip(text).all(|(set, &byte)| set.contains(byte)))
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    pub(crate) fn intersection(self, other: Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & other.0[word]))
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & !other.0[word]))
    }
}

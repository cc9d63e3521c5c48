//! The decimal digits of a match, without its separators.

/// What people put between groups of digits: space, hyphen, dot, and byte by byte their
/// no-break, narrow and typographic relatives (U+00A0, U+2010 to U+2013, U+202F).
pub(super) const SEPARATORS: &[u8] = b" -.\xC2\xA0\xE2\x80\x90\x91\x92\x93\xAF";

/// Up to `N` digits, on the stack.
#[derive(Clone, Copy)]
pub(super) struct Digits<const N: usize> {
    values: [u8; N],
    len: usize,
}

impl<const N: usize> Digits<N> {
    /// The digits of `bytes`, or `None` if there are more than `N` or if a byte is neither a
    /// digit nor one of `separators`.
    pub(super) fn read(bytes: &[u8], separators: &[u8]) -> Option<Self> {
        let mut digits = Self { values: [0; N], len: 0 };
        for &byte in bytes {
            if byte.is_ascii_digit() {
                *digits.values.get_mut(digits.len)? = byte - b'0';
                digits.len += 1;
            } else if !separators.contains(&byte) {
                return None;
            }
        }
        Some(digits)
    }

    /// The digits as values 0 to 9.
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.values[..self.len]
    }

    /// The number written by the digits `from..to`; `None` if there are not that many.
    pub(super) fn number(&self, from: usize, to: usize) -> Option<u32> {
        let part = self.as_slice().get(from..to)?;
        Some(
            part.iter().fold(0u32, |number, &digit| {
                number.wrapping_mul(10).wrapping_add(u32::from(digit))
            }),
        )
    }
}

/// The Luhn sum of ISO/IEC 7812-1 annex B over digit values, check digit included.
pub(super) fn luhn_holds(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| {
            let value = u32::from(digit) << (place % 2);
            value / 10 + value % 10
        })
        .sum();
    !digits.is_empty() && sum.is_multiple_of(10)
}

/// Whether every digit is the same: a placeholder in any numbering scheme.
pub(super) fn uniform(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair[0] == pair[1])
}

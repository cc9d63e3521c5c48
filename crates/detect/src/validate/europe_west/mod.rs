//! Numbers that states of Western and Southern Europe issue.
//!
//! A checksum of one digit lets every tenth number pass, and plain digits are everywhere: most validators
//! answer `Unknown` when it holds, and the rule's score and context decide. `Valid` is left to two check
//! digits or more, and to one beside a date or a letter of its own.

use super::Table;
use crate::validator::Verdict;

mod at;
mod be;
mod ch;
mod cy;
mod de;
mod es;
mod fr;
mod gr;
mod ie;
mod it;
mod lu;
mod mt;
mod nl;
mod pt;
mod uk;

/// The validators of each country.
pub(super) const TABLES: &[Table] = &[
    at::TABLE,
    be::TABLE,
    ch::TABLE,
    cy::TABLE,
    de::TABLE,
    es::TABLE,
    fr::TABLE,
    gr::TABLE,
    ie::TABLE,
    it::TABLE,
    lu::TABLE,
    mt::TABLE,
    nl::TABLE,
    pt::TABLE,
    uk::TABLE,
];

/// The letters (in upper case) and digits of a match, on the stack, without what divides them.
struct Compact {
    bytes: [u8; 32],
    len: usize,
}

impl Compact {
    /// `None` if a byte is neither a letter, a digit nor a separator, or if there are more than 32.
    fn read(text: &[u8]) -> Option<Self> {
        let mut compact = Self { bytes: [0; 32], len: 0 };
        for &byte in text {
            if byte.is_ascii_alphanumeric() {
                *compact.bytes.get_mut(compact.len)? = byte.to_ascii_uppercase();
                compact.len += 1;
            } else if !b" -./_".contains(&byte) {
                return None;
            }
        }
        Some(compact)
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The values of exactly `N` digits, whatever divides them.
fn digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    values(Compact::read(text)?.as_slice())
}

/// The values of exactly `N` digits after a prefix of letters.
fn digits_after<const N: usize>(prefix: &[u8], text: &[u8]) -> Option<[u8; N]> {
    values(Compact::read(text)?.as_slice().strip_prefix(prefix)?)
}

/// The values of exactly `N` ASCII digits.
fn values<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut values = [0; N];
    if text.len() != N || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    values.iter_mut().zip(text).for_each(|(value, byte)| *value = byte - b'0');
    Some(values)
}

/// The number that digits write; up to nine of them fit.
fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, &digit| number * 10 + u32::from(digit))
}

/// Whether the month has that day in some year.
fn calendar(day: u32, month: u32) -> bool {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=last).contains(&day)
}

/// `verdict` if the check held, else `Invalid`.
fn judge(holds: Option<bool>, verdict: Verdict) -> Verdict {
    if holds == Some(true) { verdict } else { Verdict::Invalid }
}

#[cfg(test)]
fn assert_verdicts(validate: fn(&[u8]) -> Verdict, want: Verdict, cases: &[&str]) {
    for case in cases {
        assert_eq!(validate(case.as_bytes()), want, "{case}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_through_their_separators() {
        assert_eq!(digits::<4>(b"1 2-3.4"), Some([1, 2, 3, 4]));
        assert_eq!(digits::<4>(b"12345"), None);
        assert_eq!(digits::<4>(b"12,34"), None);
        assert_eq!(digits_after::<2>(b"GB", b"gb 12"), Some([1, 2]));
        assert!(Compact::read(&[b'1'; 33]).is_none());
    }

    #[test]
    fn months_have_their_days() {
        assert!(calendar(29, 2) && calendar(31, 12) && calendar(30, 4));
        assert!(!calendar(30, 2) && !calendar(31, 4) && !calendar(1, 13) && !calendar(0, 1));
    }
}

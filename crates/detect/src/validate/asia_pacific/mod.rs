//! Numbers that states of Asia and the Pacific issue.

mod australia;
mod china;
mod hong_kong;
mod india;
mod indonesia;
mod japan;
mod korea;
mod malaysia;
mod new_zealand;
mod philippines;
mod singapore;
mod taiwan;
mod thailand;
mod vietnam;

use super::Table;
use super::digits::{Digits, uniform};
#[cfg(test)]
use crate::validator::all;
use crate::validator::{unknown_if, valid_if};

/// The validators of each country.
pub(super) const TABLES: &[Table] = &[
    australia::TABLE,
    china::TABLE,
    hong_kong::TABLE,
    india::TABLE,
    indonesia::TABLE,
    japan::TABLE,
    korea::TABLE,
    malaysia::TABLE,
    new_zealand::TABLE,
    philippines::TABLE,
    singapore::TABLE,
    taiwan::TABLE,
    thailand::TABLE,
    vietnam::TABLE,
];

/// What divides groups of digits in the region: no typographic relatives, but colons and slashes.
const SEPARATORS: &[u8] = b" -.:/";

/// Exactly `N` digits that are not all the same, whatever divides them.
fn digits<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let digits = Digits::<N>::read(bytes, SEPARATORS)?;
    let digits: [u8; N] = digits.as_slice().try_into().ok()?;
    (!uniform(&digits)).then_some(digits)
}

/// The number that a few digits write.
fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0u32, |number, &digit| number.wrapping_mul(10).wrapping_add(digit.into()))
}

/// Whether some year has that day. The century of two-digit years is mostly unknown, so 29 February passes.
fn is_day(month: u32, day: u32) -> bool {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return false,
    };
    (1..=last).contains(&day)
}

/// The value of a character in base 36, in either case.
fn base36(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(36)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_digits() {
        assert!(is_day(2, 29) && is_day(12, 31));
        assert!(!is_day(2, 30) && !is_day(4, 31) && !is_day(13, 1) && !is_day(1, 0));
        assert_eq!(digits::<4>(b"12-34"), Some([1, 2, 3, 4]));
        assert_eq!(digits::<4>(b"1234 5"), None);
        assert_eq!(digits::<4>(b"7777"), None);
        assert_eq!(digits::<4>(b"12x4"), None);
    }
}

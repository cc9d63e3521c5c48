//! Numbers issued in New Zealand.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::super::digits::{Digits, uniform};
use super::{SEPARATORS, digits, number, unknown_if, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("nz_bank_account", bank_account),
    ("nz_ird", inland_revenue),
    ("nz_nhi", health_index),
    ("nz_nzbn", business_number),
];

/// Seven or eight digits and a check digit modulo 11, with second weights where the first give ten.
fn inland_revenue(bytes: &[u8]) -> Verdict {
    let Some(read) = Digits::<9>::read(bytes, SEPARATORS) else { return Verdict::Invalid };
    let read = read.as_slice();
    if !matches!(read.len(), 8 | 9) || uniform(read) {
        return Verdict::Invalid;
    }
    let mut digits = [0; 9];
    digits[9 - read.len()..].copy_from_slice(read);
    if !(10_000_000..150_000_000).contains(&number(&digits)) {
        return Verdict::Invalid;
    }
    let check = |weights: &[u32]| (11 - weighted_sum(&digits[..8], weights) % 11) % 11;
    let check = match check(&[3, 2, 7, 6, 5, 4, 3, 2]) {
        10 => check(&[7, 4, 3, 2, 5, 2, 7, 6]),
        first => first,
    };
    unknown_if(check == u32::from(digits[8]))
}

/// The National Health Index (HISO 10046): three letters and four digits modulo 11; or, since 2022, three
/// letters, two digits and two letters modulo 23. Letters but I and O count from 1.
fn health_index(bytes: &[u8]) -> Verdict {
    const LETTERS: &[u8; 24] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    let letter = |byte: u8| {
        let byte = byte.to_ascii_uppercase();
        (1u8..).zip(LETTERS).find_map(|(value, &letter)| (letter == byte).then_some(value))
    };
    let Ok(&[a, b, c, d, e, f, check]) = <&[u8; 7]>::try_from(bytes) else {
        return Verdict::Invalid;
    };
    let (Some(a), Some(b), Some(c)) = (letter(a), letter(b), letter(c)) else {
        return Verdict::Invalid;
    };
    if !d.is_ascii_digit() || !e.is_ascii_digit() {
        return Verdict::Invalid;
    }
    let (d, e) = (d - b'0', e - b'0');
    let sum = |f: u8| weighted_sum(&[a, b, c, d, e, f], &[7, 6, 5, 4, 3, 2]);
    let holds = if f.is_ascii_digit() && check.is_ascii_digit() {
        let rest = sum(f - b'0') % 11;
        rest > 0 && (11 - rest) % 10 == u32::from(check - b'0')
    } else if let (Some(f), Some(check)) = (letter(f), letter(check)) {
        23 - sum(f) % 23 == u32::from(check)
    } else {
        false
    };
    unknown_if(holds)
}

/// Thirteen digits of GS1 under the prefix of the business register.
fn business_number(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<13>(bytes) else { return Verdict::Invalid };
    let sum = weighted_sum(&digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]);
    valid_if(number(&digits[..4]) == 9429 && sum.is_multiple_of(10))
}

/// A bank, a branch, an account and a suffix. Which of the six checks applies depends on the bank; they
/// are left aside, as the shape says enough.
fn bank_account(bytes: &[u8]) -> Verdict {
    let mut parts = bytes.split(|byte| !byte.is_ascii_digit());
    let bank = match parts.next() {
        Some([tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => (tens - b'0') * 10 + (ones - b'0'),
        _ => return Verdict::Invalid,
    };
    unknown_if(matches!(bank, 1..=6 | 8..=31 | 33 | 35 | 38 | 88))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn taxpayers() {
        // Inland Revenue's examples of the algorithm.
        all(inland_revenue, Verdict::Unknown, &["49-091-850", "35901981", "49098576", "136410132"]);
        all(
            inland_revenue,
            Verdict::Invalid,
            &["136410133", "9125568", "49-091-851", "999999999", ""],
        );
    }

    #[test]
    fn patients() {
        // Numbers from Z are kept for tests.
        all(health_index, Verdict::Unknown, &["ZAC5361", "ZBN77VL", "zac5361"]);
        all(
            health_index,
            Verdict::Invalid,
            &["ZZZ0044", "ZZZ00AA", "ZAC5362", "ZIC5361", "ZAC53A1", "ZAC536", ""],
        );
    }

    #[test]
    fn businesses_and_accounts() {
        all(business_number, Verdict::Valid, &["9429041535110"]);
        all(
            business_number,
            Verdict::Invalid,
            &["9429041535111", "9329041535110", "942904153511", ""],
        );
        all(bank_account, Verdict::Unknown, &["01-0902-0068389-00"]);
        all(bank_account, Verdict::Invalid, &["99-0902-0068389-00", "1-0902-0068389-00", ""]);
    }
}

//! Numbers issued in Taiwan.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{digits, unknown_if, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("tw_national_id", national_id),
    ("tw_resident_id", resident_id),
    ("tw_ubn", business_number),
];

/// The letters in the order of their values, from 10.
const LETTERS: &[u8; 26] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";

fn letter(byte: u8) -> Option<u32> {
    let byte = byte.to_ascii_uppercase();
    (10..).zip(LETTERS).find_map(|(value, &letter)| (letter == byte).then_some(value))
}

/// A place, 1 or 2, and eight more digits.
fn national_id(bytes: &[u8]) -> Verdict {
    match bytes {
        [place, rest @ ..] if matches!(rest.first(), Some(b'1' | b'2')) => holds(*place, rest),
        _ => Verdict::Invalid,
    }
}

/// The number of foreigners and others without household registration: 8 or 9 in the second place since
/// 2021, a letter from A to D before.
fn resident_id(bytes: &[u8]) -> Verdict {
    let [place, second, rest @ ..] = bytes else { return Verdict::Invalid };
    let second = match second {
        b'8' | b'9' => *second,
        // Of a letter's two digits the second counts.
        b'A'..=b'D' => second - b'A' + b'0',
        b'a'..=b'd' => second - b'a' + b'0',
        _ => return Verdict::Invalid,
    };
    let Ok(rest) = <&[u8; 8]>::try_from(rest) else { return Verdict::Invalid };
    let mut number = [second; 9];
    number[1..].copy_from_slice(rest);
    holds(*place, &number)
}

fn holds(place: u8, rest: &[u8]) -> Verdict {
    let (Some(place), Some(number)) = (letter(place), digits::<9>(rest)) else {
        return Verdict::Invalid;
    };
    let sum = place / 10 + place % 10 * 9 + weighted_sum(&number, &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    valid_if(sum.is_multiple_of(10))
}

/// Eight digits whose products' digits add up to a multiple of five (of ten before 2023). A 7 in the
/// seventh place may count as one or nothing.
fn business_number(bytes: &[u8]) -> Verdict {
    let Some(number) = digits::<8>(bytes) else { return Verdict::Invalid };
    let sum: u32 = number
        .iter()
        .zip([1, 2, 1, 2, 1, 2, 4, 1])
        .map(|(&digit, weight)| u32::from(digit) * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    unknown_if(sum.is_multiple_of(5) || number[6] == 7 && (sum + 1).is_multiple_of(5))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn people() {
        // The specimens of the ministry's cards.
        all(national_id, Verdict::Valid, &["A123456789", "a123456789"]);
        all(
            national_id,
            Verdict::Invalid,
            &["A123456788", "A323456789", "1123456789", "A12345678", "A1234567890", "A", ""],
        );
        all(resident_id, Verdict::Valid, &["A800000014", "AC01234567"]);
        all(resident_id, Verdict::Invalid, &["A800000015", "AE01234567", "A123456789", "A8", ""]);
    }

    #[test]
    fn businesses() {
        all(business_number, Verdict::Unknown, &["04595257", "10458575", "88117125"]);
        all(business_number, Verdict::Invalid, &["88117126", "8811712", "00000000", ""]);
    }
}

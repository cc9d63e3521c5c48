//! Numbers issued in Australia.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::super::digits::{Digits, luhn_holds};
use super::{SEPARATORS, digits, number, unknown_if, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("au_abn", business_number),
    ("au_acn", company_number),
    ("au_health_identifier", health_identifier),
    ("au_medicare", medicare),
    ("au_tfn", tax_file_number),
];

/// Two check digits, which are never below 10, and nine more, modulo 89.
fn business_number(bytes: &[u8]) -> Verdict {
    let Some(mut digits) = digits::<11>(bytes) else { return Verdict::Invalid };
    if digits[0] == 0 {
        return Verdict::Invalid;
    }
    digits[0] -= 1;
    let sum = weighted_sum(&digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    valid_if(sum.is_multiple_of(89))
}

/// Eight digits and a check digit modulo 10.
fn company_number(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<9>(bytes) else { return Verdict::Invalid };
    let sum = weighted_sum(&digits[..8], &[8, 7, 6, 5, 4, 3, 2, 1]);
    valid_if((sum + u32::from(digits[8])).is_multiple_of(10))
}

/// Nine digits whose weighted sum is a multiple of 11.
fn tax_file_number(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<9>(bytes) else { return Verdict::Invalid };
    let sum = weighted_sum(&digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]);
    valid_if(sum.is_multiple_of(11))
}

/// Eight digits, a check digit, the card's issue and perhaps the person's number on it.
fn medicare(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<11>::read(bytes, SEPARATORS) else { return Verdict::Invalid };
    let digits = digits.as_slice();
    if !matches!(digits.len(), 10 | 11) || !(2..=6).contains(&digits[0]) {
        return Verdict::Invalid;
    }
    let sum = weighted_sum(&digits[..8], &[1, 3, 7, 9, 1, 3, 7, 9]);
    valid_if(sum % 10 == u32::from(digits[8]))
}

/// Sixteen digits under Luhn's scheme that say whose they are: 800360 a person's, 800361 a practitioner's,
/// 800362 an organisation's.
fn health_identifier(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<16>(bytes) else { return Verdict::Invalid };
    let known = matches!(number(&digits[..6]), 800_360..=800_362);
    if known && luhn_holds(&digits) { Verdict::Valid } else { unknown_if(false) }
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn businesses_and_companies() {
        // The registers' own examples.
        all(business_number, Verdict::Valid, &["83 914 571 673", "83914571673"]);
        all(
            business_number,
            Verdict::Invalid,
            &["83 914 571 674", "03914571673", "8391457167", ""],
        );
        all(company_number, Verdict::Valid, &["004 085 616", "010499966", "003249992"]);
        all(company_number, Verdict::Invalid, &["004 085 617", "00408561", "000000000", ""]);
    }

    #[test]
    fn people() {
        // What the tax office publishes for tests of software.
        all(tax_file_number, Verdict::Valid, &["123 456 782", "123456782"]);
        all(tax_file_number, Verdict::Invalid, &["123 456 783", "12345678", ""]);
        all(medicare, Verdict::Valid, &["2951 07387 1", "2951073871", "2951 07387 1/2"]);
        all(medicare, Verdict::Invalid, &["2951 07388 1", "7951073871", "295107387", ""]);
    }

    #[test]
    fn health_identifiers() {
        all(health_identifier, Verdict::Valid, &["8003 6023 5000 3565"]);
        all(
            health_identifier,
            Verdict::Invalid,
            &["8003602350003564", "8003632350003565", "80036023", ""],
        );
    }
}

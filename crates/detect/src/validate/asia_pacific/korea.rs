//! Numbers issued in South Korea.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{digits, is_day, number, unknown_if, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("kr_brn", business_registration),
    ("kr_corporation", corporation),
    ("kr_driver_license", driver_licence),
    ("kr_frn", foreigner_registration),
    ("kr_rrn", resident_registration),
];

/// A date of birth, a digit for sex and century, and six more.
///
/// Those given out since October 2020 end in random digits: a check digit that fails excludes nothing, one
/// that holds proves the number.
fn resident_registration(bytes: &[u8]) -> Verdict {
    registration(bytes, 1..=4, 11)
}

/// As that of residents, with other digits for sex and century and a check digit that is two higher.
fn foreigner_registration(bytes: &[u8]) -> Verdict {
    registration(bytes, 5..=8, 13)
}

fn registration(bytes: &[u8], kinds: std::ops::RangeInclusive<u8>, from: u32) -> Verdict {
    let Some(digits) = digits::<13>(bytes) else { return Verdict::Invalid };
    if !is_day(number(&digits[2..4]), number(&digits[4..6])) || !kinds.contains(&digits[6]) {
        return Verdict::Invalid;
    }
    let sum = weighted_sum(&digits[..12], &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    if (from - sum % 11) % 10 == u32::from(digits[12]) { Verdict::Valid } else { Verdict::Unknown }
}

/// A tax office, a kind of business, a serial and a check digit: one number in ten passes.
fn business_registration(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<10>(bytes) else { return Verdict::Invalid };
    let sum =
        weighted_sum(&digits[..9], &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + u32::from(digits[8]) * 5 / 10;
    unknown_if(number(&digits[..3]) >= 101 && (sum + u32::from(digits[9])).is_multiple_of(10))
}

/// A registry, a kind of corporation, a serial and a check digit.
fn corporation(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<13>(bytes) else { return Verdict::Invalid };
    let sum = weighted_sum(&digits[..12], &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
    valid_if(digits[0] > 0 && (sum + u32::from(digits[12])).is_multiple_of(10))
}

/// A region, a year, six digits and two for checking, how is not published.
fn driver_licence(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<12>(bytes) else { return Verdict::Invalid };
    unknown_if(matches!(number(&digits[..2]), 11..=26 | 28))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn residents() {
        all(resident_registration, Verdict::Valid, &["900101-1234568", "9001011234568"]);
        all(resident_registration, Verdict::Unknown, &["900101-1234567", "210229-3123456"]);
        all(
            resident_registration,
            Verdict::Invalid,
            &[
                "901301-1234568",
                "900132-1234568",
                "900101-5234568",
                "900101-0234568",
                "900101-123456",
                "",
            ],
        );
    }

    #[test]
    fn foreigners() {
        all(foreigner_registration, Verdict::Valid, &["900101-5234561"]);
        all(foreigner_registration, Verdict::Unknown, &["900101-5234560"]);
        all(
            foreigner_registration,
            Verdict::Invalid,
            &["900101-1234568", "900101-9234562", "900230-5234562", ""],
        );
    }

    #[test]
    fn businesses() {
        // Of large companies, who must print them.
        all(
            business_registration,
            Verdict::Unknown,
            &["124-81-00998", "120-81-47521", "1208147521"],
        );
        all(
            business_registration,
            Verdict::Invalid,
            &["124-81-00999", "100-81-00998", "124-81-0099", ""],
        );
        all(corporation, Verdict::Valid, &["130111-0006246"]);
        all(corporation, Verdict::Invalid, &["130111-0006247", "130111-000624", ""]);
    }

    #[test]
    fn driver_licences() {
        all(driver_licence, Verdict::Unknown, &["11-17-203948-51", "28 05 203948 51"]);
        all(
            driver_licence,
            Verdict::Invalid,
            &["27-17-203948-51", "10-17-203948-51", "11-17-2039-51", ""],
        );
    }
}

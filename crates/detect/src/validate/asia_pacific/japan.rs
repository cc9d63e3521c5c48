//! Numbers issued in Japan.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{digits, number, unknown_if, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("jp_corporate_number", corporate_number),
    ("jp_driver_licence", driver_licence),
    ("jp_my_number", my_number),
];

/// Eleven digits and a check digit modulo 11, as the ministerial order of 2014 on My Number has it.
fn my_number(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<12>(bytes) else { return Verdict::Invalid };
    let check = match weighted_sum(&digits[..11], &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    valid_if(check == u32::from(digits[11]))
}

/// A check digit modulo 9 and twelve digits, the number of a corporation.
fn corporate_number(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<13>(bytes) else { return Verdict::Invalid };
    let sum = weighted_sum(&digits[1..], &[2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]);
    valid_if(9 - sum % 9 == u32::from(digits[0]))
}

/// The commission's code, the year, six digits, a check digit and how often the licence was lost.
fn driver_licence(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<12>(bytes) else { return Verdict::Invalid };
    let commission = matches!(
        number(&digits[..2]),
        0 | 10..=14 | 20..=25 | 30 | 40..=55 | 60..=65 | 70..=74 | 80..=83 | 90..=97
    );
    let rest = weighted_sum(&digits[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    unknown_if(commission && (11 - rest) % 10 == u32::from(digits[10]))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn my_numbers() {
        // The specimen of the ministry's leaflets.
        all(my_number, Verdict::Valid, &["123456789018", "1234 5678 9018", "1234-5678-9018"]);
        all(
            my_number,
            Verdict::Invalid,
            &["123456789017", "12345678901", "1234567890180", "000000000000", ""],
        );
    }

    #[test]
    fn corporate_numbers() {
        // The National Tax Agency's own, and the Digital Agency's.
        all(corporate_number, Verdict::Valid, &["7000012050002", "8000012010038"]);
        all(corporate_number, Verdict::Invalid, &["6000012050002", "700001205000", ""]);
    }

    #[test]
    fn driver_licences() {
        all(driver_licence, Verdict::Unknown, &["309012345620"]);
        all(driver_licence, Verdict::Invalid, &["309012345630", "319012345620", "30901234562", ""]);
    }
}

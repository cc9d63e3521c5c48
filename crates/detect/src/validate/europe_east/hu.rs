//! Hungary.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{exactly, is_date, number, unknown_if, without_country};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("hu_personal_id", personal_id),
    ("hu_taj", taj),
    ("hu_tax_id", tax_id),
    ("hu_tax_number", tax_number),
    ("hu_vat", vat),
];

/// A personal identifier: sex and century, a date of birth, three digits and a check digit modulo 11. The
/// weights run up for those born until 1996 and down for the others.
fn personal_id(bytes: &[u8]) -> Verdict {
    let Some(digits) = exactly::<11>(bytes) else { return Verdict::Invalid };
    let [year, month, day] = [1, 3, 5].map(|at| number(&digits[at..at + 2]));
    let year = match digits[0] {
        1 | 2 | 5 | 6 => 1900 + year,
        3 | 4 | 7 | 8 => 2000 + year,
        _ => return Verdict::Invalid,
    };
    let sum = if year <= 1996 {
        weighted_sum(&digits, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    } else {
        weighted_sum(&digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    };
    if !is_date(year, month, day) || sum % 11 != u32::from(digits[10]) {
        return Verdict::Invalid;
    }
    Verdict::Valid
}

/// A tax identification of a person: 8, the days since 1 January 1867, three digits and a check digit.
fn tax_id(bytes: &[u8]) -> Verdict {
    let digits = exactly::<10>(bytes);
    unknown_if(digits.is_some_and(|digits| {
        digits[0] == 8
            && weighted_sum(&digits, &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 == u32::from(digits[9])
    }))
}

/// A social insurance number (TAJ): eight digits and a check digit modulo 10.
fn taj(bytes: &[u8]) -> Verdict {
    let digits = exactly::<9>(bytes);
    unknown_if(digits.is_some_and(|digits| {
        weighted_sum(&digits, &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == u32::from(digits[8])
    }))
}

/// A tax number of a company: seven digits, a check digit, the kind of VAT and the county.
fn tax_number(bytes: &[u8]) -> Verdict {
    let Some(digits) = exactly::<11>(bytes) else { return Verdict::Invalid };
    let county = number(&digits[9..]);
    unknown_if(
        base_holds(&digits[..8])
            && (1..=5).contains(&digits[8])
            && matches!(county, 2..=20 | 22..=44 | 51),
    )
}

fn base_holds(digits: &[u8]) -> bool {
    weighted_sum(digits, &[9, 7, 3, 1, 9, 7, 3, 1]).is_multiple_of(10)
}

/// A VAT number: the first eight digits of the tax number.
fn vat(bytes: &[u8]) -> Verdict {
    let digits = without_country(bytes, b"HU").and_then(exactly::<8>);
    unknown_if(digits.is_some_and(|digits| base_holds(&digits)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn people() {
        all(
            personal_id,
            Verdict::Valid,
            &["1-870309-1237", "18703091237", "3-050607-1286", "2-980309-1217"],
        );
        all(personal_id, Verdict::Invalid, &["1-871309-1234", "9-870309-1234", "1-870309-123", ""]);
        all(tax_id, Verdict::Unknown, &["8071592153"]); // a published example
        all(tax_id, Verdict::Invalid, &["8071592154", "7071592153", "807159215", ""]);
        all(taj, Verdict::Unknown, &["111 111 110", "123 456 788"]);
        all(taj, Verdict::Invalid, &["123 456 789", "12345678", ""]);
    }

    #[test]
    fn companies() {
        all(tax_number, Verdict::Unknown, &["12892312-2-43", "12892312243"]);
        all(tax_number, Verdict::Invalid, &["12892313-2-43", "12892312-6-43", "12892312-2-21", ""]);
        all(vat, Verdict::Unknown, &["HU12892312", "HU 12892312"]);
        all(vat, Verdict::Invalid, &["HU12892313", ""]);
    }
}

//! Slovakia.

use super::super::Table;
use super::super::check_digits::remainder;
use super::{exactly, unknown_if, without_country};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("sk_dic", dic), ("sk_vat", vat)];

/// A tax identification number (DIČ): ten digits from 1, 2, 4 or 7.
fn dic(bytes: &[u8]) -> Verdict {
    unknown_if(exactly::<10>(bytes).is_some_and(|digits| matches!(digits[0], 1 | 2 | 4 | 7)))
}

/// A VAT number: ten digits, a multiple of 11, and only some digits in the third place.
fn vat(bytes: &[u8]) -> Verdict {
    let digits = without_country(bytes, b"SK").and_then(exactly::<10>);
    unknown_if(digits.is_some_and(|digits| {
        digits[0] != 0 && matches!(digits[2], 2..=4 | 7..=9) && remainder(&digits, 11) == 0
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn tax_numbers() {
        all(dic, Verdict::Unknown, &["2022749619"]);
        all(dic, Verdict::Invalid, &["3022749619", "202274961", ""]);
        all(vat, Verdict::Unknown, &["SK2022749619", "SK 2022749619"]);
        all(vat, Verdict::Invalid, &["SK2022749618", "SK202274961", ""]);
    }
}

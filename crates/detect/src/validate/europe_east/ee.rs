//! Estonia, and the check digit that Lithuania shares.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{exactly, is_date, number, unknown_if, valid_if, without_country};
use crate::validator::Verdict;

pub(super) const TABLE: Table =
    &[("ee_isikukood", isikukood), ("ee_registrikood", registrikood), ("ee_vat", vat)];

/// A personal code as both countries form it: sex and century, a date of birth, three digits and a check
/// digit.
pub(super) fn isikukood(bytes: &[u8]) -> Verdict {
    let Some(digits) = exactly::<11>(bytes) else { return Verdict::Invalid };
    let [year, month, day] = [1, 3, 5].map(|at| number(&digits[at..at + 2]));
    let date = match digits[0] {
        first @ 1..=8 => is_date(1800 + (u32::from(first) - 1) / 2 * 100 + year, month, day),
        _ => false,
    };
    valid_if(date && two_rounds_hold(&digits))
}

/// Modulo 11 with weights 1, 2, 3 and so on, 1 after 9; if that leaves 10, once more with weights from 3, and
/// if that does too, 0.
pub(super) fn two_rounds_hold(digits: &[u8]) -> bool {
    let Some((&check, body)) = digits.split_last() else { return false };
    let round = |first: usize| -> u32 {
        let weights = (first..).map(|weight| weight as u32 % 9 + 1);
        body.iter().zip(weights).map(|(&digit, weight)| u32::from(digit) * weight).sum::<u32>() % 11
    };
    let expected = match round(0) {
        10 => round(2) % 10,
        rest => rest,
    };
    expected == u32::from(check)
}

/// A register code of a company or an institution: eight digits from 1, 7, 8 or 9.
fn registrikood(bytes: &[u8]) -> Verdict {
    let digits = exactly::<8>(bytes);
    unknown_if(digits.is_some_and(|d| matches!(d[0], 1 | 7..=9) && two_rounds_hold(&d)))
}

/// A VAT number: eight digits and a check digit.
fn vat(bytes: &[u8]) -> Verdict {
    const WEIGHTS: [u32; 9] = [3, 7, 1, 3, 7, 1, 3, 7, 1];
    let digits = without_country(bytes, b"EE").and_then(exactly::<9>);
    unknown_if(digits.is_some_and(|digits| weighted_sum(&digits, &WEIGHTS).is_multiple_of(10)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn personal_codes() {
        all(isikukood, Verdict::Valid, &["37605030299", "38001085718", "36805280109"]);
        all(
            isikukood,
            Verdict::Invalid,
            &["37605030298", "37613030299", "97605030299", "3760503029", "376050302990", ""],
        );
    }

    #[test]
    fn companies() {
        all(registrikood, Verdict::Unknown, &["12345678", "70000310"]);
        all(registrikood, Verdict::Invalid, &["12345679", "32345678", "1234567", ""]);
        all(vat, Verdict::Unknown, &["EE100931558", "EE 100594102"]);
        all(vat, Verdict::Invalid, &["EE100594103", "EE10059410", ""]);
    }
}

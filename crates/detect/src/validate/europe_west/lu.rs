//! Luxembourg.

use super::super::Table;
use super::super::check_digits::verhoeff_holds;
use super::super::digits::luhn_holds;
use super::{calendar, digits, digits_after, judge, number};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("lu_national_number", national_number), ("lu_vat", vat)];

/// A national number: date of birth, three digits, a check digit after Luhn and one after Verhoeff, each over
/// the first eleven.
fn national_number(bytes: &[u8]) -> Verdict {
    let holds = digits::<13>(bytes).map(|digits| {
        let mut second = [0; 12];
        second[..11].copy_from_slice(&digits[..11]);
        second[11] = digits[12];
        (1850..=2099).contains(&number(&digits[..4]))
            && calendar(number(&digits[6..8]), number(&digits[4..6]))
            && luhn_holds(&digits[..12])
            && verhoeff_holds(&second)
    });
    judge(holds, Verdict::Valid)
}

/// A VAT number: six digits and their rest modulo 89.
fn vat(bytes: &[u8]) -> Verdict {
    let holds = digits_after::<8>(b"LU", bytes).map(|digits| {
        let body = number(&digits[..6]);
        body > 0 && body % 89 == number(&digits[6..])
    });
    judge(holds, Verdict::Valid)
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn numbers() {
        // The first is the published example of the check digits.
        assert_verdicts(
            national_number,
            Verdict::Valid,
            &["1893120105732", "1984 0612 347 38", "1993022871564"],
        );
        assert_verdicts(
            national_number,
            Verdict::Invalid,
            &["1893120105742", "1984133234738", "1893120105733", ""],
        );
        assert_verdicts(vat, Verdict::Valid, &["LU15027442", "LU 28471908"]);
        assert_verdicts(vat, Verdict::Invalid, &["LU15027443", "LU00000000", "15027442", ""]);
    }
}

//! Ukraine.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{exactly, is_date, number, unknown_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("ua_edrpou", edrpou), ("ua_rnokpp", rnokpp), ("ua_unzr", unzr)];

/// A number of the register of taxpayers: the days since 31 December 1899, four digits and a check digit.
fn rnokpp(bytes: &[u8]) -> Verdict {
    let Some(digits) = exactly::<10>(bytes) else { return Verdict::Invalid };
    // The weight of the first digit is -1: ten times it is the same modulo 11.
    let sum = weighted_sum(&digits, &[10, 5, 7, 9, 4, 6, 10, 5, 7]);
    unknown_if(sum % 11 % 10 == u32::from(digits[9]))
}

/// A code of the register of companies: seven digits and a check digit. The weights depend on the number.
fn edrpou(bytes: &[u8]) -> Verdict {
    let Some(digits) = exactly::<8>(bytes) else { return Verdict::Invalid };
    let weights: [u32; 7] = match number(&digits) {
        30_000_000..=60_000_000 => [7, 1, 2, 3, 4, 5, 6],
        _ => [1, 2, 3, 4, 5, 6, 7],
    };
    let check = match weighted_sum(&digits, &weights) % 11 {
        10 => weighted_sum(&digits, &weights.map(|weight| weight + 2)) % 11 % 10,
        rest => rest,
    };
    unknown_if(check == u32::from(digits[7]))
}

/// A number of the demographic register: a date of birth, four digits and a check digit, which is not public
/// enough to be relied upon.
fn unzr(bytes: &[u8]) -> Verdict {
    let Some(digits) = exactly::<13>(bytes) else { return Verdict::Invalid };
    let (year, month, day) = (number(&digits[..4]), number(&digits[4..6]), number(&digits[6..8]));
    unknown_if((1900..=2099).contains(&year) && is_date(year, month, day))
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn taxpayers() {
        all(rnokpp, Verdict::Unknown, &["1759013776"]);
        all(rnokpp, Verdict::Invalid, &["1759013770", "175901377", ""]);
        all(edrpou, Verdict::Unknown, &["32855961", "14360570"]);
        all(edrpou, Verdict::Invalid, &["32855968", "3285596", ""]);
        all(unzr, Verdict::Unknown, &["19870309-12345"]);
        all(unzr, Verdict::Invalid, &["19871309-12345", "18870309-12345", "19870309-1234", ""]);
    }
}

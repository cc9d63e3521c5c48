//! Austria.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::super::digits::{luhn_holds, uniform};
use super::{digits, digits_after, judge, number};
use crate::validator::Verdict;

pub(super) const TABLE: Table =
    &[("at_steuernummer", steuernummer), ("at_svnr", svnr), ("at_vat", vat)];

/// A social insurance number: three digits, a check digit (weights, modulo 11) and the date of birth, whose
/// month runs to 15 where a day's numbers are used up.
fn svnr(bytes: &[u8]) -> Verdict {
    let holds = digits::<10>(bytes).map(|digits| {
        let (day, month) = (number(&digits[4..6]), number(&digits[6..8]));
        let sum = weighted_sum(&digits, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11;
        digits[0] != 0
            && (1..=31).contains(&day)
            && (1..=15).contains(&month)
            && sum == u32::from(digits[3])
    });
    judge(holds, Verdict::Valid)
}

/// A tax number: two digits of the office, six of the taxpayer, and one after Luhn.
fn steuernummer(bytes: &[u8]) -> Verdict {
    let holds = digits::<9>(bytes).map(|digits| !uniform(&digits) && luhn_holds(&digits));
    judge(holds, Verdict::Unknown)
}

/// A VAT number: Luhn's sum over seven digits, and the eighth makes it 96.
fn vat(bytes: &[u8]) -> Verdict {
    let holds = digits_after::<8>(b"ATU", bytes).map(|digits| {
        let sum: u32 = (0u32..)
            .zip(&digits[..7])
            .map(|(place, &digit)| {
                let value = u32::from(digit) << (place % 2);
                value / 10 + value % 10
            })
            .sum();
        (96 - sum) % 10 == u32::from(digits[7])
    });
    judge(holds, Verdict::Unknown)
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn numbers() {
        assert_verdicts(svnr, Verdict::Valid, &["1237 010180", "4781231175"]);
        assert_verdicts(
            svnr,
            Verdict::Invalid,
            &["1247010180", "1237321680", "0237010180", "123701018", ""],
        );
        assert_verdicts(steuernummer, Verdict::Unknown, &["59-119/9013", "038472619"]);
        assert_verdicts(
            steuernummer,
            Verdict::Invalid,
            &["59-119/9014", "000000000", "59-119/901", ""],
        );
        assert_verdicts(vat, Verdict::Unknown, &["ATU13585627", "atu 67403810"]);
        assert_verdicts(vat, Verdict::Invalid, &["ATU13585626", "AT13585627", "ATU1358562", ""]);
    }
}

//! Malta.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{digits_after, judge, number};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("mt_vat", vat)];

/// A VAT number: six digits, and two that make their weighted sum divisible by 37.
fn vat(bytes: &[u8]) -> Verdict {
    let holds = digits_after::<8>(b"MT", bytes).map(|digits| {
        let sum = weighted_sum(&digits, &[3, 4, 6, 7, 8, 9, 10, 1]);
        number(&digits[..6]) >= 100_000 && sum.is_multiple_of(37)
    });
    judge(holds, Verdict::Unknown)
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn numbers() {
        assert_verdicts(vat, Verdict::Unknown, &["MT11679112", "MT 2048 3712"]);
        assert_verdicts(vat, Verdict::Invalid, &["MT11679113", "MT00000000", "11679112", ""]);
    }
}

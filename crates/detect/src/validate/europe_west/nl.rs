//! The Netherlands.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::super::digits::uniform;
use super::{Compact, digits, judge, values};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("nl_bsn", bsn), ("nl_vat", vat)];

/// A citizen service number: nine digits by the test of eleven, the last counting against the others.
fn bsn(bytes: &[u8]) -> Verdict {
    judge(digits::<9>(bytes).map(eleven_holds), Verdict::Unknown)
}

fn eleven_holds(digits: [u8; 9]) -> bool {
    let sum = weighted_sum(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]);
    !uniform(&digits) && sum % 11 == u32::from(digits[8])
}

/// A VAT number: nine digits, B and two. Those of companies hold a number by the test of eleven; those of
/// persons, since 2020, are 1 modulo 97 as a whole, letters counting from 10.
fn vat(bytes: &[u8]) -> Verdict {
    let holds = || {
        let compact = Compact::read(bytes)?;
        let text = compact.as_slice();
        let [b'N', b'L', body @ .., b'B', _, _] = text else { return None };
        let (body, suffix) = (values::<9>(body)?, values::<2>(&text[12..])?);
        let rest = text.iter().fold(0, |rest, &byte| {
            let value = char::from(byte).to_digit(36).unwrap_or(0);
            (rest * if value > 9 { 100 } else { 10 } + value) % 97
        });
        Some(suffix != [0, 0] && (rest == 1 || eleven_holds(body)))
    };
    judge(holds(), Verdict::Valid)
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn numbers() {
        assert_verdicts(bsn, Verdict::Unknown, &["111222333", "2846.19.371", "803472614"]);
        assert_verdicts(bsn, Verdict::Invalid, &["111222334", "000000000", "11122233", ""]);
        // The second is the tax office's example of a person's number.
        assert_verdicts(
            vat,
            Verdict::Valid,
            &["NL004495445B01", "NL123456789B13", "NL803472614B01"],
        );
        assert_verdicts(
            vat,
            Verdict::Invalid,
            &["NL123456789B14", "NL803472614B00", "NL803472614", ""],
        );
    }
}

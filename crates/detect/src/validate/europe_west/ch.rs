//! Switzerland and Liechtenstein.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{Compact, digits, judge, values};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("ch_ahv", ahv), ("ch_gln", gln), ("ch_uid", uid)];

/// An OASI number: 13 digits from 756, the last the check digit of GS1.
fn ahv(bytes: &[u8]) -> Verdict {
    let holds =
        digits::<13>(bytes).map(|digits| digits.starts_with(&[7, 5, 6]) && gs1_holds(&digits));
    judge(holds, Verdict::Unknown)
}

/// A partner's GLN in Swiss health care: 13 digits from 7601.
fn gln(bytes: &[u8]) -> Verdict {
    let holds =
        digits::<13>(bytes).map(|digits| digits.starts_with(&[7, 6, 0, 1]) && gs1_holds(&digits));
    judge(holds, Verdict::Unknown)
}

fn gs1_holds(digits: &[u8; 13]) -> bool {
    weighted_sum(digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

/// A business identification number (UID), also with what makes it a VAT number: weights, modulo 11.
fn uid(bytes: &[u8]) -> Verdict {
    let holds = || {
        let compact = Compact::read(bytes)?;
        let text = compact.as_slice().strip_prefix(b"CHE")?;
        let digits = values::<9>(text.get(..9)?)?;
        let suffix = matches!(&text[9..], b"" | b"MWST" | b"TVA" | b"IVA" | b"HR" | b"RC");
        let sum = weighted_sum(&digits, &[5, 4, 3, 2, 7, 6, 5, 4, 1]);
        Some(suffix && sum.is_multiple_of(11))
    };
    judge(holds(), Verdict::Unknown)
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn numbers() {
        // The first is the specimen of the Central Compensation Office.
        assert_verdicts(ahv, Verdict::Unknown, &["756.9217.0769.85", "7564815306298"]);
        assert_verdicts(
            ahv,
            Verdict::Invalid,
            &["756.9217.0769.84", "7601002473811", "756921707698", ""],
        );
        assert_verdicts(gln, Verdict::Unknown, &["7601002473811"]);
        assert_verdicts(gln, Verdict::Invalid, &["7601002473812", "7564815306298", ""]);
        assert_verdicts(
            uid,
            Verdict::Unknown,
            &["CHE-100.155.212", "CHE314720585", "CHE-314.720.585 MWST"],
        );
        assert_verdicts(
            uid,
            Verdict::Invalid,
            &["CHE-100.155.213", "CHE-100.155.212 X", "CHE", ""],
        );
    }
}

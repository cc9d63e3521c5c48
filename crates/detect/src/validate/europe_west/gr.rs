//! Greece.

use super::super::Table;
use super::super::digits::{luhn_holds, uniform};
use super::{calendar, digits, digits_after, judge, number};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("gr_afm", afm), ("gr_amka", amka), ("gr_vat", vat)];

/// A tax number (AFM): eight digits by powers of two, modulo 11, modulo 10.
fn afm(bytes: &[u8]) -> Verdict {
    judge(digits::<9>(bytes).map(afm_holds), Verdict::Unknown)
}

/// The same after EL (or GR, which is not right but written).
fn vat(bytes: &[u8]) -> Verdict {
    let digits = digits_after::<9>(b"EL", bytes).or_else(|| digits_after::<9>(b"GR", bytes));
    judge(digits.map(afm_holds), Verdict::Unknown)
}

fn afm_holds(digits: [u8; 9]) -> bool {
    let sum = digits[..8].iter().fold(0, |sum, &digit| (sum + u32::from(digit)) * 2);
    !uniform(&digits) && sum % 11 % 10 == u32::from(digits[8])
}

/// A social security number (AMKA): date of birth, four digits and one after Luhn.
fn amka(bytes: &[u8]) -> Verdict {
    let holds = digits::<11>(bytes)
        .map(|digits| calendar(number(&digits[..2]), number(&digits[2..4])) && luhn_holds(&digits));
    judge(holds, Verdict::Valid)
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn numbers() {
        assert_verdicts(afm, Verdict::Unknown, &["094259216", "047281933"]);
        assert_verdicts(afm, Verdict::Invalid, &["094259217", "000000000", "09425921", ""]);
        assert_verdicts(vat, Verdict::Unknown, &["EL094259216", "el 094259216", "GR094259216"]);
        assert_verdicts(vat, Verdict::Invalid, &["EL094259217", "094259216", ""]);
        assert_verdicts(amka, Verdict::Valid, &["01013099997", "23058411739"]);
        assert_verdicts(amka, Verdict::Invalid, &["01013099998", "32058411739", "2305841173", ""]);
    }
}

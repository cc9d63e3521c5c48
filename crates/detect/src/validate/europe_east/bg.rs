//! Bulgaria.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{exactly, is_date, number, unknown_if, valid_if, without_country};
use crate::validator::Verdict;

pub(super) const TABLE: Table =
    &[("bg_egn", egn), ("bg_eik", eik), ("bg_lnch", lnch), ("bg_vat", vat)];

/// A uniform civil number: a date of birth (20 is added to the month before 1900, 40 since 2000), three
/// digits and a check digit.
fn egn(bytes: &[u8]) -> Verdict {
    valid_if(exactly::<10>(bytes).is_some_and(|digits| egn_holds(&digits)))
}

fn egn_holds(digits: &[u8; 10]) -> bool {
    let [year, month, day] = [0, 2, 4].map(|at| number(&digits[at..at + 2]));
    let date = match month {
        21..=32 => is_date(1800 + year, month - 20, day),
        41..=52 => is_date(2000 + year, month - 40, day),
        _ => is_date(1900 + year, month, day),
    };
    let sum = weighted_sum(digits, &[2, 4, 8, 5, 10, 9, 7, 3, 6]);
    date && sum % 11 % 10 == u32::from(digits[9])
}

/// A personal number of a foreigner: nine digits and a check digit modulo 10.
fn lnch(bytes: &[u8]) -> Verdict {
    unknown_if(exactly::<10>(bytes).is_some_and(|digits| lnch_holds(&digits)))
}

fn lnch_holds(digits: &[u8; 10]) -> bool {
    let sum = weighted_sum(digits, &[21, 19, 17, 13, 11, 9, 7, 3, 1]);
    sum % 10 == u32::from(digits[9])
}

/// A unified identification code of a company (nine digits) or of its branch (thirteen).
fn eik(bytes: &[u8]) -> Verdict {
    unknown_if(match (exactly::<9>(bytes), exactly::<13>(bytes)) {
        (Some(company), _) => company_holds(&company),
        (_, Some(branch)) => company_holds(&branch[..9]) && branch_holds(&branch[8..]),
        _ => false,
    })
}

fn company_holds(digits: &[u8]) -> bool {
    either(digits, &[1, 2, 3, 4, 5, 6, 7, 8], &[3, 4, 5, 6, 7, 8, 9, 10])
}

fn branch_holds(digits: &[u8]) -> bool {
    either(digits, &[2, 7, 3, 5], &[4, 9, 5, 7])
}

/// Modulo 11 under the first weights, or if that leaves 10 under the second.
fn either(digits: &[u8], first: &[u32], second: &[u32]) -> bool {
    let check = match weighted_sum(digits, first) % 11 {
        10 => weighted_sum(digits, second) % 11 % 10,
        rest => rest,
    };
    digits.get(first.len()).copied().map(u32::from) == Some(check)
}

/// A VAT number: the company's code, or ten digits of a person or another payer.
fn vat(bytes: &[u8]) -> Verdict {
    let Some(rest) = without_country(bytes, b"BG") else { return Verdict::Invalid };
    unknown_if(match (exactly::<9>(rest), exactly::<10>(rest)) {
        (Some(company), _) => company_holds(&company),
        (_, Some(person)) => egn_holds(&person) || lnch_holds(&person) || other_holds(&person),
        _ => false,
    })
}

fn other_holds(digits: &[u8; 10]) -> bool {
    let sum = weighted_sum(digits, &[4, 3, 2, 7, 6, 5, 4, 3, 2]);
    (11 - sum % 11) % 11 == u32::from(digits[9])
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn people() {
        all(
            egn,
            Verdict::Valid,
            &["7523169263", "8032056031", "8001010008", "7501020018", "7552010005"],
        );
        all(egn, Verdict::Invalid, &["7552010004", "8013010008", "800101000", ""]);
        all(lnch, Verdict::Unknown, &["7111042925"]);
        all(lnch, Verdict::Invalid, &["7111042922", "711104292", ""]);
    }

    #[test]
    fn companies() {
        all(eik, Verdict::Unknown, &["175074752", "1750747520126"]);
        all(eik, Verdict::Invalid, &["175074753", "17507475", ""]);
        all(vat, Verdict::Unknown, &["BG175074752", "BG 175074752", "BG7523169263"]);
        all(vat, Verdict::Invalid, &["BG175074751", "BG17507475", ""]);
    }
}

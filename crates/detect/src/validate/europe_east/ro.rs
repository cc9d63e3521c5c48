//! Romania.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::super::digits::{Digits, uniform};
use super::{exactly, is_date, number, unknown_if, valid_if, without_country};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("ro_cnp", cnp), ("ro_cui", cui), ("ro_vat", vat)];

/// A personal numeric code: sex and century, a date of birth, the county, three digits and a check digit.
fn cnp(bytes: &[u8]) -> Verdict {
    let Some(digits) = exactly::<13>(bytes) else { return Verdict::Invalid };
    let [year, month, day, county] = [1, 3, 5, 7].map(|at| number(&digits[at..at + 2]));
    let date = match digits[0] {
        1 | 2 => is_date(1900 + year, month, day),
        3 | 4 => is_date(1800 + year, month, day),
        5 | 6 => is_date(2000 + year, month, day),
        // Residents and foreigners: of either century.
        7..=9 => is_date(2000 + year, month, day),
        _ => false,
    };
    // 47 to 52 are parts of Bucharest, from 70 on codes that no county gave out.
    let county = matches!(county, 1..=52 | 70 | 80..=83);
    let check = match weighted_sum(&digits, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11 {
        10 => 1,
        rest => rest,
    };
    valid_if(date && county && check == u32::from(digits[12]))
}

/// A company's fiscal code: two to ten digits, of which the last checks. RO before it says that the company
/// is registered for VAT.
fn cui(bytes: &[u8]) -> Verdict {
    let digits = Digits::<10>::read(bytes, b"RO ");
    unknown_if(digits.is_some_and(|digits| cui_holds(digits.as_slice())))
}

fn cui_holds(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 9] = [7, 5, 3, 2, 1, 7, 5, 3, 2];
    let Some((&check, body)) = digits.split_last() else { return false };
    let Some(skipped) = WEIGHTS.len().checked_sub(body.len()) else { return false };
    let sum = weighted_sum(body, &WEIGHTS[skipped..]);
    !body.is_empty() && !uniform(digits) && digits[0] != 0 && sum * 10 % 11 % 10 == u32::from(check)
}

/// A VAT number: the fiscal code.
fn vat(bytes: &[u8]) -> Verdict {
    let digits = without_country(bytes, b"RO").and_then(|rest| Digits::<10>::read(rest, b" "));
    unknown_if(digits.is_some_and(|digits| cui_holds(digits.as_slice())))
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn personal_codes() {
        all(cnp, Verdict::Valid, &["1630615123457", "1800101221144"]);
        all(
            cnp,
            Verdict::Invalid,
            &[
                "1630615123458",
                "1631315123457",
                "1630615993457",
                "0630615123457",
                "163061512345",
                "",
            ],
        );
    }

    #[test]
    fn companies() {
        all(cui, Verdict::Unknown, &["18547290", "1634", "RO 18547290"]);
        all(cui, Verdict::Invalid, &["18547291", "8", "08547290", "12345678901", ""]);
        all(vat, Verdict::Unknown, &["RO18547290", "RO 18547290"]);
        all(vat, Verdict::Invalid, &["RO18547291", "RO", ""]);
    }
}

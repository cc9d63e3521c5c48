//! Denmark.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{exactly, is_date, is_time, number, unknown_if, without_country};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("dk_cpr", cpr), ("dk_cvr", cvr), ("dk_vat", vat)];

/// A CPR number: a date of birth and four digits, of which the first tells the century. The check modulo 11
/// proves it, but numbers issued since 2007 may fail it.
fn cpr(bytes: &[u8]) -> Verdict {
    let Some(digits) = exactly::<10>(bytes) else { return Verdict::Invalid };
    let [day, month, year] = [0, 2, 4].map(|at| number(&digits[at..at + 2]));
    let century = match digits[6] {
        0..=3 => 1900,
        4 | 9 if year <= 36 => 2000,
        4 | 9 => 1900,
        _ if year <= 57 => 2000,
        _ => 1800,
    };
    let checked = weighted_sum(&digits, &[4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11);
    if !is_date(century + year, month, day) {
        Verdict::Invalid
    } else if checked && !is_time(&digits[6..]) {
        Verdict::Valid
    } else {
        Verdict::Unknown
    }
}

/// A CVR number of a company: eight digits with a check digit modulo 11.
fn cvr(bytes: &[u8]) -> Verdict {
    unknown_if(exactly::<8>(bytes).is_some_and(|digits| cvr_holds(&digits)))
}

fn cvr_holds(digits: &[u8; 8]) -> bool {
    digits[0] != 0 && weighted_sum(digits, &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// A VAT number: the CVR number.
fn vat(bytes: &[u8]) -> Verdict {
    let digits = without_country(bytes, b"DK").and_then(exactly::<8>);
    unknown_if(digits.is_some_and(|digits| cvr_holds(&digits)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn personal_numbers() {
        all(cpr, Verdict::Valid, &["211062-5629", "0707614285"]);
        all(cpr, Verdict::Unknown, &["211062-5628", "290200-4321"]);
        all(
            cpr,
            Verdict::Invalid,
            &["311162-5629", "290200-1239", "211362-5629", "211062-562", ""],
        );
    }

    #[test]
    fn companies() {
        all(cvr, Verdict::Unknown, &["13585628", "13 58 56 28"]);
        all(cvr, Verdict::Invalid, &["13585627", "1358562", "03585628", ""]);
        all(vat, Verdict::Unknown, &["DK13585628", "DK 13 58 56 28"]);
        all(vat, Verdict::Invalid, &["DK13585627", "SE13585628", ""]);
    }
}

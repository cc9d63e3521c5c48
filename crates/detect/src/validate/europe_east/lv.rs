//! Latvia.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{exactly, is_date, number, unknown_if, without_country};
use crate::validator::Verdict;

pub(super) const TABLE: Table =
    &[("lv_personas_kods", personas_kods), ("lv_registration", registration), ("lv_vat", vat)];

/// A personal code: a date of birth, the century's digit, three digits and a check digit; since July 2017
/// 32 and nine digits that say nothing.
fn personas_kods(bytes: &[u8]) -> Verdict {
    match exactly::<11>(bytes) {
        Some([3, 2, ..]) => Verdict::Unknown,
        Some(digits) if person_holds(&digits) => Verdict::Valid,
        _ => Verdict::Invalid,
    }
}

fn person_holds(digits: &[u8; 11]) -> bool {
    let [day, month, year] = [0, 2, 4].map(|at| number(&digits[at..at + 2]));
    let sum = weighted_sum(digits, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]);
    digits[6] <= 2
        && is_date(1800 + u32::from(digits[6]) * 100 + year, month, day)
        && (1 + sum) % 11 % 10 == u32::from(digits[10])
}

/// A registration number of a company or an association: eleven digits from 4, 5 or 9.
fn registration(bytes: &[u8]) -> Verdict {
    unknown_if(exactly::<11>(bytes).is_some_and(|digits| registration_holds(&digits)))
}

fn registration_holds(digits: &[u8; 11]) -> bool {
    digits[0] > 3 && weighted_sum(digits, &[9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1]) % 11 == 3
}

/// A VAT number: a registration number or a personal code, of which those since 2017 cannot be checked.
fn vat(bytes: &[u8]) -> Verdict {
    let digits = without_country(bytes, b"LV").and_then(exactly::<11>);
    unknown_if(
        digits
            .is_some_and(|d| registration_holds(&d) || person_holds(&d) || matches!(d, [3, 2, ..])),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn personal_codes() {
        all(personas_kods, Verdict::Valid, &["161175-19997", "16117519997"]);
        all(personas_kods, Verdict::Unknown, &["328673-00679", "320000-12345"]);
        all(
            personas_kods,
            Verdict::Invalid,
            &["161175-19998", "161375-19997", "161175-39997", "161175-1999", ""],
        );
    }

    #[test]
    fn companies() {
        all(registration, Verdict::Unknown, &["40003521600", "4000 3521 600"]);
        all(registration, Verdict::Invalid, &["40003521601", "4000352160", ""]);
        all(vat, Verdict::Unknown, &["LV40003521600", "LV 16117519997"]);
        all(vat, Verdict::Invalid, &["LV40003521601", "LV16117519998", ""]);
    }
}

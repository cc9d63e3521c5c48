//! Iceland.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{exactly, is_date, is_time, number};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("is_kennitala", kennitala)];

/// A kennitala: a date of birth or foundation (companies add 40 to the day), two digits, a check digit
/// modulo 11 and the century's digit.
fn kennitala(bytes: &[u8]) -> Verdict {
    let Some(digits) = exactly::<10>(bytes) else { return Verdict::Invalid };
    let [day, month, year] = [0, 2, 4].map(|at| number(&digits[at..at + 2]));
    let day = if day > 40 { day - 40 } else { day };
    let century = match digits[9] {
        0 => 2000,
        century @ 8..=9 => u32::from(century) * 100 + 1000,
        _ => return Verdict::Invalid,
    };
    let checked = weighted_sum(&digits, &[3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11);
    if !checked || !is_date(century + year, month, day) {
        Verdict::Invalid
    } else if is_time(&digits[6..]) {
        Verdict::Unknown
    } else {
        Verdict::Valid
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn identity_numbers() {
        all(kennitala, Verdict::Valid, &["450401-3150", "120174-3399", "1201743399"]);
        all(
            kennitala,
            Verdict::Invalid,
            &["450401-3160", "120174-3391", "321174-3399", "121374-3399", "120174-339", ""],
        );
    }
}

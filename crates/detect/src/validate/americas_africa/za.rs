//! South Africa.

use super::super::Table;
use super::super::digits::{Digits, luhn_holds, uniform};
use super::birth::is_day;
use super::unknown_if;
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("za_id", id), ("za_tax", tax)];

/// An identity number: date of birth, sequence, status (citizen, resident or refugee), an 8 or 9
/// left from other times, and Luhn.
///
/// Who was born in 2016 or 2017 stays `Unknown`: such a number may be a time in milliseconds.
fn id(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<13>::read(bytes, b" ") else { return Verdict::Invalid };
    let (Some(year), Some(month), Some(day)) =
        (digits.number(0, 2), digits.number(2, 4), digits.number(4, 6))
    else {
        return Verdict::Invalid;
    };
    match digits.as_slice() {
        number @ [_, _, _, _, _, _, _, _, _, _, 0..=2, 8 | 9, _]
            if is_day(year, month, day) && luhn_holds(number) =>
        {
            if matches!(year, 16 | 17) {
                Verdict::Unknown
            } else {
                Verdict::Valid
            }
        }
        _ => Verdict::Invalid,
    }
}

/// A tax reference: ten digits, the first of a kind of tax, with Luhn.
fn tax(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<10>::read(bytes, b" -/") else { return Verdict::Invalid };
    let digits = digits.as_slice();
    let kind = digits.first().is_some_and(|first| matches!(first, 0..=4 | 7 | 9));
    unknown_if(digits.len() == 10 && kind && !uniform(digits) && luhn_holds(digits))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn identity_numbers() {
        all(id, Verdict::Valid, &["8503225071088", "850322 5071 088"]);
        all(id, Verdict::Unknown, &["1612045071082"]);
        all(
            id,
            Verdict::Invalid,
            &["8503225071089", "8513225071088", "8503225071370", "850322507108", ""],
        );
    }

    #[test]
    fn tax_references() {
        all(tax, Verdict::Unknown, &["0001339050"]);
        all(tax, Verdict::Invalid, &["0001339051", "5001339050", "000133905", "0000000000", ""]);
    }
}

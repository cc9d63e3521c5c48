//! Turkey.

use super::super::Table;
use super::super::digits::{Digits, uniform};
use super::{exactly, unknown_if, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table =
    &[("tr_kimlik", kimlik), ("tr_mersis", mersis), ("tr_phone", phone), ("tr_vkn", vkn)];

/// A national identity number: nine digits, not from 0, and two check digits modulo 10.
fn kimlik(bytes: &[u8]) -> Verdict {
    let Some(digits) = exactly::<11>(bytes) else { return Verdict::Invalid };
    let sum = |from: usize, step: usize, to: usize| -> u32 {
        digits[from..to].iter().step_by(step).copied().map(u32::from).sum()
    };
    let (odd, even) = (sum(0, 2, 9), sum(1, 2, 8));
    valid_if(
        digits[0] != 0
            // Seven times the odd places less the even ones. Nine times them is the same modulo 10.
            && (odd * 7 + even * 9) % 10 == u32::from(digits[9])
            && sum(0, 1, 10) % 10 == u32::from(digits[10]),
    )
}

/// A tax identification number: nine digits and a check digit.
fn vkn(bytes: &[u8]) -> Verdict {
    unknown_if(exactly::<10>(bytes).is_some_and(|digits| vkn_holds(&digits)))
}

fn vkn_holds(digits: &[u8]) -> bool {
    let Some((&check, body)) = digits.split_last() else { return false };
    let sum: u32 = (1..=9u32)
        .rev()
        .zip(body)
        .map(|(place, &digit)| {
            let value = (u32::from(digit) + place) % 10;
            match value * 2u32.pow(place) % 9 {
                0 if value != 0 => 9,
                rest => rest,
            }
        })
        .sum();
    (10 - sum % 10) % 10 == u32::from(check)
}

/// A number of the central register of companies: 0, the tax identification number and five digits.
fn mersis(bytes: &[u8]) -> Verdict {
    let digits = exactly::<16>(bytes);
    unknown_if(digits.is_some_and(|digits| digits[0] == 0 && vkn_holds(&digits[1..11])))
}

/// A telephone number: ten digits, of which the first is 2, 3 or 4 (an area) or 5 (a mobile), after 0, 90 or
/// nothing. Operators are not told apart, since numbers move between them.
fn phone(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<14>::read(bytes, b"+() -.\xC2\xA0") else {
        return Verdict::Invalid;
    };
    let digits = digits.as_slice();
    let national = match digits.len() {
        14 => digits.strip_prefix(&[0, 0, 9, 0]),
        12 => digits.strip_prefix(&[9, 0]),
        11 => digits.strip_prefix(&[0]),
        10 => Some(digits),
        _ => None,
    };
    unknown_if(national.is_some_and(|digits| matches!(digits[0], 2..=5) && !uniform(digits)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn identity_numbers() {
        all(kimlik, Verdict::Valid, &["17291716060", "34567890170"]);
        all(
            kimlik,
            Verdict::Invalid,
            &["17291716061", "17291716050", "07291716060", "1729171606", "172917160600", ""],
        );
    }

    #[test]
    fn tax_numbers() {
        all(vkn, Verdict::Unknown, &["4540536920"]);
        all(vkn, Verdict::Invalid, &["4540536921", "454053692", ""]);
        all(mersis, Verdict::Unknown, &["0454053692000015", "0-4540-5369-2000015"]);
        all(mersis, Verdict::Invalid, &["0454053692100015", "1454053692000015", ""]);
    }

    #[test]
    fn telephone_numbers() {
        all(
            phone,
            Verdict::Unknown,
            &["+90 (505) 000 12 34", "0505 000 12 34", "505-000-12-34", "0090 312 000 12 34"],
        );
        all(
            phone,
            Verdict::Invalid,
            &[
                "+90 605 000 12 34",
                "0605 000 12 34",
                "505 000 12 3",
                "91 505 000 12 34",
                "3333333333",
                "",
            ],
        );
    }
}

//! Czechia, and the birth number that Slovakia kept.

use super::super::Table;
use super::super::check_digits::{remainder, weighted_sum};
use super::{exactly, is_date, number, unknown_if, without_country};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("cz_bank_account", bank_account),
    ("cz_birth_number", birth_number),
    ("cz_ico", ico),
    ("cz_vat", vat),
];

/// A birth number (rodné číslo): a date of birth and four digits that make the whole a multiple of 11, or
/// three digits without a check until 1953. Women have 50 added to the month, and since 2004 both may have
/// 20 more. What could be a year and a month and a number, as in the paths of archives, proves nothing.
fn birth_number(bytes: &[u8]) -> Verdict {
    match (exactly::<10>(bytes), exactly::<9>(bytes)) {
        (Some(digits), _) if born_since_1954(&digits) => {
            let month_of_year =
                matches!(digits[..2], [1, 9] | [2, 0]) && (1..=12).contains(&number(&digits[4..6]));
            if month_of_year { Verdict::Unknown } else { Verdict::Valid }
        }
        (_, Some(digits)) if born_before_1954(&digits) => Verdict::Unknown,
        _ => Verdict::Invalid,
    }
}

fn born_since_1954(digits: &[u8; 10]) -> bool {
    let [year, month, day] = [0, 2, 4].map(|at| number(&digits[at..at + 2]));
    let year = if year < 54 { 2000 + year } else { 1900 + year };
    let month = month % 50;
    let month = if month > 20 && year >= 2004 { month - 20 } else { month };
    // Until 1985 a remainder of 10 was written as 0.
    let checked = remainder(digits, 11) == 0
        || year < 1986 && digits[9] == 0 && remainder(&digits[..9], 11) == 10;
    checked && is_date(year, month, day)
}

fn born_before_1954(digits: &[u8; 9]) -> bool {
    let [year, month, day] = [0, 2, 4].map(|at| number(&digits[at..at + 2]));
    year < 54 && is_date(1900 + year, month % 50, day) && digits[6..] != [0, 0, 0]
}

/// A company identifier (IČO): eight digits with a check digit modulo 11.
fn ico(bytes: &[u8]) -> Verdict {
    unknown_if(exactly::<8>(bytes).is_some_and(|digits| ico_holds(&digits)))
}

pub(super) fn ico_holds(digits: &[u8; 8]) -> bool {
    let rest = weighted_sum(digits, &[8, 7, 6, 5, 4, 3, 2]) % 11;
    (11 - rest) % 10 == u32::from(digits[7])
}

/// A VAT number (DIČ): the company identifier or the birth number.
fn vat(bytes: &[u8]) -> Verdict {
    let Some(digits) = without_country(bytes, b"CZ") else { return Verdict::Invalid };
    let company = exactly::<8>(digits).is_some_and(|digits| ico_holds(&digits));
    unknown_if(company || birth_number(digits) != Verdict::Invalid)
}

/// A bank account: up to six digits and a hyphen, two to ten digits, a slash and the bank's four digits; the
/// first two parts are multiples of 11 under their weights.
fn bank_account(bytes: &[u8]) -> Verdict {
    const WEIGHTS: [u32; 10] = [6, 3, 7, 9, 10, 5, 8, 4, 2, 1];
    let Some(slash) = bytes.iter().position(|&byte| byte == b'/') else { return Verdict::Invalid };
    let (account, bank) = (&bytes[..slash], &bytes[slash + 1..]);
    let holds = |part: &[u8], most: usize| {
        let mut digits = [0u8; 10];
        let numeric = part.iter().all(u8::is_ascii_digit) && part.len() <= most;
        if numeric {
            let places = digits.iter_mut().rev();
            part.iter().rev().zip(places).for_each(|(&byte, place)| *place = byte - b'0');
        }
        numeric && weighted_sum(&digits, &WEIGHTS).is_multiple_of(11)
    };
    let parts = match account.iter().position(|&byte| byte == b'-') {
        Some(hyphen) => holds(&account[..hyphen], 6) && holds(&account[hyphen + 1..], 10),
        None => holds(account, 10),
    };
    unknown_if(parts && bank.len() == 4 && account.iter().any(|byte| (b'1'..=b'9').contains(byte)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn birth_numbers() {
        all(birth_number, Verdict::Valid, &["710319/2745", "780123/3540", "7103192745"]);
        all(birth_number, Verdict::Unknown, &["371231123", "525312/123", "202105/1230"]);
        all(
            birth_number,
            Verdict::Invalid,
            &["710319/2746", "711319/2745", "710319/274", "371231000", "71031927", ""],
        );
    }

    #[test]
    fn companies() {
        all(ico, Verdict::Unknown, &["25596641", "69663963"]);
        all(ico, Verdict::Invalid, &["25596640", "2559664", ""]);
        all(vat, Verdict::Unknown, &["CZ25123891", "CZ 25123891", "CZ7103192745"]);
        all(vat, Verdict::Invalid, &["CZ25123892", "CZ7103192746", "CZ2512389", ""]);
    }

    #[test]
    fn bank_accounts() {
        all(bank_account, Verdict::Unknown, &["34278-0727558021/0100", "19-2000145399/0800"]);
        all(
            bank_account,
            Verdict::Invalid,
            &[
                "34278-0727558022/0100",
                "34279-0727558021/0100",
                "0000/0100",
                "/0100",
                "19/",
                "x/0100",
                "",
            ],
        );
    }
}

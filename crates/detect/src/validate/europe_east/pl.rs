//! Poland.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{exactly, is_date, number, unknown_if, valid_if, without_country};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("pl_identity_card", identity_card),
    ("pl_land_register", land_register),
    ("pl_nip", nip),
    ("pl_passport", passport),
    ("pl_pesel", pesel),
    ("pl_regon", regon),
    ("pl_vat", vat),
];

/// A PESEL number: a date of birth (the month tells the century), four digits and a check digit.
fn pesel(bytes: &[u8]) -> Verdict {
    // Some who were born on 11 November 1911 have nothing but ones in it until the check digit, so only the
    // date and the check decide.
    let Some(digits) = exactly::<11>(bytes) else { return Verdict::Invalid };
    let [year, month, day] = [0, 2, 4].map(|at| number(&digits[at..at + 2]));
    let century = match month / 20 {
        0 => 1900,
        1 => 2000,
        2 => 2100,
        3 => 2200,
        _ => 1800,
    };
    valid_if(
        is_date(century + year, month % 20, day)
            && weighted_sum(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10),
    )
}

/// A tax identification number: nine digits and a check digit modulo 11.
fn nip(bytes: &[u8]) -> Verdict {
    unknown_if(exactly::<10>(bytes).is_some_and(|digits| nip_holds(&digits)))
}

fn nip_holds(digits: &[u8; 10]) -> bool {
    let sum = weighted_sum(digits, &[6, 5, 7, 2, 3, 4, 5, 6, 7]);
    digits[0] != 0 && sum % 11 == u32::from(digits[9])
}

/// A VAT number: the tax identification number.
fn vat(bytes: &[u8]) -> Verdict {
    let digits = without_country(bytes, b"PL").and_then(exactly::<10>);
    unknown_if(digits.is_some_and(|digits| nip_holds(&digits)))
}

/// A statistical number of a company: nine digits, of which the last checks, and of a branch: five more, of
/// which the last checks all.
fn regon(bytes: &[u8]) -> Verdict {
    fn checked(digits: &[u8], weights: &[u32]) -> bool {
        let check = digits.get(weights.len()).copied().map(u32::from);
        Some(weighted_sum(digits, weights) % 11 % 10) == check
    }
    const COMPANY: [u32; 8] = [8, 9, 2, 3, 4, 5, 6, 7];
    const BRANCH: [u32; 13] = [2, 4, 8, 5, 0, 9, 7, 3, 6, 1, 2, 4, 8];
    unknown_if(match (exactly::<9>(bytes), exactly::<14>(bytes)) {
        (Some(company), _) => checked(&company, &COMPANY),
        (_, Some(branch)) => checked(&branch, &COMPANY) && checked(&branch, &BRANCH),
        _ => false,
    })
}

/// An identity card: three letters, a check digit and five digits.
fn identity_card(bytes: &[u8]) -> Verdict {
    unknown_if(document_holds(bytes, 3, &[7, 3, 1, 9, 7, 3, 1, 7, 3]))
}

/// A passport: two letters, a check digit and six digits.
fn passport(bytes: &[u8]) -> Verdict {
    unknown_if(document_holds(bytes, 2, &[7, 3, 9, 1, 7, 3, 1, 7, 3]))
}

/// Whether letters (A is 10) and digits times weights make a multiple of 10.
fn document_holds(bytes: &[u8], letters: usize, weights: &[u32; 9]) -> bool {
    let mut values = [0u8; 9];
    let mut places = values.iter_mut();
    for (at, &byte) in bytes.iter().filter(|byte| !b" -".contains(byte)).enumerate() {
        let value = match byte.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' if at < letters => letter - b'A' + 10,
            digit @ b'0'..=b'9' if at >= letters => digit - b'0',
            _ => return false,
        };
        let Some(place) = places.next() else { return false };
        *place = value;
    }
    places.next().is_none() && weighted_sum(&values, weights).is_multiple_of(10)
}

/// A land and mortgage register: the court's code, eight digits, and a check digit over both.
fn land_register(bytes: &[u8]) -> Verdict {
    const VALUES: &[u8; 34] = b"0123456789XABCDEFGHIJKLMNOPRSTUWYZ";
    let mut sum = 0;
    let mut count = 0;
    let mut last = 0;
    for byte in bytes.iter().filter(|&&byte| byte != b'/').map(u8::to_ascii_uppercase) {
        let Some(value) = VALUES.iter().position(|&known| known == byte) else {
            return Verdict::Invalid;
        };
        sum += value * if count < 12 { [1, 3, 7][count % 3] } else { 0 };
        last = value;
        count += 1;
    }
    valid_if(count == 13 && sum % 10 == last)
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn personal_numbers() {
        // The ministry's example first.
        all(pesel, Verdict::Valid, &["02070803628", "87030912347", "02270812350"]);
        all(
            pesel,
            Verdict::Invalid,
            &["02070803629", "02130803628", "02023003628", "0207080362", "00000000000", ""],
        );
    }

    #[test]
    fn companies() {
        all(nip, Verdict::Unknown, &["123-456-32-18", "1234563218", "526-00-01-246"]);
        all(nip, Verdict::Invalid, &["123-456-32-19", "0234563218", "123456321", ""]);
        all(vat, Verdict::Unknown, &["PL1234563218", "PL 123-456-32-18"]);
        all(vat, Verdict::Invalid, &["PL1234563219", ""]);
        all(regon, Verdict::Unknown, &["123456785", "12345678512347"]);
        all(regon, Verdict::Invalid, &["123456786", "12345678512348", "12345678", ""]);
    }

    #[test]
    fn documents() {
        // ABA300000 and ZS0000177 are specimens.
        all(identity_card, Verdict::Unknown, &["ABA300000", "ABS 123456", "aba300000"]);
        all(identity_card, Verdict::Invalid, &["ABA400000", "AB3000000", "ABA30000", ""]);
        all(passport, Verdict::Unknown, &["ZS0000177", "ZS 0000177"]);
        all(passport, Verdict::Invalid, &["ZS1000177", "ZS000017", ""]);
        all(
            land_register,
            Verdict::Valid,
            &["WA4M/00012345/2", "KR1P/00317926/7", "SU1S/00044321/9"],
        );
        all(
            land_register,
            Verdict::Invalid,
            &["WA4M/00012345/3", "WA4M/0001234/5", "WQ4M/00012345/2", ""],
        );
    }
}

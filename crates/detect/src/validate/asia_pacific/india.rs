//! Numbers issued in India.

use super::super::Table;
use super::super::check_digits::verhoeff_holds;
use super::{base36, digits, unknown_if, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("in_aadhaar", aadhaar),
    ("in_aadhaar_vid", virtual_id),
    ("in_gstin", gstin),
    ("in_vehicle", vehicle),
];

/// Twelve digits under Verhoeff's scheme, none of them issued from 0 or 1, nor the same backwards.
fn aadhaar(bytes: &[u8]) -> Verdict {
    let Some(number) = digits::<12>(bytes) else { return Verdict::Invalid };
    let palindrome = number.iter().eq(number.iter().rev());
    valid_if(number[0] >= 2 && !palindrome && verhoeff_holds(&number))
}

/// The sixteen digits that stand for an Aadhaar number for a time.
fn virtual_id(bytes: &[u8]) -> Verdict {
    let Some(number) = digits::<16>(bytes) else { return Verdict::Invalid };
    valid_if(number[0] >= 2 && verhoeff_holds(&number))
}

/// A state, a permanent account number, a serial, `Z` and a check character over base 36.
///
/// People invent and mistype: with the code of a state of the original list the shape alone is telling
/// enough to stay. Codes given later, for Ladakh and for offices of the union, need the check character.
fn gstin(bytes: &[u8]) -> Verdict {
    let [tens, ones, ..] = bytes else { return Verdict::Invalid };
    if bytes.len() != 15 || !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return Verdict::Invalid;
    }
    let state = (tens - b'0') * 10 + (ones - b'0');
    let mut sum = 0;
    for (place, &byte) in bytes.iter().enumerate() {
        let Some(value) = base36(byte) else { return Verdict::Invalid };
        let product = value * if place % 2 == 0 { 1 } else { 2 };
        sum += product / 36 + product % 36;
    }
    match (state, sum % 36 == 0) {
        (1..=38 | 97 | 99, true) => Verdict::Valid,
        (1..=37, false) => Verdict::Unknown,
        _ => Verdict::Invalid,
    }
}

/// Whether the serial, the last digits of a registration, is not all zeros: it counts from one.
fn vehicle(bytes: &[u8]) -> Verdict {
    let last = bytes.iter().rev().skip_while(|byte| !byte.is_ascii_digit());
    unknown_if(last.take_while(|byte| byte.is_ascii_digit()).any(|&byte| byte != b'0'))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn aadhaar_numbers() {
        // 9999 is what the issuer's specimens begin with.
        all(aadhaar, Verdict::Valid, &["999941057058", "9999 4105 7058", "9999-4105-7058"]);
        all(
            aadhaar,
            Verdict::Invalid,
            &["999941057059", "199941057058", "99994105705", "222222222222", "9999x4105705", ""],
        );
        all(virtual_id, Verdict::Invalid, &["9999410570580000", "99994105705", ""]);
    }

    #[test]
    fn tax_registrations() {
        // python-stdnum's.
        all(gstin, Verdict::Valid, &["27AAPFU0939F1ZV", "27aapfu0939f1zv"]);
        all(gstin, Verdict::Unknown, &["27AAPFU0939F1ZW"]);
        all(
            gstin,
            Verdict::Invalid,
            &["38AAPFU0939F1ZV", "00AAPFU0939F1ZV", "27AAPFU0939F1Z", "27AAPFU0939F1Z-", ""],
        );
    }

    #[test]
    fn vehicles() {
        all(vehicle, Verdict::Unknown, &["KA 05 MJ 4821", "22BH0001AA", "77 CD 20"]);
        all(vehicle, Verdict::Invalid, &["KA 05 MJ 0000", "22BH0000AA", "KA", ""]);
    }
}

//! Identifiers issued in the United States.

use super::digits::{Digits, SEPARATORS, luhn_holds, uniform};
use crate::validator::Verdict;

/// A Social Security number that may have been issued, by the randomised scheme of 2011.
pub(super) fn ssn(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<9>::read(bytes, SEPARATORS) else { return Verdict::Invalid };
    let (Some(area), Some(group), Some(serial)) =
        (digits.number(0, 3), digits.number(3, 5), digits.number(5, 9))
    else {
        return Verdict::Invalid;
    };
    let never = matches!(area, 0 | 666 | 900..=999) || group == 0 || serial == 0;
    // Printed on a wallet's sample card and in a government pamphlet, then used by thousands.
    let void = matches!((area, group, serial), (78, 5, 1120) | (219, 9, 9999));
    if never || void || uniform(digits.as_slice()) || mixed_separators(bytes) {
        Verdict::Invalid
    } else {
        Verdict::Unknown
    }
}

/// Nine digits that someone calls a Social Security number, issued or not.
///
/// People mistype, invent and test. Only what is no number at all drops out, and the two famous
/// ones where nothing divides them.
pub(super) fn ssn_shape(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<9>::read(bytes, SEPARATORS) else { return Verdict::Invalid };
    let divided = bytes.len() > digits.as_slice().len();
    let blank = digits.number(3, 5) == Some(0) || digits.number(5, 9) == Some(0);
    let famous = matches!(digits.number(0, 9), Some(78_051_120 | 219_099_999));
    let full = digits.as_slice().len() == 9;
    if full
        && !blank
        && (divided || !famous)
        && !uniform(digits.as_slice())
        && !mixed_separators(bytes)
    {
        Verdict::Unknown
    } else {
        Verdict::Invalid
    }
}

/// An individual taxpayer identification number: 9xx and a group the IRS uses for them.
pub(super) fn itin(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<9>::read(bytes, SEPARATORS) else { return Verdict::Invalid };
    match (digits.number(0, 3), digits.number(3, 5), digits.number(5, 9)) {
        (Some(900..=999), Some(50..=65 | 70..=88 | 90..=92 | 94..=99), Some(_))
            if !uniform(digits.as_slice()) && !mixed_separators(bytes) =>
        {
            Verdict::Unknown
        }
        _ => Verdict::Invalid,
    }
}

/// A DEA registration: two letters (the second may be a 9), six digits and a check digit.
///
/// `Unknown` when it holds: one in ten part numbers of that shape passes.
pub(super) fn dea(bytes: &[u8]) -> Verdict {
    let [kind, name, number @ ..] = bytes else { return Verdict::Invalid };
    let lettered = kind.is_ascii_alphabetic() && (name.is_ascii_alphabetic() || *name == b'9');
    let Some(digits) = Digits::<7>::read(number, b"") else { return Verdict::Invalid };
    match digits.as_slice() {
        [a, b, c, d, e, f, check] if lettered && !uniform(digits.as_slice()) => {
            if (a + c + e + 2 * (b + d + f)) % 10 == *check {
                Verdict::Unknown
            } else {
                Verdict::Invalid
            }
        }
        _ => Verdict::Invalid,
    }
}

/// A National Provider Identifier: ten digits from 1 or 2, Luhn under the prefix 80840.
///
/// `Unknown` when it holds: two in a hundred ten-digit numbers pass.
pub(super) fn npi(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<10>::read(bytes, b" -") else { return Verdict::Invalid };
    let number = digits.as_slice();
    if number.len() != 10 || !matches!(number[0], 1 | 2) || uniform(&number[1..]) {
        return Verdict::Invalid;
    }
    let mut prefixed = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    prefixed[5..].copy_from_slice(number);
    if luhn_holds(&prefixed) { Verdict::Unknown } else { Verdict::Invalid }
}

/// A Medicare beneficiary identifier: eleven places, each of its own kind, without the letters
/// S, L, O, I, B and Z that are taken for digits.
pub(super) fn mbi(bytes: &[u8]) -> Verdict {
    const PLACES: &[u8; 11] = b"CAXNAXNAANN";
    let mut places = PLACES.iter();
    for &byte in bytes.iter().filter(|&&byte| byte != b'-') {
        let letter = byte.is_ascii_alphabetic() && !b"SLOIBZ".contains(&byte.to_ascii_uppercase());
        let fits = match places.next() {
            Some(b'C') => matches!(byte, b'1'..=b'9'),
            Some(b'N') => byte.is_ascii_digit(),
            Some(b'A') => letter,
            Some(_) => letter || byte.is_ascii_digit(),
            None => false,
        };
        if !fits {
            return Verdict::Invalid;
        }
    }
    if places.next().is_none() { Verdict::Unknown } else { Verdict::Invalid }
}

/// Whether two different separators divide the number, as in `693-09 4444`.
fn mixed_separators(bytes: &[u8]) -> bool {
    let [spaces, hyphens, dots] =
        [b' ', b'-', b'.'].map(|separator| usize::from(bytes.contains(&separator)));
    spaces + hyphens + dots > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(validate: fn(&[u8]) -> Verdict, want: Verdict, cases: &[&str]) {
        for case in cases {
            assert_eq!(validate(case.as_bytes()), want, "{case}");
        }
    }

    #[test]
    fn social_security_numbers() {
        all(
            ssn,
            Verdict::Unknown,
            &["536-90-4399", "536 90 4399", "536904399", "001-01-0001", "899-99-9999"],
        );
        all(
            ssn,
            Verdict::Invalid,
            &["000-12-3456", "666-12-3456", "900-12-3456", "536-00-4399", "536-90-0000"],
        );
        all(
            ssn,
            Verdict::Invalid,
            &[
                "078-05-1120",
                "219099999",
                "111111111",
                "536-90 4399",
                "536-90-439",
                "536-90.4399",
                "",
            ],
        );
    }

    #[test]
    fn labelled_social_security_numbers() {
        all(
            ssn_shape,
            Verdict::Unknown,
            &["987-65-4321", "666 12 3456", "078-05-1120", "000123456"],
        );
        all(
            ssn_shape,
            Verdict::Invalid,
            &["078051120", "000000000", "536 00 4399", "536-90.4399", "12345678", ""],
        );
    }

    #[test]
    fn taxpayer_numbers() {
        all(
            itin,
            Verdict::Unknown,
            &["942-73-5816", "956-58-3307", "900501234", "999 99 1234", "987-65-4321"],
        );
        all(
            itin,
            Verdict::Invalid,
            &[
                "942-49-5816",
                "942-66-5816",
                "942-89-5816",
                "942-93-5816",
                "842-73-5816",
                "999999999",
                "",
            ],
        );
    }

    #[test]
    fn dea_numbers() {
        all(dea, Verdict::Unknown, &["AB1234563", "F91234563", "bs4398764"]);
        all(
            dea,
            Verdict::Invalid,
            &["AB1234564", "A11234563", "AB123456", "AB12345633", "AB0000000", ""],
        );
    }

    #[test]
    fn provider_identifiers() {
        // The example of the CMS specification.
        all(npi, Verdict::Unknown, &["1234567893", "1648209355"]);
        all(
            npi,
            Verdict::Invalid,
            &["1234567890", "3648209355", "123456789", "16482093551", "2222222222", ""],
        );
    }

    #[test]
    fn medicare_identifiers() {
        // The CMS specimen card.
        all(mbi, Verdict::Unknown, &["1EG4-TE5-MK73", "1EG4TE5MK73", "1eg4te5mk73"]);
        all(
            mbi,
            Verdict::Invalid,
            &[
                "0EG4-TE5-MK73",
                "1SG4-TE5-MK73",
                "1EG4-TE5-MZ73",
                "1EG4-TE5-MK7",
                "1EG4-TE5-MK7300",
                "",
            ],
        );
    }
}

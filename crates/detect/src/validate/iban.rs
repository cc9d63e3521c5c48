//! International bank account numbers, ISO 13616.

use super::digits::SEPARATORS;
use crate::validator::Verdict;

/// An IBAN: a country of the registry, its exact length, and remainder 1 modulo 97.
///
/// Spaces and hyphens of any kind between groups are ignored; letters count in either case, because the
/// pattern decides which case it accepts.
pub(super) fn iban(bytes: &[u8]) -> Verdict {
    let mut compact = [0u8; LONGEST];
    let mut len = 0;
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() {
            let Some(place) = compact.get_mut(len) else { return Verdict::Invalid };
            *place = byte.to_ascii_uppercase();
            len += 1;
        } else if !SEPARATORS.contains(&byte) || byte == b'.' {
            return Verdict::Invalid;
        }
    }
    let compact = &compact[..len];
    if is_lower_case_hex(bytes) {
        return Verdict::Invalid;
    }
    match compact {
        [a, b, c, d, ..] if c.is_ascii_digit() && d.is_ascii_digit() => {
            let known = LENGTHS
                .iter()
                .any(|(country, length)| country.as_bytes() == [*a, *b] && *length == len);
            // A remainder of 1 is reached with check digits 00, 01 and 99 too, which the
            // standard never issues (they are congruent to 97, 98 and 02).
            let issued = !matches!((c, d), (b'0', b'0' | b'1') | (b'9', b'9'));
            if known && issued && remainder(compact) == 1 {
                Verdict::Valid
            } else {
                Verdict::Invalid
            }
        }
        _ => Verdict::Invalid,
    }
}

/// Whether the text is a hexadecimal identifier that happens to begin like an IBAN: of those that
/// begin with `be` and two digits, one in 97 would pass.
fn is_lower_case_hex(bytes: &[u8]) -> bool {
    let hex = bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    hex && bytes.iter().skip(4).any(u8::is_ascii_lowercase)
}

/// The number modulo 97 after the first four characters have moved to the end and letters have
/// become 10 to 35.
fn remainder(compact: &[u8]) -> u32 {
    let (head, tail) = compact.split_at(4);
    tail.iter().chain(head).fold(0u32, |rest, &byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    })
}

const LONGEST: usize = 34;

/// Country and length, from the SWIFT IBAN registry.
#[rustfmt::skip]
const LENGTHS: &[(&str, usize)] = &[
    ("AD", 24), ("AE", 23), ("AL", 28), ("AT", 20), ("AZ", 28), ("BA", 20), ("BE", 16), ("BG", 22),
    ("BH", 22), ("BI", 27), ("BR", 29), ("BY", 28), ("CH", 21), ("CR", 22), ("CY", 28), ("CZ", 24),
    ("DE", 22), ("DJ", 27), ("DK", 18), ("DO", 28), ("EE", 20), ("EG", 29), ("ES", 24), ("FI", 18),
    ("FK", 18), ("FO", 18), ("FR", 27), ("GB", 22), ("GE", 22), ("GI", 23), ("GL", 18), ("GR", 27),
    ("GT", 28), ("HN", 28), ("HR", 21), ("HU", 28), ("IE", 22), ("IL", 23), ("IQ", 23), ("IS", 26),
    ("IT", 27), ("JO", 30), ("KW", 30), ("KZ", 20), ("LB", 28), ("LC", 32), ("LI", 21), ("LT", 20),
    ("LU", 20), ("LV", 21), ("LY", 25), ("MC", 27), ("MD", 24), ("ME", 22), ("MK", 19), ("MN", 20),
    ("MR", 27), ("MT", 31), ("MU", 30), ("NI", 28), ("NL", 18), ("NO", 15), ("OM", 23), ("PK", 24),
    ("PL", 28), ("PS", 29), ("PT", 25), ("QA", 29), ("RO", 24), ("RS", 22), ("RU", 33), ("SA", 24),
    ("SC", 31), ("SD", 18), ("SE", 24), ("SI", 19), ("SK", 24), ("SM", 27), ("SO", 23), ("ST", 25),
    ("SV", 28), ("TL", 23), ("TN", 24), ("TR", 26), ("UA", 29), ("VA", 22), ("VG", 24), ("XK", 20),
    ("YE", 30),
];

#[cfg(test)]
mod tests {
    use super::*;

    // Examples the registry prints for its own countries.
    const REGISTRY: &[&str] = &[
        "GB82 WEST 1234 5698 7654 32",
        "GB29NWBK60161331926819",
        "DE89370400440532013000",
        "FR14 2004 1010 0505 0001 3M02 606",
        "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S",
        "BR1800360305000010009795493C1",
        "NL91-ABNA-0417-1643-00",
        "SC18SSCB11010000000000001497USD",
        "LC55HEMM000100010012001200023015",
        "CH9300762011623852957",
        "gb82west12345698765432",
    ];

    #[test]
    fn registry_examples_are_valid() {
        for number in REGISTRY {
            assert_eq!(iban(number.as_bytes()), Verdict::Valid, "{number}");
        }
    }

    #[test]
    fn every_wrong_digit_is_noticed() {
        let good = b"GB82WEST12345698765432";
        for place in 2..good.len() {
            let mut bad = *good;
            bad[place] = if bad[place] == b'7' { b'3' } else { b'7' };
            assert_eq!(iban(&bad), Verdict::Invalid, "place {place}");
        }
    }

    #[test]
    fn what_is_no_iban() {
        let cases = [
            ("GB82WEST1234569876543", "one short"),
            ("GB82 WEST 1234 5698 7654 32 NOW", "a word too many"),
            ("ZZ82WEST12345698765432", "no such country"),
            ("GBA2WEST12345698765432", "check digits are digits"),
            ("GB82/WEST/1234/5698/7654/32", "slashes are not separators"),
            ("be77f7e8b22fd9fa", "an identifier in hexadecimal, remainder 1"),
            ("GB", "cut"),
            ("", "empty"),
        ];
        for (number, why) in cases {
            assert_eq!(iban(number.as_bytes()), Verdict::Invalid, "{why}");
        }
    }
}

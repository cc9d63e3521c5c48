//! Payment cards and other Luhn numbers.

use super::digits::{Digits, SEPARATORS, luhn_holds, uniform};
use crate::validator::Verdict;

/// Any number with a right Luhn check digit.
pub(super) fn luhn(bytes: &[u8]) -> Verdict {
    match Digits::<32>::read(bytes, SEPARATORS) {
        Some(digits) if luhn_holds(digits.as_slice()) && !uniform(digits.as_slice()) => {
            Verdict::Valid
        }
        _ => Verdict::Invalid,
    }
}

/// A payment card number: an issuer's prefix, a length that issuer uses, and Luhn.
///
/// Fourteen to sixteen digits, or digits grouped as they are on cards, are `Valid`. Other
/// lengths stay `Unknown`: 13 digits are also barcodes and 17 to 19 also database ids, of which
/// one in ten passes Luhn, so there the context has to speak.
pub(super) fn credit_card(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<19>::read(bytes, SEPARATORS) else { return Verdict::Invalid };
    let digits = digits.as_slice();
    let (issued, invented) = (uses(ISSUERS, digits), uses(INVENTED, digits));
    if !(issued || invented) || uniform(digits) || !luhn_holds(digits) {
        return Verdict::Invalid;
    }
    if !issued {
        return Verdict::Unknown;
    }
    let grouped = bytes.len() > digits.len();
    if grouped && is_table(digits) {
        return Verdict::Invalid;
    }
    match digits.len() {
        14..=16 => Verdict::Valid,
        17.. if grouped => Verdict::Valid,
        _ => Verdict::Unknown,
    }
}

/// Whether the groups of four are a row of a table: `5352 5353 5354 5357`, `4301 0020 0010 0002`.
///
/// One card in a million looks so, and every tenth such row of a list of code points passes Luhn.
fn is_table(digits: &[u8]) -> bool {
    let groups: Vec<u32> = digits
        .chunks(4)
        .map(|group| group.iter().fold(0, |number, &digit| number * 10 + u32::from(digit)))
        .collect();
    let climbs = groups.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] < 100);
    let small =
        groups[1..].iter().all(|&group| group < 100) && groups[1..].iter().any(|&group| group > 0);
    climbs || small
}

/// An IMEI: fifteen digits, Luhn, and a reporting body that exists.
///
/// `Unknown` when it holds, because an unlabelled 15-digit number may be anything.
pub(super) fn imei(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<15>::read(bytes, b" -/") else { return Verdict::Invalid };
    let digits = digits.as_slice();
    // 01 and 35 and 86 carry nearly all phones; 00 is for test handsets, 10 upwards are the
    // national bodies that still issue. 02 to 09 were never allotted.
    let body = digits.first().zip(digits.get(1)).map(|(a, b)| a * 10 + b);
    let known = matches!(body, Some(1 | 10..=99));
    if digits.len() == 15 && known && !uniform(digits) && luhn_holds(digits) {
        Verdict::Unknown
    } else {
        Verdict::Invalid
    }
}

type Range = (u32, u32, usize, usize);

/// Whether a range of the list has cards of this prefix and length.
fn uses(list: &[Range], digits: &[u8]) -> bool {
    if digits.len() < 12 {
        return false;
    }
    let six = digits[..6].iter().fold(0u32, |number, &digit| number * 10 + u32::from(digit));
    list.iter().any(|&(first, last, min, max)| {
        (first..=last).contains(&six) && (min..=max).contains(&digits.len())
    })
}

/// First and last six-digit issuer number, shortest and longest card number.
const ISSUERS: &[Range] = &[
    (400_000, 499_999, 13, 13), // Visa, cards of before 1990s still in test data
    (400_000, 499_999, 16, 16), // Visa
    (400_000, 499_999, 19, 19), // Visa
    (510_000, 559_999, 16, 16), // Mastercard
    (222_100, 272_099, 16, 16), // Mastercard
    (340_000, 349_999, 15, 15), // American Express
    (370_000, 379_999, 15, 15), // American Express
    (601_100, 601_199, 16, 19), // Discover
    (622_126, 622_925, 16, 19), // Discover with UnionPay
    (644_000, 659_999, 16, 19), // Discover
    (300_000, 305_999, 14, 16), // Diners Club
    (309_500, 309_599, 14, 16), // Diners Club
    (360_000, 369_999, 14, 16), // Diners Club
    (380_000, 399_999, 14, 16), // Diners Club
    (352_800, 358_999, 16, 19), // JCB
    (180_000, 180_099, 15, 15), // JCB
    (213_100, 213_199, 15, 15), // JCB
    (620_000, 629_999, 16, 19), // UnionPay
    (810_000, 817_199, 16, 19), // UnionPay
    (220_000, 220_499, 16, 19), // Mir
    (979_200, 979_299, 16, 16), // Troy
    (508_500, 508_999, 16, 16), // RuPay
    (606_900, 608_599, 16, 16), // RuPay
    (817_200, 820_199, 16, 16), // RuPay
    (506_099, 506_198, 16, 19), // Verve
    (507_865, 507_964, 16, 19), // Verve
    (500_000, 509_999, 12, 19), // Maestro
    (560_000, 589_999, 12, 19), // Maestro
    (630_000, 639_999, 12, 19), // Maestro
    (670_000, 679_999, 12, 19), // Maestro
    (60_400, 60_499, 12, 19),   // Maestro of the United Kingdom
];

/// Not allotted, but what generators of test data make, or shared with other numbers: `Unknown`, so
/// that context decides.
const INVENTED: &[Range] = &[
    (350_000, 359_999, 16, 16), // "JCB" of every prefix 35
    // Allotted to the Universal Air Travel Plan, but serial numbers of phones begin so as well.
    (100_000, 199_999, 15, 15),
];

#[cfg(test)]
mod tests {
    use super::*;

    // Test numbers the networks and payment providers publish.
    const PUBLISHED: &[&str] = &[
        "4111111111111111",
        "4111 1111 1111 1111",
        "4242-4242-4242-4242",
        "4242\u{A0}4242\u{A0}4242\u{A0}4242",
        "4012888888881881",
        "5555555555554444",
        "5105105105105100",
        "2223003122003222",
        "2223 0000 4841 0010",
        "378282246310005",
        "3782 822463 10005",
        "371449635398431",
        "6011111111111117",
        "6011000990139424",
        "30569309025904",
        "38520000023237",
        "36227206271667",
        "3530111333300000",
        "3566002020360505",
        "6200000000000005",
        "6304000000000000",
        "2200000000000004",
    ];

    #[test]
    fn published_test_cards_are_valid() {
        for number in PUBLISHED {
            assert_eq!(credit_card(number.as_bytes()), Verdict::Valid, "{number}");
        }
    }

    #[test]
    fn lengths_that_other_numbers_have_need_context() {
        for number in [
            "4222222222222",
            "501800000009",
            "6205500000000000004",
            "3500000000000009",
            "135410014004955",
        ] {
            assert_eq!(credit_card(number.as_bytes()), Verdict::Unknown, "{number}");
        }
        assert_eq!(credit_card(b"6205 5000 0000 0000 004"), Verdict::Valid);
    }

    #[test]
    fn what_is_no_card() {
        let cases = [
            ("4111111111111112", "Luhn fails"),
            ("1234567812345670", "Luhn holds, no issuer has 1234"),
            ("0000000000000000", "no issuer, one digit"),
            ("411111111111116", "Visa has no cards of 15"),
            ("5352 5353 5356 5359", "a row of a table of code points"),
            ("4301.0020.0010.0002", "a row of a table of weights"),
            ("1790146205318", "a timestamp"),
            ("4111/1111/1111/1111", "slashes are not card separators"),
            ("41111111111111111111111", "too long"),
            ("", "empty"),
        ];
        for (number, why) in cases {
            assert_eq!(credit_card(number.as_bytes()), Verdict::Invalid, "{why}");
        }
    }

    #[test]
    fn luhn_example_of_the_standard() {
        assert_eq!(luhn(b"17893729974"), Verdict::Valid);
        assert_eq!(luhn(b"17893729975"), Verdict::Invalid);
        assert_eq!(luhn(b"0000000000"), Verdict::Invalid);
    }

    #[test]
    fn imei_example_of_the_gsma() {
        assert_eq!(imei(b"49-015420-323751-8"), Verdict::Unknown);
        assert_eq!(imei(b"490154203237518"), Verdict::Unknown);
        assert_eq!(imei(b"490154203237517"), Verdict::Invalid);
        assert_eq!(imei(b"49015420323751"), Verdict::Invalid);
    }
}

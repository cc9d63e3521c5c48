//! Telephone numbers.

use super::digits::uniform;
use crate::validator::{Verdict, unknown_if};

/// A number in international form: `+`, a country code of ITU-T E.164, and as many digits as
/// numbers of that country have.
pub(super) fn international(bytes: &[u8]) -> Verdict {
    let Some(number) = Number::read(bytes) else { return Verdict::Invalid };
    // `a + 593800000000`: nobody sets the sign apart and not the country.
    if bytes.strip_prefix(b"+ ").is_some_and(|rest| rest.iter().all(u8::is_ascii_digit)) {
        return Verdict::Invalid;
    }
    let digits = number.digits();
    let digits = digits.strip_prefix(&[0, 0]).unwrap_or(digits);
    let fits = (1..=3).any(|length| {
        let Some((code, national)) = digits.split_at_checked(length) else { return false };
        let code = code.iter().fold(0u16, |code, &digit| code * 10 + u16::from(digit));
        COUNTRIES.iter().any(|&(known, min, max)| {
            known == code && (min..=max).contains(&national.len()) && !uniform(national)
        })
    });
    unknown_if(fits)
}

/// A number of the North American plan: ten digits with or without a leading 1, area and
/// exchange as they are assigned.
pub(super) fn nanp(bytes: &[u8]) -> Verdict {
    let Some(number) = Number::read(bytes) else { return Verdict::Invalid };
    let digits = number.digits();
    let digits =
        if digits.len() == 11 { digits.strip_prefix(&[1]).unwrap_or_default() } else { digits };
    let [a, b, c, d, e, f, rest @ ..] = digits else { return Verdict::Invalid };
    // An area code or exchange never begins with 0 or 1 and is no service code. Codes that are not
    // assigned yet pass: they are what invented numbers have.
    let area = *a >= 2 && (*b, *c) != (1, 1);
    let exchange = *d >= 2 && (*e, *f) != (1, 1);
    // A dot before the exchange and another divider after it: the tail of an amount with dots.
    let end = bytes.iter().position(|byte| b"xXeE#".contains(byte)).unwrap_or(bytes.len());
    let dotted = bytes[..end].iter().filter(|&&byte| byte == b'.').count() == 1;
    unknown_if(rest.len() == 4 && area && exchange && !dotted && !uniform(digits))
}

/// A number in some national form: seven to thirteen digits in groups, and not a date, a span of
/// years or a round amount.
pub(super) fn national(bytes: &[u8]) -> Verdict {
    let Some(number) = Number::read(bytes) else { return Verdict::Invalid };
    let length = number.digits().len();
    let mut groups = [(0u32, 0usize); 8];
    let mut count = 0;
    for group in bytes.split(|byte| !byte.is_ascii_digit()).filter(|group| !group.is_empty()) {
        let Some(place) = groups.get_mut(count) else { return Verdict::Invalid };
        *place = (
            group
                .iter()
                .fold(0u32, |n, &digit| n.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'))),
            group.len(),
        );
        count += 1;
    }
    let groups = &groups[..count];
    let year = |&(value, digits): &(u32, usize)| digits == 4 && (1800..=2099).contains(&value);
    let part = |&(value, digits): &(u32, usize)| digits <= 2 && (1..=31).contains(&value);
    let date = match groups {
        [a, b, c, ..] if year(a) && part(b) && part(c) => true,
        [a, b, c, ..] if part(a) && part(b) && year(c) => true,
        // A span of years, or an identifier that a year begins, as in `CVE-2026-1234`.
        [a, _] => year(a),
        _ => false,
    };
    let amount =
        groups.len() > 1 && groups[1..].iter().all(|&(value, digits)| value == 0 && digits == 3);
    // Four groups joined by dots, none above 255: rather the address of a machine.
    let address = groups.len() == 4
        && bytes.iter().filter(|&&byte| byte == b'.').count() == 3
        && groups.iter().all(|&(value, digits)| value <= 255 && digits <= 3);
    // A day without dividers, as change logs have it.
    let day = match groups {
        [(value, 8)] => {
            (1900..=2039).contains(&(value / 10_000))
                && (1..=12).contains(&(value / 100 % 100))
                && (1..=31).contains(&(value % 100))
        }
        _ => false,
    };
    // A ZIP code with its four more digits.
    let zip = matches!(groups, [(_, 5), (_, 4)]) && bytes.get(5) == Some(&b'-');
    // No country writes its numbers in three groups of four; orders and vouchers are written so.
    let order = groups.len() > 2 && groups.iter().all(|&(_, digits)| digits == 4);
    let plain = !date && !amount && !order && !address && !day && !zip;
    unknown_if((7..=13).contains(&length) && plain && !uniform(number.digits()))
}

/// The digits of a number as dialled: without separators, extension and the `(0)` of a trunk
/// prefix.
struct Number {
    values: [u8; 20],
    len: usize,
}

impl Number {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut number = Self { values: [0; 20], len: 0 };
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            if let Some(after) = rest.strip_prefix(b"(0)") {
                rest = after;
                continue;
            }
            // Everything from an extension on: `x12`, `ext. 12`, `#12`.
            if matches!(byte, b'x' | b'X' | b'e' | b'E' | b'#' | b';') {
                break;
            }
            if byte.is_ascii_digit() {
                *number.values.get_mut(number.len)? = byte - b'0';
                number.len += 1;
            }
            rest = tail;
        }
        Some(number)
    }

    fn digits(&self) -> &[u8] {
        &self.values[..self.len]
    }
}

/// Country code, and the fewest and most digits after it.
#[rustfmt::skip]
const COUNTRIES: &[(u16, usize, usize)] = &[
    (1, 10, 10), (7, 10, 10), (20, 8, 10), (27, 9, 9), (30, 10, 10), (31, 9, 10), (32, 8, 9), (33, 9, 9), (34, 9, 9),
    (36, 8, 9), (39, 6, 12), (40, 9, 9), (41, 9, 9), (43, 6, 13), (44, 9, 10), (45, 8, 8), (46, 7, 10), (47, 8, 8),
    (48, 9, 9), (49, 6, 12), (51, 8, 9), (52, 10, 11), (53, 6, 8), (54, 10, 11), (55, 10, 11), (56, 8, 9),
    (57, 8, 10), (58, 10, 10), (60, 8, 10), (61, 9, 9), (62, 8, 12), (63, 8, 10), (64, 8, 10), (65, 8, 8), (66, 8, 9),
    (81, 9, 10), (82, 8, 10), (84, 9, 10), (86, 10, 11), (90, 10, 10), (91, 10, 10), (92, 9, 10), (93, 9, 9),
    (94, 9, 9), (95, 7, 10), (98, 10, 10), (211, 9, 9), (212, 9, 9), (213, 8, 9), (216, 8, 8), (218, 8, 9),
    (220, 7, 7), (221, 9, 9), (222, 8, 8), (223, 8, 8), (224, 8, 9), (225, 8, 10), (226, 8, 8), (227, 8, 8),
    (228, 8, 8), (229, 8, 10), (230, 7, 8), (231, 7, 9), (232, 8, 8), (233, 9, 9), (234, 8, 10), (235, 8, 8),
    (236, 8, 8), (237, 8, 9), (238, 7, 7), (239, 7, 7), (240, 9, 9), (241, 7, 8), (242, 9, 9), (243, 7, 9),
    (244, 9, 9), (245, 7, 9), (246, 7, 7), (248, 7, 7), (249, 9, 9), (250, 8, 9), (251, 9, 9), (252, 7, 9),
    (253, 8, 8), (254, 9, 10), (255, 9, 9), (256, 9, 9), (257, 8, 8), (258, 8, 9), (260, 9, 9), (261, 9, 9),
    (262, 9, 9), (263, 8, 9), (264, 8, 9), (265, 7, 9), (266, 8, 8), (267, 7, 8), (268, 8, 8), (269, 7, 7),
    (290, 4, 5), (291, 7, 7), (297, 7, 7), (298, 6, 6), (299, 6, 6), (350, 8, 8), (351, 9, 9), (352, 6, 9),
    (353, 7, 9), (354, 7, 9), (355, 8, 9), (356, 8, 8), (357, 8, 8), (358, 6, 11), (359, 7, 9), (370, 8, 8),
    (371, 8, 8), (372, 7, 8), (373, 8, 8), (374, 8, 8), (375, 9, 9), (376, 6, 9), (377, 8, 9), (378, 6, 10),
    (380, 9, 9), (381, 8, 10), (382, 8, 8), (383, 8, 9), (385, 8, 9), (386, 8, 8), (387, 8, 9), (389, 8, 8),
    (420, 9, 9), (421, 9, 9), (423, 7, 9), (500, 5, 5), (501, 7, 7), (502, 8, 8), (503, 8, 8), (504, 8, 8),
    (505, 8, 8), (506, 8, 8), (507, 7, 8), (508, 6, 6), (509, 8, 8), (590, 9, 9), (591, 8, 8), (592, 7, 7),
    (593, 8, 9), (594, 9, 9), (595, 9, 9), (596, 9, 9), (597, 6, 7), (598, 8, 8), (599, 7, 8), (670, 7, 8),
    (672, 6, 6), (673, 7, 7), (674, 7, 7), (675, 7, 8), (676, 5, 7), (677, 5, 7), (678, 5, 7), (679, 7, 7),
    (680, 7, 7), (681, 6, 6), (682, 5, 5), (683, 4, 7), (685, 5, 7), (686, 5, 8), (687, 6, 6), (688, 5, 6),
    (689, 6, 8), (690, 4, 7), (691, 7, 7), (692, 7, 7), (800, 8, 8), (808, 8, 8), (850, 8, 10), (852, 8, 8),
    (853, 8, 8), (855, 8, 9), (856, 8, 10), (870, 9, 12), (880, 8, 10), (881, 8, 9), (882, 7, 12), (883, 7, 12),
    (886, 8, 9), (960, 7, 7), (961, 7, 8), (962, 8, 9), (963, 8, 9), (964, 8, 10), (965, 7, 8), (966, 8, 9),
    (967, 7, 9), (968, 8, 8), (970, 8, 9), (971, 8, 9), (972, 8, 9), (973, 8, 8), (974, 7, 8), (975, 8, 8),
    (976, 8, 8), (977, 8, 10), (979, 9, 9), (992, 9, 9), (993, 8, 8), (994, 9, 9), (995, 9, 9), (996, 9, 9),
    (998, 9, 9),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn all(validate: fn(&[u8]) -> Verdict, want: Verdict, cases: &[&str]) {
        for case in cases {
            assert_eq!(validate(case.as_bytes()), want, "{case}");
        }
    }

    #[test]
    fn country_codes_are_sorted_and_prefix_free() {
        assert!(COUNTRIES.is_sorted());
        for (place, &(code, min, max)) in COUNTRIES.iter().enumerate() {
            assert!(min <= max && max + code.to_string().len() <= 15, "{code}");
            for &(other, ..) in &COUNTRIES[place + 1..] {
                assert!(!other.to_string().starts_with(&code.to_string()), "{code} {other}");
            }
        }
    }

    #[test]
    fn international_numbers() {
        let good = [
            "+1 202-555-0143",
            "+1 (202) 555-0143 x123",
            "+44 (0)20 7946 0958",
            "+44 20 7946 0958",
            "+49 30 901820",
            "+33 1 99 00 12 34",
            "+39 06 699 12345",
            "0049 30 901820",
            "+353 20 912 0000",
            "+61 2 5550 1234",
        ];
        all(international, Verdict::Unknown, &good);
        all(
            international,
            Verdict::Invalid,
            &[
                "+1 202-555-014",
                "+999 12345678",
                "+210 1234567",
                "+33 1 99 00 12",
                "+1 1111111111",
                "+ 593800000000",
                "+",
                "",
            ],
        );
    }

    #[test]
    fn north_american_numbers() {
        all(
            nanp,
            Verdict::Unknown,
            &[
                "(202) 555-0143",
                "202.555.0143",
                "1-800-555-0199",
                "2025550143",
                "202-555-0143 ext. 9",
            ],
        );
        all(
            nanp,
            Verdict::Invalid,
            &[
                "202.555 0143",
                "102-555-0143",
                "202-155-0143",
                "911-555-0143",
                "202-555-014",
                "2222222222",
                "",
            ],
        );
    }

    #[test]
    fn national_numbers() {
        all(
            national,
            Verdict::Unknown,
            &[
                "020 7946 0958",
                "(08) 5550 1234",
                "030/901820-12",
                "0490 12 34 56",
                "5550 4127",
                "2123 4276",
                "612.34.52.90",
                "20181345",
            ],
        );
        all(
            national,
            Verdict::Invalid,
            &[
                "2026-11-20",
                "20.11.2026",
                "1990-1995",
                "2026-1234",
                "100 000 000",
                "12 34",
                "000 000 00",
                "1234 5678 9012 34",
                "3827-6930-8381",
                "10.20.30.40",
                "20180505",
                "02110-1301",
                "",
            ],
        );
    }
}

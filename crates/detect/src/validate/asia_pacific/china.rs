//! Numbers issued in the People's Republic of China.

use super::super::Table;
use super::{digits, is_day, number, unknown_if, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("cn_resident_id", resident_identity),
    ("cn_resident_id_15", resident_identity_of_15),
    ("cn_uscc", social_credit_code),
];

/// Region, date of birth, serial and a check character, ISO/IEC 7064 MOD 11-2 (GB 11643-1999).
fn resident_identity(bytes: &[u8]) -> Verdict {
    let Some((&check, body)) = bytes.split_last() else { return Verdict::Invalid };
    let Some(digits) = digits::<17>(body) else { return Verdict::Invalid };
    let check = match check {
        b'0'..=b'9' => u32::from(check - b'0'),
        b'X' | b'x' => 10,
        _ => return Verdict::Invalid,
    };
    let rest = digits.iter().fold(0, |rest, &digit| (rest + u32::from(digit)) * 2 % 11);
    let year = number(&digits[6..10]);
    let dated =
        (1850..=2099).contains(&year) && is_day(number(&digits[10..12]), number(&digits[12..14]));
    valid_if(is_province(digits[0], digits[1]) && dated && (rest + check) % 11 == 1)
}

/// The older number: a year of two digits and no check digit.
fn resident_identity_of_15(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<15>(bytes) else { return Verdict::Invalid };
    let dated = is_day(number(&digits[8..10]), number(&digits[10..12]));
    unknown_if(is_province(digits[0], digits[1]) && dated)
}

/// The first digits of GB/T 2260, Hong Kong, Macau and Taiwan included, and 9 for foreigners who stay.
fn is_province(tens: u8, ones: u8) -> bool {
    matches!(
        tens * 10 + ones,
        11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83 | 91..=93
    )
}

/// The unified social credit code (GB 32100-2015): a registrar, a kind, a region, an organisation code
/// with its own check character (GB 11714-1997), and a check character over base 31.
fn social_credit_code(bytes: &[u8]) -> Verdict {
    const VALUES: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    if bytes.len() != 18 || !bytes[2..8].iter().all(u8::is_ascii_digit) {
        return Verdict::Invalid;
    }
    // What many long numbers have by chance is a check character; a registrar, its kind of organisation and
    // a region, 10 for the whole country, few have.
    let registered = matches!(
        (bytes[0], bytes[1]),
        (b'1' | b'5', b'1'..=b'3' | b'9')
            | (b'2' | b'4' | b'6' | b'7' | b'8' | b'A', b'1' | b'2' | b'9')
            | (b'3', b'1'..=b'5' | b'9')
            | (b'9', b'1'..=b'3')
            | (b'N', b'1'..=b'3' | b'9')
            | (b'Y', b'1')
    );
    let (tens, ones) = (bytes[2] - b'0', bytes[3] - b'0');
    if !registered || !((tens, ones) == (1, 0) || is_province(tens, ones)) {
        return Verdict::Invalid;
    }
    let mut sum = 0;
    let mut weight = 1;
    for byte in &bytes[..17] {
        let Some(value) = VALUES.iter().position(|value| value == byte) else {
            return Verdict::Invalid;
        };
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    let checked = VALUES[(31 - sum % 31) % 31] == bytes[17];
    // The organisation code's value of a letter is that of base 36.
    let organisation: u32 = bytes[8..16]
        .iter()
        .zip([3, 7, 9, 10, 5, 8, 4, 2])
        .map(|(&byte, weight)| super::base36(byte).unwrap_or_default() * weight)
        .sum();
    let organised = match 11 - organisation % 11 {
        10 => bytes[16] == b'X',
        rest => u32::from(bytes[16].wrapping_sub(b'0')) == rest % 11,
    };
    match (checked, organised) {
        (true, true) => Verdict::Valid,
        (true, false) => Verdict::Unknown,
        _ => Verdict::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn residents() {
        // The standard's own examples.
        all(resident_identity, Verdict::Valid, &["11010519491231002X", "440524188001010014"]);
        all(resident_identity, Verdict::Valid, &["11010519491231002x"]);
        all(
            resident_identity,
            Verdict::Invalid,
            &[
                "110105194912310021",
                "990105194912310028",
                "110105194913310025",
                "1101051949123100",
                "X",
                "",
            ],
        );
        all(resident_identity_of_15, Verdict::Unknown, &["110105491231002"]);
        all(resident_identity_of_15, Verdict::Invalid, &["110105491331002", "11010549123100", ""]);
    }

    #[test]
    fn organisations() {
        // The standard's own example, and two large companies'.
        all(
            social_credit_code,
            Verdict::Valid,
            &["91350100M000100Y43", "914403001922038216", "91110000600037341L"],
        );
        all(
            social_credit_code,
            Verdict::Invalid,
            &["91350100M000100Y44", "9135010IM000100Y43", "91350100M000100Y4", ""],
        );
        // Right in all but the kind of organisation, or the region.
        let check = |body: &str| {
            const VALUES: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
            VALUES.chars().any(|last| {
                social_credit_code(format!("{body}{last}").as_bytes()) != Verdict::Invalid
            })
        };
        assert!(check("91440300192203821"));
        assert!(!check("97440300192203821") && !check("91990300192203821"));
    }
}

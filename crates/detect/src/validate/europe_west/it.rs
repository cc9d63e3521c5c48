//! Italy and San Marino.

use super::super::Table;
use super::super::digits::{luhn_holds, uniform};
use super::{Compact, digits, digits_after, judge};
use crate::validator::Verdict;

pub(super) const TABLE: Table =
    &[("it_fiscal_code", fiscal_code), ("it_vat", vat), ("it_vat_prefixed", vat_prefixed)];

/// A tax code: parts of the names, the date and place of birth, and a letter over all.
///
/// A wrong last letter is `Unknown`: whoever mistypes a code has still written down a name and a birthday.
fn fiscal_code(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    let Some((shaped, holds)) = code_parts(compact.as_slice()) else { return Verdict::Invalid };
    match (shaped, holds) {
        (true, true) => Verdict::Valid,
        (true, false) => Verdict::Unknown,
        (false, _) => Verdict::Invalid,
    }
}

/// Whether the parts can be what they say, and whether the last letter is right.
fn code_parts(text: &[u8]) -> Option<(bool, bool)> {
    let (&check, body) = text.split_last().filter(|(_, body)| body.len() == 15)?;
    // Where two people would share a code, digits turn into letters from the right.
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        _ => {
            (0..).zip(b"LMNPQRSTUV").find_map(|(value, &letter)| (letter == byte).then_some(value))
        }
    };
    let number = |at: &[usize]| at.iter().try_fold(0, |sum, &at| Some(sum * 10 + digit(body[at])?));
    number(&[6, 7])?;
    number(&[12, 13, 14])?;
    // Forty is added to the day for women.
    let day = number(&[9, 10])?;
    let shaped = name_part(&body[..3])
        && name_part(&body[3..6])
        && b"ABCDEHLMPRST".contains(&body[8])
        && matches!(day, 1..=31 | 41..=71)
        && body[11].is_ascii_uppercase();
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(place, &byte)| {
            let value = if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' };
            if place % 2 == 0 { ODD[usize::from(value)] } else { u32::from(value) }
        })
        .sum();
    Some((shaped, check.is_ascii_uppercase() && sum % 26 == u32::from(check - b'A')))
}

/// Three letters of a name: its consonants, then its vowels, then X for what is missing.
fn name_part(part: &[u8]) -> bool {
    let vowel = |byte: u8| b"AEIOU".contains(&byte);
    let [a, b, c] = part else { return false };
    part.iter().all(u8::is_ascii_uppercase)
        && match (vowel(*a), vowel(*b)) {
            (false, false) => true,
            (_, true) => vowel(*c) || *c == b'X',
            (true, false) => *b == b'X' && *c == b'X',
        }
}

/// What letters and digits count at odd places (decree of 23 December 1976).
const ODD: [u32; 26] =
    [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/// A VAT number: eleven digits after Luhn, not all the same.
fn vat(bytes: &[u8]) -> Verdict {
    judge(digits::<11>(bytes).map(vat_holds), Verdict::Unknown)
}

/// The same after IT.
fn vat_prefixed(bytes: &[u8]) -> Verdict {
    judge(digits_after::<11>(b"IT", bytes).map(vat_holds), Verdict::Unknown)
}

fn vat_holds(digits: [u8; 11]) -> bool {
    !uniform(&digits) && luhn_holds(&digits)
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn tax_codes() {
        assert_verdicts(
            fiscal_code,
            Verdict::Valid,
            &["RSSMRA85T10A562S", "bncgli92e47f205i", "VRDLRT70MMNH501D", "FOXBCC88L15L219N"],
        );
        assert_verdicts(fiscal_code, Verdict::Unknown, &["RSSMRA85T10A562T"]);
        assert_verdicts(
            fiscal_code,
            Verdict::Invalid,
            &[
                "RSSMRA85T35A562S",
                "RSSMRA85F10A562S",
                "ARSMRA85T10A562S",
                "RSSMRA85T10A56",
                "RSSMRA85T10A562SS",
                "",
            ],
        );
    }

    #[test]
    fn vat_numbers() {
        assert_verdicts(vat, Verdict::Unknown, &["01234560157", "07473820582"]);
        assert_verdicts(vat, Verdict::Invalid, &["01234560158", "00000000000", "0123456015", ""]);
        assert_verdicts(vat_prefixed, Verdict::Unknown, &["IT01234560157", "IT 07473820582"]);
        assert_verdicts(vat_prefixed, Verdict::Invalid, &["IT01234560158", "01234560157", ""]);
    }
}

//! Germany.

use super::super::Table;
use super::super::check_digits::{mod_11_10_holds, weighted_sum};
use super::super::digits::uniform;
use super::{Compact, calendar, digits, digits_after, judge, number, values};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("de_bsnr", bsnr),
    ("de_document", document),
    ("de_fuehrerschein", fuehrerschein),
    ("de_kvnr", kvnr),
    ("de_lanr", lanr),
    ("de_plz", plz),
    ("de_rvnr", rvnr),
    ("de_steuernummer", steuernummer),
    ("de_tax_id", tax_id),
    ("de_vat", vat),
];

/// An identification number (§ 139b AO): eleven digits under MOD 11,10, the first not 0.
///
/// Of the first ten digits one stands there two or three times, say the rules of issue. Numbers made up for
/// forms and tests break that, so only what no rule could explain is dropped: a digit four times.
fn tax_id(bytes: &[u8]) -> Verdict {
    let holds = digits::<11>(bytes).map(|number| {
        let crowded =
            (0..10).any(|digit| number[..10].iter().filter(|&&other| other == digit).count() > 3);
        number[0] != 0 && !crowded && mod_11_10_holds(&number)
    });
    judge(holds, Verdict::Unknown)
}

/// A tax number for the electronic return: 13 digits, led by the state's number or by that of its tax
/// office, which has a 0 after four digits.
fn steuernummer(bytes: &[u8]) -> Verdict {
    let holds = digits::<13>(bytes).map(|digits| match number(&digits[..2]) {
        1..=16 => true,
        21..=24 | 26..=28 | 30..=32 | 40 | 41 | 50..=59 | 90..=99 => digits[4] == 0,
        _ => false,
    });
    judge(holds, Verdict::Unknown)
}

/// A VAT identification number: nine digits under MOD 11,10, the first not 0.
fn vat(bytes: &[u8]) -> Verdict {
    let holds =
        digits_after::<9>(b"DE", bytes).map(|number| number[0] != 0 && mod_11_10_holds(&number));
    judge(holds, Verdict::Unknown)
}

/// A pension insurance number (§ 2 VKVV): area, date of birth, initial, serial number and check digit.
fn rvnr(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    let holds = || {
        let text = compact.as_slice();
        let (front, letter, back) =
            (values::<8>(text.get(..8)?)?, *text.get(8)?, values::<3>(text.get(9..)?)?);
        if !letter.is_ascii_uppercase() {
            return None;
        }
        let area = matches!(
            number(&front[..2]),
            2..=4 | 8..=21 | 23..=26 | 28 | 29 | 38..=40 | 42..=44 | 48..=61 | 63..=66 | 68 | 69 | 78..=82 | 89
        );
        // Where a day's serial numbers are used up, 50 is added to the day.
        let day = number(&front[2..4]) % 50;
        let mut expanded = [0; 12];
        expanded[..8].copy_from_slice(&front);
        let place = letter - b'A' + 1;
        expanded[8..10].copy_from_slice(&[place / 10, place % 10]);
        expanded[10..].copy_from_slice(&back[..2]);
        let sum: u32 = expanded
            .iter()
            .zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
            .map(|(&digit, weight)| digit_sum(u32::from(digit) * weight))
            .sum();
        Some(area && calendar(day, number(&front[4..6])) && sum % 10 == u32::from(back[2]))
    };
    judge(holds(), Verdict::Valid)
}

/// The unchanging part of a health insurance number (§ 290 SGB V): a letter and nine digits.
fn kvnr(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    let holds = || {
        let [letter @ b'A'..=b'Z', digits @ ..] = compact.as_slice() else { return None };
        let digits = values::<9>(digits)?;
        let place = letter - b'A' + 1;
        let mut expanded = [place / 10, place % 10, 0, 0, 0, 0, 0, 0, 0, 0];
        expanded[2..].copy_from_slice(&digits[..8]);
        let sum: u32 = (1..)
            .zip(&expanded)
            .map(|(place, &digit)| digit_sum(u32::from(digit) * (2 - place % 2)))
            .sum();
        Some(sum % 10 == u32::from(digits[8]))
    };
    judge(holds(), Verdict::Unknown)
}

/// A physician's number: six digits, a check digit and two digits for the specialism.
fn lanr(bytes: &[u8]) -> Verdict {
    let holds = digits::<9>(bytes).map(|number| {
        let sum = weighted_sum(&number[..6], &[4, 9, 4, 9, 4, 9]);
        !uniform(&number) && (sum + u32::from(number[6])).is_multiple_of(10)
    });
    judge(holds, Verdict::Unknown)
}

/// A practice's number: the regional association (never 00) and seven digits.
fn bsnr(bytes: &[u8]) -> Verdict {
    let holds = digits::<9>(bytes).map(|digits| !uniform(&digits) && number(&digits[..2]) != 0);
    judge(holds, Verdict::Unknown)
}

/// Serial numbers of passports and identity cards that end with their check digit (ICAO 9303, weights
/// 7, 3, 1), and those of the identity cards until 2010, T and eight digits.
fn document(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    let text = compact.as_slice();
    let holds = || {
        let (&check, body) = text.split_last()?;
        let old = text.len() == 9 && text[0] == b'T' && values::<8>(&text[1..]).is_some();
        let sum: u32 = body
            .iter()
            .zip([7, 3, 1].iter().cycle())
            .map(|(&byte, weight)| value(byte) * weight)
            .sum();
        Some(old || check.is_ascii_digit() && sum % 10 == u32::from(check - b'0'))
    };
    judge(holds(), Verdict::Unknown)
}

/// A driving licence: the office's key, a serial number, a check digit (weights 9 to 1, modulo 11) and the
/// number of the copy. Shapes of two letters and digits are left alone: they are older or made up.
fn fuehrerschein(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    let text = compact.as_slice();
    let holds = || {
        let (body, check) = (text.get(..9)?, *text.get(9)?);
        let sum: u32 = (1..=9).rev().zip(body).map(|(weight, &byte)| value(byte) * weight).sum();
        let made = match sum % 11 {
            10 => b'X',
            rest => b"0123456789"[rest as usize],
        };
        let lettered =
            text[..2].iter().all(u8::is_ascii_uppercase) && values::<8>(text.get(2..10)?).is_some();
        Some(text.len() == 11 && (lettered || check == made))
    };
    judge(holds(), Verdict::Unknown)
}

/// A postal code that can exist: 01001 to 99998.
fn plz(bytes: &[u8]) -> Verdict {
    judge(
        digits::<5>(bytes).map(|digits| (1_001..=99_998).contains(&number(&digits))),
        Verdict::Unknown,
    )
}

/// Digits count themselves, letters from 10 on.
fn value(byte: u8) -> u32 {
    char::from(byte).to_digit(36).unwrap_or(0)
}

fn digit_sum(number: u32) -> u32 {
    number / 10 + number % 10
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn tax_numbers() {
        // The tax office's own.
        assert_verdicts(tax_id, Verdict::Unknown, &["86095742719", "86 095 742 719"]);
        assert_verdicts(
            tax_id,
            Verdict::Invalid,
            &["86095742718", "06095742719", "8609574271", ""],
        );
        assert_verdicts(
            steuernummer,
            Verdict::Unknown,
            &["2893081508152", "1121081508150", "9181081508155"],
        );
        assert_verdicts(
            steuernummer,
            Verdict::Invalid,
            &["0093081508152", "2893181508152", "1893081508152", ""],
        );
        assert_verdicts(
            vat,
            Verdict::Unknown,
            &["DE281379463", "de 281 379 463", "DE-281.379-463"],
        );
        assert_verdicts(
            vat,
            Verdict::Invalid,
            &["DE281379464", "DE081379463", "281379463", "DE", ""],
        );
    }

    #[test]
    fn insurance_numbers() {
        assert_verdicts(
            rvnr,
            Verdict::Valid,
            &["65170839J081", "52230784M574", "65 170839 J 08 1"],
        );
        assert_verdicts(
            rvnr,
            Verdict::Invalid,
            &["65170839J082", "00170839J081", "65171339J081", "65170839J08", "651708391081", ""],
        );
        assert_verdicts(kvnr, Verdict::Unknown, &["R481206375", "K220635158"]);
        assert_verdicts(kvnr, Verdict::Invalid, &["K220635159", "1220635158", "K22063515", ""]);
    }

    #[test]
    fn medical_numbers() {
        assert_verdicts(lanr, Verdict::Unknown, &["723456201", "482917603"]);
        assert_verdicts(lanr, Verdict::Invalid, &["723456301", "000000000", "12345670", ""]);
        assert_verdicts(bsnr, Verdict::Unknown, &["381234500"]);
        assert_verdicts(bsnr, Verdict::Invalid, &["001234500", "222222222", "38123450", ""]);
    }

    #[test]
    fn documents() {
        assert_verdicts(document, Verdict::Unknown, &["T22000129", "L3VN81RT9", "c4k7m2px7"]);
        assert_verdicts(document, Verdict::Invalid, &["L3VN81RT8", "L3VN81RTX", ""]);
        // The number of the specimen card.
        assert_verdicts(
            fuehrerschein,
            Verdict::Unknown,
            &["B072RRE2I55", "b072rre2i5a", "NW123456789"],
        );
        assert_verdicts(fuehrerschein, Verdict::Invalid, &["B072RRE2I65", "B072RRE2I5", ""]);
    }

    #[test]
    fn postal_codes() {
        assert_verdicts(plz, Verdict::Unknown, &["01067", "99998"]);
        assert_verdicts(plz, Verdict::Invalid, &["00123", "99999", "1234", ""]);
    }
}

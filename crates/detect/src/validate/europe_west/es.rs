//! Spain.

use super::super::Table;
use super::super::check_digits::{remainder, weighted_sum};
use super::super::digits::uniform;
use super::{Compact, digits, judge, number, values};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("es_ccc", ccc),
    ("es_cif", cif),
    ("es_nie", nie),
    ("es_nif", nif),
    ("es_nuss", nuss),
    ("es_vat", vat),
];

/// A citizen's number (NIF, DNI): up to eight digits and the letter of their rest modulo 23.
fn nif(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    judge(nif_holds(compact.as_slice()), Verdict::Unknown)
}

/// Also the K, L and M of those without a DNI, with seven digits.
fn nif_holds(text: &[u8]) -> Option<bool> {
    let (&letter, front) = text.split_last()?;
    let body = match front {
        [b'K' | b'L' | b'M', body @ ..] if body.len() == 7 => body,
        _ if (7..=8).contains(&front.len()) => front,
        _ => return None,
    };
    Some(letter == check_letter(body, 0)?)
}

/// A foreigner's number (NIE): X, Y or Z stand for a digit before the others, 0, 1 or 2.
fn nie(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    judge(nie_holds(compact.as_slice()), Verdict::Unknown)
}

fn nie_holds(text: &[u8]) -> Option<bool> {
    let [first @ b'X'..=b'Z', body @ .., letter] = text else { return None };
    // Old ones after X have a zero more.
    if !(body.len() == 7 || (body.len() == 8 && *first == b'X' && body[0] == b'0')) {
        return None;
    }
    Some(*letter == check_letter(body, u32::from(first - b'X'))?)
}

/// The letter for at most eight digits after `first`.
fn check_letter(body: &[u8], first: u32) -> Option<u8> {
    let number = body.iter().try_fold(first, |number, &byte| {
        byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
    })?;
    Some(b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize])
}

/// A company's number (CIF): a letter, seven digits and a check digit or the letter for it.
fn cif(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    judge(cif_holds(compact.as_slice()), Verdict::Unknown)
}

fn cif_holds(text: &[u8]) -> Option<bool> {
    let [kind @ b'A'..=b'Z', body @ .., check] = text else { return None };
    let digits = values::<7>(body)?;
    let sum: u32 = (0u32..)
        .zip(&digits)
        .map(|(place, &digit)| {
            let value = u32::from(digit) << ((place + 1) % 2);
            value / 10 + value % 10
        })
        .sum();
    let control = ((10 - sum % 10) % 10) as usize;
    let (as_digit, as_letter) =
        (b"0123456789"[control] == *check, b"JABCDEFGHI"[control] == *check);
    Some(match kind {
        b'A' | b'B' | b'E' | b'H' => as_digit,
        b'P' | b'Q' | b'R' | b'S' | b'N' | b'W' => as_letter,
        b'C' | b'D' | b'F' | b'G' | b'J' | b'U' | b'V' => as_digit || as_letter,
        _ => return None,
    })
}

/// A VAT number: any of those after ES.
fn vat(bytes: &[u8]) -> Verdict {
    let holds = || {
        let compact = Compact::read(bytes)?;
        let text = compact.as_slice().strip_prefix(b"ES").filter(|text| text.len() == 9)?;
        cif_holds(text).or_else(|| nie_holds(text)).or_else(|| nif_holds(text))
    };
    judge(holds(), Verdict::Unknown)
}

/// A social security number: province, eight digits and their rest modulo 97. Numbers below ten million count
/// without their zero.
fn nuss(bytes: &[u8]) -> Verdict {
    let holds = digits::<12>(bytes).map(|digits| {
        let rest = match digits[2] {
            0 => (number(&digits[..2]) * 10_000_000 + number(&digits[3..10])) % 97,
            _ => remainder(&digits[..10], 97),
        };
        let province = matches!(number(&digits[..2]), 1..=53 | 66);
        province && rest == number(&digits[10..])
    });
    judge(holds, Verdict::Valid)
}

/// A bank account (CCC): a check digit over bank and branch, and one over the account, modulo 11.
fn ccc(bytes: &[u8]) -> Verdict {
    const WEIGHTS: [u32; 10] = [1, 2, 4, 8, 5, 10, 9, 7, 3, 6];
    let check = |part: &[u8], weights: &[u32]| match 11 - weighted_sum(part, weights) % 11 {
        10 => 1,
        11 => 0,
        digit => digit,
    };
    let holds = digits::<20>(bytes).map(|digits| {
        !uniform(&digits)
            && check(&digits[..8], &WEIGHTS[2..]) == u32::from(digits[8])
            && check(&digits[10..], &WEIGHTS) == u32::from(digits[9])
    });
    judge(holds, Verdict::Valid)
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn persons() {
        assert_verdicts(
            nif,
            Verdict::Unknown,
            &["54362315K", "08374126-X", "73918264j", "K0867756N"],
        );
        assert_verdicts(
            nif,
            Verdict::Invalid,
            &["54362315Z", "5436231K5", "K0867756M", "123456T", ""],
        );
        assert_verdicts(
            nie,
            Verdict::Unknown,
            &["X2482300W", "X-2482300-W", "X02482300W", "y4071826n", "Z7310942Y"],
        );
        assert_verdicts(nie, Verdict::Invalid, &["X2482300A", "Y02482300W", "A2482300W", "X", ""]);
        assert_verdicts(nuss, Verdict::Valid, &["28 12345678 40", "080472916351"]);
        assert_verdicts(
            nuss,
            Verdict::Invalid,
            &["281234567841", "992345678140", "28123456784", ""],
        );
    }

    #[test]
    fn companies() {
        assert_verdicts(
            cif,
            Verdict::Unknown,
            &["A13585625", "B-64718398", "Q2876031B", "P0800193E"],
        );
        assert_verdicts(
            cif,
            Verdict::Invalid,
            &["A13585626", "A1358562E", "Q28760312", "X1358562E", ""],
        );
        assert_verdicts(vat, Verdict::Unknown, &["ESA13585625", "ES54362315K", "ES-X2482300W"]);
        assert_verdicts(vat, Verdict::Invalid, &["ESA13585626", "A13585625", "ES", ""]);
        assert_verdicts(ccc, Verdict::Valid, &["1234 1234 16 1234567890", "21000418450200051332"]);
        assert_verdicts(
            ccc,
            Verdict::Invalid,
            &["12341234171234567890", "00000000000000000000", ""],
        );
    }
}

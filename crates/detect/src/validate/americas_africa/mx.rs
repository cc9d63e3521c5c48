//! Mexico.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::super::digits::{Digits, luhn_holds, uniform};
use super::birth::is_day;
use super::{unknown_if, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("mx_clabe", clabe),
    ("mx_curp", curp),
    ("mx_elector", elector),
    ("mx_nss", nss),
    ("mx_rfc", rfc),
];

/// Six digits that are year, month and day.
fn date(bytes: &[u8]) -> bool {
    let number = |pair: &[u8]| match pair {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(u32::from((a - b'0') * 10 + (b - b'0'))),
        _ => None,
    };
    match (bytes.get(..2), bytes.get(2..4), bytes.get(4..6)) {
        (Some(year), Some(month), Some(day)) => match (number(year), number(month), number(day)) {
            (Some(year), Some(month), Some(day)) => is_day(year, month, day),
            _ => false,
        },
        _ => false,
    }
}

/// A population registry key: letters of the name, date of birth, sex, state, consonants, a
/// homonym's place and a check digit over all of it.
///
/// Where the last digit is wrong the rest is still unmistakable, so that stays `Unknown`.
fn curp(bytes: &[u8]) -> Verdict {
    const STATES: &[u8] = b"ASBCBSCCCLCMCSCHDFDGGTGRHGJCMCMNMSNTNLOCPLQTQRSPSLSRTCTSTLVZYNZSNE";
    let mut code = [0u8; 18];
    if bytes.len() != code.len() {
        return Verdict::Invalid;
    }
    code.copy_from_slice(bytes);
    code.make_ascii_uppercase();
    let sex = matches!(code[10], b'H' | b'M' | b'X');
    let state = STATES.chunks(2).any(|state| state == &code[11..13]);
    let Some(check) = code[17].checked_sub(b'0').filter(|&check| check < 10) else {
        return Verdict::Invalid;
    };
    if !(date(&code[4..]) && sex && state) {
        return Verdict::Invalid;
    }
    // The alphabet is Spanish: Ñ has the place 24, and letters after it count one more.
    let sum: u32 = code[..17]
        .iter()
        .zip((2..=18).rev())
        .map(|(&byte, weight)| {
            let value = match byte {
                b'0'..=b'9' => byte - b'0',
                b'A'..=b'N' => byte - b'A' + 10,
                _ => byte.saturating_sub(b'A') + 11,
            };
            u32::from(value) * weight
        })
        .sum();
    if (10 - sum % 10) % 10 == u32::from(check) { Verdict::Valid } else { Verdict::Unknown }
}

/// A taxpayer key of a person (13 characters) or a company (12): letters of the name, a date,
/// a homonym's code of which the last is a check digit modulo 11.
///
/// `Unknown` also where the check digit is wrong, since many were issued before it was reckoned.
fn rfc(bytes: &[u8]) -> Verdict {
    let mut code = [0u8; 13];
    let mut len = 0;
    // Of the two bytes of Ñ the second stands for it.
    for &byte in bytes.iter().filter(|byte| !b" -\xC3".contains(byte)) {
        let Some(place) = code.get_mut(len) else { return Verdict::Invalid };
        *place = byte.to_ascii_uppercase();
        len += 1;
    }
    let name = match len {
        13 => 4,
        12 => 3,
        _ => return Verdict::Invalid,
    };
    // Generic keys for the public and for foreigners.
    if code.starts_with(b"XAXX010101") || code.starts_with(b"XEXX010101") || !date(&code[name..]) {
        return Verdict::Invalid;
    }
    let value = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'A'..=b'N' => byte - b'A' + 10,
        b'&' => 24,
        b'O'..=b'Z' => byte - b'A' + 11,
        _ => 38, // Ñ
    };
    // Companies have a space in front, which counts 37.
    let sum: u32 = code[..len - 1]
        .iter()
        .rev()
        .zip(2..)
        .map(|(&byte, weight)| u32::from(value(byte)) * weight)
        .sum::<u32>()
        + if name == 3 { 37 * 13 } else { 0 };
    let want = match (11 - sum % 11) % 11 {
        10 => b'A',
        digit => b'0' + digit as u8,
    };
    if code[len - 1] == want { Verdict::Valid } else { Verdict::Unknown }
}

/// A social security number: eleven digits with Luhn.
fn nss(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<11>::read(bytes, b" -") else { return Verdict::Invalid };
    let digits = digits.as_slice();
    unknown_if(digits.len() == 11 && !uniform(digits) && luhn_holds(digits))
}

/// A standardised bank account: 17 digits under the weights 3, 7, 1, each product modulo 10, and
/// a check digit.
fn clabe(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<18>::read(bytes, b" -") else { return Verdict::Invalid };
    let digits = digits.as_slice();
    let sum = weighted_sum(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7, 1]);
    unknown_if(digits.len() == 18 && !uniform(digits) && sum.is_multiple_of(10))
}

/// An elector's key: consonants of the name, date of birth, state, sex and three digits.
fn elector(bytes: &[u8]) -> Verdict {
    let [name @ .., _, _, sex, a, b, c] = bytes else { return Verdict::Invalid };
    let tail = [a, b, c].into_iter().all(u8::is_ascii_digit);
    let sex = matches!(sex.to_ascii_uppercase(), b'H' | b'M');
    let born = name.len() == 12 && date(&name[6..]);
    valid_if(born && sex && tail && name[..6].iter().all(u8::is_ascii_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn people() {
        // The first is the register's printed example.
        all(curp, Verdict::Valid, &["BOXW310820HNERXN09", "boxw310820hnerxn09"]);
        all(curp, Verdict::Unknown, &["BOXW310820HNERXN08"]);
        all(
            curp,
            Verdict::Invalid,
            &["BOXW311320HNERXN09", "BOXW310820ZNERXN09", "BOXW310820HZZRXN09", "BOXW310820", ""],
        );
        all(elector, Verdict::Valid, &["GMVLMR80070501M100"]);
        all(elector, Verdict::Invalid, &["GMVLMR80130501M100", "GMVLMR80070501X100", "GMV", ""]);
    }

    #[test]
    fn taxpayers_and_insured() {
        all(
            rfc,
            Verdict::Valid,
            &["GODE561231GR8", "godE-561231-GR8", "MAB9307148T4", "ÑAMR870309K40"],
        );
        all(rfc, Verdict::Unknown, &["GODE561231GR9"]);
        all(rfc, Verdict::Invalid, &["GODE561331GR8", "XAXX010101000", "GODE561231", ""]);
        all(nss, Verdict::Unknown, &["92919084431", "9291-90-8443-1"]);
        all(nss, Verdict::Invalid, &["92919084430", "9291908443", "00000000000", ""]);
    }

    #[test]
    fn accounts() {
        all(clabe, Verdict::Unknown, &["032180000118359719", "002010077777777771"]);
        all(clabe, Verdict::Invalid, &["032180000118359718", "03218000011835971", ""]);
    }
}

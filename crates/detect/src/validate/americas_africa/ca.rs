//! Canada.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::super::digits::{Digits, luhn_holds, uniform};
use super::birth::is_day;
use super::unknown_if;
use crate::validator::Verdict;

pub(super) const TABLE: Table =
    &[("ca_bc_phn", bc_phn), ("ca_bn", bn), ("ca_ohip", ohip), ("ca_ramq", ramq), ("ca_sin", sin)];

/// A social insurance number: nine digits with Luhn; none issued begins with 0 or 8.
///
/// `Unknown` when it holds: one in ten passes.
fn sin(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<9>::read(bytes, b" -") else { return Verdict::Invalid };
    let digits = digits.as_slice();
    let first = digits.first().is_some_and(|first| !matches!(first, 0 | 8));
    unknown_if(digits.len() == 9 && first && !uniform(digits) && luhn_holds(digits))
}

/// A business number with a program account, as `123456782RT0001`: Luhn over its nine digits.
fn bn(bytes: &[u8]) -> Verdict {
    let end = bytes.iter().position(u8::is_ascii_alphabetic).unwrap_or(bytes.len());
    let Some(digits) = Digits::<9>::read(&bytes[..end], b" -") else { return Verdict::Invalid };
    let digits = digits.as_slice();
    unknown_if(digits.len() == 9 && !uniform(digits) && luhn_holds(digits))
}

/// A health card of Ontario: ten digits with Luhn, none begins with 0, perhaps with a version code.
fn ohip(bytes: &[u8]) -> Verdict {
    let end = bytes.iter().position(u8::is_ascii_alphabetic).unwrap_or(bytes.len());
    let Some(digits) = Digits::<10>::read(&bytes[..end], b" -") else { return Verdict::Invalid };
    let digits = digits.as_slice();
    let issued = digits.first().is_some_and(|&first| first != 0);
    unknown_if(digits.len() == 10 && issued && !uniform(digits) && luhn_holds(digits))
}

/// A health insurance number of Quebec: letters of the name, year, month (plus 50 for women), day
/// and two digits more.
fn ramq(bytes: &[u8]) -> Verdict {
    let mut rest = bytes.iter().copied().filter(|&byte| byte != b' ' && byte != b'-');
    let letters = rest.by_ref().take(4).filter(u8::is_ascii_alphabetic).count() == 4;
    let mut digits = [0u8; 8];
    for place in &mut digits {
        match rest.next() {
            Some(byte) if byte.is_ascii_digit() => *place = byte - b'0',
            _ => return Verdict::Invalid,
        }
    }
    let pair = |at: usize| u32::from(digits[at]) * 10 + u32::from(digits[at + 1]);
    let month = pair(2) - if pair(2) > 50 { 50 } else { 0 };
    unknown_if(letters && rest.next().is_none() && is_day(pair(0), month, pair(4)))
}

/// A personal health number of British Columbia: 9, then eight digits under weights modulo 11, and
/// the check digit.
fn bc_phn(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<10>::read(bytes, b" -") else { return Verdict::Invalid };
    let [9, body @ .., check] = digits.as_slice() else { return Verdict::Invalid };
    let rest = weighted_sum(body, &[2, 4, 8, 5, 10, 9, 7, 3]) % 11;
    unknown_if(body.len() == 8 && 11 - rest == u32::from(*check))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn social_insurance_numbers() {
        // The second is of the kind that temporary residents have.
        all(sin, Verdict::Unknown, &["520 318 445", "901-234-567", "520318445"]);
        all(
            sin,
            Verdict::Invalid,
            &["520 318 446", "020 318 440", "820318442", "52031844", "5203184460", "111111111", ""],
        );
    }

    #[test]
    fn business_numbers() {
        all(bn, Verdict::Unknown, &["123456782RT0001", "123456782 RC 0002"]);
        all(bn, Verdict::Invalid, &["123456789RT0001", "12345678RT0001", "RT0001", ""]);
    }

    #[test]
    fn health_cards() {
        all(ohip, Verdict::Unknown, &["5584-486-673-YM", "5584486673"]);
        all(ohip, Verdict::Invalid, &["5584-486-675-YM", "558448667", "0000000000", ""]);
        all(ramq, Verdict::Unknown, &["BOUF 9401 1419", "TREM87530912", "TREM00022915"]);
        all(ramq, Verdict::Invalid, &["BOUF 9413 1419", "BOU 9401 1419", "BOUF 9401 141", ""]);
        all(bc_phn, Verdict::Unknown, &["9698 658 215", "9698658215"]);
        all(bc_phn, Verdict::Invalid, &["9698658216", "8698658215", "969865821", ""]);
    }
}

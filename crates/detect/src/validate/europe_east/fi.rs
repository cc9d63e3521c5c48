//! Finland.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{exactly, is_date, number, unknown_if, valid_if, without_country};
use crate::validator::Verdict;

pub(super) const TABLE: Table =
    &[("fi_business_id", business_id), ("fi_hetu", hetu), ("fi_satu", satu), ("fi_vat", vat)];

/// The control characters: no G, I, O, Q and Z.
const CONTROL: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";

/// A personal identity code: a date of birth, a sign of the century, three digits and a control character
/// modulo 31. Since 2023 each century has several signs.
fn hetu(bytes: &[u8]) -> Verdict {
    let Some((birth, [sign, individual @ .., control])) = bytes.split_first_chunk::<6>() else {
        return Verdict::Invalid;
    };
    let century = match sign.to_ascii_uppercase() {
        b'+' => 1800,
        b'-' | b'U'..=b'Y' => 1900,
        b'A'..=b'F' => 2000,
        _ => return Verdict::Invalid,
    };
    let (Some(date), Some(individual)) = (exactly_any::<6>(birth), exactly_any::<3>(individual))
    else {
        return Verdict::Invalid;
    };
    let [day, month, year] = [0, 2, 4].map(|at| number(&date[at..at + 2]));
    let place = (number(&date) * 1000 + number(&individual)) % 31;
    valid_if(
        is_date(century + year, month, day)
            && control.to_ascii_uppercase() == CONTROL[place as usize],
    )
}

/// Digits and nothing else; they may be all the same.
fn exactly_any<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let bytes: [u8; N] = bytes.try_into().ok()?;
    bytes.iter().all(u8::is_ascii_digit).then(|| bytes.map(|byte| byte - b'0'))
}

/// An electronic client identifier: eight digits and a control character.
fn satu(bytes: &[u8]) -> Verdict {
    let Some((control, digits)) = bytes.split_last() else { return Verdict::Invalid };
    let expected = exactly::<8>(digits).map(|digits| CONTROL[(number(&digits) % 31) as usize]);
    unknown_if(expected == Some(control.to_ascii_uppercase()))
}

/// A business identity code: seven digits and a check digit modulo 11.
fn business_id(bytes: &[u8]) -> Verdict {
    unknown_if(exactly::<8>(bytes).is_some_and(|digits| business_id_holds(&digits)))
}

fn business_id_holds(digits: &[u8; 8]) -> bool {
    weighted_sum(digits, &[7, 9, 10, 5, 8, 4, 2, 1]).is_multiple_of(11)
}

/// A VAT number: the business identity code.
fn vat(bytes: &[u8]) -> Verdict {
    let digits = without_country(bytes, b"FI").and_then(exactly::<8>);
    unknown_if(digits.is_some_and(|digits| business_id_holds(&digits)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn personal_identity_codes() {
        // The register office's example, then each kind of sign.
        all(
            hetu,
            Verdict::Valid,
            &[
                "131052-308T",
                "010101A123N",
                "090387Y456C",
                "070608C789V",
                "290204A222H",
                "010199+0022",
            ],
        );
        all(
            hetu,
            Verdict::Invalid,
            &[
                "131052-308U",
                "131352-308T",
                "290200+3080",
                "131052G308T",
                "131052-30T",
                "131052-3088T",
                "131052",
                "",
            ],
        );
        all(satu, Verdict::Unknown, &["10011187H"]);
        all(satu, Verdict::Invalid, &["10011187J", "1001118H", "H", ""]);
    }

    #[test]
    fn companies() {
        all(business_id, Verdict::Unknown, &["2077474-0", "20774740"]);
        all(business_id, Verdict::Invalid, &["2077474-1", "2077474", ""]);
        all(vat, Verdict::Unknown, &["FI20774740", "FI 20774740"]);
        all(vat, Verdict::Invalid, &["FI20774741", ""]);
    }
}

//! Numbers issued in Singapore.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{digits, unknown_if, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("sg_nric", nric), ("sg_uen", uen)];

/// A series, seven digits and a check letter of eleven that the series has.
fn nric(bytes: &[u8]) -> Verdict {
    let [series, body @ .., check] = bytes else { return Verdict::Invalid };
    let Some(number) = digits::<7>(body) else { return Verdict::Invalid };
    let (offset, letters): (u32, &[u8; 11]) = match series.to_ascii_uppercase() {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return Verdict::Invalid,
    };
    let sum = offset + weighted_sum(&number, &[2, 7, 6, 5, 4, 3, 2]);
    valid_if(letters[sum as usize % 11] == check.to_ascii_uppercase())
}

/// The unique number of an entity: a business (eight digits), a company (a year and five digits), or any
/// other (`T`, `S` or `R`, a year of two digits, a type and four digits); and a check letter.
fn uen(bytes: &[u8]) -> Verdict {
    let Some((&check, body)) = bytes.split_last() else { return Verdict::Invalid };
    match body {
        // One letter in 26 is right by chance, and numbers before a letter are common.
        [_, _, _, _, _, _, _, _] => {
            let Some(number) = digits::<8>(body) else { return Verdict::Invalid };
            let sum = weighted_sum(&number, &[10, 4, 9, 3, 8, 2, 7, 1]);
            unknown_if(b"XMKECAWLJDB"[sum as usize % 11] == check)
        }
        [b'T' | b'S' | b'R', tail @ ..] if tail.len() == 8 => other(body, check),
        _ => {
            let Some(number) = digits::<9>(body) else { return Verdict::Invalid };
            let year = super::number(&number[..4]);
            let sum = weighted_sum(&number, &[10, 8, 6, 4, 9, 7, 5, 3, 1]);
            valid_if((1800..=2099).contains(&year) && b"ZKCMDNERGWH"[sum as usize % 11] == check)
        }
    }
}

fn other(body: &[u8], check: u8) -> Verdict {
    const VALUES: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWX0123456789";
    const WEIGHTS: [usize; 9] = [4, 3, 5, 3, 10, 2, 2, 5, 7];
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    if !digits(&body[1..3]) || !digits(&body[5..]) || !TYPES.contains(&&body[3..5]) {
        return Verdict::Invalid;
    }
    let mut sum = 0;
    for (byte, weight) in body.iter().zip(WEIGHTS) {
        let Some(value) = VALUES.iter().position(|value| value == byte) else {
            return Verdict::Invalid;
        };
        sum += value * weight;
    }
    // Less five, modulo eleven, without going below zero.
    valid_if(VALUES[(sum + 6) % 11] == check)
}

/// The types of entities that the registry lists.
#[rustfmt::skip]
const TYPES: &[&[u8]] = &[
    b"LP", b"LL", b"FC", b"PF", b"RF", b"MQ", b"MM", b"NB", b"CC", b"CS", b"MB", b"FM", b"GS", b"DP",
    b"CP", b"NR", b"CM", b"CD", b"MD", b"HS", b"VH", b"CH", b"MH", b"CL", b"XL", b"CX", b"HC", b"RP",
    b"TU", b"TC", b"FB", b"FN", b"PA", b"PB", b"SS", b"MC", b"SM", b"GA", b"GB",
];

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn identity_cards() {
        all(
            nric,
            Verdict::Valid,
            &["S1234567D", "T1234567J", "F1234567N", "G1234567X", "M1234567K"],
        );
        all(nric, Verdict::Valid, &["s1234567d"]);
        all(
            nric,
            Verdict::Invalid,
            &["S1234567A", "A1234567D", "S123456D", "S12345678D", "S1111111I", "SD", ""],
        );
    }

    #[test]
    fn entities() {
        // python-stdnum's and the registry's own.
        all(uen, Verdict::Unknown, &["00192200M"]);
        all(uen, Verdict::Valid, &["197401143C", "S16FC0121D", "T01FC6132D"]);
        all(
            uen,
            Verdict::Invalid,
            &[
                "00192200A",
                "197401143A",
                "117401143C",
                "S16FC0121A",
                "S16ZZ0121D",
                "SX6FC0121D",
                "C",
                "",
            ],
        );
    }
}

//! Numbers issued in Hong Kong.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{base36, digits, unknown_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("hk_id", identity_card)];

/// One or two letters, six digits and a check digit modulo 11, in brackets or not.
///
/// `Unknown` when it holds: one in eleven passes. The brackets are what is rare.
fn identity_card(bytes: &[u8]) -> Verdict {
    let mut plain = [0u8; 9];
    let mut len = 0;
    for &byte in bytes.iter().filter(|byte| !b"() ".contains(byte)) {
        let Some(place) = plain.get_mut(len) else { return Verdict::Invalid };
        *place = byte;
        len += 1;
    }
    let (letters, rest) = match &plain[..len] {
        [first, rest @ ..] if rest.len() == 7 => ([36, base36(*first).unwrap_or_default()], rest),
        [first, second, rest @ ..] if rest.len() == 7 => {
            ([*first, *second].map(|byte| base36(byte).unwrap_or_default()), rest)
        }
        _ => return Verdict::Invalid,
    };
    let Some(number) = digits::<6>(&rest[..6]) else { return Verdict::Invalid };
    let check = match rest[6] {
        digit @ b'0'..=b'9' => u32::from(digit - b'0'),
        b'A' | b'a' => 10,
        _ => return Verdict::Invalid,
    };
    let lettered = letters.iter().all(|&value| value >= 10);
    let sum = letters[0] * 9 + letters[1] * 8 + weighted_sum(&number, &[7, 6, 5, 4, 3, 2]) + check;
    unknown_if(lettered && sum.is_multiple_of(11))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn identity_cards() {
        // Computed by hand from the published weights.
        all(identity_card, Verdict::Unknown, &["G123456(A)", "AB987654(3)", "G123456A"]);
        all(
            identity_card,
            Verdict::Invalid,
            &["G123456(1)", "G12345(A)", "1123456(A)", "ABC987654(3)", "AB987654(4)", ""],
        );
    }
}

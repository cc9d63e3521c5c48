//! Portugal.

use super::super::Table;
use super::super::check_digits::{remainder, weighted_sum};
use super::super::digits::uniform;
use super::{Compact, digits, digits_after, judge};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("pt_cc", citizen_card),
    ("pt_nib", nib),
    ("pt_nif", nif),
    ("pt_niss", niss),
    ("pt_vat", vat),
];

/// A taxpayer's number: nine digits from 1 to 9 but 4, weights 9 to 1 modulo 11.
fn nif(bytes: &[u8]) -> Verdict {
    judge(digits::<9>(bytes).map(nif_holds), Verdict::Unknown)
}

/// The same after PT.
fn vat(bytes: &[u8]) -> Verdict {
    judge(digits_after::<9>(b"PT", bytes).map(nif_holds), Verdict::Unknown)
}

fn nif_holds(digits: [u8; 9]) -> bool {
    let kind = match digits[0] {
        0 => false,
        4 => digits[1] == 5,
        _ => true,
    };
    let rest = weighted_sum(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if rest < 2 { 0 } else { 11 - rest };
    kind && !uniform(&digits) && check == u32::from(digits[8])
}

/// The number of a citizen card: eight digits, their check digit, two places of the version and a check digit
/// over all, after Luhn with letters counting from 10.
fn citizen_card(bytes: &[u8]) -> Verdict {
    let holds = || {
        let compact = Compact::read(bytes)?;
        let text = compact.as_slice();
        let shaped = text.len() == 12
            && text[..9].iter().all(u8::is_ascii_digit)
            && text[9..11].iter().all(u8::is_ascii_alphanumeric)
            && text[11].is_ascii_digit();
        let sum: u32 = text
            .iter()
            .rev()
            .zip([1, 2].iter().cycle())
            .map(|(&byte, weight)| {
                let value = char::from(byte).to_digit(36).unwrap_or(0) * weight;
                if *weight == 2 && value > 9 { value - 9 } else { value }
            })
            .sum();
        Some(shaped && sum.is_multiple_of(10))
    };
    judge(holds(), Verdict::Unknown)
}

/// A social security number: eleven digits from 1 or 2, the first ten by primes.
fn niss(bytes: &[u8]) -> Verdict {
    let holds = digits::<11>(bytes).map(|digits| {
        let sum = weighted_sum(&digits, &[29, 23, 19, 17, 13, 11, 7, 5, 3, 2]);
        matches!(digits[0], 1 | 2) && 9 - sum % 10 == u32::from(digits[10])
    });
    judge(holds, Verdict::Unknown)
}

/// A bank account (NIB): 21 digits, 1 modulo 97.
fn nib(bytes: &[u8]) -> Verdict {
    judge(digits::<21>(bytes).map(|digits| remainder(&digits, 97) == 1), Verdict::Valid)
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn numbers() {
        assert_verdicts(nif, Verdict::Unknown, &["501964843", "238 471 926", "176402837"]);
        assert_verdicts(nif, Verdict::Invalid, &["501964842", "000000000", "50196484", ""]);
        assert_verdicts(vat, Verdict::Unknown, &["PT501964843", "pt 501964843"]);
        assert_verdicts(vat, Verdict::Invalid, &["PT501964842", "501964843", ""]);
        // The first is the example of the card's specification.
        assert_verdicts(
            citizen_card,
            Verdict::Unknown,
            &["00000000 0 ZZ4", "138472050ZY8", "207318468zx5"],
        );
        assert_verdicts(
            citizen_card,
            Verdict::Invalid,
            &["00000000 0 ZZ5", "138472050ZYA", "13847205", ""],
        );
        assert_verdicts(niss, Verdict::Unknown, &["17482019368", "20493187564"]);
        assert_verdicts(niss, Verdict::Invalid, &["17482019367", "37482019368", ""]);
        assert_verdicts(
            nib,
            Verdict::Valid,
            &["0035 0123 00004729163 49", "000704050001827463960"],
        );
        assert_verdicts(nib, Verdict::Invalid, &["003501230000472916350", ""]);
    }
}

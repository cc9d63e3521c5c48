//! Ireland.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{Compact, judge, values};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("ie_pps", pps), ("ie_vat", vat)];

/// A PPS number: seven digits, a check letter and, since 2013, a second letter that is checked too.
fn pps(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    judge(number_holds(compact.as_slice()), Verdict::Unknown)
}

/// A VAT number: the scheme of the PPS number, or an older one whose second place is a letter or sign.
fn vat(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    let holds = || {
        let number = compact.as_slice().strip_prefix(b"IE")?;
        match number {
            [first, series, middle @ .., check] if series.is_ascii_alphabetic() => {
                // The first digit moves to the place before the check letter.
                let mut reordered = [b'0'; 8];
                reordered[1..6].copy_from_slice(middle.get(..5).filter(|_| middle.len() == 5)?);
                reordered[6] = *first;
                reordered[7] = *check;
                number_holds(&reordered)
            }
            _ => number_holds(number),
        }
    };
    judge(holds(), Verdict::Unknown)
}

fn number_holds(text: &[u8]) -> Option<bool> {
    let digits = values::<7>(text.get(..7)?)?;
    let second = match text.get(8..)? {
        [] => 0,
        [b'W'] => 0,
        [letter @ b'A'..=b'I'] => u32::from(letter - b'A' + 1),
        _ => return None,
    };
    let rest = (weighted_sum(&digits, &[8, 7, 6, 5, 4, 3, 2]) + 9 * second) % 23;
    Some(b"WABCDEFGHIJKLMNOPQRSTUV"[rest as usize] == text[7])
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn numbers_with_a_check_letter() {
        assert_verdicts(pps, Verdict::Unknown, &["1234567T", "1234567FA", "1234567t"]);
        assert_verdicts(
            pps,
            Verdict::Invalid,
            &["1234567U", "1234567FB", "123456T", "1234567", ""],
        );
        assert_verdicts(vat, Verdict::Unknown, &["IE1234567T", "IE 6433435F", "IE8D79739I"]);
        assert_verdicts(vat, Verdict::Invalid, &["IE1234567U", "IE8D79739J", "IE8D7973", "IE", ""]);
    }
}

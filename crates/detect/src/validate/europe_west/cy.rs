//! Cyprus.

use super::super::Table;
use super::{Compact, judge, values};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("cy_tic", tic), ("cy_vat", vat)];

/// A taxpayer's code: eight digits and a letter over them.
fn tic(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    judge(holds(compact.as_slice()), Verdict::Unknown)
}

/// The same after CY.
fn vat(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    judge(compact.as_slice().strip_prefix(b"CY").and_then(holds), Verdict::Unknown)
}

fn holds(text: &[u8]) -> Option<bool> {
    const ODD: [u32; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let (&letter, digits) = text.split_last()?;
    let digits = values::<8>(digits)?;
    let sum: u32 = digits
        .iter()
        .enumerate()
        .map(
            |(place, &digit)| {
                if place % 2 == 0 { ODD[usize::from(digit)] } else { u32::from(digit) }
            },
        )
        .sum();
    // 12 is kept for other registers.
    Some(
        !digits.starts_with(&[1, 2])
            && letter.is_ascii_uppercase()
            && sum % 26 == u32::from(letter - b'A'),
    )
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn numbers() {
        assert_verdicts(tic, Verdict::Unknown, &["10259033P", "00374816m", "60482917B"]);
        assert_verdicts(tic, Verdict::Invalid, &["10259033Q", "1025903P", "102590333", ""]);
        assert_verdicts(vat, Verdict::Unknown, &["CY10259033P", "CY-10259033P"]);
        assert_verdicts(vat, Verdict::Invalid, &["CY10259033Q", "10259033P", "CY", ""]);
    }
}

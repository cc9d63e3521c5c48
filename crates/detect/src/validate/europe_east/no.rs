//! Norway.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{exactly, exactly_divided, is_date, number, unknown_if, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("no_fodselsnummer", fodselsnummer),
    ("no_kontonummer", kontonummer),
    ("no_orgnr", orgnr),
    ("no_vat", vat),
];

/// A national identity number: a date of birth, three digits and two check digits. D-numbers add 40 to the
/// day, H-numbers 40 to the month; synthetic people have 65 or 80 added to it.
fn fodselsnummer(bytes: &[u8]) -> Verdict {
    let Some(digits) = exactly::<11>(bytes) else { return Verdict::Invalid };
    let [day, month, year] = [0, 2, 4].map(|at| number(&digits[at..at + 2]));
    let day = if day > 40 { day - 40 } else { day };
    let month = match month {
        41..=52 => month - 40,
        66..=77 => month - 65,
        81..=92 => month - 80,
        _ => month,
    };
    valid_if(
        is_date(2000 + year, month, day)
            && weighted_sum(&digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
            && weighted_sum(&digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11),
    )
}

/// An organisation number: nine digits from 8 or 9 with a check digit modulo 11.
fn orgnr(bytes: &[u8]) -> Verdict {
    unknown_if(exactly::<9>(bytes).is_some_and(|digits| orgnr_holds(&digits)))
}

fn orgnr_holds(digits: &[u8; 9]) -> bool {
    digits[0] >= 8 && weighted_sum(digits, &[3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// An organisation number marked as registered for VAT.
fn vat(bytes: &[u8]) -> Verdict {
    let digits = exactly_divided::<9>(bytes, b"NOnoMVAmva .");
    valid_if(digits.is_some_and(|digits| orgnr_holds(&digits)))
}

/// A bank account: four digits of the bank, two, four and a check digit modulo 11.
fn kontonummer(bytes: &[u8]) -> Verdict {
    const WEIGHTS: [u32; 11] = [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1];
    let digits = exactly::<11>(bytes);
    unknown_if(digits.is_some_and(|d| weighted_sum(&d, &WEIGHTS).is_multiple_of(11)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn identity_numbers() {
        // A birth number, a D-number, and two of synthetic people.
        let good = ["15078695150", "150786 95231", "55078695063", "15478695133", "15878695116"];
        all(fodselsnummer, Verdict::Valid, &good);
        all(
            fodselsnummer,
            Verdict::Invalid,
            &["15078695151", "15078695160", "32078695150", "15138695150", "1507869515", ""],
        );
    }

    #[test]
    fn organisation_numbers() {
        all(orgnr, Verdict::Unknown, &["974 760 673", "974760673"]); // Brønnøysund's own
        all(orgnr, Verdict::Invalid, &["974760674", "774760673", "97476067", ""]);
        all(vat, Verdict::Valid, &["NO 974 760 673 MVA", "974760673MVA", "NO974760673mva"]);
        all(vat, Verdict::Invalid, &["NO974760674MVA", "MVA", "NO", ""]);
    }

    #[test]
    fn bank_accounts() {
        all(kontonummer, Verdict::Unknown, &["8601.11.17947", "86011117947"]);
        all(kontonummer, Verdict::Invalid, &["8601.11.17948", "8601.11.1794", ""]);
    }
}

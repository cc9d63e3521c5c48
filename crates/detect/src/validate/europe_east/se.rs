//! Sweden.

use super::super::Table;
use super::super::digits::luhn_holds;
use super::{exactly, is_date, is_time, number, unknown_if, valid_if, without_country};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("se_organisationsnummer", organisationsnummer),
    ("se_personnummer", personnummer),
    ("se_vat", vat),
];

/// A personal identity number or a co-ordination number (60 is added to the day): a date of birth with or
/// without the century, three digits, and the Luhn digit over the last ten.
fn personnummer(bytes: &[u8]) -> Verdict {
    let (century, digits) = match exactly::<12>(bytes) {
        Some([a, b, rest @ ..]) => (Some(number(&[a, b])), rest),
        None => match exactly::<10>(bytes) {
            Some(digits) => (None, digits),
            None => return Verdict::Invalid,
        },
    };
    let [year, month, day] = [0, 2, 4].map(|at| number(&digits[at..at + 2]));
    let day = if day > 60 { day - 60 } else { day };
    // Without a century any leap year may be meant.
    let date = match century {
        Some(century) => (18..=20).contains(&century) && is_date(century * 100 + year, month, day),
        None => is_date(2000 + year, month, day),
    };
    if !date || !luhn_holds(&digits) {
        Verdict::Invalid
    } else if is_time(&digits[6..]) {
        Verdict::Unknown
    } else {
        Verdict::Valid
    }
}

/// An organisation number: ten digits, of which the third is at least 2 so that it is no month, with a Luhn
/// digit; 16 may stand before it in place of a century.
fn organisationsnummer(bytes: &[u8]) -> Verdict {
    let digits = match exactly::<12>(bytes) {
        Some([1, 6, rest @ ..]) => Some(rest),
        _ => exactly::<10>(bytes),
    };
    unknown_if(digits.is_some_and(|digits| digits[2] >= 2 && luhn_holds(&digits)))
}

/// A VAT number: the organisation or personal number and 01.
fn vat(bytes: &[u8]) -> Verdict {
    let digits = without_country(bytes, b"SE").and_then(exactly::<12>);
    valid_if(digits.is_some_and(|digits| digits[10..] == [0, 1] && luhn_holds(&digits[..10])))
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn personal_identity_numbers() {
        // The first is of the tax agency's list for tests; 701063 begins a co-ordination number.
        let good = ["189001019802", "18900101-9802", "900101+9802", "19701063-2391", "811228-9874"];
        all(personnummer, Verdict::Valid, &good);
        all(
            personnummer,
            Verdict::Invalid,
            &[
                "18900101-9803",
                "19811328-9874",
                "811232-9874",
                "19230229-2380",
                "21811228-9874",
                "811228987",
                "8112289-8741",
                "",
            ],
        );
        // Also 11:50 of some day.
        all(personnummer, Verdict::Unknown, &["20240131-1150"]);
    }

    #[test]
    fn organisation_numbers() {
        all(organisationsnummer, Verdict::Unknown, &["202100-5489", "2021005489", "16202100-5489"]);
        all(
            organisationsnummer,
            Verdict::Invalid,
            &["202100-5488", "811228-9874", "20202100-5489", "202100-548", ""],
        );
        all(vat, Verdict::Valid, &["SE202100548901", "SE 202100548901"]);
        all(
            vat,
            Verdict::Invalid,
            &["SE202100548801", "SE202100548902", "SE20210054890", "SE", ""],
        );
    }
}

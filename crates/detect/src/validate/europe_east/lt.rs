//! Lithuania.

use super::super::Table;
use super::ee::two_rounds_hold;
use super::{exactly, unknown_if, without_country};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("lt_imones_kodas", imones_kodas), ("lt_vat", vat)];

/// A company code: eight digits and a check digit.
fn imones_kodas(bytes: &[u8]) -> Verdict {
    unknown_if(exactly::<9>(bytes).is_some_and(|digits| two_rounds_hold(&digits)))
}

/// A VAT number of a company (nine digits) or of a payer registered for a time (twelve): a 1 before the
/// check digit.
fn vat(bytes: &[u8]) -> Verdict {
    let Some(number) = without_country(bytes, b"LT") else { return Verdict::Invalid };
    let company = exactly::<9>(number).is_some_and(|d| d[7] == 1 && two_rounds_hold(&d));
    let passing = exactly::<12>(number).is_some_and(|d| d[10] == 1 && two_rounds_hold(&d));
    unknown_if(company || passing)
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn companies() {
        all(imones_kodas, Verdict::Unknown, &["119511515"]);
        all(imones_kodas, Verdict::Invalid, &["119511516", "11951151", ""]);
        all(vat, Verdict::Unknown, &["LT119511515", "LT100001919017", "LT 100004801610"]);
        all(vat, Verdict::Invalid, &["LT100001919018", "LT119511525", "LT10000191901", ""]);
    }
}

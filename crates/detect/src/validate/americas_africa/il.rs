//! Israel.

use super::super::Table;
use super::super::digits::{Digits, luhn_holds, uniform};
use super::unknown_if;
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("il_id", id)];

/// An identity or company number: nine digits, zeros in front included, weighted 1 and 2 in turn,
/// which is Luhn.
///
/// `Unknown` when it holds: one in ten passes.
fn id(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<9>::read(bytes, b" -") else { return Verdict::Invalid };
    let digits = digits.as_slice();
    unknown_if(digits.len() == 9 && !uniform(digits) && luhn_holds(digits))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn identity_numbers() {
        all(id, Verdict::Unknown, &["516179157", "51617915-7", "039337423"]);
        all(id, Verdict::Invalid, &["516179150", "51617915", "000000000", ""]);
    }
}

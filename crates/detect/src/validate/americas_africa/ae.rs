//! The United Arab Emirates.

use super::super::Table;
use super::super::digits::{Digits, luhn_holds};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("ae_id", id)];

/// An identity card: 784, the year of birth, seven digits and Luhn.
///
/// Grouped as it is printed it stays `Unknown` where Luhn fails: 784 and a year leave no doubt what
/// it was meant to be.
fn id(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<15>::read(bytes, b" -") else { return Verdict::Invalid };
    let issued = digits.number(0, 3) == Some(784)
        && matches!(digits.number(3, 7), Some(1900..=2099))
        && digits.as_slice().len() == 15;
    let grouped = bytes.len() > 15;
    match (issued, luhn_holds(digits.as_slice())) {
        (true, true) => Verdict::Valid,
        (true, false) if grouped => Verdict::Unknown,
        _ => Verdict::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn identity_cards() {
        all(id, Verdict::Valid, &["784-1980-1234567-8", "784198012345678"]);
        all(id, Verdict::Unknown, &["784-1980-1234567-9"]);
        all(
            id,
            Verdict::Invalid,
            &["784198012345679", "784-1780-1234567-8", "785-1980-1234567-8", "784-1980", ""],
        );
    }
}

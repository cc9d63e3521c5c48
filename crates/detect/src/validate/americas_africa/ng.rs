//! Nigeria.

use super::super::Table;
use super::super::check_digits::verhoeff_holds;
use super::super::digits::{Digits, uniform};
use super::unknown_if;
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("ng_nin", nin)];

/// A national identification number: eleven digits with Verhoeff's check digit.
///
/// `Unknown` when it holds: one in ten passes.
fn nin(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<11>::read(bytes, b" -") else { return Verdict::Invalid };
    let digits = digits.as_slice();
    unknown_if(digits.len() == 11 && !uniform(digits) && verhoeff_holds(digits))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn national_numbers() {
        all(nin, Verdict::Unknown, &["48210736591"]);
        all(nin, Verdict::Invalid, &["48210736590", "4821073659", "00000000000", ""]);
    }
}

//! Saudi Arabia.

use super::super::Table;
use super::super::digits::{Digits, luhn_holds, uniform};
use super::unknown_if;
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("sa_id", id)];

/// A national identity (1) or a resident's (2): ten digits with Luhn.
///
/// `Unknown` when it holds: two in a hundred pass, and times in seconds begin with 1 as well.
fn id(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<10>::read(bytes, b" -") else { return Verdict::Invalid };
    let digits = digits.as_slice();
    let kind = matches!(digits.first(), Some(1 | 2));
    unknown_if(digits.len() == 10 && kind && !uniform(&digits[1..]) && luhn_holds(digits))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn identity_numbers() {
        all(id, Verdict::Unknown, &["1032547695", "2358471098"]);
        all(id, Verdict::Invalid, &["1032547690", "3032547695", "103254769", ""]);
    }
}

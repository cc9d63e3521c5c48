//! Numbers issued in Vietnam.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::super::digits::{Digits, uniform};
use super::{SEPARATORS, digits, number, unknown_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("vn_cccd", citizen), ("vn_mst", taxpayer)];

/// A province, a digit for sex and century, a year and six digits.
fn citizen(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<12>(bytes) else { return Verdict::Invalid };
    unknown_if((1..=96).contains(&number(&digits[..3])) && digits[3] <= 3)
}

/// Nine digits and a check digit modulo 11, then perhaps a branch of three digits.
fn taxpayer(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<13>::read(bytes, SEPARATORS) else { return Verdict::Invalid };
    let digits = digits.as_slice();
    if !matches!(digits.len(), 10 | 13) || uniform(&digits[..10]) {
        return Verdict::Invalid;
    }
    let rest = weighted_sum(&digits[..9], &[31, 29, 23, 19, 17, 13, 7, 5, 3]) % 11;
    unknown_if(10 - rest == u32::from(digits[9]))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn citizens_and_taxpayers() {
        all(citizen, Verdict::Unknown, &["001088012345", "079 301 012 345"]);
        all(
            citizen,
            Verdict::Invalid,
            &["000088012345", "097088012345", "001488012345", "00108801234", ""],
        );
        // python-stdnum's.
        all(taxpayer, Verdict::Unknown, &["0100233488", "0314409058-002"]);
        all(taxpayer, Verdict::Invalid, &["0100233489", "010023348", "01002334880", ""]);
    }
}

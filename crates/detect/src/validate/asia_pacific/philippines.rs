//! Numbers issued in the Philippines.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::super::digits::{Digits, uniform};
use super::{SEPARATORS, digits, unknown_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("ph_philhealth", health_insurance), ("ph_tin", taxpayer)];

/// Eight digits and a check digit modulo 11, then perhaps a branch of three or five digits.
fn taxpayer(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<14>::read(bytes, SEPARATORS) else { return Verdict::Invalid };
    match digits.as_slice() {
        digits if !matches!(digits.len(), 9 | 12 | 14) || uniform(&digits[..9]) => Verdict::Invalid,
        digits => {
            let rest = weighted_sum(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
            unknown_if(rest == u32::from(digits[8]))
        }
    }
}

/// Eleven digits and a check digit modulo 11.
fn health_insurance(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<12>(bytes) else { return Verdict::Invalid };
    let rest = weighted_sum(&digits[..11], &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) % 11;
    unknown_if((11 - rest) % 11 == u32::from(digits[11]))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn taxpayers() {
        all(taxpayer, Verdict::Unknown, &["203-118-741-000", "203118741", "203-118-741-00000"]);
        all(
            taxpayer,
            Verdict::Invalid,
            &["203-118-742-000", "203-118-74", "203-118-741-0000", "000000000", ""],
        );
    }

    #[test]
    fn insured() {
        all(health_insurance, Verdict::Unknown, &["12-000015726-6"]);
        all(health_insurance, Verdict::Invalid, &["12-000015726-5", "12-00001572-6", ""]);
    }
}

//! Colombia.

use super::super::Table;
use super::super::digits::{Digits, uniform};
use super::unknown_if;
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("co_nit", nit)];

/// A tax identification: eight to ten digits, and a check digit under the tax office's primes
/// modulo 11.
fn nit(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<11>::read(bytes, b". -") else { return Verdict::Invalid };
    let Some((&check, body)) = digits.as_slice().split_last() else { return Verdict::Invalid };
    let sum: u32 = body
        .iter()
        .rev()
        .zip([3, 7, 13, 17, 19, 23, 29, 37, 41, 43])
        .map(|(&digit, weight)| u32::from(digit) * weight)
        .sum();
    let want = match sum % 11 {
        rest @ (0 | 1) => rest,
        rest => 11 - rest,
    };
    unknown_if((8..=10).contains(&body.len()) && !uniform(body) && want == u32::from(check))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn taxpayers() {
        // The tax office's own number comes second.
        all(nit, Verdict::Unknown, &["213.123.432-1", "800.197.268-4", "800197268-4"]);
        all(nit, Verdict::Invalid, &["213.123.432-2", "111.111.111-1", "1234-5", ""]);
    }
}

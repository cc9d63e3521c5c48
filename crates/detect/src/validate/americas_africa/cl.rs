//! Chile.

use super::super::Table;
use super::super::digits::{Digits, uniform};
use super::unknown_if;
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("cl_rut", rut)];

/// A national or tax role: seven or eight digits and a check digit modulo 11, of which ten is K.
///
/// `Unknown` when it holds: one in eleven passes.
fn rut(bytes: &[u8]) -> Verdict {
    let Some((&check, body)) = bytes.split_last() else { return Verdict::Invalid };
    let Some(digits) = Digits::<8>::read(body, b".- ") else { return Verdict::Invalid };
    let digits = digits.as_slice();
    let sum: u32 = digits
        .iter()
        .rev()
        .zip([2, 3, 4, 5, 6, 7].into_iter().cycle())
        .map(|(&digit, weight)| u32::from(digit) * weight)
        .sum();
    let want = match 11 - sum % 11 {
        11 => b'0',
        10 => b'K',
        digit => b'0' + digit as u8,
    };
    unknown_if(digits.len() >= 7 && !uniform(digits) && check.to_ascii_uppercase() == want)
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn roles() {
        all(rut, Verdict::Unknown, &["12.531.909-2", "12531909-2", "7.654.333-K", "7654333-k"]);
        all(
            rut,
            Verdict::Invalid,
            &["12.531.909-3", "12.531.909-K", "531.909-2", "11111111-1", ""],
        );
    }
}

//! Argentina.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::super::digits::{Digits, uniform};
use super::{unknown_if, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table =
    &[("ar_cbu", cbu), ("ar_cuit", cuit), ("ar_cuit_grouped", cuit_grouped)];

fn cuit_holds(bytes: &[u8]) -> bool {
    let Some(digits) = Digits::<11>::read(bytes, b" -.") else { return false };
    let kind = matches!(digits.number(0, 2), Some(20 | 23..=27 | 30 | 33 | 34 | 50 | 51 | 55));
    let digits = digits.as_slice();
    let Some((&check, body)) = digits.split_last() else { return false };
    let want = match 11 - weighted_sum(body, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        11 => 0,
        other => other,
    };
    digits.len() == 11 && kind && want == u32::from(check) && !uniform(&digits[2..10])
}

/// A tax or labour identification: kind, eight digits, a check digit modulo 11.
///
/// `Unknown` when it holds: one in a hundred runs of eleven digits passes.
fn cuit(bytes: &[u8]) -> Verdict {
    unknown_if(cuit_holds(bytes))
}

/// The same, grouped as it is written: 2, 8 and 1.
fn cuit_grouped(bytes: &[u8]) -> Verdict {
    valid_if(cuit_holds(bytes))
}

/// A uniform bank or virtual account: bank and branch with a check digit, account with another.
fn cbu(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<22>::read(bytes, b" -") else { return Verdict::Invalid };
    let digits = digits.as_slice();
    if digits.len() != 22 || uniform(digits) {
        return Verdict::Invalid;
    }
    let (branch, account) = digits.split_at(8);
    let right = |block: &[u8], weights: &[u32]| {
        block.split_last().is_some_and(|(&check, body)| {
            (10 - weighted_sum(body, weights) % 10) % 10 == u32::from(check)
        })
    };
    let branch = right(branch, &[7, 1, 3, 9, 7, 1, 3]);
    valid_if(branch && right(account, &[3, 9, 7, 1, 3, 9, 7, 1, 3, 9, 7, 1, 3]))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn taxpayers() {
        // The second is the national bank's.
        all(cuit, Verdict::Unknown, &["20-05536168-2", "30500010912", "20055361682"]);
        all(cuit_grouped, Verdict::Valid, &["20-05536168-2"]);
        all(cuit, Verdict::Invalid, &["20-05536168-3", "21-05536168-2", "2005536168", ""]);
        all(cuit_grouped, Verdict::Invalid, &["20-05536168-3", ""]);
    }

    #[test]
    fn accounts() {
        all(cbu, Verdict::Valid, &["2850590940090418135201", "28505909 40090418135201"]);
        all(
            cbu,
            Verdict::Invalid,
            &["2850590940090418135202", "2810590940090418135201", "285", ""],
        );
    }
}

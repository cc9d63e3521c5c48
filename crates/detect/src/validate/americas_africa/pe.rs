//! Peru.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::super::digits::{Digits, uniform};
use super::unknown_if;
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("pe_ruc", ruc)];

/// A taxpayer number: kind, eight digits of the person or company, a check digit modulo 11.
fn ruc(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<11>::read(bytes, b"-") else { return Verdict::Invalid };
    let kind = matches!(digits.number(0, 2), Some(10 | 15..=17 | 20));
    let digits = digits.as_slice();
    let Some((&check, body)) = digits.split_last() else { return Verdict::Invalid };
    let want = (11 - weighted_sum(body, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 10;
    unknown_if(digits.len() == 11 && kind && !uniform(&body[2..]) && want == u32::from(check))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn taxpayers() {
        // The tax office's own number comes first.
        all(ruc, Verdict::Unknown, &["20131312955", "20512333797"]);
        all(ruc, Verdict::Invalid, &["20131312956", "21131312955", "2013131295", ""]);
    }
}

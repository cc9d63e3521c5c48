//! Russia.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{exactly, unknown_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("ru_inn", inn), ("ru_ogrn", ogrn), ("ru_snils", snils)];

/// A taxpayer's number: ten digits of a company, the last a check digit, or twelve of a person, the last two.
fn inn(bytes: &[u8]) -> Verdict {
    const WEIGHTS: [u32; 11] = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8];
    // The weights of a check digit are the last of these, as many as digits stand before it.
    let holds = |digits: &[u8]| match digits.split_last() {
        Some((&check, body)) => {
            weighted_sum(body, &WEIGHTS[WEIGHTS.len() - body.len()..]) % 11 % 10 == u32::from(check)
        }
        None => false,
    };
    if let Some(digits) = exactly::<10>(bytes) {
        return unknown_if(holds(&digits));
    }
    let Some(digits) = exactly::<12>(bytes) else { return Verdict::Invalid };
    unknown_if(holds(&digits[..11]) && holds(&digits))
}

/// An insurance account: nine digits and two that check them, as numbers above 001-001-998 have.
fn snils(bytes: &[u8]) -> Verdict {
    let Some(digits) = exactly::<11>(bytes) else { return Verdict::Invalid };
    let check = weighted_sum(&digits[..9], &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100;
    unknown_if(check == u32::from(digits[9]) * 10 + u32::from(digits[10]))
}

/// A number of the register of companies (13 digits) or of sole traders (15): what is left of the others, modulo 11
/// or 13, without its tens.
fn ogrn(bytes: &[u8]) -> Verdict {
    let holds = |digits: &[u8], modulus: u64| match digits.split_last() {
        Some((&check, body)) => {
            let number = body.iter().fold(0, |number, &digit| number * 10 + u64::from(digit));
            number % modulus % 10 == u64::from(check)
        }
        None => false,
    };
    if let Some(digits) = exactly::<13>(bytes) {
        return unknown_if(holds(&digits, 11));
    }
    let Some(digits) = exactly::<15>(bytes) else { return Verdict::Invalid };
    unknown_if(holds(&digits, 13))
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn taxpayers() {
        // A bank's own, and the example of a person's number that circulates since the rules came out.
        all(inn, Verdict::Unknown, &["7707083893", "500100732259"]);
        all(
            inn,
            Verdict::Invalid,
            &["7707083894", "500100732258", "500100732359", "770708389", ""],
        );
        all(ogrn, Verdict::Unknown, &["1027700132195", "304500116000157"]);
        all(ogrn, Verdict::Invalid, &["1027700132196", "304500116000158", "102770013219", ""]);
    }

    #[test]
    fn the_insured() {
        // The example of the pension fund.
        all(snils, Verdict::Unknown, &["112-233-445 95", "11223344595"]);
        all(snils, Verdict::Invalid, &["112-233-445 96", "1122334459", "00000000000", ""]);
    }
}

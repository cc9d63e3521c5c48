//! Numbers issued in Thailand.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::{digits, number, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("th_tin", juristic_person), ("th_tnin", national_id)];

/// A kind of person, a province (ISO 3166-2:TH), ten digits and a check digit modulo 11.
fn national_id(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<13>(bytes) else { return Verdict::Invalid };
    let province = matches!(
        number(&digits[1..3]),
        10..=27 | 30..=58 | 60..=67 | 70..=77 | 80..=86 | 90..=96
    );
    valid_if((1..=8).contains(&digits[0]) && province && holds(&digits))
}

/// The tax number of companies: 0 first, no province.
fn juristic_person(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<13>(bytes) else { return Verdict::Invalid };
    valid_if(digits[0] == 0 && holds(&digits))
}

fn holds(digits: &[u8; 13]) -> bool {
    let rest = weighted_sum(&digits[..12], &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    (11 - rest) % 10 == u32::from(digits[12])
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn people_and_companies() {
        all(national_id, Verdict::Valid, &["1-1017-00230-70-8", "1101700230708"]);
        all(
            national_id,
            Verdict::Invalid,
            &["1101700230707", "1281700230708", "9101700230708", "110170023070", ""],
        );
        // A large company's.
        all(juristic_person, Verdict::Valid, &["0107544000108"]);
        all(juristic_person, Verdict::Invalid, &["0107544000109", "1101700230708", ""]);
    }
}

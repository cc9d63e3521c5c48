//! Slovenia, Croatia and Serbia: numbers from the times of Yugoslavia, and each country's own.

use super::super::Table;
use super::super::check_digits::{mod_11_10_holds, weighted_sum};
use super::{exactly, is_date, number, unknown_if, valid_if, without_country};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("hr_jmbg", hr_jmbg),
    ("hr_oib", hr_oib),
    ("hr_vat", hr_vat),
    ("rs_jmbg", rs_jmbg),
    ("rs_pib", rs_pib),
    ("si_davcna", si_davcna),
    ("si_emso", si_emso),
    ("si_maticna", si_maticna),
    ("si_vat", si_vat),
];

/// A citizen number of Slovenia.
fn si_emso(bytes: &[u8]) -> Verdict {
    valid_if(jmbg_holds(bytes, |region| (50..=59).contains(&region)))
}

/// A citizen number of Croatia, or of foreigners there.
fn hr_jmbg(bytes: &[u8]) -> Verdict {
    valid_if(jmbg_holds(bytes, |region| matches!(region, 3 | 30..=39)))
}

/// A citizen number of Serbia, Vojvodina and Kosovo, or of foreigners there.
fn rs_jmbg(bytes: &[u8]) -> Verdict {
    valid_if(jmbg_holds(bytes, |region| matches!(region, 6..=9 | 70..=99)))
}

/// A unique master citizen number: a date of birth with three digits of the year, the region, three digits and
/// a check digit modulo 11.
fn jmbg_holds(bytes: &[u8], admits: fn(u32) -> bool) -> bool {
    let Some(digits) = exactly::<13>(bytes) else { return false };
    let (day, month) = (number(&digits[..2]), number(&digits[2..4]));
    let year = number(&digits[4..7]);
    let year = if year < 800 { 2000 + year } else { 1000 + year };
    // What would be 10 is written 0.
    let rest = weighted_sum(&digits, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    admits(number(&digits[7..9]))
        && is_date(year, month, day)
        && (11 - rest) % 11 % 10 == u32::from(digits[12])
}

/// A Croatian personal identification number (OIB) of a person or a company.
fn hr_oib(bytes: &[u8]) -> Verdict {
    unknown_if(exactly::<11>(bytes).is_some_and(|digits| mod_11_10_holds(&digits)))
}

/// A Croatian VAT number: the OIB.
fn hr_vat(bytes: &[u8]) -> Verdict {
    let digits = without_country(bytes, b"HR").and_then(exactly::<11>);
    unknown_if(digits.is_some_and(|digits| mod_11_10_holds(&digits)))
}

/// A Serbian tax identification number.
fn rs_pib(bytes: &[u8]) -> Verdict {
    unknown_if(exactly::<9>(bytes).is_some_and(|digits| mod_11_10_holds(&digits)))
}

/// A Slovenian tax number: eight digits with a check digit modulo 11.
fn si_davcna(bytes: &[u8]) -> Verdict {
    unknown_if(exactly::<8>(bytes).is_some_and(|digits| davcna_holds(&digits)))
}

fn davcna_holds(digits: &[u8; 8]) -> bool {
    let rest = weighted_sum(digits, &[8, 7, 6, 5, 4, 3, 2]) % 11;
    digits[0] != 0 && rest != 0 && (11 - rest) % 10 == u32::from(digits[7])
}

/// A Slovenian VAT number: the tax number.
fn si_vat(bytes: &[u8]) -> Verdict {
    let digits = without_country(bytes, b"SI").and_then(exactly::<8>);
    unknown_if(digits.is_some_and(|digits| davcna_holds(&digits)))
}

/// A Slovenian registration number of a company: six digits and a check digit, and three of a branch.
fn si_maticna(bytes: &[u8]) -> Verdict {
    let company = match (exactly::<7>(bytes), exactly::<10>(bytes)) {
        (Some(company), _) => company,
        (_, Some([a, b, c, d, e, f, g, ..])) => [a, b, c, d, e, f, g],
        _ => return Verdict::Invalid,
    };
    let rest = weighted_sum(&company, &[7, 6, 5, 4, 3, 2]) % 11;
    unknown_if(rest != 0 && (11 - rest) % 10 == u32::from(company[6]))
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;

    #[test]
    fn citizens() {
        all(si_emso, Verdict::Valid, &["0101006500006", "0407906580180"]);
        all(
            si_emso,
            Verdict::Invalid,
            &["0101006500007", "0101100710006", "0113006500006", "010100650000", ""],
        );
        all(rs_jmbg, Verdict::Valid, &["0101100710006"]);
        all(hr_jmbg, Verdict::Invalid, &["0101006500006", "0101100710006", ""]);
    }

    #[test]
    fn tax_numbers() {
        all(hr_oib, Verdict::Unknown, &["33392005961", "94577403194"]);
        all(hr_oib, Verdict::Invalid, &["33392005962", "3339200596", ""]);
        all(hr_vat, Verdict::Unknown, &["HR33392005961", "HR 33392005961"]);
        all(hr_vat, Verdict::Invalid, &["HR33392005962", ""]);
        all(rs_pib, Verdict::Unknown, &["101134702"]);
        all(rs_pib, Verdict::Invalid, &["101134701", "10113470", ""]);
        all(si_davcna, Verdict::Unknown, &["15012557", "50223054"]);
        all(si_davcna, Verdict::Invalid, &["15012556", "1501255", "05012557", ""]);
        all(si_vat, Verdict::Unknown, &["SI50223054", "SI 50223054"]);
        all(si_vat, Verdict::Invalid, &["SI50223055", ""]);
        all(si_maticna, Verdict::Unknown, &["9331310000", "9331310"]);
        all(si_maticna, Verdict::Invalid, &["9331320000", "933131", ""]);
    }
}

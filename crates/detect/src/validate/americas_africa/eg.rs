//! Egypt.

use super::super::Table;
use super::super::digits::{Digits, uniform};
use super::birth::is_day;
use super::valid_if;
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("eg_id", id)];

/// A national number: century, date of birth, governorate, four digits and a check digit whose
/// scheme is not published.
///
/// `Valid` by the calendar and the register of governorates: two in a thousand runs pass.
fn id(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<14>::read(bytes, b" -") else { return Verdict::Invalid };
    let century = matches!(digits.number(0, 1), Some(2 | 3));
    let born = match (digits.number(1, 3), digits.number(3, 5), digits.number(5, 7)) {
        (Some(year), Some(month), Some(day)) => is_day(year, month, day),
        _ => false,
    };
    let governorate = matches!(digits.number(7, 9), Some(1..=4 | 11..=19 | 21..=29 | 31..=35 | 88));
    let full = digits.as_slice().len() == 14;
    valid_if(full && century && born && governorate && !uniform(&digits.as_slice()[9..]))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn national_numbers() {
        all(id, Verdict::Valid, &["29203150123456", "2 920315 01 2345 6"]);
        all(
            id,
            Verdict::Invalid,
            &[
                "29213150123456",
                "39902290123456",
                "49203150123456",
                "29203159923456",
                "292031501",
                "",
            ],
        );
    }
}

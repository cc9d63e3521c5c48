//! Numbers issued in Malaysia.

use super::super::Table;
use super::{digits, is_day, number, unknown_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[("my_mykad", identity_card), ("my_ssm", company)];

/// A date of birth, a place of birth and four digits.
fn identity_card(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<12>(bytes) else { return Verdict::Invalid };
    let born = is_day(number(&digits[2..4]), number(&digits[4..6]));
    let place = !matches!(number(&digits[6..8]), 0 | 17..=20 | 69 | 70 | 73 | 80 | 81 | 94..=97);
    unknown_if(born && place)
}

/// A year, a kind of entity and six digits, the number of companies since 2019.
fn company(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<12>(bytes) else { return Verdict::Invalid };
    let year = (1900..=2099).contains(&number(&digits[..4]));
    unknown_if(year && (1..=6).contains(&number(&digits[4..6])))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn people_and_companies() {
        all(identity_card, Verdict::Unknown, &["880214-14-5021", "880229145021"]);
        all(
            identity_card,
            Verdict::Invalid,
            &[
                "881314-14-5021",
                "880230-14-5021",
                "880214-00-5021",
                "880214-17-5021",
                "880214-14-502",
                "",
            ],
        );
        all(company, Verdict::Unknown, &["201901012345"]);
        all(company, Verdict::Invalid, &["201907012345", "180001012345", "20190101234", ""]);
    }
}

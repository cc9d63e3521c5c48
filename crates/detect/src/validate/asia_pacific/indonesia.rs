//! Numbers issued in Indonesia.

use super::super::Table;
use super::super::digits::luhn_holds;
use super::{digits, is_day, number, unknown_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table =
    &[("id_kk", family_card), ("id_nik", population_number), ("id_npwp", taxpayer)];

/// A district, a date of birth and a serial. The day of women is raised by forty.
fn population_number(bytes: &[u8]) -> Verdict {
    dated(bytes, |day| if day > 40 { day - 40 } else { day })
}

/// A district, the date of registration and a serial.
fn family_card(bytes: &[u8]) -> Verdict {
    dated(bytes, |day| day)
}

fn dated(bytes: &[u8], day: fn(u32) -> u32) -> Verdict {
    let Some(digits) = digits::<16>(bytes) else { return Verdict::Invalid };
    let [province, regency, district, of_month, month, _, ..] =
        [0, 2, 4, 6, 8, 10].map(|at| number(&digits[at..at + 2]));
    let placed = matches!(province, 11..=19 | 21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=97)
        && matches!(regency, 1..=79)
        && district > 0;
    unknown_if(placed && is_day(month, day(of_month)) && number(&digits[12..]) > 0)
}

/// Nine digits under Luhn's scheme, a tax office and a branch.
fn taxpayer(bytes: &[u8]) -> Verdict {
    let Some(digits) = digits::<15>(bytes) else { return Verdict::Invalid };
    unknown_if(luhn_holds(&digits[..9]))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn people_and_families() {
        all(population_number, Verdict::Unknown, &["3174015708890003", "3174011708890003"]);
        all(
            population_number,
            Verdict::Invalid,
            &[
                "3074015708890003",
                "3100015708890003",
                "3174017208890003",
                "3174013213890003",
                "3174015708890000",
                "317401570889000",
                "",
            ],
        );
        all(family_card, Verdict::Unknown, &["3174011708110007"]);
        all(family_card, Verdict::Invalid, &["3174015708110007", ""]);
    }

    #[test]
    fn taxpayers() {
        // python-stdnum's.
        all(taxpayer, Verdict::Unknown, &["01.312.166.0-091.000", "013121660091000"]);
        all(taxpayer, Verdict::Invalid, &["01.312.166.1-091.000", "01312166009100", ""]);
    }
}

//! Dates of birth.

use crate::validator::Verdict;

/// A calendar date on which someone who is alive may have been born.
///
/// The pattern knows the shape; here the numbers must make a date in some order: year first, day
/// first or month first.
pub(super) fn birth_date(bytes: &[u8]) -> Verdict {
    let mut numbers = [(0u32, 0usize); 3];
    let mut count = 0;
    for part in bytes.split(|byte| !byte.is_ascii_digit()).filter(|part| !part.is_empty()) {
        let Some(place) = numbers.get_mut(count) else { return Verdict::Invalid };
        *place = (
            part.iter()
                .fold(0u32, |n, &digit| n.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'))),
            part.len(),
        );
        count += 1;
    }
    let written_month =
        bytes.iter().filter(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()).count() >= 3;
    let holds = match numbers[..count] {
        [(joined, 8)] => year(joined / 10_000, 4) && calendar(joined / 100 % 100, joined % 100),
        [(a, 4), (b, _)] => written_month && year(a, 4) && day(b),
        [(a, _), (b, digits)] => written_month && day(a) && year(b, digits),
        [(a, 4), (b, _), (c, _)] => year(a, 4) && calendar(b, c),
        [(a, _), (b, _), (c, digits)] => year(c, digits) && (calendar(a, b) || calendar(b, a)),
        _ => false,
    };
    if holds { Verdict::Unknown } else { Verdict::Invalid }
}

fn year(number: u32, digits: usize) -> bool {
    digits == 2 || digits == 4 && (1880..=2099).contains(&number)
}

fn calendar(month: u32, of_month: u32) -> bool {
    (1..=12).contains(&month) && day(of_month)
}

fn day(number: u32) -> bool {
    (1..=31).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let good = [
            "1987-03-09",
            "09.03.1987",
            "03/09/87",
            "9 March 1987",
            "March 9th, 1987",
            "1987年3月9日",
            "19870309",
            "9. März 1987",
        ];
        for date in good {
            assert_eq!(birth_date(date.as_bytes()), Verdict::Unknown, "{date}");
        }
        let bad = [
            "1987-13-40",
            "32.01.1987",
            "13/13/1987",
            "1587-03-09",
            "19871309",
            "1.2.3.4",
            "March",
            "99 March 1987",
            "",
        ];
        for date in bad {
            assert_eq!(birth_date(date.as_bytes()), Verdict::Invalid, "{date}");
        }
    }
}

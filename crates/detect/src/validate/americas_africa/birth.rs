//! Dates of birth inside numbers.

/// Whether a month has that day, given the last two digits of the year.
///
/// 00 counts as a leap year: 2000 was one, and hardly anyone of 1900 is left.
pub(super) fn is_day(year: u32, month: u32, day: u32) -> bool {
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) => 29,
        2 => 28,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_holds() {
        for (year, month, day) in [(0, 2, 29), (96, 2, 29), (99, 2, 28), (87, 12, 31), (1, 4, 30)] {
            assert!(is_day(year, month, day), "{year} {month} {day}");
        }
        for (year, month, day) in
            [(99, 2, 29), (87, 13, 1), (87, 0, 1), (87, 1, 0), (87, 4, 31), (87, 1, 32)]
        {
            assert!(!is_day(year, month, day), "{year} {month} {day}");
        }
    }
}

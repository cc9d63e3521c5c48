//! Numbers that states of Northern and Eastern Europe, Turkey and Ukraine issue.

mod bg;
mod cz;
mod dk;
mod ee;
mod fi;
mod hu;
mod is;
mod lt;
mod lv;
mod no;
mod pl;
mod ro;
mod ru;
mod se;
mod sk;
mod tr;
mod ua;
mod yu;

use super::Table;
use super::digits::{Digits, uniform};
#[cfg(test)]
use crate::validator::Verdict;
use crate::validator::{unknown_if, valid_if};

/// The validators of each country.
pub(super) const TABLES: &[Table] = &[
    bg::TABLE,
    cz::TABLE,
    dk::TABLE,
    ee::TABLE,
    fi::TABLE,
    hu::TABLE,
    is::TABLE,
    lt::TABLE,
    lv::TABLE,
    no::TABLE,
    pl::TABLE,
    ro::TABLE,
    ru::TABLE,
    se::TABLE,
    sk::TABLE,
    tr::TABLE,
    ua::TABLE,
    yu::TABLE,
];

/// The digits of a number that has exactly `N`, whatever of `+ - . /` and spaces divides them. A row of
/// one digit is a placeholder everywhere.
fn exactly<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    exactly_divided(bytes, b" +-./\xC2\xA0")
}

/// The same with other bytes between the digits.
fn exactly_divided<const N: usize>(bytes: &[u8], separators: &[u8]) -> Option<[u8; N]> {
    let digits = Digits::<N>::read(bytes, separators)?;
    let digits: [u8; N] = digits.as_slice().try_into().ok()?;
    (!uniform(&digits)).then_some(digits)
}

/// The number without the two letters of the country and what divides them from it.
fn without_country<'b>(bytes: &'b [u8], country: &[u8; 2]) -> Option<&'b [u8]> {
    let (letters, rest) = bytes.split_first_chunk::<2>()?;
    letters.eq_ignore_ascii_case(country).then_some(rest)
}

/// The number that digits write, at most nine of them.
fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, &digit| number.wrapping_mul(10).wrapping_add(u32::from(digit)))
}

/// Whether the calendar has the day.
fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// Whether four digits could be a time of day. A date before them makes a time stamp, as in the names of
/// logs and backups.
fn is_time(digits: &[u8]) -> bool {
    matches!(digits, [a, b, c, _] if a * 10 + b < 24 && *c < 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each case against what it should be.
    pub(super) fn all(validate: fn(&[u8]) -> Verdict, want: Verdict, cases: &[&str]) {
        for case in cases {
            assert_eq!(validate(case.as_bytes()), want, "{case}");
        }
    }

    /// How many of a hundred numbers with random digits in the places of `form`'s are not refused.
    pub(super) fn passing(validate: fn(&[u8]) -> Verdict, form: &str, want: Verdict) -> f64 {
        const ROUNDS: u32 = 100_000;
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut passed = 0;
        for _ in 0..ROUNDS {
            let number: Vec<u8> = form
                .bytes()
                .map(|byte| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    if byte.is_ascii_digit() { b'0' + (state >> 33) as u8 % 10 } else { byte }
                })
                .collect();
            passed += u32::from(validate(&number) == want);
        }
        f64::from(passed) * 100.0 / f64::from(ROUNDS)
    }

    #[test]
    fn the_calendar() {
        for (year, month, day) in [(2000, 2, 29), (2024, 2, 29), (1999, 12, 31), (1987, 4, 30)] {
            assert!(is_date(year, month, day));
        }
        for (year, month, day) in
            [(1900, 2, 29), (2023, 2, 29), (1999, 4, 31), (1999, 13, 1), (1999, 0, 1), (1999, 1, 0)]
        {
            assert!(!is_date(year, month, day));
        }
    }

    #[test]
    fn times_of_day() {
        assert!(is_time(&[2, 3, 5, 9]) && is_time(&[0, 0, 0, 0]));
        assert!(!is_time(&[2, 4, 0, 0]) && !is_time(&[1, 2, 6, 0]) && !is_time(&[1, 2, 3]));
    }

    #[test]
    fn numbers_are_read_without_what_divides_them() {
        assert_eq!(exactly::<4>(b"12-3 4"), Some([1, 2, 3, 4]));
        assert_eq!(exactly::<4>(b"12345"), None);
        assert_eq!(exactly::<4>(b"123"), None);
        assert_eq!(exactly::<4>(b"1111"), None);
        assert_eq!(exactly::<4>(b"12x4"), None);
        assert_eq!(without_country(b"se12", b"SE"), Some(&b"12"[..]));
        assert_eq!(without_country(b"S", b"SE"), None);
    }

    /// What is called proved must be: less than two in a hundred numbers of the form pass.
    #[test]
    fn proofs_are_rare_among_random_numbers() {
        let proving = [
            ("se_personnummer", "871220-2384"),
            ("no_fodselsnummer", "01010112345"),
            ("dk_cpr", "010101-1234"),
            ("is_kennitala", "010101-1234"),
            ("ee_isikukood", "38001010000"),
            ("lv_personas_kods", "010101-12345"),
            ("pl_pesel", "44051401458"),
            ("cz_birth_number", "870309/1234"),
            ("ro_cnp", "1870309123456"),
            ("si_emso", "0101006500006"),
            ("tr_kimlik", "10000000146"),
            ("hu_personal_id", "1-870309-1234"),
            ("bg_egn", "7501010010"),
        ];
        for (name, form) in proving {
            let validate = crate::validate::by_name(name).unwrap();
            let share = passing(validate, form, Verdict::Valid);
            assert!(share < 2.0, "{name}: {share} of a hundred");
        }
    }
}

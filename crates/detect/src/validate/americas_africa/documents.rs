//! Numbers of travel documents, vehicles and SIM cards: standards of the whole world.

use super::super::Table;
use super::super::digits::{Digits, luhn_holds, uniform};
use super::birth::is_day;
use super::unknown_if;
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("age", age),
    ("iccid", iccid),
    ("imsi", imsi),
    ("mrz_td1", mrz_td1),
    ("mrz_td3", mrz_td3),
    ("position", position),
    ("vin", vin),
];

/// A vehicle identification number (ISO 3779): 17 characters without I, O and Q, a letter in the
/// maker's code, digits at the end.
///
/// `Valid` with the check digit that North America and China demand; elsewhere the ninth place is
/// the maker's own, so what fails stays `Unknown`.
fn vin(bytes: &[u8]) -> Verdict {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    if bytes.len() != WEIGHTS.len() {
        return Verdict::Invalid;
    }
    let mut sum = 0;
    for (byte, weight) in bytes.iter().map(u8::to_ascii_uppercase).zip(WEIGHTS) {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'H' => byte - b'A' + 1,
            b'J'..=b'N' | b'P' | b'R' => byte - b'J' + 1,
            b'S'..=b'Z' => byte - b'S' + 2,
            _ => return Verdict::Invalid,
        };
        sum += u32::from(value) * weight;
    }
    let maker = bytes[..3].iter().any(u8::is_ascii_alphabetic);
    let serial = bytes[13..].iter().all(u8::is_ascii_digit) && !uniform(&bytes[..13]);
    let check = match sum % 11 {
        10 => b'X',
        digit => b'0' + digit as u8,
    };
    // Identifiers in lower case are hexadecimal more often than vehicles.
    let hex = bytes.iter().all(u8::is_ascii_hexdigit);
    if !maker || !serial || hex {
        Verdict::Invalid
    } else if bytes[8].to_ascii_uppercase() == check {
        Verdict::Valid
    } else {
        Verdict::Unknown
    }
}

/// A SIM card's number (ITU-T E.118): 89, country, issuer, account, and Luhn over 19 or 20 digits.
fn iccid(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<20>::read(bytes, b" -") else { return Verdict::Invalid };
    let digits = digits.as_slice();
    let telecom = digits.starts_with(&[8, 9]) && !uniform(&digits[2..]);
    unknown_if(telecom && matches!(digits.len(), 19 | 20) && luhn_holds(digits))
}

/// A subscriber's identity (ITU-T E.212): a mobile country code, which begin with 2 to 7 and for
/// tests with 001, then network and subscriber.
fn imsi(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<15>::read(bytes, b" -") else { return Verdict::Invalid };
    let country = matches!(digits.number(0, 3), Some(1 | 200..=799));
    let digits = digits.as_slice();
    unknown_if(matches!(digits.len(), 14 | 15) && country && !uniform(digits))
}

/// A decimal latitude and longitude that exist, with some precision, and not the origin.
fn position(bytes: &[u8]) -> Verdict {
    let mut degrees = [0f64; 2];
    let mut count = 0;
    let number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+');
    for part in bytes.split(|byte| !number(byte)).filter(|part| !part.is_empty()) {
        let parsed = str::from_utf8(part).ok().and_then(|part| part.parse().ok());
        let (Some(place), Some(parsed)) = (degrees.get_mut(count), parsed) else {
            return Verdict::Invalid;
        };
        *place = parsed;
        count += 1;
    }
    let [latitude, longitude] = degrees.map(f64::abs);
    let single = count == 1 && latitude <= 180.0 && latitude > 0.0;
    let pair = count == 2 && latitude <= 90.0 && longitude <= 180.0;
    unknown_if(single || pair && (latitude > 0.0 || longitude > 0.0))
}

/// An age someone can have.
fn age(bytes: &[u8]) -> Verdict {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    let years = digits.fold(0u32, |years, digit| {
        years.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
    });
    unknown_if(bytes.first().is_some_and(u8::is_ascii_digit) && (1..=120).contains(&years))
}

/// The second line of a machine-readable passport or visa (ICAO 9303): dates that exist and the
/// check digits of document, birth and expiry.
fn mrz_td3(line: &[u8]) -> Verdict {
    if !matches!(line.len(), 36 | 44) {
        return Verdict::Invalid;
    }
    mrz(&[(&line[..9], line[9]), (&line[13..19], line[19]), (&line[21..27], line[27])], &line[13..])
}

/// The second line of a machine-readable identity card.
fn mrz_td1(line: &[u8]) -> Verdict {
    if line.len() != 30 {
        return Verdict::Invalid;
    }
    mrz(&[(&line[..6], line[6]), (&line[8..14], line[14])], line)
}

/// What is proven by so many check digits and a date is `Valid`.
fn mrz(fields: &[(&[u8], u8)], born: &[u8]) -> Verdict {
    let right = fields.iter().all(|&(field, check)| check_digit(field) == Some(check));
    let pair = |at: usize| match born.get(at..at + 2) {
        Some(&[a @ b'0'..=b'9', b @ b'0'..=b'9']) => u32::from((a - b'0') * 10 + (b - b'0')),
        _ => 100,
    };
    if right && is_day(pair(0), pair(2), pair(4)) { Verdict::Valid } else { Verdict::Invalid }
}

/// ICAO 9303 part 3, 4.9: weights 7, 3, 1 modulo 10, letters from 10 on, the filler 0.
fn check_digit(field: &[u8]) -> Option<u8> {
    let mut sum = 0;
    for (&byte, weight) in field.iter().zip([7, 3, 1].into_iter().cycle()) {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'<' => 0,
            _ => return None,
        };
        sum += u32::from(value) * weight;
    }
    Some(b'0' + (sum % 10) as u8)
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn vehicles() {
        // Wikipedia's example, and one of eleven ones and sixes that the standard prints.
        all(vin, Verdict::Valid, &["1M8GDM9AXKP042788", "1m8gdm9axkp042788"]);
        all(vin, Verdict::Unknown, &["WDB9066331S123456", "1M8GDM9A0KP042788"]);
        all(
            vin,
            Verdict::Invalid,
            &[
                "1M8GDM9AXKP04278",
                "1M8GDM9AXKPO42788",
                "12345678901234567",
                "abcdef12345678901",
                "",
            ],
        );
    }

    #[test]
    fn sim_cards() {
        all(iccid, Verdict::Unknown, &["8944500102198304826", "89 44 50 01 02 19 83 04 82 6"]);
        all(iccid, Verdict::Invalid, &["8944500102198304827", "7944500102198304826", "894450", ""]);
        all(imsi, Verdict::Unknown, &["310150123456789", "001010123456789"]);
        all(imsi, Verdict::Invalid, &["910150123456789", "31015012345", "333333333333333", ""]);
    }

    #[test]
    fn positions_and_ages() {
        all(position, Verdict::Unknown, &["52.5163, 13.3777", "-33.8568,151.2153", "151.2153"]);
        all(
            position,
            Verdict::Invalid,
            &["95.1234, 13.3777", "0.0000,0.0000", "1.2.3", "5,5,5", ""],
        );
        all(age, Verdict::Unknown, &["34", "101", "7 years"]);
        all(age, Verdict::Invalid, &["0", "121", "years", "99999999999999999999", ""]);
    }

    #[test]
    fn machine_readable_lines() {
        // The specimens of ICAO 9303 parts 4 and 5.
        all(mrz_td3, Verdict::Valid, &["L898902C36UTO7408122F1204159ZE184226B<<<<<10"]);
        all(mrz_td1, Verdict::Valid, &["7408122F1204159UTO<<<<<<<<<<<6"]);
        all(
            mrz_td3,
            Verdict::Invalid,
            &["L898902C37UTO7408122F1204159ZE184226B<<<<<10", "L898", ""],
        );
        all(mrz_td1, Verdict::Invalid, &["7408123F1204159UTO<<<<<<<<<<<6", "7408122F", ""]);
    }
}

//! Values of the same shape that are nobody's: where a tool needs a card that passes its check, or a phone
//! number that can be dialled.

use crate::operator::HashKey;

/// A value of the same shape; `None` for entities that have none. That of such a value is itself, so that
/// redacting twice is redacting once.
pub(crate) fn of(entity: &str, value: &[u8], key: &HashKey) -> Option<Vec<u8>> {
    let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_digit).collect();
    let digits = match entity {
        "CREDIT_CARD" => card(digits, key)?,
        "PHONE_NUMBER" => phone(value, digits, key)?,
        _ => return None,
    };
    let mut next = digits.into_iter();
    Some(
        value
            .iter()
            .map(|byte| if byte.is_ascii_digit() { next.next().unwrap_or(b'0') } else { *byte })
            .collect(),
    )
}

/// A number of the same length that passes the Luhn check and begins with 9, which ISO/IEC 7812 leaves to national
/// bodies: no card of a brand does.
fn card(digits: Vec<u8>, key: &HashKey) -> Option<Vec<u8>> {
    if !(12..=19).contains(&digits.len()) {
        return None;
    }
    if digits[0] == b'9' {
        return Some(digits);
    }
    let random = key.bytes("surrogate card", &digits);
    let mut card = vec![b'9'];
    card.extend((1..digits.len() - 1).map(|at| b'0' + random[at] % 10));
    let sum: u32 = card
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0') * if at % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    card.push(b'0' + u8::try_from((10 - sum % 10) % 10).expect("a digit"));
    Some(card)
}

/// In North America, a number of the range kept for fiction (555-0100 to 555-0199) of the same area; elsewhere
/// the country's code, as far as it is written apart, and zeros.
fn phone(value: &[u8], mut digits: Vec<u8>, key: &HashKey) -> Option<Vec<u8>> {
    let american = match digits.len() {
        11 => digits[0] == b'1',
        10 => !value.starts_with(b"+") && digits[0] > b'1',
        _ => false,
    };
    let length = digits.len();
    if american {
        let (exchange, line) = (length - 7, length - 4);
        if !(digits[exchange..].starts_with(b"55501")) {
            let random = key.bytes("surrogate phone", &digits);
            digits[exchange..line].copy_from_slice(b"555");
            digits[line..].copy_from_slice(&[
                b'0',
                b'1',
                b'0' + random[0] % 10,
                b'0' + random[1] % 10,
            ]);
        }
        return Some(digits);
    }
    let country = if value.starts_with(b"+") {
        value[1..].iter().take_while(|b| b.is_ascii_digit()).count().min(3)
    } else {
        0
    };
    digits[country.min(length)..].fill(b'0');
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_stay_and_values_go() {
        let key = HashKey::from_bytes([1; 32]);
        for (entity, value, starts) in [
            ("CREDIT_CARD", "4242 4242 4242 4242", "9"),
            ("CREDIT_CARD", "378282246310005", "9"),
            ("PHONE_NUMBER", "+1 (415) 867-5309", "+1 (415) 555-01"),
            ("PHONE_NUMBER", "415-867-5309", "415-555-01"),
            ("PHONE_NUMBER", "+44 20 7183 8750", "+44 00 0000 0000"),
        ] {
            let once = of(entity, value.as_bytes(), &key).unwrap();
            let text = String::from_utf8(once.clone()).unwrap();
            assert!(text.starts_with(starts) && text.len() == value.len(), "{text}");
            let marks = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "9");
            assert_eq!(marks(&text), marks(value));
            assert_eq!(of(entity, &once, &key).unwrap(), once, "{text} is its own");
            assert_eq!(of(entity, value.as_bytes(), &key).unwrap(), once);
        }
        assert_eq!(of("EMAIL_ADDRESS", b"jo@example.com", &key), None);
        let card = of("CREDIT_CARD", b"4242424242424242", &key).unwrap();
        let doubled = |(at, d): (usize, &u8)| {
            let d = u32::from(d - b'0') * if at % 2 == 1 { 2 } else { 1 };
            d / 10 + d % 10
        };
        assert_eq!(card.iter().rev().enumerate().map(doubled).sum::<u32>() % 10, 0);
    }
}

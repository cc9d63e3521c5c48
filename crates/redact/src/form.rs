//! `application/x-www-form-urlencoded`, as the WHATWG URL standard (section 5) writes it.

use std::borrow::Cow;
use std::ops::Range;

use crate::json::{Decoded, OffsetMap};

/// The names and values of a form, in order. Ranges are in the form.
pub(crate) fn pairs(form: &[u8]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut at = 0;
    let mut pairs = Vec::new();
    for pair in form.split(|b| *b == b'&') {
        let equals = memchr::memchr(b'=', pair);
        let name = at..at + equals.unwrap_or(pair.len());
        let value = equals.map_or(name.end..name.end, |e| at + e + 1..at + pair.len());
        at += pair.len() + 1;
        pairs.push((name, value));
    }
    pairs
}

/// Undoes percent-encoding and `+`. A percent sign that begins no escape stands for itself.
pub(crate) fn decode(raw: &[u8]) -> Decoded<'_> {
    if memchr::memchr2(b'%', b'+', raw).is_none() {
        return Decoded { text: Cow::Borrowed(raw), map: OffsetMap::default() };
    }
    let mut text = Vec::with_capacity(raw.len());
    let mut map = OffsetMap::default();
    let mut at = 0;
    while at < raw.len() {
        match raw[at] {
            b'%' => {
                let digit = |b: u8| char::from(b).to_digit(16);
                let byte = match raw.get(at + 1..at + 3) {
                    Some(&[high, low]) => digit(high).zip(digit(low)),
                    _ => None,
                };
                if let Some((high, low)) = byte {
                    text.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits"));
                    at += 3;
                    map.push(text.len(), at);
                } else {
                    text.push(b'%');
                    at += 1;
                }
            }
            b'+' => {
                text.push(b' ');
                at += 1;
            }
            byte => {
                text.push(byte);
                at += 1;
            }
        }
    }
    Decoded { text: Cow::Owned(text), map }
}

/// Appends text as it must stand in a form.
pub(crate) fn encode_into(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b'*' | b'-' | b'.' | b'_' => out.push(byte),
            _ if byte.is_ascii_alphanumeric() => out.push(byte),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_come_apart_and_offsets_lead_back() {
        let form = b"to=jo%40example.com&text=a+b%zz&&flag";
        let shown: Vec<_> = pairs(form)
            .into_iter()
            .map(|(n, v)| (form[n].to_vec(), decode(&form[v]).text.into_owned()))
            .collect();
        let expected: [(&[u8], &[u8]); 4] =
            [(b"to", b"jo@example.com"), (b"text", b"a b%zz"), (b"", b""), (b"flag", b"")];
        assert_eq!(shown, expected.map(|(n, v)| (n.to_vec(), v.to_vec())));
        let decoded = decode(b"a%40b");
        assert_eq!([0, 1, 2, 3].map(|at| decoded.map.raw(at)), [0, 1, 4, 5]);
        let mut out = Vec::new();
        encode_into(&mut out, b"<A 1>");
        assert_eq!(out, b"%3CA+1%3E");
    }
}

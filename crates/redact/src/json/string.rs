//! JSON strings: escapes undone, and every decoded offset traceable to the raw one.

use std::borrow::Cow;

/// A decoded string and the way back.
#[derive(Debug)]
pub(crate) struct Decoded<'a> {
    /// The text with escapes undone. Lone surrogates, as a delta may end with, become the three
    /// bytes they would have in WTF-8.
    pub(crate) text: Cow<'a, [u8]>,
    /// From decoded offsets to raw ones.
    pub(crate) map: OffsetMap,
}

/// Maps offsets in a decoded string to offsets in the raw one; the identity if nothing was escaped.
#[derive(Debug, Default)]
pub(crate) struct OffsetMap {
    /// `(decoded, raw)` just behind each escape, ascending. In between, both run in step.
    behind_escapes: Vec<(u32, u32)>,
}

impl OffsetMap {
    /// Adds the places just behind an escape. They come in order.
    pub(crate) fn push(&mut self, decoded: usize, raw: usize) {
        self.behind_escapes.push((narrow(decoded), narrow(raw)));
    }

    /// The raw offset of a decoded one. The decoded offset must lie between characters; one inside
    /// a character that was escaped maps into its escape.
    pub(crate) fn raw(&self, decoded: usize) -> usize {
        let behind = self.behind_escapes.partition_point(|&(d, _)| d as usize <= decoded);
        match behind.checked_sub(1).map(|i| self.behind_escapes[i]) {
            Some((d, r)) => r as usize + (decoded - d as usize),
            None => decoded,
        }
    }
}

/// Undoes the escapes of a raw JSON string (without its quotes). Unknown or cut escapes stand for
/// themselves, so any bytes decode to something. Texts over 4 GiB are not supported by the map;
/// bodies are bounded far below.
pub(crate) fn decode(raw: &[u8]) -> Decoded<'_> {
    let Some(first) = memchr::memchr(b'\\', raw) else {
        return Decoded { text: Cow::Borrowed(raw), map: OffsetMap::default() };
    };
    let mut text = Vec::with_capacity(raw.len());
    let mut map = OffsetMap::default();
    text.extend_from_slice(&raw[..first]);
    let mut at = first;
    while at < raw.len() {
        let length = match escape_at(&raw[at..]) {
            Some((character, length)) => {
                push_wtf8(&mut text, character);
                length
            }
            None => {
                // Not an escape: the backslash stands for itself.
                text.push(raw[at]);
                1
            }
        };
        at += length;
        if length > 1 {
            map.push(text.len(), at);
        }
        let plain = memchr::memchr(b'\\', &raw[at..]).unwrap_or(raw.len() - at);
        text.extend_from_slice(&raw[at..at + plain]);
        at += plain;
    }
    Decoded { text: Cow::Owned(text), map }
}

/// The length of a raw JSON string without an escape at its end that is cut, or a half of a pair that waits
/// for its other half.
pub(crate) fn whole_escapes(raw: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &raw[at..]) {
        at += found;
        let length = match escape_at(&raw[at..]) {
            Some((code, 6)) if (0xd800..0xdc00).contains(&code) && raw.len() - at < 12 => {
                return at;
            }
            Some((_, length)) => length,
            // Six characters at most: what has less behind it may go on.
            None if raw.len() - at < 6 => return at,
            None => 1,
        };
        at += length;
    }
    raw.len()
}

/// Appends text as it must stand inside a JSON string.
pub(crate) fn escape_into(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
}

/// The code point (or lone surrogate) that the escape at the start of `raw` stands for, and the
/// number of raw bytes it takes.
fn escape_at(raw: &[u8]) -> Option<(u32, usize)> {
    debug_assert_eq!(raw.first(), Some(&b'\\'));
    let simple = match raw.get(1)? {
        b'"' => b'"',
        b'\\' => b'\\',
        b'/' => b'/',
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => {
            let high = hex4(raw.get(2..6)?)?;
            if (0xd800..0xdc00).contains(&high)
                && raw.get(6..8) == Some(b"\\u")
                && let Some(low) = raw.get(8..12).and_then(hex4)
                && (0xdc00..0xe000).contains(&low)
            {
                return Some((0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12));
            }
            return Some((high, 6));
        }
        _ => return None,
    };
    Some((u32::from(simple), 2))
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, &digit| Some(value * 16 + char::from(digit).to_digit(16)?))
}

fn push_wtf8(text: &mut Vec<u8>, code: u32) {
    match char::from_u32(code) {
        Some(character) => {
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        None => {
            // A lone surrogate: three bytes, as WTF-8 writes it.
            let bits = |shift: u32| u8::try_from((code >> shift) & 0x3f).expect("six bits");
            text.extend_from_slice(&[0xe0 | bits(12), 0x80 | bits(6), 0x80 | bits(0)]);
        }
    }
}

fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).expect("bodies are bounded far below 4 GiB")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_undone() {
        for (raw, text) in [
            (r"plain", "plain"),
            (r#"a\"b"#, "a\"b"),
            (r"\u0040", "@"),
            (r"x\u00e9y", "xéy"),
            (r"\ud83d\udc4b!", "👋!"),
            (r"\/\\\n", "/\\\n"),
            (r"\q", r"\q"),
            (r"end\", r"end\"),
            (r"cut\u00", r"cut\u00"),
        ] {
            assert_eq!(decode(raw.as_bytes()).text, text.as_bytes(), "{raw}");
        }
        assert_eq!(&*decode(br"\ud83d").text, b"\xed\xa0\xbd");
    }

    #[test]
    fn cut_escapes_are_told() {
        for (raw, whole) in [
            (r"plain", 5),
            (r"a\n", 3),
            (r"a\", 1),
            (r"a\\", 3),
            (r"\u0040\u00", 6),
            (r"\ud83d", 0),
            (r"\ud83d\udc", 0),
            (r"\ud83d\udc4b", 12),
            (r"\ud83d and more of it", 21),
            (r"\q and more of it", 17),
        ] {
            assert_eq!(whole_escapes(raw.as_bytes()), whole, "{raw}");
        }
    }

    #[test]
    fn offsets_lead_back() {
        let raw = br"a\u0040b\n\ud83d\udc4bc";
        let decoded = decode(raw);
        let places: Vec<_> = [0, 1, 2, 3, 4, 8, 9].map(|d| decoded.map.raw(d)).to_vec();
        assert_eq!(&*decoded.text, "a@b\n👋c".as_bytes());
        assert_eq!(places, [0, 1, 7, 8, 10, 22, 23]);
    }

    proptest! {
        /// What serde writes, we read; and cutting the raw text where the map says cuts the
        /// decoded text at the same character.
        #[test]
        fn agrees_with_serde(text in "\\PC*|[\\x00-\\x7f]*") {
            let json = serde_json::to_string(&text).unwrap();
            let raw = &json.as_bytes()[1..json.len() - 1];
            let decoded = decode(raw);
            prop_assert_eq!(&*decoded.text, text.as_bytes());
            for (offset, _) in text.char_indices() {
                let cut = decoded.map.raw(offset);
                let decoded_cut = decode(&raw[..cut]);
                prop_assert_eq!(&*decoded_cut.text, &text.as_bytes()[..offset]);
            }
            let mut again = Vec::new();
            escape_into(&mut again, text.as_bytes());
            prop_assert_eq!(&*decode(&again).text, text.as_bytes());
        }
    }
}

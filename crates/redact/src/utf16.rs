//! UTF-16: read as UTF-8, and written again as it was.

use zeroize::Zeroizing;

/// How a text in UTF-16 is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Utf16 {
    big_endian: bool,
    mark: bool,
}

/// So much of a text without a byte order mark is looked at.
const LOOK: usize = 512;

/// So many bytes in a row that are printable ASCII are no UTF-16, where that would be a row of rare ideographs: a
/// mark in front must not hide a text.
const ASCII_RUN: usize = 16;

/// Tells UTF-16 by its mark, by what the content type says, or by the zeros that Latin letters have in it.
pub(crate) fn detect(bytes: &[u8], content_type: Option<&str>) -> Option<Utf16> {
    let utf16 = guess(bytes, content_type)?;
    let is_ascii = |b: &u8| matches!(b, b' '..=b'~' | b'\n' | b'\r' | b'\t');
    let longest = bytes.split(|b| !is_ascii(b)).map(<[u8]>::len).max();
    longest.is_none_or(|run| run < ASCII_RUN).then_some(utf16)
}

fn guess(bytes: &[u8], content_type: Option<&str>) -> Option<Utf16> {
    let charset = content_type.map(str::to_ascii_lowercase).filter(|t| t.contains("utf-16"));
    match bytes {
        [0xff, 0xfe, ..] => return Some(Utf16 { big_endian: false, mark: true }),
        [0xfe, 0xff, ..] => return Some(Utf16 { big_endian: true, mark: true }),
        _ => {}
    }
    let pairs = bytes[..bytes.len().min(LOOK)].chunks_exact(2);
    let all = pairs.len();
    let (high, low) = pairs.fold((0, 0), |(high, low), pair| {
        (high + usize::from(pair[0] == 0), low + usize::from(pair[1] == 0))
    });
    let told = charset.is_some_and(|_| high + low > 0);
    // Zeros in one place of nearly every pair and in the other of none.
    let shows =
        |zeros: usize, others: usize| all >= 2 && others == 0 && (told || zeros * 10 >= all * 6);
    if shows(low, high) {
        Some(Utf16 { big_endian: false, mark: false })
    } else if shows(high, low) {
        Some(Utf16 { big_endian: true, mark: false })
    } else {
        None
    }
}

impl Utf16 {
    /// The text in UTF-8, without its mark. Halves of characters become U+FFFD.
    pub(crate) fn decode(self, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
        let bytes = &bytes[usize::from(self.mark) * 2..];
        let units = bytes.chunks_exact(2).map(|pair| {
            let pair = [pair[0], pair[1]];
            if self.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
        });
        let mut text = Zeroizing::new(Vec::with_capacity(bytes.len() * 3 / 2));
        for character in char::decode_utf16(units) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        text
    }

    /// Where an offset of the text in UTF-8 lies in the bytes.
    pub(crate) fn offset(self, text: &[u8], at: usize) -> usize {
        let before = String::from_utf8_lossy(&text[..at]);
        (before.encode_utf16().count() + usize::from(self.mark)) * 2
    }

    /// A text in UTF-8 as it was written.
    pub(crate) fn encode(self, text: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(text);
        let mark = self.mark.then_some(0xfeff);
        mark.into_iter()
            .chain(text.encode_utf16())
            .flat_map(|unit| if self.big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_recognised_and_survives_the_trip() {
        let text = "{\"a\":\"Grüße 👋\"}";
        for big_endian in [false, true] {
            for mark in [false, true] {
                let form = Utf16 { big_endian, mark };
                let bytes = form.encode(text.as_bytes());
                assert_eq!(detect(&bytes, None), Some(form));
                assert_eq!(&form.decode(&bytes)[..], text.as_bytes());
                assert_eq!(form.encode(&form.decode(&bytes)), bytes);
            }
        }
        let chinese = Utf16 { big_endian: false, mark: false }.encode("日本語 x".as_bytes());
        assert_eq!(detect(&chinese, None), None);
        assert!(detect(&chinese, Some("text/plain; charset=UTF-16")).is_some());
        assert_eq!(detect(text.as_bytes(), None), None);
        assert_eq!(detect(b"\xff\xfeto jane.roe@example.org", None), None);
        assert_eq!(detect(b"\0\0\0\x10\0\0\0\0", None), None);
    }
}

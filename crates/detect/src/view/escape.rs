//! What is written with ASCII signs for another character: percent-encoding, entities, backslash escapes; and
//! look-alikes, so that all that is read at one place is read here.

use super::fold::{Fold, char_at, fold};

/// Something that stands for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coded {
    /// How many bytes it takes.
    pub(super) len: usize,
    bytes: [u8; 4],
    out: u8,
}

impl Coded {
    /// What it stands for; empty if it is invisible.
    pub(super) fn text(&self) -> &[u8] {
        &self.bytes[..usize::from(self.out)]
    }

    fn byte(len: usize, byte: u8) -> Self {
        Self { len, bytes: [byte, 0, 0, 0], out: 1 }
    }

    fn char(len: usize, c: char) -> Self {
        match fold(c) {
            Some(Fold::To(byte) | Fold::Ornate(byte) | Fold::Joint(byte) | Fold::Sign(byte)) => {
                Self::byte(len, byte)
            }
            Some(Fold::Nothing) => Self { len, bytes: [0; 4], out: 0 },
            None => {
                let mut bytes = [0; 4];
                let out = c.encode_utf8(&mut bytes).len();
                Self { len, bytes, out: u8::try_from(out).unwrap_or(0) }
            }
        }
    }
}

/// Whether [`read`] may find something at a byte.
pub(super) fn is_special(byte: u8) -> bool {
    byte >= 0xC2 || matches!(byte, b'%' | b'&' | b'\\')
}

/// What starts at `at`, if it stands for something else.
pub(super) fn read(text: &[u8], at: usize) -> Option<Coded> {
    match *text.get(at)? {
        b'%' => percent(text, at),
        b'&' => entity(text, at),
        b'\\' => backslash(text, at),
        lead if lead >= 0xC2 => {
            let (c, len) = char_at(text, at)?;
            fold(c).map(|_| Coded::char(len, c))
        }
        _ => None,
    }
}

/// Control characters are not text: `%02` is rather a format than an escape.
fn is_text(code: u32) -> bool {
    code >= 0x20 && code != 0x7F || matches!(code, 0x09 | 0x0A | 0x0D)
}

/// `%40`, and `%u0040` as JavaScript's `escape` writes it.
fn percent(text: &[u8], at: usize) -> Option<Coded> {
    if text.get(at + 1) == Some(&b'u') {
        let c = char::from_u32(hex(text, at + 2, 4)?).filter(|&c| is_text(c.into()))?;
        return Some(Coded::char(6, c));
    }
    let code = hex(text, at + 1, 2)?;
    // Bytes of characters beyond ASCII stay bytes: they are characters again only together.
    is_text(code).then_some(Coded::byte(3, u8::try_from(code).ok()?))
}

/// `&#64;`, `&#x40;`, `&commat;`.
fn entity(text: &[u8], at: usize) -> Option<Coded> {
    let body = text.get(at + 1..)?;
    if body.first() != Some(&b'#') {
        let name_len = body.iter().take(MAX_NAME + 1).position(|&byte| byte == b';')?;
        let (_, c) = NAMED.iter().find(|(name, _)| name.as_bytes() == &body[..name_len])?;
        return Some(Coded::char(name_len + 2, *c));
    }
    let (radix, start) =
        if body.get(1).is_some_and(|x| x | 0x20 == b'x') { (16, 2) } else { (10, 1) };
    // Leading zeros are allowed; more than eight digits are rather a nuisance than a character.
    let digits = body.get(start..)?.iter().take(8).take_while(|b| char::from(**b).is_digit(radix));
    let len = digits.count();
    let number = std::str::from_utf8(body.get(start..start + len)?).ok()?;
    let code = u32::from_str_radix(number, radix).ok()?;
    let c = char::from_u32(code).filter(|_| is_text(code))?;
    // Browsers do without the semicolon.
    let closed = usize::from(body.get(start + len) == Some(&b';'));
    Some(Coded::char(1 + start + len + closed, c))
}

/// `\u0040`, `\u{40}`, `\x40`, `\n`, `\"`.
fn backslash(text: &[u8], at: usize) -> Option<Coded> {
    Some(match *text.get(at + 1)? {
        b'n' => Coded::byte(2, b'\n'),
        b't' => Coded::byte(2, b'\t'),
        b'r' => Coded::byte(2, b'\r'),
        sign @ (b'"' | b'\'' | b'/' | b'\\' | b'@') => Coded::byte(2, sign),
        b'x' => {
            let code = hex(text, at + 2, 2)?;
            let byte = u8::try_from(code).ok().filter(|_| is_text(code))?;
            Coded::byte(4, byte)
        }
        b'u' if text.get(at + 2) == Some(&b'{') => {
            let len = text.get(at + 3..)?.iter().take(7).position(|&byte| byte == b'}')?;
            let code = hex(text, at + 3, len)?;
            let c = char::from_u32(code).filter(|_| is_text(code))?;
            Coded::char(4 + len, c)
        }
        b'u' => {
            let code = hex(text, at + 2, 4)?;
            if (0xD800..0xDC00).contains(&code) {
                let low = hex(text, at + 8, 4).filter(|low| (0xDC00..0xE000).contains(low))?;
                if text.get(at + 6..at + 8) != Some(b"\\u") {
                    return None;
                }
                let c = char::from_u32(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00))?;
                return Some(Coded::char(12, c));
            }
            Coded::char(6, char::from_u32(code).filter(|_| is_text(code))?)
        }
        _ => return None,
    })
}

fn hex(text: &[u8], at: usize, len: usize) -> Option<u32> {
    let digits = text.get(at..at + len).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0u32, |code, &byte| Some(code << 4 | char::from(byte).to_digit(16)?))
}

/// The longest name below.
const MAX_NAME: usize = 7;

/// Entities whose characters values are made of or set apart by. HTML has two thousand more, for characters
/// that no value holds.
const NAMED: &[(&str, char)] = &[
    ("AMP", '&'),
    ("GT", '>'),
    ("LT", '<'),
    ("NewLine", '\n'),
    ("QUOT", '"'),
    ("Tab", '\t'),
    ("amp", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dash", '\u{2010}'),
    ("dollar", '$'),
    ("emsp", '\u{2003}'),
    ("ensp", '\u{2002}'),
    ("equals", '='),
    ("excl", '!'),
    ("gt", '>'),
    ("hyphen", '\u{2010}'),
    ("lbrack", '['),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lsqb", '['),
    ("lt", '<'),
    ("mdash", '\u{2014}'),
    ("minus", '\u{2212}'),
    ("nbsp", '\u{A0}'),
    ("ndash", '\u{2013}'),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrack", ']'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("semi", ';'),
    ("shy", '\u{AD}'),
    ("sol", '/'),
    ("thinsp", '\u{2009}'),
    ("zwj", '\u{200D}'),
    ("zwnj", '\u{200C}'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read() {
        let cases: &[(&str, &str)] = &[
            ("%40", "@"),
            ("%2b", "+"),
            ("%2B", "+"),
            ("%0A", "\n"),
            ("%u0040", "@"),
            ("%uFF14", "4"),
            ("&#64;", "@"),
            ("&#064;", "@"),
            ("&#x40;", "@"),
            ("&#X40;", "@"),
            ("&#65300;", "4"),
            ("&#8203;", ""),
            ("&commat;", "@"),
            ("&period;", "."),
            ("&nbsp;", " "),
            ("&hyphen;", "-"),
            ("&amp;", "&"),
            ("\\u0040", "@"),
            ("\\u{40}", "@"),
            ("\\x40", "@"),
            ("\\n", "\n"),
            ("\\/", "/"),
            ("\\\\", "\\"),
            ("\\uff14", "4"),
            ("\\u200b", ""),
            ("\\ud835\\udfd0", "2"),
            ("\\u00e9", "é"),
            ("４", "4"),
            ("\u{200B}", ""),
        ];
        for (written, meant) in cases {
            let text = format!("a{written}b");
            let coded = read(text.as_bytes(), 1).unwrap_or_else(|| panic!("{written}"));
            assert_eq!(coded.len, written.len(), "{written}");
            assert_eq!(coded.text(), meant.as_bytes(), "{written}");
        }
        assert_eq!(read(b"&#64x", 0).map(|coded| coded.len), Some(4));
    }

    #[test]
    fn what_is_none_is_left_alone() {
        for text in [
            "%",
            "%4",
            "%4g",
            "%02d",
            "%d",
            "100%",
            "%u00",
            "&",
            "&&",
            "&x;",
            "&#;",
            "&#x;",
            "&#1;",
            "&#1114112;",
            "&#99999999999;",
            "\\",
            "\\d",
            "\\u004",
            "\\u0000",
            "\\ud835",
            "\\ud835\\u0041",
            "\\u{}",
            "\\u{110000}",
            "\\x4",
            "é",
            "中",
            "a",
        ] {
            assert_eq!(read(text.as_bytes(), 0), None, "{text}");
        }
    }

    #[test]
    fn named_entities_are_sorted_and_short() {
        assert!(NAMED.is_sorted());
        assert_eq!(NAMED.iter().map(|(name, _)| name.len()).max(), Some(MAX_NAME));
    }
}

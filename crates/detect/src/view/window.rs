//! Where a text holds anything dressed up, and the text around there without the dress.
//!
//! Finding nothing is what this is made for: signs are searched for with `memchr`, blocks that are ASCII are
//! known as such by words, and of the others only those are looked at that hold the first byte of a character
//! that may fold. A sign counts if it stands for something (`%40`, not `40 %`), a look-alike that prose holds
//! too (dashes, spaces, joiners of emoji) only if it stands between letters and digits.

use std::ops::Range;

use super::escape::{is_special, read};
use super::fold::{Fold, char_at, fold};
use super::map::{MAX_ORIGIN, View};

/// Gathers the windows of a text.
#[derive(Debug, Default)]
pub(super) struct Windows {
    signs: Vec<Range<usize>>,
    wide: Vec<Range<usize>>,
    merged: Vec<Range<usize>>,
}

impl Windows {
    /// The windows that need a view, by start. They may overlap where they end in the middle of a token.
    pub(super) fn find(&mut self, text: &[u8]) -> &[Range<usize>] {
        self.signs.clear();
        self.wide.clear();
        self.merged.clear();
        find_signs(text, &mut self.signs);
        find_wide(text, &mut self.wide);
        if self.wide.is_empty() {
            std::mem::swap(&mut self.merged, &mut self.signs);
        } else {
            let mut signs = self.signs.drain(..).peekable();
            for wide in self.wide.drain(..) {
                while let Some(sign) = signs.next_if(|sign| sign.start < wide.start) {
                    push(&mut self.merged, sign);
                }
                push(&mut self.merged, wide);
            }
            signs.for_each(|sign| push(&mut self.merged, sign));
        }
        for window in &mut self.merged {
            *window = widen(text, window);
        }
        &self.merged
    }
}

/// What lies beside a change is looked at that far: further than any context word or keyword reaches.
pub(super) const MARGIN: usize = 256;
/// And so much further, until a space: values are not to be cut.
const EXTENSION: usize = 1024;

fn push(windows: &mut Vec<Range<usize>>, place: Range<usize>) {
    if let Some(last) = windows.last_mut()
        && place.start <= last.end + 2 * MARGIN
        && place.end.max(last.end) - last.start <= MAX_ORIGIN - 2 * (MARGIN + EXTENSION)
    {
        last.end = last.end.max(place.end);
    } else {
        windows.push(place);
    }
}

fn widen(text: &[u8], window: &Range<usize>) -> Range<usize> {
    let near = window.start.saturating_sub(MARGIN);
    let far = near.saturating_sub(EXTENSION);
    let space = text[far..near].iter().rposition(u8::is_ascii_whitespace);
    let mut start = match space {
        Some(at) => far + at + 1,
        None if far == 0 => 0,
        None => near,
    };
    let near = text.len().min(window.end + MARGIN);
    let far = text.len().min(near + EXTENSION);
    let space = text[near..far].iter().position(u8::is_ascii_whitespace);
    let mut end = match space {
        Some(at) => near + at,
        None if far == text.len() => far,
        None => near,
    };
    let is_tail = |at: usize| text.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    start -= (0..4.min(start + 1)).find(|&back| !is_tail(start - back)).unwrap_or(0);
    end += (0..4).find(|&on| !is_tail(end + on)).unwrap_or(0);
    start..end
}

fn find_signs(text: &[u8], windows: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for at in memchr::memchr3_iter(b'%', b'&', b'\\', text) {
        if at < done {
            continue;
        }
        if let Some(len) = sign(text, at) {
            done = at + len;
            push(windows, at..done);
        } else if text[at] == b'\\' {
            done = at + 2; // what it escapes starts nothing
        }
    }
}

/// The length of an escape at `at` that could hide a value or glue something to one.
fn sign(text: &[u8], at: usize) -> Option<usize> {
    let next = text.get(at + 1)?;
    match (text[at], next) {
        (b'\\', b'n' | b't' | b'r') => {
            text.get(at + 2).is_some_and(u8::is_ascii_alphanumeric).then_some(2)
        }
        (b'\\', b'/') => (at > 0 && text[at - 1] == b':').then_some(2),
        (b'\\', b'\\') => {
            let escaped = text.get(at + 2)?;
            matches!(escaped, b'n' | b't' | b'r' | b'u' | b'x' | b'/').then_some(2)
        }
        (b'\\', b'u' | b'x') | (b'%', _) | (b'&', b'#') => read(text, at).map(|coded| coded.len),
        (b'&', b'A'..=b'Z' | b'a'..=b'z' | b'_') => read(text, at)
            .map(|coded| coded.len)
            .or_else(|| joins_spaced_fields(text, at).then_some(1)),
        _ => None,
    }
}

/// Whether a `&` stands next to a field of a form with `+` for spaces in it.
fn joins_spaced_fields(text: &[u8], at: usize) -> bool {
    let end = text.len().min(at + 1 + FIELD);
    let after = text[at + 1..end].split(|&byte| ends_field(byte)).next().unwrap_or_default();
    let before = text[at.saturating_sub(FIELD)..at].rsplit(|&byte| ends_field(byte)).next();
    [after, before.unwrap_or_default()].into_iter().any(|field| {
        let value = memchr::memchr(b'=', field).map_or(&[][..], |equals| &field[equals..]);
        memchr::memchr(b'+', value).is_some()
    })
}

/// The longest field of a form that is looked at for `+`.
const FIELD: usize = 256;

fn ends_field(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'`<>&?;".contains(&byte)
}

/// Looks for characters that are a dress.
fn find_wide(text: &[u8], windows: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for (large, number) in text.chunks(LARGE).zip(0..) {
        if large.is_ascii() {
            continue;
        }
        let mut start = number * LARGE;
        for block in large.chunks(BLOCK) {
            let end = start + block.len();
            if block.iter().fold(false, |any, &byte| any | leads(byte))
                && (end + 3 > text.len() || holds_dress(block, &text[start..end + 3]))
            {
                for at in start.max(done)..end {
                    if text[at] >= 0xC2 && at >= done {
                        done = wide(text, at, windows);
                    }
                }
            }
            start = end;
        }
    }
}

/// So much is known to be ASCII at once.
const LARGE: usize = 512;
/// So much is looked at by vectors at once.
const BLOCK: usize = 64;

/// Whether a character that may be a dress begins in `first`; `block` is the same with three more bytes.
///
/// Typographic quotes and dashes, full stops and commas of CJK are many in some texts and go by here. One plain
/// loop for each kind, as the compiler makes vectors of those, and of one for all it does not.
fn holds_dress(first: &[u8], block: &[u8]) -> bool {
    let len = first.len();
    let (second, third, fourth) = (&block[1..][..len], &block[2..][..len], &block[3..][..len]);
    if first.iter().fold(false, |any, &byte| any | leads_rare(byte)) {
        return true;
    }
    let pairs = || first.iter().zip(second);
    let quads = pairs().zip(third).zip(fourth);
    quads.fold(false, |any, (((&a, &b), &c), &d)| any | is_e2(a, b, c, d))
        || pairs().zip(fourth).fold(false, |any, ((&a, &b), &d)| any | is_e3(a, b, d))
        || pairs().zip(third).fold(false, |any, ((&a, &b), &c)| any | is_ef(a, b, c))
}

fn leads_rare(byte: u8) -> bool {
    byte == 0xC2
        || byte == 0xCD
        || byte.wrapping_sub(0xD8) < 8
        || byte.wrapping_sub(0xE0) < 2
        || byte == 0xEA
        || byte.wrapping_sub(0xF0) < 4
}

/// The bytes that lead characters which [`fold`] knows.
fn leads(byte: u8) -> bool {
    byte == 0xC2
        || byte == 0xCD
        || byte.wrapping_sub(0xD8) < 8
        || byte.wrapping_sub(0xE0) < 4
        || byte == 0xEA
        || byte == 0xEF
        || byte.wrapping_sub(0xF0) < 4
}

/// Not a typographic quote; a dash or space only before a letter or digit of ASCII, or nearly.
fn is_e2(first: u8, second: u8, third: u8, fourth: u8) -> bool {
    let quote = third.wrapping_sub(0x96) < 14;
    let invisible = (third.wrapping_sub(0x8B) < 5) | (third.wrapping_sub(0xAA) < 5);
    let joined = fourth.wrapping_sub(b'0') < 75;
    (first == 0xE2) & !((second == 0x80) & (quote | !(invisible | joined)))
}

/// Before a letter or digit of ASCII, or nearly.
fn is_e3(first: u8, second: u8, fourth: u8) -> bool {
    (first == 0xE3) & (second == 0x80) & (fourth.wrapping_sub(b'0') < 75)
}

/// Not a comma, bracket, colon, question or exclamation mark.
fn is_ef(first: u8, second: u8, third: u8) -> bool {
    let sign = (third < 0x8B) | (third == 0x8C) | (third.wrapping_sub(0x9A) < 6);
    (first == 0xEF) & !((second == 0xBC) & sign)
}

/// Whether the first bytes of a character are of one that [`fold`] knows and that may be a dress.
fn may_be_dress(text: &[u8], at: usize) -> bool {
    let next = |offset: usize| text.get(at + offset).copied().unwrap_or(b' ');
    let second = next(1);
    match text[at] {
        0xC2 => matches!(second, 0xA0 | 0xAD | 0xB2 | 0xB3 | 0xB9),
        0xCD => second == 0x8F,
        0xD8 => second == 0x9C,
        0xD9 => matches!(second, 0xA0..=0xA9),
        0xDB => matches!(second, 0xB0..=0xB9),
        0xDF => second < 0x90,
        0xE0 | 0xE1 | 0xF3 => true,
        0xE2 => match second {
            0x80 => matches!(next(2), 0x80..=0x95 | 0xA4 | 0xAA..=0xAF),
            _ => matches!(second, 0x81 | 0x82 | 0x84 | 0x88 | 0x91..=0x93),
        },
        // A full stop or a space: a joint, which needs something to join.
        0xE3 => second == 0x80 && matches!(next(2), 0x80 | 0x82) && next(3).is_ascii_alphanumeric(),
        0xEA => second < 0xB0,
        0xEF => match second {
            0xBC => matches!(next(2), 0x8B | 0x8D | 0x8E | 0x90..=0x99 | 0xA0..=0xBA | 0xBF),
            _ => matches!(second, 0xB8 | 0xB9 | 0xBB | 0xBD),
        },
        0xF0 => second != 0x9F || next(2) == 0xAF, // emoji
        _ => false,
    }
}

/// Looks at the character at `at`; returns where to go on.
fn wide(text: &[u8], at: usize, windows: &mut Vec<Range<usize>>) -> usize {
    if !may_be_dress(text, at) {
        return at + 1;
    }
    let Some((c, len)) = char_at(text, at) else { return at + 1 };
    let Some(folded) = fold(c) else { return at + len };
    let mut end = at + len;
    let before = at.checked_sub(1).map_or(b' ', |before| text[before]);
    let dressed = match folded {
        Fold::To(_) => true,
        Fold::Sign(_) => false,
        Fold::Ornate(_) => char_at(text, end)
            .and_then(|(next, _)| fold(next))
            .is_some_and(|next| matches!(next, Fold::Ornate(_) | Fold::To(_))),
        Fold::Joint(sign) => {
            let after = text.get(end).copied().unwrap_or(b' ');
            let digit = before.is_ascii_digit() || after.is_ascii_digit();
            let glued = before.is_ascii_alphanumeric() && after.is_ascii_alphanumeric();
            // A long dash or a space between two words is what it seems.
            glued && (digit || sign == b'.' || matches!(c, '\u{2010}'..='\u{2012}' | '\u{FF0D}'))
        }
        Fold::Nothing => {
            // All of a run at once, so that a long one is read once.
            while let Some((next, len)) = char_at(text, end) {
                if fold(next) != Some(Fold::Nothing) {
                    break;
                }
                end += len;
            }
            let after = text.get(end).copied().unwrap_or(b' ');
            let glued = before.is_ascii_graphic() && after.is_ascii_graphic();
            glued || before.is_ascii_digit() || after.is_ascii_digit()
        }
    };
    if dressed {
        push(windows, at..end);
    }
    end
}

/// Writes the window into the view with all that is dressed up in it undone.
pub(super) fn undress(text: &[u8], window: Range<usize>, view: &mut View) {
    view.begin(window.clone(), text.len());
    let text = &text[..window.end];
    let mut form = Form::default();
    let mut at = window.start;
    let mut copied = at;
    while at < text.len() {
        let byte = text[at];
        if is_special(byte) {
            let Some(coded) = read(text, at) else {
                at += 1;
                continue;
            };
            view.text.extend_from_slice(&text[copied..at]);
            let start = view.text.len();
            view.text.extend_from_slice(coded.text());
            let units = (coded.text().len(), coded.len);
            let narrow = |len: usize| u8::try_from(len).unwrap_or(u8::MAX); // at most 12
            view.changed(start, at..at + coded.len, (narrow(units.0), narrow(units.1)));
            at += coded.len;
            copied = at;
        } else if byte == b'+' && form.is_space(text, window.start, at) {
            view.text.extend_from_slice(&text[copied..at]);
            let start = view.text.len();
            view.text.push(b' ');
            view.changed(start, at..at + 1, (1, 1));
            at += 1;
            copied = at;
        } else {
            at += 1;
        }
    }
    view.text.extend_from_slice(&text[copied..]);
}

/// The last field looked at for being one of a form.
#[derive(Default)]
struct Form {
    end: usize,
    spaced: bool,
}

impl Form {
    /// Whether a `+` is a space: in the value of a field that stands beside a `&` or holds percent-encoding,
    /// and that is not an address, where it would be a plus.
    fn is_space(&mut self, text: &[u8], floor: usize, at: usize) -> bool {
        if at >= self.end {
            let floor = floor.max(self.end);
            let before = text[floor..at].iter().rposition(|&byte| ends_field(byte));
            let start = before.map_or(floor, |before| floor + before + 1);
            let after = text[at..].iter().position(|&byte| ends_field(byte));
            self.end = after.map_or(text.len(), |after| at + after);
            let field = &text[start..self.end];
            let is_value = memchr::memchr(b'=', &text[start..at]).is_some();
            let beside = start > 0 && text[start - 1] == b'&' || text.get(self.end) == Some(&b'&');
            let encoded =
                || memchr::memchr_iter(b'%', field).any(|sign| read(field, sign).is_some());
            let address =
                || memchr::memchr(b'@', field).is_some() || field.windows(3).any(|w| w == b"%40");
            self.spaced = is_value && (beside || encoded()) && !address();
        }
        self.spaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(text: &str) -> Vec<Range<usize>> {
        Windows::default().find(text.as_bytes()).to_vec()
    }

    fn undressed(text: &str) -> String {
        let mut view = View::default();
        undress(text.as_bytes(), 0..text.len(), &mut view);
        String::from_utf8(view.text.clone()).unwrap()
    }

    #[test]
    fn ordinary_text_has_no_windows() {
        for text in [
            "plain ASCII, 100 % of it & more; a && b, \"a\\\"b\\\\\", C:\\dir\\file \\d{3}",
            "printf(\"%d %s %02d%%\\n\");",
            "prose — with dashes–and “quotes”, it’s 5\u{A0}€, a\u{AD} b",
            "русский текст, 中文，没有！ 日本語。かな ไทย عربي می\u{200C}خواهم",
            "👨\u{200D}👩\u{200D}👧 ❤\u{FE0F} x² ① one ② two",
            "https://example.com/?a=b&c=d&e=f",
        ] {
            assert!(windows(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn dresses_are_noticed() {
        for text in [
            "a%40b",
            "a&#64;b",
            "a&commat;b",
            "a\\u0040b",
            "a\\x40b",
            "\\n4111",
            "\\\\n4111",
            "4\u{200B}1",
            "a\u{AD}b",
            "１",
            "٣",
            "𝟗",
            "𝐚",
            "①②",
            "4\u{2011}1",
            "a\u{2011}b",
            "4\u{A0}1",
            "a\u{3002}b",
            "x＠y",
            "a=1+2&b=3",
            "b=3&a=1+2",
            "https:\\/\\/x",
        ] {
            assert_eq!(windows(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn the_quick_look_misses_nothing() {
        // Beyond these planes nothing folds but tags and selectors.
        for c in (0x80..0x20000).chain(0xE0000..0xE0200).filter_map(char::from_u32) {
            let folded = fold(c).filter(|folded| !matches!(folded, Fold::Sign(_)));
            let text = format!("{c}1{}", " ".repeat(BLOCK)).into_bytes();
            let quick = leads(text[0])
                && holds_dress(&text[..BLOCK], &text[..BLOCK + 3])
                && may_be_dress(&text, 0);
            assert!(quick || folded.is_none(), "{c:?}");
        }
    }

    #[test]
    fn windows_end_at_spaces_and_merge() {
        let text = format!("{0} x%40y {0} {0} {0}", "word ".repeat(100));
        let found = windows(&text);
        assert_eq!(found.len(), 1);
        assert!(found[0].start > 0 && found[0].end < text.len());
        assert!(
            text[found[0].clone()].starts_with("word ") && text[found[0].clone()].ends_with('d')
        );
        let close = format!("x%40y {} x\u{200B}y", "w ".repeat(200));
        assert_eq!(windows(&close).len(), 1);
        let wide = format!("{0}x%40y{0}", "é".repeat(3000));
        let found = windows(&wide);
        assert!(wide.get(found[0].clone()).is_some(), "characters stay whole");
    }

    #[test]
    fn a_plus_is_a_space_in_forms_only() {
        assert_eq!(undressed("a=1+2&b=3"), "a=1 2&b=3");
        assert_eq!(undressed("a=1+2%2C3"), "a=1 2,3");
        assert_eq!(undressed("to=x+y%40example.com&b=3+4"), "to=x+y@example.com&b=3 4");
        assert_eq!(undressed("1+2 &amp; a+b=c"), "1+2 & a+b=c");
        assert_eq!(undressed("a=1+2"), "a=1+2");
    }
}

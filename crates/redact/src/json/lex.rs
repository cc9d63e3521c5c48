//! A single-pass JSON lexer that reports strings, numbers and containers with their path.

use std::ops::Range;

use memchr::memchr2;

/// Receives what the lexer finds, in document order. Ranges are in the lexed haystack; those of
/// strings lie inside the quotes.
pub(crate) trait Visit {
    /// An object key. `path` is that of the object.
    fn key(&mut self, path: &Path<'_>, raw: Range<usize>, escaped: bool);
    /// A string value.
    fn string(&mut self, path: &Path<'_>, raw: Range<usize>, escaped: bool);
    /// A number, or one of `true`, `false`, `null`.
    fn scalar(&mut self, path: &Path<'_>, raw: Range<usize>);
    /// An array has ended; `raw` covers its brackets.
    fn array(&mut self, path: &Path<'_>, raw: Range<usize>);
}

/// Where the lexer stands: the containers around the current value.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    haystack: &'a [u8],
    frames: Vec<Frame>,
    /// Objects opened so far: gives every object of a document a number of its own.
    objects: u32,
}

#[derive(Debug)]
struct Frame {
    start: usize,
    /// The raw key under which the current value of this object stands; `None` in an array.
    key: Option<Range<usize>>,
    /// The number of the object; `None` for an array.
    object: Option<u32>,
}

impl Path<'_> {
    /// The nearest key above the current value, as it stands in the bytes.
    pub(crate) fn name(&self) -> Option<&[u8]> {
        self.name_range().map(|range| &self.haystack[range])
    }

    /// Where the nearest key above the current value stands.
    pub(crate) fn name_range(&self) -> Option<Range<usize>> {
        self.frames.iter().rev().find_map(|f| f.key.clone())
    }

    /// A stretch of the lexed haystack.
    pub(crate) fn slice(&self, range: &Range<usize>) -> &[u8] {
        &self.haystack[range.clone()]
    }

    /// Whether a stretch is the last of the lexed haystack.
    pub(crate) fn ends_with(&self, range: &Range<usize>) -> bool {
        range.end == self.haystack.len()
    }

    /// The keys above the current value, innermost first; array positions are passed over.
    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.frames.iter().rev().filter_map(|f| f.key.clone()).map(|k| &self.haystack[k])
    }

    /// For each array around the current value, the object it stands in and the keys from its items on, outermost
    /// first.
    pub(crate) fn within_arrays(
        &self,
    ) -> impl Iterator<Item = (Option<u32>, impl Iterator<Item = &[u8]>)> {
        let arrays = self.frames.iter().enumerate().filter(|(_, frame)| frame.object.is_none());
        arrays.map(|(at, _)| {
            let around = self.frames[..at].iter().rev().find_map(|frame| frame.object);
            let inside = self.frames[at + 1..].iter().filter_map(|f| f.key.clone());
            (around, inside.map(|key| &self.haystack[key]))
        })
    }

    /// The object that the innermost array around the current value stands in.
    pub(crate) fn innermost_array(&self) -> Option<u32> {
        let array = self.frames.iter().rposition(|frame| frame.object.is_none())?;
        self.frames[..array].iter().rev().find_map(|frame| frame.object)
    }

    /// If the current value stands in an array itself, the object that the array is in.
    pub(crate) fn listed(&self) -> Option<u32> {
        let is_item = self.frames.last().is_some_and(|frame| frame.object.is_none());
        is_item.then(|| self.innermost_array().unwrap_or(u32::MAX))
    }

    /// The keys above the current value, outermost first.
    pub(crate) fn outer_names(&self) -> impl Iterator<Item = &[u8]> {
        self.frames.iter().filter_map(|f| f.key.clone()).map(|k| &self.haystack[k])
    }

    /// Appends the steps to the current value, as in `messages[*].content`. Keys that are no plain
    /// names stand as `*`: they may be data.
    pub(crate) fn write_to(&self, out: &mut String) {
        for frame in &self.frames {
            match (&frame.key, frame.object) {
                (Some(key), _) => {
                    if !out.is_empty() {
                        out.push('.');
                    }
                    out.push_str(plain_name(&self.haystack[key.clone()]).unwrap_or("*"));
                }
                (None, None) => out.push_str("[*]"),
                (None, Some(_)) => {}
            }
        }
    }

    /// The numbers of the objects around the current value, outermost first.
    pub(crate) fn objects(&self) -> impl Iterator<Item = u32> {
        self.frames.iter().filter_map(|f| f.object)
    }

    /// The numbers of the objects around the current value, innermost first.
    pub(crate) fn inner_objects(&self) -> impl Iterator<Item = u32> {
        self.frames.iter().rev().filter_map(|f| f.object)
    }

    /// The number of the object directly around the current value.
    pub(crate) fn object(&self) -> Option<u32> {
        self.frames.iter().rev().find_map(|f| f.object)
    }
}

/// A key that is a name in a program: letters, digits and a few signs, not long, and no more digits than a
/// name has.
fn plain_name(key: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(key).ok()?;
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-$:.".contains(&b));
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    (plain && (1..=48).contains(&name.len()) && digits <= 4).then_some(name)
}

/// How far the lexer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lexed {
    /// One whole document, and nothing but white space after it.
    Whole,
    /// The haystack ended inside the document, as that of a truncated body does. Everything up to
    /// the end was reported.
    Truncated,
    /// One whole document, and something else from this offset on.
    More(usize),
    /// Not JSON from this offset on.
    Broken(usize),
}

impl Lexed {
    /// Whether it is one document, perhaps cut off, and nothing else.
    pub(crate) fn is_one(self) -> bool {
        matches!(self, Self::Whole | Self::Truncated)
    }
}

/// The paths to the keys, strings and numbers that begin at these offsets of a document, which ascend; empty
/// where there is none.
pub(crate) fn paths_to(document: &[u8], offsets: &[usize]) -> Vec<String> {
    struct Find<'o> {
        offsets: &'o [usize],
        paths: Vec<String>,
    }
    impl Find<'_> {
        fn at(&mut self, path: &Path<'_>, raw: &Range<usize>) {
            while let Some(&offset) = self.offsets.get(self.paths.len())
                && offset <= raw.end
            {
                let mut found = String::new();
                if raw.start <= offset {
                    path.write_to(&mut found);
                }
                self.paths.push(found);
            }
        }
    }
    impl Visit for Find<'_> {
        fn key(&mut self, path: &Path<'_>, raw: Range<usize>, _: bool) {
            self.at(path, &raw);
        }
        fn string(&mut self, path: &Path<'_>, raw: Range<usize>, _: bool) {
            self.at(path, &raw);
        }
        fn scalar(&mut self, path: &Path<'_>, raw: Range<usize>) {
            self.at(path, &raw);
        }
        fn array(&mut self, _: &Path<'_>, _: Range<usize>) {}
    }
    let mut find = Find { offsets, paths: Vec::with_capacity(offsets.len()) };
    lex(document, &mut find);
    find.paths.resize(offsets.len(), String::new());
    find.paths
}

/// What a document that breaks off would have to begin with to be at the same place: the containers around it
/// with their keys, and of a string that is open what `keep` says. `None` if it is whole or broken.
pub(crate) fn opening(document: &[u8], keep: impl FnOnce(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> {
    let mut path = Path { haystack: document, frames: Vec::new(), objects: 0 };
    let (lexed, expect, open) = run(&mut path, &mut Ignore);
    if lexed != Lexed::Truncated {
        return None;
    }
    let mut out = Vec::new();
    let innermost = path.frames.len().checked_sub(1);
    for (level, frame) in path.frames.iter().enumerate() {
        out.push(if frame.object.is_some() { b'{' } else { b'[' });
        let key = |out: &mut Vec<u8>| {
            let key = frame.key.clone().map_or(&b""[..], |key| &document[key]);
            out.extend_from_slice(&[b"\"", key, b"\""].concat());
        };
        let is_object = frame.object.is_some();
        if Some(level) != innermost {
            if is_object {
                key(&mut out);
                out.push(b':');
            }
            continue;
        }
        match (expect, is_object) {
            (Expect::KeyOrClose | Expect::ValueOrClose, _) => {}
            (Expect::Value, true) => {
                key(&mut out);
                out.push(b':');
            }
            (Expect::Value, false) => out.extend_from_slice(b"0,"),
            (Expect::CommaOrClose | Expect::End, true) => out.extend_from_slice(b"\"\":0"),
            (Expect::CommaOrClose | Expect::End, false) => out.push(b'0'),
            (Expect::Key, _) => out.extend_from_slice(b"\"\":0,"),
            (Expect::Colon, _) => key(&mut out),
        }
    }
    match open.map(|open| (open.what, &document[open.raw])) {
        None => {}
        Some((What::Key, raw)) => out.extend_from_slice(&[b"\"", raw].concat()),
        Some((What::String, raw)) => out.extend_from_slice(&[b"\"", &keep(raw)[..]].concat()),
        Some((What::Scalar, raw)) => {
            // It stands where the lexer takes a whole one to be.
            out.pop();
            out.extend_from_slice(if raw.len() <= LONGEST_SCALAR { raw } else { b"0" });
        }
    }
    Some(out)
}

/// A scalar that goes on is remembered if it is no longer than this: more digits are no number of anybody's.
const LONGEST_SCALAR: usize = 64;

/// What was open where a document broke off.
struct Open {
    what: What,
    raw: Range<usize>,
}

enum What {
    Key,
    String,
    /// A number or literal at the very end: more of it may come.
    Scalar,
}

/// Passes over a document, to see whether it is one.
pub(crate) struct Ignore;

impl Visit for Ignore {
    fn key(&mut self, _: &Path<'_>, _: Range<usize>, _: bool) {}
    fn string(&mut self, _: &Path<'_>, _: Range<usize>, _: bool) {}
    fn scalar(&mut self, _: &Path<'_>, _: Range<usize>) {}
    fn array(&mut self, _: &Path<'_>, _: Range<usize>) {}
}

/// Containers deeper than this are not followed; what lies deeper is read as text instead.
const MAX_DEPTH: usize = 256;

/// Lexes one document. Time is linear in the haystack, memory in its depth.
///
/// The grammar is that of RFC 8259, read leniently where leniency loses nothing: control characters
/// in strings and odd numbers are passed over, since the bytes are kept as they are anyway.
pub(crate) fn lex(haystack: &[u8], visit: &mut impl Visit) -> Lexed {
    run(&mut Path { haystack, frames: Vec::new(), objects: 0 }, visit).0
}

/// As [`lex`], and says what was expected where it ended, and what was open there.
fn run(path: &mut Path<'_>, visit: &mut impl Visit) -> (Lexed, Expect, Option<Open>) {
    let haystack = path.haystack;
    let mut at = if haystack.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut expect = Expect::Value;
    let mut last = None;
    loop {
        at = skip_space(haystack, at);
        let Some(&byte) = haystack.get(at) else {
            let lexed = if expect == Expect::End { Lexed::Whole } else { Lexed::Truncated };
            let open = last.filter(|raw: &Range<usize>| raw.end == haystack.len());
            return (lexed, expect, open.map(|raw| Open { what: What::Scalar, raw }));
        };
        match (expect, byte) {
            (Expect::End, _) => return (Lexed::More(at), expect, None),
            (Expect::Value | Expect::ValueOrClose, b'{' | b'[') => {
                if path.frames.len() == MAX_DEPTH {
                    return (Lexed::Broken(at), expect, None);
                }
                let object = (byte == b'{').then_some(path.objects);
                path.objects += u32::from(byte == b'{');
                path.frames.push(Frame { start: at, key: None, object });
                expect = if byte == b'{' { Expect::KeyOrClose } else { Expect::ValueOrClose };
                at += 1;
            }
            (Expect::ValueOrClose | Expect::CommaOrClose, b']')
            | (Expect::KeyOrClose | Expect::CommaOrClose, b'}') => {
                let Some(frame) = path.frames.last() else {
                    return (Lexed::Broken(at), expect, None);
                };
                if frame.object.is_some() != (byte == b'}') {
                    return (Lexed::Broken(at), expect, None);
                }
                let start = frame.start;
                path.frames.pop();
                at += 1;
                if byte == b']' {
                    visit.array(path, start..at);
                }
                expect = after_value(path);
            }
            (Expect::KeyOrClose | Expect::Key, b'"') => {
                let (raw, escaped, closed) = string_at(haystack, at);
                at = raw.end + 1;
                // The path of a key is that of its object.
                let last = path.frames.len() - 1;
                path.frames[last].key = None;
                visit.key(path, raw.clone(), escaped);
                if !closed {
                    return (Lexed::Truncated, expect, Some(Open { what: What::Key, raw }));
                }
                path.frames[last].key = Some(raw);
                expect = Expect::Colon;
            }
            (Expect::Colon, b':') => {
                at += 1;
                expect = Expect::Value;
            }
            (Expect::CommaOrClose, b',') => {
                at += 1;
                let in_object = path.frames.last().is_some_and(|f| f.object.is_some());
                expect = if in_object { Expect::Key } else { Expect::Value };
            }
            (Expect::Value | Expect::ValueOrClose, b'"') => {
                let (raw, escaped, closed) = string_at(haystack, at);
                at = raw.end + 1;
                visit.string(path, raw.clone(), escaped);
                if !closed {
                    return (Lexed::Truncated, expect, Some(Open { what: What::String, raw }));
                }
                expect = after_value(path);
            }
            (Expect::Value | Expect::ValueOrClose, _) => {
                let end = scalar_end(haystack, at);
                let text = &haystack[at..end];
                let cut = end == haystack.len() && !path.frames.is_empty();
                let whole = is_scalar(text) || (cut && starts_scalar(text));
                if !whole {
                    return (Lexed::Broken(at), expect, None);
                }
                visit.scalar(path, at..end);
                last = Some(at..end);
                at = end;
                expect = after_value(path);
            }
            _ => return (Lexed::Broken(at), expect, None),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrClose,
    KeyOrClose,
    Key,
    Colon,
    CommaOrClose,
    End,
}

fn after_value(path: &Path<'_>) -> Expect {
    if path.frames.is_empty() { Expect::End } else { Expect::CommaOrClose }
}

fn skip_space(haystack: &[u8], at: usize) -> usize {
    let space = haystack[at.min(haystack.len())..]
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
        .count();
    at + space
}

/// The inside of the string whose opening quote stands at `open`, whether it holds escapes, and
/// whether it was closed before the haystack ended.
fn string_at(haystack: &[u8], open: usize) -> (Range<usize>, bool, bool) {
    let start = open + 1;
    let mut at = start;
    let mut escaped = false;
    while let Some(found) = memchr2(b'"', b'\\', &haystack[at.min(haystack.len())..]) {
        at += found;
        if haystack[at] == b'"' {
            return (start..at, escaped, true);
        }
        escaped = true;
        at += 2;
    }
    (start..haystack.len(), escaped, false)
}

fn scalar_end(haystack: &[u8], at: usize) -> usize {
    let length = haystack[at..]
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        .count();
    at + length
}

fn is_scalar(text: &[u8]) -> bool {
    matches!(text, b"true" | b"false" | b"null")
        || serde_json::from_slice::<serde_json::Number>(text).is_ok()
        || is_long_number(text)
}

/// Numbers too long or too large for any machine type are still JSON numbers.
fn is_long_number(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    digits.first().is_some_and(u8::is_ascii_digit)
        && digits
            .iter()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
}

/// Whether a truncated body could have gone on to make a scalar of this.
fn starts_scalar(text: &[u8]) -> bool {
    text == b"-"
        || is_long_number(text)
        || (!text.is_empty()
            && [&b"true"[..], b"false", b"null"].iter().any(|w| w.starts_with(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Log(Vec<String>);

    impl Log {
        fn add(&mut self, kind: &str, path: &Path<'_>, raw: Range<usize>) {
            let names: Vec<_> = path.names().map(String::from_utf8_lossy).collect();
            let text = String::from_utf8_lossy(&path.haystack[raw]).into_owned();
            self.0.push(format!("{kind} {}={text}", names.join("<")));
        }
    }

    impl Visit for Log {
        fn key(&mut self, _: &Path<'_>, _: Range<usize>, _: bool) {}
        fn string(&mut self, path: &Path<'_>, raw: Range<usize>, _: bool) {
            self.add("s", path, raw);
        }
        fn scalar(&mut self, path: &Path<'_>, raw: Range<usize>) {
            self.add("n", path, raw);
        }
        fn array(&mut self, path: &Path<'_>, raw: Range<usize>) {
            self.add("a", path, raw);
        }
    }

    fn run(text: &str) -> (Lexed, Vec<String>) {
        let mut log = Log::default();
        let lexed = lex(text.as_bytes(), &mut log);
        (lexed, log.0)
    }

    #[test]
    fn values_come_with_their_names() {
        let (lexed, log) = run(r#"{"a":{"b":["x",1,{"c":"y\"z"}]},"d":null}"#);
        assert_eq!(lexed, Lexed::Whole);
        assert_eq!(
            log,
            ["s b<a=x", "n b<a=1", r#"s c<b<a=y\"z"#, r#"a b<a=["x",1,{"c":"y\"z"}]"#, "n d=null"]
        );
    }

    #[test]
    fn how_far_it_comes() {
        for (text, expected) in [
            ("{}", Lexed::Whole),
            (" [ ] ", Lexed::Whole),
            ("12e5", Lexed::Whole),
            ("123456789012345678901234567890", Lexed::Whole),
            ("", Lexed::Truncated),
            (r#"{"a"#, Lexed::Truncated),
            (r#"{"a":"b"#, Lexed::Truncated),
            (r#"{"a":"b\"#, Lexed::Truncated),
            (r#"{"a":tr"#, Lexed::Truncated),
            (r#"{"a":1,"#, Lexed::Truncated),
            (r#"{"a":1]"#, Lexed::Broken(6)),
            ("{} x", Lexed::More(3)),
            ("{}{\"a\":1}", Lexed::More(2)),
            ("hello", Lexed::Broken(0)),
            ("]", Lexed::Broken(0)),
            (r#"{"a" 1}"#, Lexed::Broken(5)),
            ("[1,]", Lexed::Broken(3)),
            ("{1:2}", Lexed::Broken(1)),
        ] {
            assert_eq!(run(text).0, expected, "{text}");
        }
    }

    #[test]
    fn what_opens_a_cut_document_leads_to_the_same_place() {
        let keep = |raw: &[u8]| raw.to_vec();
        for (text, expected) in [
            (r#"{"a":1,"b":{"c":[1,2,{"d":"x y"#, Some(r#"{"b":{"c":[{"d":"x y"#)),
            (r#"{"a":[1,"#, Some(r#"{"a":[0,"#)),
            (r#"{"a":"#, Some(r#"{"a":"#)),
            (r#"{"a":"b","#, Some(r#"{"":0,"#)),
            (r#"{"a":"b""#, Some(r#"{"":0"#)),
            (r#"{"a":1,"be"#, Some(r#"{"":0,"be"#)),
            ("[{}", Some("[0")),
            ("{", Some("{")),
            (r#"{"a":1,"b":tr"#, Some(r#"{"":tr"#)),
            (r#"{"a":1,"b":true "#, Some(r#"{"":0"#)),
            ("[1, 41", Some("[41")),
            ("[-", Some("[-")),
            ("{}", None),
            ("so", None),
        ] {
            let opening = opening(text.as_bytes(), keep).map(|o| String::from_utf8(o).unwrap());
            assert_eq!(opening.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = "[".repeat(100_000);
        assert_eq!(run(&deep).0, Lexed::Broken(MAX_DEPTH));
    }
}

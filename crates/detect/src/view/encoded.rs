//! Text hidden in base64 or hexadecimal.
//!
//! A run of at least [`MIN_RUN`] letters of these alphabets is decoded if its first bytes decode to text. Every
//! such run holds two whole words of eight bytes at multiples of eight, so a text is searched for them with a load
//! and a few operations for eight bytes, and without a branch that text could lead astray. Images and ciphertext
//! are dismissed by their first twelve bytes.

use std::ops::Range;

use super::map::View;

/// Twenty-four letters hold eighteen bytes: shorter than most secrets and many addresses.
const MIN_RUN: usize = 24;
const WORD: usize = 8;
const _: () = assert!(MIN_RUN >= 3 * WORD, "two whole words, wherever it begins");
/// How many words are looked at together.
const BLOCK: usize = 16;
/// How much of a run is decoded at a time, and how much of that again with the next part: more than a secret
/// is long. Multiples of four.
const PART: usize = 64 << 10;
const OVERLAP: usize = 8 << 10;
/// A line of wrapped base64 has 64 or 76 letters; shorter ones are rather words on lines.
const MIN_LINE: usize = 40;

/// The runs of a text, one part after the other.
#[derive(Debug)]
pub(super) struct Runs<'t> {
    text: &'t [u8],
    /// Where to look for the next run.
    from: usize,
    /// A run that is under way.
    rest: Option<Rest>,
    /// Places in the last run where a token may begin.
    starts: Vec<usize>,
    lines: Vec<Range<usize>>,
}

#[derive(Debug, Clone)]
struct Rest {
    run: Range<usize>,
    from: usize,
}

impl<'t> Runs<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self { text, from: 0, rest: None, starts: Vec::new(), lines: Vec::new() }
    }

    /// Decodes the next part of a run that holds text into the view; false if there is none.
    pub(super) fn next(&mut self, view: &mut View) -> bool {
        loop {
            if let Some(rest) = self.rest.take() {
                if self.decode_part(rest, view) {
                    return true;
                }
                continue;
            }
            if let Some(start) = self.starts.pop() {
                let end = self.lines.last().map_or(self.from, |line| line.end);
                if end - start >= MIN_RUN && looks_like_text(&self.text[start..end]) {
                    self.starts.clear();
                    let padding =
                        self.text[end..].iter().take(2).take_while(|&&byte| byte == b'=').count();
                    self.rest = Some(Rest { run: start..end + padding, from: start });
                }
                continue;
            }
            let Some(run) = next_run(self.text, self.from) else { return false };
            self.from = run.end;
            if let Some(hex) = hexadecimal(self.text, run.clone()) {
                if decode_hex(self.text, hex, view) {
                    return true;
                }
                continue;
            }
            self.wrap(run);
        }
    }

    /// Takes the lines that continue a run in, and notes where in its first line to try.
    fn wrap(&mut self, run: Range<usize>) {
        let text = self.text;
        self.lines.clear();
        self.lines.push(run.clone());
        let width = run.len();
        if width >= MIN_LINE && width.is_multiple_of(4) {
            let mut end = run.end;
            while let Some(line) = line_after(text, end, width) {
                end = line.end;
                let last = line.len() < width;
                self.lines.push(line);
                if last {
                    break;
                }
            }
            self.from = end;
        }
        // The run's own start first, then behind signs that are letters of an alphabet but may also set the
        // token apart: a path before it, a key with a dash.
        let signs = text[run.clone()].iter().enumerate();
        let starts = signs.filter(|(_, byte)| matches!(byte, b'/' | b'-' | b'_' | b'+'));
        self.starts.clear();
        self.starts.push(run.start);
        if self.lines.len() == 1 {
            self.starts.extend(starts.map(|(at, _)| run.start + at + 1).take(MAX_STARTS));
        }
        self.starts.reverse();
    }

    /// Decodes from `rest.from` on, as much as one part holds.
    fn decode_part(&mut self, rest: Rest, view: &mut View) -> bool {
        let text = self.text;
        let first = self.lines.partition_point(|line| line.end <= rest.from);
        let run_start = rest.run.start;
        let mut start = rest.from;
        let mut letters = 0;
        let mut end = start;
        for line in &self.lines[first..] {
            let from = start.max(line.start);
            let len = line.end - from;
            end = from + len.min(PART - letters);
            letters += len.min(PART - letters);
            if letters == PART {
                break;
            }
        }
        let last = self.lines.last().map_or(end, |line| line.end);
        let is_last = end >= last;
        let origin = rest.from..if is_last { rest.run.end } else { end };
        view.begin(origin, text.len());
        view.decoded_from(rest.run.clone(), (rest.from > run_start, !is_last));
        for line in &self.lines[first..] {
            let from = start.max(line.start);
            let to = line.end.min(end);
            if from >= to {
                break;
            }
            let at = view.text.len();
            decode(&text[from..to], &mut view.text);
            let to = if is_last && to == last { rest.run.end } else { to };
            view.changed(at, from..to, (3, 4));
            start = to;
        }
        if !is_last {
            // Parts overlap by whole quanta, and lines of a wrapped run are whole quanta.
            let back = end - OVERLAP;
            let line = self.lines.partition_point(|line| line.start < back);
            let line = self.lines.get(line).filter(|line| line.start < end);
            self.rest = Some(Rest { run: rest.run, from: line.map_or(back, |line| line.start) });
        }
        is_mostly_text(&view.text)
    }
}

const MAX_STARTS: usize = 8;

/// The next run of letters of base64 from `from` on that is long enough, without padding.
fn next_run(text: &[u8], from: usize) -> Option<Range<usize>> {
    let (words, _) = text.as_chunks::<WORD>();
    let mut word = from.div_ceil(WORD);
    while let Some(block) = words.get(word..).filter(|words| !words.is_empty()) {
        let (letters, len) = match block.first_chunk::<BLOCK>() {
            Some(block) => (which_may_be_run(block), BLOCK),
            None => (which_may_be_run(block), block.len()),
        };
        let pairs = letters & letters >> 1;
        if pairs == 0 {
            // The last word again, for it may be the first of a pair.
            word += (len - 1).max(1);
            continue;
        }
        let at = (word + pairs.trailing_zeros() as usize) * WORD;
        let before = text[from..at].iter().rev().take_while(|&&byte| is_letter(byte)).count();
        let start = at - before;
        let len = text[start..].iter().take_while(|&&byte| is_letter(byte)).count();
        if len >= MIN_RUN {
            return Some(start..start + len);
        }
        word = (start + len).max(at + 1).div_ceil(WORD);
    }
    None
}

/// Which of these words may be of a run, the first lowest.
#[inline(always)]
fn which_may_be_run(words: &[[u8; WORD]]) -> u32 {
    let may_be = |&word| u32::from(may_be_run(u64::from_le_bytes(word)));
    words.iter().rev().map(may_be).fold(0, |bits, bit| bits << 1 | bit)
}

/// Whether no byte is below `+` or beyond ASCII. A byte that is makes its own top bit stand after the
/// subtraction; one above it may be marked with it, by the borrow, but never alone.
fn may_be_run(word: u64) -> bool {
    const LEAST: u64 = u64::from_ne_bytes([b'+'; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    (word.wrapping_sub(LEAST) | word) & TOPS == 0
}

/// The line of a wrapped run that follows after its line end.
fn line_after(text: &[u8], end: usize, width: usize) -> Option<Range<usize>> {
    let rest = text.get(end..)?;
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
    let indent = rest.iter().take(MAX_INDENT).take_while(|byte| matches!(byte, b' ' | b'\t'));
    let start = text.len() - rest.len() + indent.count();
    let len = text[start..].iter().take(width + 1).take_while(|&&byte| is_letter(byte)).count();
    (1..=width).contains(&len).then_some(start..start + len)
}

const MAX_INDENT: usize = 32;

pub(super) fn is_letter(byte: u8) -> bool {
    VALUES[usize::from(byte)] < 64
}

/// The values of the letters of both base64 alphabets.
const VALUES: [u8; 256] = {
    let mut values = [0xFF; 256];
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0u8;
    while at < 64 {
        values[letters[at as usize] as usize] = at;
        at += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
};

/// Appends what the letters hold; what is left of an incomplete quantum, too.
fn decode(letters: &[u8], text: &mut Vec<u8>) {
    let value = |letter: u8| u32::from(VALUES[usize::from(letter)] & 0x3F);
    let mut quanta = letters.chunks_exact(4);
    for quantum in &mut quanta {
        let bits = quantum.iter().fold(0, |bits, &letter| bits << 6 | value(letter));
        text.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    let rest = quanta.remainder();
    let bits =
        rest.iter().fold(0, |bits, &letter| bits << 6 | value(letter)) << (6 * (4 - rest.len()));
    text.extend_from_slice(&bits.to_be_bytes()[1..][..rest.len() * 3 / 4]);
}

/// Whether the first sixteen letters decode to text.
fn looks_like_text(letters: &[u8]) -> bool {
    let mut first = [0u8; 12];
    for (quantum, bytes) in letters.chunks_exact(4).zip(first.chunks_exact_mut(3)) {
        let bits = quantum
            .iter()
            .fold(0, |bits, &letter| bits << 6 | u32::from(VALUES[usize::from(letter)] & 0x3F));
        bytes.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    first.iter().all(|&byte| !is_control(byte)) && is_mostly_text(&first)
}

/// Whether letters decode to text at their beginning, from any quantum on that is one of the first few.
pub(super) fn holds_text(letters: &[u8]) -> bool {
    letters.len() >= MIN_RUN && looks_like_text(letters)
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') || byte == 0x7F
}

/// Whether bytes are text: two thirds of printable ASCII and next to no control characters. Random bytes are a
/// third of printable ASCII and an eighth of control characters.
fn is_mostly_text(bytes: &[u8]) -> bool {
    let controls = bytes.iter().filter(|&&byte| is_control(byte)).count();
    let ascii = bytes.iter().filter(|&&byte| byte < 0x80).count() - controls;
    !bytes.is_empty() && 3 * ascii >= 2 * bytes.len() && 32 * controls <= bytes.len()
}

/// The hexadecimal digits of a run that is nothing else, if they come in pairs.
fn hexadecimal(text: &[u8], run: Range<usize>) -> Option<Range<usize>> {
    let letters = &text[run.clone()];
    let prefix = if letters.starts_with(b"0x") || letters.starts_with(b"0X") { 2 } else { 0 };
    let digits = &letters[prefix..];
    // Text is mostly letters, whose first digit is 4 to 7; a hash is dismissed here. Line ends and tabs may be
    // among the first, below a heading of a few letters.
    let is_text =
        |pair: &[u8]| matches!(pair, [b'2'..=b'7', _] | [b'0', b'9' | b'A' | b'D' | b'a' | b'd']);
    let first = digits.get(..MIN_RUN)?;
    (first.chunks_exact(2).all(is_text)
        && digits.len().is_multiple_of(2)
        && digits.iter().all(u8::is_ascii_hexdigit))
    .then_some(run.start + prefix..run.end)
}

/// Decodes digits, at most a part of them, into the view.
fn decode_hex(text: &[u8], digits: Range<usize>, view: &mut View) -> bool {
    let end = digits.end.min(digits.start + PART);
    view.begin(digits.start..end, text.len());
    view.decoded_from(digits.clone(), (false, end < digits.end));
    let value = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    };
    let pairs = text[digits.start..end].chunks_exact(2);
    view.text.extend(pairs.map(|pair| value(pair[0]) << 4 | value(pair[1])));
    view.changed(0, digits.start..end, (1, 2));
    is_mostly_text(&view.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Span;

    fn decoded(text: &str) -> Vec<String> {
        let mut runs = Runs::new(text.as_bytes());
        let mut view = View::default();
        let mut found = Vec::new();
        while runs.next(&mut view) {
            found.push(String::from_utf8_lossy(&view.text).into_owned());
        }
        found
    }

    const PLAIN: &str = "the quick brown fox jumps over the lazy dog 0123";
    const CODED: &str = "dGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZyAwMTIz";

    #[test]
    fn runs_of_text_are_decoded() {
        assert_eq!(decoded(CODED), [PLAIN]);
        for (before, after) in [
            ("x: ", " y"),
            ("\"", "\""),
            ("data:text/plain;base64,", ")"),
            ("a=", "&b"),
            ("/path/", ""),
            ("ke-", ""),
        ] {
            assert_eq!(decoded(&format!("{before}{CODED}{after}")), [PLAIN], "{before}");
        }
        assert_eq!(decoded("dGhlIHF1aWNrIGJyb3duIGZveCBq"), [&PLAIN[..21]]);
        assert_eq!(decoded("dGhlIHF1aWNrIGJyb3duIGZveCA="), [&PLAIN[..20]]);
        assert_eq!(decoded("dGhlIHF1aWNrIGJyb3duIGZveA=="), [&PLAIN[..19]]);
        assert_eq!(decoded("dGhlIHF1aWNrIGJyb3duIGZveA"), [&PLAIN[..19]]);
        assert_eq!(decoded("Pj4-Pz8_PDw8Pj4-Pz8_PDw8"), [">>>???<<<>>>???<<<"]);
        assert_eq!(decoded("74686520717569636b2062726f776e20666f78"), [&PLAIN[..19]]);
        assert_eq!(decoded("0x74686520717569636b2062726f776e20666f78"), [&PLAIN[..19]]);
        assert_eq!(decoded("5b615d0d0a093D746865206c617a7920646F67"), ["[a]\r\n\t=the lazy dog"]);
    }

    #[test]
    fn wrapped_lines_are_one_run() {
        for newline in ["\n", "\r\n", "\n    "] {
            for width in [40, 48, 60] {
                let text = format!("{}{newline}{} tail", &CODED[..width], &CODED[width..]);
                assert_eq!(decoded(&text), [PLAIN], "{width}");
            }
        }
        let mut view = View::default();
        let text = format!("> {}\n{}", &CODED[..48], &CODED[48..]);
        assert!(Runs::new(text.as_bytes()).next(&mut view));
        let back = view.original(Span { start: 35, end: 37 });
        assert_eq!((back.start, back.end), (2 + 44, 2 + 48 + 1 + 4));
    }

    #[test]
    fn what_is_not_text_is_not_decoded() {
        for text in [
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
            "an_identifier_that_is_rather_long_as_they_go",
            "some/path/to/a/file/that/is/deep/down/there",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "dGhlIHF1aWNrIGJyb3duIG",
            "",
        ] {
            assert_eq!(decoded(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn long_runs_come_in_parts_that_overlap() {
        let plain = "0123456789 and so on ".repeat(10_000);
        let coded = "MDEyMzQ1Njc4OSBhbmQgc28gb24g".repeat(10_000);
        for text in [
            coded.clone(),
            coded
                .as_bytes()
                .chunks(76)
                .map(|line| format!("{}\n", std::str::from_utf8(line).unwrap()))
                .collect(),
        ] {
            let parts = decoded(&text);
            assert!(parts.len() >= 4, "{}", parts.len());
            assert!(parts.iter().all(|part| plain.contains(part.as_str())));
            let total: usize = parts.iter().map(String::len).sum();
            assert!(total > plain.len() && total < plain.len() * 5 / 4);
        }
    }

    #[test]
    fn every_run_that_is_long_enough_is_found() {
        for before in 0..40 {
            for len in 20..30 {
                let text = format!("{}{} ", ".".repeat(before), "a".repeat(len));
                let want = (len >= MIN_RUN).then_some(before..before + len);
                assert_eq!(next_run(text.as_bytes(), 0), want, "{before} {len}");
                assert_eq!(next_run(text.trim_end().as_bytes(), 0), want, "{before} {len}");
            }
        }
    }
}

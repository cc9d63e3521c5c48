//! How a stream comes apart.

use crate::attachment;
use crate::event_stream;
use crate::explore::guess;
use crate::otlp;
use crate::report::Format;
use crate::utf16;

/// What a stream is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Units {
    /// Server-sent events, each up to its blank line.
    Events,
    /// Lines of NDJSON.
    Lines,
    /// Frames of a binary event stream.
    Frames,
    /// Elements of one JSON array.
    Elements,
    /// Stretches of plain text.
    Text,
}

/// How a body is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Units(Units),
    /// As no stream: all at once, at the end.
    Whole,
}

impl Units {
    pub(crate) fn format(self) -> Format {
        match self {
            Self::Events => Format::Sse,
            Self::Lines => Format::Ndjson,
            Self::Frames => Format::EventStream,
            Self::Elements => Format::Json,
            Self::Text => Format::Text,
        }
    }
}

/// So much of a body of unknown type is looked at.
const LOOK: usize = 512;

/// How a body is to be taken; `None` if more of it has to come. What has come must be the same however it came,
/// so no more than the first bytes may decide.
pub(super) fn taken(
    body: &[u8],
    hint: Option<Format>,
    content_type: Option<&str>,
    last: bool,
) -> Option<Taken> {
    match hint {
        Some(Format::Sse) => return Some(Taken::Units(Units::Events)),
        Some(Format::Ndjson) => return Some(Taken::Units(Units::Lines)),
        Some(Format::EventStream) => return Some(Taken::Units(Units::Frames)),
        Some(Format::Multipart | Format::Form | Format::Otlp | Format::Binary | Format::Unread) => {
            return Some(Taken::Whole);
        }
        Some(Format::Json | Format::Text) | None => {}
    }
    if body.len() < LOOK && !last {
        return None;
    }
    let head = &body[..body.len().min(LOOK)];
    if utf16::detect(head, content_type).is_some() || otlp::begins(head) {
        return Some(Taken::Whole);
    }
    let units = match guess(head) {
        Format::EventStream => Units::Frames,
        _ if attachment::is_binary(head) => return Some(Taken::Whole),
        Format::Sse => Units::Events,
        Format::Ndjson if hint.is_none() => Units::Lines,
        Format::Json if head.trim_ascii_start().starts_with(b"[") => Units::Elements,
        Format::Text if hint != Some(Format::Json) => Units::Text,
        _ => return Some(Taken::Whole),
    };
    Some(Taken::Units(units))
}

/// A unit this long that has not ended is no unit of a stream.
const LONGEST: usize = 1 << 20;

/// Stretches of text: a line, or words of this length together, or this much of one long token.
const STRETCH: usize = 64;
const LONG_STRETCH: usize = 1024;

/// Finds the ends of units, going on where it stopped.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    /// Where the unit begins.
    start: usize,
    /// Up to where it was searched for its end.
    at: usize,
    /// Where the line begins that is being searched.
    line: usize,
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Cutter {
    /// Where the next unit ends, if that has come. `last` says that nothing else will.
    pub(super) fn next_end(&mut self, units: Units, held: &[u8], last: bool) -> Option<usize> {
        let end = match units {
            Units::Events => self.blank_line(held, last),
            Units::Lines => {
                memchr::memchr(b'\n', &held[self.at..]).map(|found| self.at + found + 1)
            }
            Units::Frames => event_stream::frame_end(held, self.start),
            Units::Elements => self.element(held),
            Units::Text => self.stretch(held),
        };
        let end = match end {
            Some(end) => end,
            None if last && self.start < held.len() => held.len(),
            None if held.len() - self.start > LONGEST => self.start + LONGEST,
            None => {
                self.at = match units {
                    Units::Lines => held.len(),
                    _ => self.at,
                };
                return None;
            }
        };
        (self.start, self.at, self.line) = (end, end, end);
        Some(end)
    }

    /// So many bytes have gone.
    pub(super) fn moved(&mut self, gone: usize) {
        self.start -= gone;
        self.at -= gone;
        self.line -= gone;
    }

    /// Behind the blank line that ends an event.
    fn blank_line(&mut self, held: &[u8], last: bool) -> Option<usize> {
        while let Some(found) = memchr::memchr2(b'\n', b'\r', &held[self.at..]) {
            let at = self.at + found;
            if held[at] == b'\r' && at + 1 == held.len() && !last {
                // What comes next may belong to this line end.
                self.at = at;
                return None;
            }
            let length = if held[at..].starts_with(b"\r\n") { 2 } else { 1 };
            let blank = at == self.line && self.line > self.start;
            self.at = at + length;
            self.line = self.at;
            if blank {
                return Some(self.at);
            }
        }
        self.at = held.len();
        None
    }

    /// Behind an element of the outermost array, and what stands before it.
    fn element(&mut self, held: &[u8]) -> Option<usize> {
        while let Some(&byte) = held.get(self.at) {
            self.at += 1;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 1 {
                        return Some(self.at);
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn stretch(&mut self, held: &[u8]) -> Option<usize> {
        let text = &held[self.start..];
        let newline = memchr::memchr(b'\n', &text[..text.len().min(LONG_STRETCH)]);
        let space = text.iter().take(LONG_STRETCH).skip(STRETCH).position(u8::is_ascii_whitespace);
        let ends = [newline, space.map(|at| at + STRETCH)];
        let end = ends.into_iter().flatten().min().map(|at| at + 1);
        let end = end.or((text.len() >= LONG_STRETCH).then_some(LONG_STRETCH))?;
        Some(self.start + end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(units: Units, body: &[u8], cuts: &[usize]) -> Vec<usize> {
        let mut cutter = Cutter::default();
        let mut ends = Vec::new();
        for (at, &cut) in cuts.iter().chain([&body.len()]).enumerate() {
            let last = at == cuts.len();
            while let Some(end) = cutter.next_end(units, &body[..cut], last) {
                ends.push(end);
            }
        }
        ends
    }

    #[test]
    fn every_cut_gives_the_same_units() {
        let words = "word ".repeat(40) + &"x".repeat(1100) + "\nend";
        for (units, body, expected) in [
            (Units::Events, "data: a\n\n: b\r\n\r\nid: 1\rdata: c\r\rdata: d", vec![9, 16, 31, 38]),
            (Units::Lines, "{}\n\n{\"a\":1}\nx", vec![3, 4, 12, 13]),
            (Units::Elements, "[{\"a\":\"}]\\\"\"}, [1,{}]\n, 2]\n", vec![13, 21, 27]),
            (Units::Text, &words, vec![65, 130, 195, 1219, 1301, 1304]),
        ] {
            let body = body.as_bytes();
            assert_eq!(ends(units, body, &[]), expected, "{units:?}");
            for cut in 0..body.len() {
                assert_eq!(ends(units, body, &[cut]), expected, "{units:?} {cut}");
            }
            let all: Vec<usize> = (0..body.len()).collect();
            assert_eq!(ends(units, body, &all), expected, "{units:?}");
        }
    }
}

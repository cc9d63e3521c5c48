//! `multipart/form-data` (RFC 7578): how files are sent, to be transcribed, edited or worked off in batches.

use std::ops::Range;

use memchr::memmem;

/// One part. Ranges are in the body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// The values of its header fields.
    pub(crate) headers: Vec<Range<usize>>,
    /// What `Content-Disposition` calls it.
    pub(crate) name: Option<Range<usize>>,
    /// What its `Content-Type` says.
    pub(crate) content_type: Option<Range<usize>>,
    pub(crate) content: Range<usize>,
}

/// The longest boundary of RFC 2046, with the two dashes before it.
const MAX_DELIMITER: usize = 72;

/// More header fields than this no client sends with a part.
const MAX_HEADERS: usize = 16;

/// Whether a body begins as a multipart body does: a delimiter, and a header of form data.
pub(crate) fn looks_like(body: &[u8]) -> bool {
    delimiter(body).is_some_and(|delimiter| {
        let rest = body[delimiter.len()..].trim_ascii_start();
        let head = &rest[..rest.len().min(512)];
        let head = &head[..blank_line(head).map_or(head.len(), |(at, _)| at)];
        lines(head).any(|line| field(&head[line], b"content-disposition").is_some())
    })
}

/// The parts of a body, in order; none if it is no multipart body. What breaks off is a part as far as
/// it goes. What stands between delimiters without being a part is given as one without headers.
pub(crate) fn parts(body: &[u8]) -> Vec<Part> {
    let Some(delimiter) = delimiter(body) else { return Vec::new() };
    // Each delimiter stands at the start of a line; the line end before it belongs to it.
    let mut cuts = Vec::new();
    for at in memmem::find_iter(body, delimiter) {
        let line_end = match &body[..at] {
            [] => 0,
            [.., b'\r', b'\n'] => 2,
            [.., b'\n'] => 1,
            _ => continue,
        };
        let behind = &body[at + delimiter.len()..];
        if behind.is_empty()
            || behind.starts_with(b"--")
            || behind.starts_with(b"\r\n")
            || behind.starts_with(b"\n")
        {
            cuts.push((at - line_end, at + delimiter.len()));
        }
    }
    let ends = cuts.iter().skip(1).map(|cut| cut.0).chain([body.len()]);
    cuts.iter()
        .zip(ends)
        .filter_map(|(&(_, start), end)| {
            let closing = body[start..].starts_with(b"--");
            let start = start + usize::from(closing) * 2;
            let skipped = body[start..end].iter().take_while(|b| **b == b'\r').count();
            let skipped = skipped + usize::from(body[start + skipped..end].starts_with(b"\n"));
            let range = start + skipped..end;
            (!range.is_empty()).then(|| part(body, range))
        })
        .collect()
}

fn part(body: &[u8], range: Range<usize>) -> Part {
    let text = &body[range.clone()];
    let Some((head, content)) = blank_line(text) else {
        return Part { content: range, ..Part::default() };
    };
    let mut part = Part { content: range.start + content..range.end, ..Part::default() };
    for line in lines(&text[..head]).take(MAX_HEADERS) {
        let moved = range.start + line.start..range.start + line.end;
        let Some(colon) = memchr::memchr(b':', &body[moved.clone()]) else {
            part.headers.push(moved);
            continue;
        };
        let value = moved.start + colon + 1..moved.end;
        if let Some(is) = field(&body[moved.clone()], b"content-disposition") {
            let base = moved.end - is.len();
            part.name = parameter(is, b"name=").map(|r| base + r.start..base + r.end);
        }
        if field(&body[moved], b"content-type").is_some() {
            part.content_type = Some(value.clone());
        }
        part.headers.push(value);
    }
    part
}

/// The first line of a body, if it can be a delimiter.
fn delimiter(body: &[u8]) -> Option<&[u8]> {
    let head = &body[..body.len().min(MAX_DELIMITER + 2)];
    let line = &head[..memchr::memchr(b'\n', head)?];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // RFC 2046, section 5.1.1.
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(b);
    (line.len() > 2 && line.starts_with(b"--") && line.iter().all(allowed)).then_some(line)
}

/// Where the header ends and the content begins.
fn blank_line(text: &[u8]) -> Option<(usize, usize)> {
    if text.starts_with(b"\r\n") {
        return Some((0, 2));
    }
    let crlf = memmem::find(text, b"\r\n\r\n").map(|at| (at, at + 4));
    let lf = memmem::find(text, b"\n\n").map(|at| (at, at + 2));
    match (crlf, lf) {
        (Some(a), Some(b)) => Some(if a.0 < b.0 { a } else { b }),
        (a, b) => a.or(b),
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split_inclusive(|b| *b == b'\n').map(move |line| {
        let start = at;
        at += line.len();
        start..start + line.trim_ascii_end().len()
    })
}

/// The value of a header line if it is this field.
fn field<'t>(line: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    let rest = line.trim_ascii_start();
    let is = rest.get(..name.len())?.eq_ignore_ascii_case(name);
    if is { rest[name.len()..].strip_prefix(b":") } else { None }
}

/// Where the value of a quoted parameter stands.
fn parameter(value: &[u8], name: &[u8]) -> Option<Range<usize>> {
    let at = memmem::find_iter(value, name)
        .find(|at| at.checked_sub(1).is_none_or(|before| b" ;\t".contains(&value[before])))?
        + name.len();
    let quoted = value[at..].strip_prefix(b"\"")?;
    Some(at + 1..at + 1 + memchr::memchr(b'"', quoted)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--xyz\r\n\
        content-disposition: form-data; filename=\"a.txt\"; name=\"file\"\r\nContent-Type: text/plain\r\n\r\n\
        one\r\n--xyzzy\r\ntwo\r\n--xyz--\r\n";

    #[test]
    fn parts_come_apart() {
        let parts = parts(BODY.as_bytes());
        let shown: Vec<_> = parts
            .iter()
            .map(|p| {
                let text =
                    |range: &Option<Range<usize>>| range.clone().map_or("-", |r| BODY[r].trim());
                (text(&p.name), text(&p.content_type), &BODY[p.content.clone()])
            })
            .collect();
        assert_eq!(
            shown,
            [("model", "-", "whisper-1"), ("file", "text/plain", "one\r\n--xyzzy\r\ntwo")]
        );
        assert_eq!(parts[1].headers.len(), 2);
        assert!(looks_like(BODY.as_bytes()));
        assert!(!looks_like(b"--\r\nmarkdown\r\n"));
        assert!(!looks_like(b"--- a diff\n+++ of files\n"));
    }

    #[test]
    fn every_cut_gives_parts_that_lie_in_the_body() {
        for cut in 0..BODY.len() {
            let body = &BODY.as_bytes()[..cut];
            let mut at = 0;
            for part in parts(body) {
                assert!(part.content.start >= at && part.content.end <= cut);
                at = part.content.end;
            }
        }
    }
}

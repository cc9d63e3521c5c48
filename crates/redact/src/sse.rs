//! Server-sent events, as the WHATWG HTML standard (section 9.2) frames them.

use std::ops::Range;

/// The parts of an event stream that hold text, in order. Ranges are in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The data of one event: its `data:` lines without field name and line end.
    Data(Vec<Range<usize>>),
    /// The value of any other field, a comment, or a line that is none of these.
    Other(Range<usize>),
}

/// Splits an event stream. Every byte that is not a field name or a line end is in some part, also
/// in a stream that breaks off or is none.
pub(crate) fn parts(stream: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut data: Vec<Range<usize>> = Vec::new();
    let flush = |data: &mut Vec<Range<usize>>, parts: &mut Vec<Part>| {
        if !data.is_empty() {
            parts.push(Part::Data(std::mem::take(data)));
        }
    };
    let mut at = if stream.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while at < stream.len() {
        let length = memchr::memchr2(b'\n', b'\r', &stream[at..]).unwrap_or(stream.len() - at);
        let line = at..at + length;
        at = line.end + if stream[line.end..].starts_with(b"\r\n") { 2 } else { 1 };
        if line.is_empty() {
            flush(&mut data, &mut parts);
        } else if let Some(value) = field(stream, &line, b"data") {
            data.push(value);
        } else {
            let value = [&b""[..], b"event", b"id", b"retry"]
                .iter()
                .find_map(|name| field(stream, &line, name));
            parts.push(Part::Other(value.unwrap_or(line)));
        }
    }
    flush(&mut data, &mut parts);
    parts
}

/// Whether bytes look like the start of an event stream.
pub(crate) fn looks_like(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    let begins = |names: &[&[u8]]| names.iter().any(|name| body.starts_with(name));
    begins(&[b"data:", b"event:"])
        || (begins(&[b":", b"id:", b"retry:"])
            && (memchr::memmem::find(body, b"\ndata:").is_some()
                || memchr::memmem::find(body, b"\rdata:").is_some()))
}

/// Whether the first data of a stream is a JSON object: what only begins like an event may be prose.
pub(crate) fn holds_documents(body: &[u8]) -> bool {
    let first =
        body.split(|b| *b == b'\n' || *b == b'\r').find_map(|line| line.strip_prefix(b"data:"));
    first.is_some_and(|data| data.trim_ascii_start().starts_with(b"{"))
}

/// The value of a line if it is this field.
fn field(stream: &[u8], line: &Range<usize>, name: &[u8]) -> Option<Range<usize>> {
    let rest = stream[line.clone()].strip_prefix(name)?.strip_prefix(b":")?;
    let value = rest.strip_prefix(b" ").unwrap_or(rest);
    Some(line.end - value.len()..line.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_come_apart() {
        let stream = ": hi\n\nevent: a\r\ndata: {\"x\":1}\r\n\r\ndata:one\ndata: two\rid: 7\n\nodd line\ndata: end";
        let shown: Vec<_> = parts(stream.as_bytes())
            .into_iter()
            .map(|part| match part {
                Part::Data(lines) => {
                    format!("D{:?}", lines.into_iter().map(|l| &stream[l]).collect::<Vec<_>>())
                }
                Part::Other(value) => format!("O{:?}", &stream[value]),
            })
            .collect();
        assert_eq!(
            shown,
            [
                r#"O"hi""#,
                r#"O"a""#,
                r#"D["{\"x\":1}"]"#,
                r#"O"7""#,
                r#"D["one", "two"]"#,
                r#"O"odd line""#,
                r#"D["end"]"#
            ]
        );
    }

    #[test]
    fn streams_are_recognised() {
        for (body, expected) in [
            ("data: x", true),
            ("event: x\ndata: y", true),
            (": keep-alive\n\ndata: x", true),
            (": no stream", false),
            ("{\"data:\": 1}", false),
            ("", false),
        ] {
            assert_eq!(looks_like(body.as_bytes()), expected, "{body}");
        }
    }
}

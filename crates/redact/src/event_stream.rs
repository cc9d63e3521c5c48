//! The binary event stream of AWS (`application/vnd.amazon.eventstream`): frames with two checksums.
//!
//! ```text
//! frame  = total length (4) ‖ headers length (4) ‖ CRC-32 of these (4) ‖ headers ‖ payload ‖ CRC-32 of all before (4)
//! header = name length (1) ‖ name ‖ type (1) ‖ value; a string (type 7) is length (2) ‖ bytes
//! ```
//!
//! Source: the event stream encoding of the AWS SDKs (smithy.io, "Amazon Event Stream").

use std::ops::Range;

use crate::edit::{Edit, apply_within};

/// One frame. Ranges are in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    headers: Range<usize>,
    pub(crate) payload: Range<usize>,
    /// The values of headers that are strings.
    pub(crate) strings: Vec<Range<usize>>,
}

/// Both lengths and the checksum of a frame's head.
const PRELUDE: usize = 12;

/// The checksum at the end of a frame.
const CHECKSUM: usize = 4;

/// The limit of the encoding: 16 MiB a frame.
const MAX_FRAME: usize = 16 << 20;

/// The type of headers that are strings.
const STRING: u8 = 7;

/// The whole frames at the start of a stream, and where they end. A stream that broke off has part
/// of a frame behind them; bytes that are no event stream have no frame at all.
pub(crate) fn frames(stream: &[u8]) -> (Vec<Frame>, usize) {
    let mut frames = Vec::new();
    let mut at = 0;
    while let Some((frame, end)) = frame(stream, at) {
        frames.push(frame);
        at = end;
    }
    (frames, at)
}

/// Whether bytes begin as an event stream does.
pub(crate) fn looks_like(stream: &[u8]) -> bool {
    prelude(stream, 0).is_some()
}

/// Where the frame at `at` ends, if all of it is there. What is no frame ends with the stream.
pub(crate) fn frame_end(stream: &[u8], at: usize) -> Option<usize> {
    let (total, _) = prelude(stream, at)?;
    (at + total <= stream.len()).then_some(at + total)
}

/// The stream with edits applied to payloads and header strings, lengths and checksums made anew.
/// What is behind the last whole frame is left out: it would be no frame any more.
pub(crate) fn rebuild(stream: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut out = Vec::with_capacity(stream.len());
    for frame in frames(stream).0 {
        let mut headers = Vec::new();
        let mut at = frame.headers.start;
        for value in &frame.strings {
            headers.extend_from_slice(&stream[at..value.start - 2]);
            let mut text = apply_within(stream, value.clone(), edits);
            // A header holds 64 KiB at most; placeholders are shorter than what they stand for
            // almost always, and a cut one is better than none.
            text.truncate(usize::from(u16::MAX));
            let length = u16::try_from(text.len()).expect("just cut to that");
            headers.extend_from_slice(&length.to_be_bytes());
            headers.extend_from_slice(&text);
            at = value.end;
        }
        headers.extend_from_slice(&stream[at..frame.headers.end]);
        let payload = apply_within(stream, frame.payload.clone(), edits);
        write_frame(&mut out, &headers, &payload);
    }
    out
}

fn write_frame(out: &mut Vec<u8>, headers: &[u8], payload: &[u8]) {
    let start = out.len();
    let narrow = |length: usize| u32::try_from(length).expect("bodies are bounded to 4 GiB");
    let total = PRELUDE + headers.len() + payload.len() + CHECKSUM;
    out.extend_from_slice(&narrow(total).to_be_bytes());
    out.extend_from_slice(&narrow(headers.len()).to_be_bytes());
    let checksum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&checksum.to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    let checksum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&checksum.to_be_bytes());
}

/// The total and headers lengths of the frame at `at`, if its head is whole and its checksum right.
fn prelude(stream: &[u8], at: usize) -> Option<(usize, usize)> {
    let total = number(stream, at)?;
    let headers = number(stream, at + 4)?;
    let checksum = number(stream, at + 8)?;
    let right = crc32fast::hash(&stream[at..at + 8]) as usize == checksum;
    let sane = total <= MAX_FRAME && PRELUDE + headers + CHECKSUM <= total;
    (right && sane).then_some((total, headers))
}

fn frame(stream: &[u8], at: usize) -> Option<(Frame, usize)> {
    let (total, headers) = prelude(stream, at)?;
    let end = at + total;
    let checksum = number(stream, end - CHECKSUM)?;
    if crc32fast::hash(&stream[at..end - CHECKSUM]) as usize != checksum {
        return None;
    }
    let headers = at + PRELUDE..at + PRELUDE + headers;
    let payload = headers.end..end - CHECKSUM;
    let strings = strings(stream, headers.clone())?;
    Some((Frame { headers, payload, strings }, end))
}

/// The string values among headers; `None` if the headers are malformed.
fn strings(stream: &[u8], headers: Range<usize>) -> Option<Vec<Range<usize>>> {
    let mut strings = Vec::new();
    let mut at = headers.start;
    while at < headers.end {
        let name = usize::from(*stream.get(at)?);
        let kind = *stream.get(at + 1 + name)?;
        let value = at + name + 2;
        let length = match kind {
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            9 => 16,
            6 | STRING => {
                let bytes = stream.get(value..value + 2)?;
                let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
                if kind == STRING {
                    strings.push(value + 2..value + 2 + length);
                }
                2 + length
            }
            _ => return None,
        };
        at = value + length;
    }
    (at == headers.end).then_some(strings)
}

fn number(stream: &[u8], at: usize) -> Option<usize> {
    let bytes = stream.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Vec<u8> {
        let mut out = vec![u8::try_from(name.len()).unwrap()];
        out.extend_from_slice(name.as_bytes());
        out.push(STRING);
        out.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        out.extend_from_slice(value.as_bytes());
        out
    }

    fn stream() -> Vec<u8> {
        let mut out = Vec::new();
        write_frame(&mut out, &header(":event-type", "chunk"), b"{\"a\":1}");
        write_frame(&mut out, &[header("x", "one"), header("y", "two")].concat(), b"");
        out
    }

    #[test]
    fn a_known_frame_is_read() {
        // The empty message of the encoding's published test vectors.
        let empty = hex::decode("000000100000000005c248eb7d98c8ff").unwrap();
        let (frames, end) = frames(&empty);
        assert_eq!((frames.len(), end), (1, 16));
        assert_eq!(rebuild(&empty, &[]), empty);
    }

    #[test]
    fn edits_change_lengths_and_checksums() {
        let stream = stream();
        let (frames, end) = frames(&stream);
        assert_eq!(end, stream.len());
        assert_eq!(&stream[frames[0].payload.clone()], b"{\"a\":1}");
        assert_eq!(&stream[frames[1].strings[1].clone()], b"two");
        assert_eq!(rebuild(&stream, &[]), stream);
        let edits = [
            Edit {
                range: frames[0].payload.start + 5..frames[0].payload.start + 6,
                with: b"2345".to_vec(),
            },
            Edit { range: frames[1].strings[0].clone(), with: b"eleven".to_vec() },
        ];
        let edited = rebuild(&stream, &edits);
        let (frames, end) = super::frames(&edited);
        assert_eq!(end, edited.len());
        assert_eq!(&edited[frames[0].payload.clone()], b"{\"a\":2345}");
        assert_eq!(&edited[frames[1].strings[0].clone()], b"eleven");
        assert_eq!(&edited[frames[1].strings[1].clone()], b"two");
    }

    #[test]
    fn damage_ends_the_stream() {
        let whole = stream();
        let first = frames(&whole).0[0].payload.end + CHECKSUM;
        for (flip, expected) in [(0, 0), (9, 0), (20, 0), (first - 1, 0), (first + 3, first)] {
            let mut damaged = whole.clone();
            damaged[flip] ^= 1;
            assert_eq!(frames(&damaged).1, expected, "{flip}");
        }
        for cut in 0..whole.len() {
            let expected = if cut < first { 0 } else { first };
            assert_eq!(frames(&whole[..cut]).1, expected);
        }
        assert!(!looks_like(b"{\"a\": \"text that is no stream\"}"));
    }
}

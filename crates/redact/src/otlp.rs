//! OTLP in protobuf: traces and logs as exporters send them, with what was said to a model in attributes and bodies.
//! Metrics have no bodies, and are not taken apart.
//!
//! The messages are few and their numbers never change (opentelemetry-proto, `collector/*/v1` and `common/v1`), so
//! they stand here as tables and the bytes are walked as they lie. Nothing is decoded and encoded again: edits are
//! spliced in, and the lengths around them made anew.

use std::ops::Range;

use crate::edit::{Edit, apply_within};

/// A value in an export. Ranges are in the body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) range: Range<usize>,
    pub(crate) what: What,
    /// The key of the attribute that it is the value of.
    pub(crate) label: Option<Range<usize>>,
    /// Where it stands, by the names that the same export has in JSON.
    pub(crate) path: String,
}

/// What a value is, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum What {
    Text,
    Bytes,
    /// A varint.
    Integer(i64),
    /// Eight bytes.
    Double(f64),
    /// Of a field that is not known here: a text or a message, no one can tell. It can be emptied.
    Unknown,
}

/// The values of an export, in order; `None` if the bytes are none.
pub(crate) fn fields(body: &[u8]) -> Option<Vec<Field>> {
    read(body).map(|(_, fields)| fields)
}

/// Whether bytes are an export that holds anything.
pub(crate) fn looks_like(body: &[u8]) -> bool {
    // All that an export holds is in its first field.
    body.first() == Some(&0x0a) && fields(body).is_some_and(|fields| !fields.is_empty())
}

/// Whether bytes may be the beginning of an export.
pub(crate) fn begins(body: &[u8]) -> bool {
    let inside = body.strip_prefix(b"\x0a").and_then(|rest| Some(&rest[varint(rest, 0)?.1..]));
    inside.is_some_and(|inside| matches!(inside.first(), Some(0x0a | 0x12)))
}

/// An export with edits applied to its values.
pub(crate) fn rebuild(body: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    if let Some((root, _)) = read(body) {
        write(root, body, 0..body.len(), edits, &mut out);
    }
    out
}

fn read(body: &[u8]) -> Option<(Kind, Vec<Field>)> {
    [Kind::Traces, Kind::Logs, Kind::Response].into_iter().find_map(|root| {
        let mut walk = Walk { body, fields: Vec::new(), label: None, path: String::new() };
        walk.message(root, 0..body.len(), 0)?;
        Some((root, walk.fields))
    })
}

/// A message of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Traces,
    ResourceSpans,
    ScopeSpans,
    Span,
    Event,
    Link,
    Status,
    Logs,
    ResourceLogs,
    ScopeLogs,
    LogRecord,
    Resource,
    EntityRef,
    Scope,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
    Response,
    PartialSuccess,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    /// Any bytes.
    Bytes,
    /// Bytes that name a trace or span.
    Id,
    Integer,
    Double,
    /// Numbers that say nothing of anybody.
    Plain,
    One(Kind),
    Many(Kind),
}

impl Kind {
    /// The name that a field has in JSON, and what it holds.
    fn field(self, number: u64) -> Option<(&'static str, Shape)> {
        use Shape::{Bytes, Double, Id, Integer, Many, One, Plain, Text};
        Some(match (self, number) {
            (Self::Traces, 1) => ("resourceSpans", Many(Self::ResourceSpans)),
            (Self::Logs, 1) => ("resourceLogs", Many(Self::ResourceLogs)),
            (Self::ResourceSpans | Self::ResourceLogs, 1) => ("resource", One(Self::Resource)),
            (Self::ResourceSpans, 2) => ("scopeSpans", Many(Self::ScopeSpans)),
            (Self::ResourceLogs, 2) => ("scopeLogs", Many(Self::ScopeLogs)),
            (Self::ScopeSpans | Self::ScopeLogs, 1) => ("scope", One(Self::Scope)),
            (Self::ScopeSpans, 2) => ("spans", Many(Self::Span)),
            (Self::ScopeLogs, 2) => ("logRecords", Many(Self::LogRecord)),
            (Self::ResourceSpans | Self::ResourceLogs | Self::ScopeSpans | Self::ScopeLogs, 3) => {
                ("schemaUrl", Text)
            }
            (Self::Span, 1) | (Self::Link, 1) | (Self::LogRecord, 9) => ("traceId", Id),
            (Self::Span, 2) | (Self::Link, 2) | (Self::LogRecord, 10) => ("spanId", Id),
            (Self::Span, 3) | (Self::Link, 3) => ("traceState", Text),
            (Self::Span, 4) => ("parentSpanId", Id),
            (Self::Span, 5) | (Self::Event, 2) => ("name", Text),
            (Self::Span, 6..=8 | 10 | 12 | 14 | 16)
            | (Self::Event, 1 | 4)
            | (Self::Link, 5 | 6)
            | (Self::LogRecord, 1 | 2 | 7 | 8 | 11) => ("", Plain),
            (Self::Span, 9)
            | (Self::Event, 3)
            | (Self::Link, 4)
            | (Self::LogRecord, 6)
            | (Self::Resource, 1)
            | (Self::Scope, 3) => ("attributes", Many(Self::KeyValue)),
            (Self::Span, 11) => ("events", Many(Self::Event)),
            (Self::Span, 13) => ("links", Many(Self::Link)),
            (Self::Span, 15) => ("status", One(Self::Status)),
            (Self::Status, 2) => ("message", Text),
            (Self::Status, 3) => ("code", Plain),
            (Self::LogRecord, 3) => ("severityText", Text),
            (Self::LogRecord, 5) => ("body", One(Self::AnyValue)),
            (Self::LogRecord, 12) => ("eventName", Text),
            (Self::Resource, 2) | (Self::Scope, 4) => ("", Plain),
            (Self::Resource, 3) => ("entityRefs", Many(Self::EntityRef)),
            (Self::EntityRef, 1) => ("schemaUrl", Text),
            (Self::EntityRef, 2) => ("type", Text),
            (Self::EntityRef, 3) => ("idKeys", Text),
            (Self::EntityRef, 4) => ("descriptionKeys", Text),
            (Self::Scope, 1) => ("name", Text),
            (Self::Scope, 2) => ("version", Text),
            (Self::KeyValue, 1) => ("key", Text),
            (Self::KeyValue, 2) => ("value", One(Self::AnyValue)),
            (Self::AnyValue, 1) => ("stringValue", Text),
            (Self::AnyValue, 2) => ("boolValue", Plain),
            (Self::AnyValue, 3) => ("intValue", Integer),
            (Self::AnyValue, 4) => ("doubleValue", Double),
            (Self::AnyValue, 5) => ("arrayValue", One(Self::ArrayValue)),
            (Self::AnyValue, 6) => ("kvlistValue", One(Self::KeyValueList)),
            (Self::AnyValue, 7) => ("bytesValue", Bytes),
            (Self::ArrayValue, 1) => ("values", Many(Self::AnyValue)),
            (Self::KeyValueList, 1) => ("values", Many(Self::KeyValue)),
            (Self::Response, 1) => ("partialSuccess", One(Self::PartialSuccess)),
            (Self::PartialSuccess, 1) => ("", Plain),
            (Self::PartialSuccess, 2) => ("errorMessage", Text),
            _ => return None,
        })
    }
}

/// Values lie in values no deeper than this; what does makes the body none of ours.
const MAX_DEPTH: usize = 64;

struct Walk<'b> {
    body: &'b [u8],
    fields: Vec<Field>,
    label: Option<Range<usize>>,
    path: String,
}

impl Walk<'_> {
    /// Collects the values of a message; `None` if it is not one of this kind.
    fn message(&mut self, kind: Kind, range: Range<usize>, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let outer = self.label.clone();
        if kind == Kind::KeyValue {
            // The value may stand before its key.
            self.label = None;
            let key = records(self.body, range.clone()).flatten().find(|r| r.number == 1);
            self.label = key.filter(|key| key.wire == LENGTH).map(|key| key.value);
        }
        let length = self.path.len();
        let mut identified = !matches!(kind, Kind::Span | Kind::LogRecord);
        for record in records(self.body, range) {
            let Record { number, wire, value, .. } = record?;
            identified |= matches!((kind, number), (Kind::Span, 1 | 2) | (Kind::LogRecord, 1 | 11));
            let Some((name, shape)) = kind.field(number) else {
                if wire == LENGTH {
                    self.add(value, What::Unknown, "*");
                }
                continue;
            };
            match (shape, wire) {
                (Shape::Text, LENGTH) => {
                    let text = std::str::from_utf8(&self.body[value.clone()]).ok()?;
                    // An answer is the only message that could be mistaken for another's: what is a text in it is
                    // a message in those.
                    let is_prose =
                        |text: &str| !text.contains(|c: char| c < ' ' && !"\t\n\r".contains(c));
                    (kind != Kind::PartialSuccess || is_prose(text)).then_some(())?;
                    self.add(value, What::Text, name);
                }
                (Shape::Bytes, LENGTH) => self.add(value, What::Bytes, name),
                (Shape::Id, LENGTH) => {
                    [0, 8, 16].contains(&value.len()).then_some(())?;
                }
                (Shape::Integer, VARINT) => {
                    let (integer, _) = varint(self.body, value.start)?;
                    self.add(value, What::Integer(integer.cast_signed()), name);
                }
                (Shape::Double, EIGHT) => {
                    let bytes = self.body[value.clone()].try_into().ok()?;
                    self.add(value, What::Double(f64::from_le_bytes(bytes)), name);
                }
                (Shape::Plain, VARINT | EIGHT | FOUR) => {}
                (Shape::One(inner) | Shape::Many(inner), LENGTH) => {
                    self.step(name);
                    if matches!(shape, Shape::Many(_)) {
                        self.path.push_str("[*]");
                    }
                    self.message(inner, value, depth + 1)?;
                    self.path.truncate(length);
                }
                _ => return None,
            }
        }
        self.label = outer;
        identified.then_some(())
    }

    fn step(&mut self, name: &str) {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(name);
    }

    fn add(&mut self, range: Range<usize>, what: What, name: &str) {
        if range.is_empty() {
            return;
        }
        let length = self.path.len();
        self.step(name);
        // A key is not the value of itself.
        let label = self.label.clone().filter(|label| *label != range);
        self.fields.push(Field { range, what, label, path: self.path.clone() });
        self.path.truncate(length);
    }
}

/// Writes a message again with edits applied. It has been read as one of this kind.
fn write(kind: Kind, body: &[u8], range: Range<usize>, edits: &[Edit], out: &mut Vec<u8>) {
    let first = edits.partition_point(|edit| edit.range.end < range.start);
    if edits.get(first).is_none_or(|edit| edit.range.start > range.end) {
        return out.extend_from_slice(&body[range]);
    }
    for Record { number, wire, start, value } in records(body, range).flatten() {
        if wire != LENGTH {
            out.extend_from_slice(&body[start..value.start]);
            out.extend(apply_within(body, value, edits));
            continue;
        }
        let mut content = Vec::with_capacity(value.len());
        match kind.field(number) {
            Some((_, Shape::One(inner) | Shape::Many(inner))) => {
                write(inner, body, value, edits, &mut content);
            }
            _ => content = apply_within(body, value, edits),
        }
        write_varint(out, number << 3 | u64::from(LENGTH));
        write_varint(out, content.len() as u64);
        out.extend_from_slice(&content);
    }
}

const VARINT: u8 = 0;
const EIGHT: u8 = 1;
const LENGTH: u8 = 2;
const FOUR: u8 = 5;

/// One field as it lies in the bytes.
struct Record {
    number: u64,
    wire: u8,
    /// Where its tag begins.
    start: usize,
    /// Its content, without tag and length.
    value: Range<usize>,
}

/// The fields of a message; the last is `None` if it is none.
fn records(body: &[u8], range: Range<usize>) -> impl Iterator<Item = Option<Record>> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        if at >= range.end {
            return None;
        }
        let record = record(&body[..range.end], at);
        at = record.as_ref().map_or(range.end, |record| record.value.end);
        Some(record)
    })
}

fn record(message: &[u8], start: usize) -> Option<Record> {
    let (tag, at) = varint(message, start)?;
    let wire = u8::try_from(tag & 7).expect("three bits");
    let value = match wire {
        VARINT => at..varint(message, at)?.1,
        EIGHT => at..at + 8,
        FOUR => at..at + 4,
        LENGTH => {
            let (length, at) = varint(message, at)?;
            at..at.checked_add(usize::try_from(length).ok()?)?
        }
        _ => return None,
    };
    (tag >> 3 != 0 && value.end <= message.len()).then_some(Record {
        number: tag >> 3,
        wire,
        start,
        value,
    })
}

/// A number in groups of seven bits, and where it ends.
fn varint(bytes: &[u8], start: usize) -> Option<(u64, usize)> {
    let mut number = 0;
    for (place, byte) in bytes.get(start..)?.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((number, start + place + 1));
        }
    }
    None
}

fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).expect("seven bits"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u64, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_varint(&mut out, number << 3 | u64::from(LENGTH));
        write_varint(&mut out, content.len() as u64);
        out.extend_from_slice(content);
        out
    }

    /// An export of one span with these fields.
    fn export(span: &[&[u8]]) -> Vec<u8> {
        let span = [&field(1, &[7; 16])[..], &span.concat()].concat();
        field(1, &field(2, &field(2, &span)))
    }

    fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
        field(9, &[field(1, key.as_bytes()), field(2, value)].concat())
    }

    #[test]
    fn values_are_found_with_their_keys_and_paths() {
        // The value before its key; a number; a field of tomorrow.
        let odd = field(9, &[field(2, &field(1, b"x")), field(1, b"late")].concat());
        let number = attribute("n", &[0x18, 0xac, 0x02]);
        let body = export(&[&field(5, b"chat"), &odd, &number, &field(99, b"new")]);
        let shown: Vec<_> = fields(&body)
            .unwrap()
            .into_iter()
            .map(|f| (f.path, f.what, f.label.map(|label| body[label].to_vec())))
            .collect();
        let base = "resourceSpans[*].scopeSpans[*].spans[*]";
        assert_eq!(
            shown,
            [
                (format!("{base}.name"), What::Text, None),
                (
                    format!("{base}.attributes[*].value.stringValue"),
                    What::Text,
                    Some(b"late".to_vec())
                ),
                (format!("{base}.attributes[*].key"), What::Text, None),
                (format!("{base}.attributes[*].key"), What::Text, None),
                (
                    format!("{base}.attributes[*].value.intValue"),
                    What::Integer(300),
                    Some(b"n".to_vec())
                ),
                (format!("{base}.*"), What::Unknown, None),
            ]
        );
        assert!(looks_like(&body) && !looks_like(b"") && fields(b"").is_some());
    }

    #[test]
    fn edits_change_every_length_around_them() {
        let long = "x".repeat(200);
        let body = export(&[&attribute("k", &field(1, b"short")), &field(5, b"name")]);
        let value = fields(&body).unwrap()[1].range.clone();
        assert_eq!(rebuild(&body, &[]), body);
        let edits = [Edit { range: value, with: long.clone().into_bytes() }];
        let expected = export(&[&attribute("k", &field(1, long.as_bytes())), &field(5, b"name")]);
        assert_eq!(rebuild(&body, &edits), expected);
    }

    #[test]
    fn what_is_no_export_is_none() {
        let whole = export(&[&field(5, b"chat")]);
        for cut in 1..whole.len() {
            assert_eq!(fields(&whole[..cut]), None, "{cut}");
        }
        for bytes in [
            &b"\nhello"[..],
            b"\n\x03abc",
            b"plain",
            // A span without a name for itself, which could be anything.
            &field(1, &field(2, &field(2, &field(5, b"chat")))),
            // A text that is none.
            &export(&[&field(5, b"\xff")]),
            // Groups, which nobody sends.
            b"\x0b\x0c",
        ] {
            assert_eq!(fields(bytes), None, "{}", bytes.escape_ascii());
        }
        let mut deep = field(1, b"x");
        for _ in 0..MAX_DEPTH {
            deep = field(5, &field(1, &deep));
        }
        assert_eq!(fields(&export(&[&attribute("k", &deep)])), None);
    }
}

//! Bodies: twice is once, and the shape survives.

use std::sync::OnceLock;

use oubliette_detect::RuleSet;
use oubliette_redact::{CapturedBody, HashKey, Operator, Policy, RedactErrorKind, Redactor};
use serde_json::{Value, json};

/// Any bytes that are JSON are JSON afterwards, and redacting them again changes nothing.
pub fn redact_json(data: &[u8]) {
    let body = plant(data);
    let was_json = serde_json::from_slice::<serde_json::Value>(&body).is_ok();
    let Some(redacted) = settle(&body, Some("application/json"), None, 0) else { return };
    if was_json {
        let parsed = serde_json::from_slice::<serde_json::Value>(&redacted);
        assert!(parsed.is_ok(), "JSON in, something else out: {}", redacted.escape_ascii());
    }
}

/// Any bytes, read as anything: redacting them again changes nothing.
///
/// The first byte chooses content type, encoding and operator.
pub fn redact_body(data: &[u8]) {
    const TYPES: [Option<&str>; 7] = [
        None,
        Some("text/event-stream"),
        Some("application/x-ndjson"),
        Some("text/plain; charset=utf-8"),
        Some("application/json"),
        Some("multipart/form-data; boundary=x"),
        Some("application/x-www-form-urlencoded"),
    ];
    const ENCODINGS: [Option<&str>; 8] =
        [None, None, None, None, None, Some("gzip"), Some("br"), Some("deflate, zstd")];
    let Some((&choice, data)) = data.split_first() else { return };
    let choice = usize::from(choice);
    let content_type = TYPES[choice % TYPES.len()];
    let encoding = ENCODINGS[choice / TYPES.len() % ENCODINGS.len()];
    // An encoded body is not for planting: it would no longer be one.
    let body = if encoding.is_some() { data.to_vec() } else { plant(data) };
    settle(&body, content_type, encoding, choice / 64);
}

/// Bodies of every format, made of any texts: what comes out is of the format, with as many parts as went in.
///
/// The first byte chooses the format, 0xff parts the texts.
pub fn redact_formats(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let planted = plant(data);
    let texts: Vec<String> =
        planted.split(|b| *b == 0xff).map(|t| String::from_utf8_lossy(t).into_owned()).collect();
    let chat = |text: &String| json!({"choices": [{"index": 0, "delta": {"content": text}}]});
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON stays JSON");
    match choice % 6 {
        0 => {
            let events = texts.iter().map(|text| format!("data: {}\n\n", chat(text)));
            let Some(out) = as_type(&events.collect::<String>(), "text/event-stream", choice)
            else {
                return;
            };
            let out = out.split(|b| *b == b'\n').filter_map(|line| line.strip_prefix(b"data: "));
            let events: Vec<Value> = out.map(json).collect();
            assert_eq!(events.len(), texts.len());
        }
        1 => {
            let lines: Vec<String> = texts.iter().map(|text| chat(text).to_string()).collect();
            let Some(out) = as_type(&lines.join("\n"), "application/x-ndjson", choice) else {
                return;
            };
            let lines: Vec<Value> = out.split(|b| *b == b'\n').map(json).collect();
            assert_eq!(lines.len(), texts.len());
        }
        2 => {
            let frames: Vec<u8> = texts
                .iter()
                .flat_map(|text| frame(json!({"delta": {"text": text}}).to_string().as_bytes()))
                .collect();
            let content_type = Some("application/vnd.amazon.eventstream");
            let Some(out) = settle(&frames, content_type, None, choice.into()) else { return };
            let mut rest = &out[..];
            for _ in &texts {
                let (payload, behind) = take_frame(rest).expect("as many whole frames as before");
                json(payload);
                rest = behind;
            }
            assert!(rest.is_empty(), "more frames than before");
        }
        3 => {
            // Dashes could make a delimiter of a text.
            let part = |text: &String| {
                let text = text.replace('-', "_");
                format!("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{text}\r\n")
            };
            let body = texts.iter().map(part).collect::<String>() + "--b--\r\n";
            let Some(out) = as_type(&body, "multipart/form-data; boundary=b", choice) else {
                return;
            };
            let delimiters = out.windows(5).filter(|w| *w == b"--b\r\n").count();
            assert!(delimiters == texts.len() && out.ends_with(b"--b--\r\n"), "parts were lost");
        }
        4 => {
            let escaped =
                |text: &String| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
            let pairs: Vec<String> =
                texts.iter().map(|text| format!("a={}", escaped(text))).collect();
            let content_type = "application/x-www-form-urlencoded";
            let Some(out) = as_type(&pairs.join("&"), content_type, choice) else { return };
            assert_eq!(out.split(|b| *b == b'&').count(), texts.len());
            assert!(!out.iter().any(|b| b"<> \"".contains(b)), "not percent-encoded");
        }
        _ => {
            // JSON in strings, twice, beside the text.
            let body = json!(texts.iter().map(|text| {
                json!({"a": text, "b": json!([text, json!({"c": text}).to_string()]).to_string()})
            }).collect::<Vec<_>>());
            let Some(out) = as_type(&body.to_string(), "application/json", choice) else { return };
            let items = json(&out);
            for item in items.as_array().expect("an array stays one") {
                let inner = json(item["b"].as_str().expect("a string").as_bytes());
                json(inner[1].as_str().expect("a string").as_bytes());
            }
            assert_eq!(items.as_array().map(Vec::len), Some(texts.len()));
        }
    }
}

/// Exports of OTLP in protobuf, made of any texts: as many of them come out as went in, every length is right, and no
/// identity has changed. And any bytes that say they are one.
///
/// The first byte chooses what the texts are values of, 0xff parts them; without it the bytes are the export.
pub fn redact_otlp(data: &[u8]) {
    let content_type = Some("application/x-protobuf");
    let Some((&choice, data)) = data.split_first() else { return };
    if choice % 8 == 0 {
        settle(data, content_type, None, choice.into());
        return;
    }
    let planted = plant(data);
    let texts: Vec<String> =
        planted.split(|b| *b == 0xff).map(|t| String::from_utf8_lossy(t).into_owned()).collect();
    let value = |text: &String| {
        let text = field(if choice & 1 == 0 { 1 } else { 7 }, text.as_bytes());
        if choice & 2 == 0 { text } else { field(5, &field(1, &text)) }
    };
    let attribute = |text: &String| [field(1, b"key"), field(2, &value(text))].concat();
    let id = b"jo@example.com\0\0".to_vec();
    let attributes = texts.iter().flat_map(|text| field(9, &attribute(text)));
    let span: Vec<u8> = field(1, &id).into_iter().chain(attributes).collect();
    let export = field(1, &field(2, &field(2, &span)));
    let Some(out) = settle(&export, content_type, None, choice.into()) else { return };
    let only = |message: &[u8]| {
        let fields = take_fields(message);
        assert_eq!(fields.len(), 1);
        fields[0].1.clone()
    };
    let span = take_fields(&only(&only(&only(&out))));
    assert_eq!(span.len(), texts.len() + 1);
    assert!(span[0].1 == id, "an identity has changed");
    for (number, attribute) in &span[1..] {
        let pair = take_fields(attribute);
        assert!(*number == 9 && pair.len() == 2 && pair[0].1 == b"key");
        let value = if choice & 2 == 0 { pair[1].1.clone() } else { only(&only(&pair[1].1)) };
        assert_eq!(take_fields(&value).len(), 1);
    }
}

/// One field of a protobuf message that has a length.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).expect("seven bits"));
    out.extend_from_slice(content);
    out
}

/// The fields of a protobuf message, all of which have a length.
fn take_fields(mut message: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut fields = Vec::new();
    while let Some((&tag, rest)) = message.split_first() {
        let groups = rest.iter().take_while(|b| **b & 0x80 != 0).count() + 1;
        let length = rest[..groups].iter().rev().fold(0, |n, b| n << 7 | usize::from(b & 0x7f));
        let (content, behind) = rest[groups..].split_at(length);
        assert!(tag & 7 == 2, "not a field with a length");
        fields.push((tag >> 3, content.to_vec()));
        message = behind;
    }
    fields
}

fn as_type(body: &str, content_type: &str, choice: u8) -> Option<Vec<u8>> {
    settle(body.as_bytes(), Some(content_type), None, usize::from(choice / 6))
}

/// Any bytes as a stream: what comes out does not depend on how they come.
///
/// The first byte chooses the content type, the second how long the pushes are.
pub fn redact_stream(data: &[u8]) {
    const TYPES: [&str; 5] = [
        "text/event-stream",
        "application/x-ndjson",
        "application/json",
        "text/plain",
        "application/vnd.amazon.eventstream",
    ];
    let [choice, length, data @ ..] = data else { return };
    let body = plant(data);
    let content_type = TYPES[usize::from(*choice) % TYPES.len()];
    let run = |length: usize| {
        let exchange = redactors()[0].exchange();
        let mut stream = exchange.stream(Some(content_type.into()), None).ok()?;
        let mut out = Vec::new();
        for part in body.chunks(length) {
            out.extend(stream.push(part).ok()?);
        }
        out.extend(stream.finish().ok()?.0);
        Some(out)
    };
    let (at_once, in_parts) = (run(body.len().max(1)), run(usize::from(*length).max(1)));
    assert!(at_once == in_parts, "it depends on how it comes");
}

/// One frame of a binary event stream.
fn frame(payload: &[u8]) -> Vec<u8> {
    let total = u32::try_from(payload.len() + 16).expect("small");
    let mut out = [total.to_be_bytes(), [0; 4]].concat();
    out.extend_from_slice(&crc32(&out).to_be_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32(&out).to_be_bytes());
    out
}

/// The payload of the first frame, if it is one, and what is behind it.
fn take_frame(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    let number = |at: usize| Some(u32::from_be_bytes(stream.get(at..at + 4)?.try_into().ok()?));
    let total = usize::try_from(number(0)?).ok()?;
    let headers = usize::try_from(number(4)?).ok()?;
    let frame = stream.get(..total)?;
    let right =
        crc32(&frame[..8]) == number(8)? && crc32(&frame[..total - 4]) == number(total - 4)?;
    right.then(|| (&frame[12 + headers..total - 4], &stream[total..]))
}

/// CRC-32 (ISO-HDLC), bit by bit: not the implementation under test.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

/// Redacts twice and holds the second against the first. `None` if the body was refused.
fn settle(
    body: &[u8],
    content_type: Option<&str>,
    encoding: Option<&str>,
    operator: usize,
) -> Option<Vec<u8>> {
    let redactor = &redactors()[operator % redactors().len()];
    let captured = |bytes: &[u8], encoding: Option<&str>| {
        CapturedBody::new(bytes.to_vec(), content_type.map(Into::into), encoding.map(Into::into))
    };
    let once = match redactor.exchange().redact(captured(body, encoding)) {
        Ok(once) => once,
        Err(error) => {
            super::assert_one_line(&error);
            // Bytes that claim no encoding have none to be wrong, and these are not many.
            let excused = encoding.is_some() || error.kind() == RedactErrorKind::Unsettled;
            assert!(excused, "refused: {error}");
            return None;
        }
    };
    let again = redactor.exchange().redact(captured(once.bytes(), None));
    let twice = again.expect("what was redacted can be redacted");
    assert!(
        once.bytes() == twice.bytes(),
        "redacting again changed\n  {}\nto\n  {}",
        once.bytes().escape_ascii(),
        twice.bytes().escape_ascii()
    );
    Some(once.bytes().to_vec())
}

fn redactors() -> &'static [Redactor] {
    static REDACTORS: OnceLock<Vec<Redactor>> = OnceLock::new();
    REDACTORS.get_or_init(|| {
        [None, Some(Operator::Mask), Some(Operator::Hash), Some(Operator::Remove)]
            .map(|operator| {
                let policy = Policy {
                    operator,
                    // Not random: a crash must be one again tomorrow.
                    hash_key: HashKey::from_bytes([7; 32]),
                    max_bytes: 1 << 20,
                    ..Policy::default()
                };
                Redactor::new(RuleSet::standard(), policy)
            })
            .into()
    })
}

/// Puts values in place of some control bytes, which the fuzzer places more easily than values.
fn plant(data: &[u8]) -> Vec<u8> {
    const VALUES: [&str; 6] = [
        "jo@example.com",
        "4111 1111 1111 1111",
        "078-05-1120",
        "+1 415 555 2671",
        "AKIAIOSFODNN7EXAMPLE",
        "https://jo:hunter2@example.com/",
    ];
    let mut body = Vec::with_capacity(data.len());
    for &byte in data {
        match VALUES.get(usize::from(byte).wrapping_sub(1)) {
            Some(value) => body.extend_from_slice(value.as_bytes()),
            None => body.push(byte),
        }
    }
    body
}

//! Bodies redacted while they pass: the same as when they are whole, however they are cut, and soon.

// Helpers of tests are tests, though the lint does not know it.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::Write as _;

use oubliette_detect::{RuleSet, standard_packs};
use oubliette_redact::{HashKey, Policy, RedactErrorKind, Redactor, Report, StreamRedactor};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{pieces, redact, redactor, text};

const SSE: &str = "text/event-stream";

/// Attachments are to be called the same in every run.
fn fixed() -> Redactor {
    let policy = Policy { hash_key: HashKey::from_bytes([7; 32]), ..Policy::default() };
    Redactor::new(RuleSet::standard(), policy)
}

fn begin(content_type: &str) -> StreamRedactor {
    fixed().exchange().stream(Some(content_type.into()), None).unwrap()
}

/// What comes out of a body that comes in these parts.
fn pass<'a>(content_type: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Report) {
    let mut stream = begin(content_type);
    let mut out = Vec::new();
    for part in parts {
        out.extend(stream.push(part).unwrap());
    }
    let (rest, report) = stream.finish().unwrap();
    out.extend(rest);
    (out, report)
}

fn chat(choice: usize, piece: &str) -> Value {
    json!({"id": "c-1", "choices": [{"index": choice, "delta": {"content": piece}}]})
}

fn call(index: usize, piece: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}}]})
}

fn anthropic(index: usize, piece: &str) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece}})
}

fn events(documents: &[Value]) -> String {
    documents.iter().map(|document| format!("data: {document}\n\n")).collect()
}

/// Frames of a binary event stream.
fn frames(documents: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for document in documents {
        let payload = document.to_string();
        let start = out.len();
        out.extend_from_slice(&u32::try_from(payload.len() + 16).unwrap().to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&crc32fast::hash(&out[start..]).to_be_bytes());
        out.extend_from_slice(payload.as_bytes());
        out.extend_from_slice(&crc32fast::hash(&out[start..]).to_be_bytes());
    }
    out
}

/// The same deltas in every format that streams.
fn bodies(documents: &[Value]) -> Vec<(&'static str, Vec<u8>)> {
    let lines: Vec<String> = documents.iter().map(Value::to_string).collect();
    vec![
        (SSE, events(documents).into_bytes()),
        (SSE, events(documents).replace('\n', "\r\n").into_bytes()),
        ("application/x-ndjson", lines.join("\n").into_bytes()),
        ("application/json", format!("[{}]", lines.join(",\r\n")).into_bytes()),
        ("application/vnd.amazon.eventstream", frames(documents)),
    ]
}

/// What the deltas of a chat stream join to.
fn joined(stream: &[u8]) -> String {
    String::from_utf8_lossy(stream)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|event| Some(event.pointer("/choices/0/delta/content")?.as_str()?.to_owned()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Two texts by turns, and a third in a tool call of its own.
    #[test]
    fn passing_is_redacting_the_whole((_, one) in pieces(), (_, two) in pieces(), arguments in text(), cut in 1_usize..200) {
        let arguments = json!({"to": arguments, "inside": json!({"again": arguments}).to_string()}).to_string();
        let arguments: Vec<char> = arguments.chars().collect();
        let mut documents = Vec::new();
        for at in 0..one.len().max(two.len()) {
            documents.extend(one.get(at).map(|piece| chat(0, piece)));
            documents.extend(two.get(at).map(|piece| chat(1, piece)));
        }
        documents.extend(arguments.chunks(3).map(|piece| call(0, &piece.iter().collect::<String>())));
        for (content_type, body) in bodies(&documents) {
            let whole = redact(body.clone(), content_type);
            let (at_once, _) = pass(content_type, [&body[..]]);
            prop_assert_eq!(String::from_utf8_lossy(&at_once), String::from_utf8_lossy(whole.bytes()), "{}", content_type);
            let (cut, report) = pass(content_type, body.chunks(cut));
            prop_assert_eq!(&cut, &at_once);
            prop_assert_eq!(report.format, whole.report().format);
            prop_assert_eq!(&report.findings, &whole.report().findings);
        }
    }

    #[test]
    fn text_passes_as_well(texts in prop::collection::vec(text(), 1..20), cut in 1_usize..90) {
        let body = texts.join(" and that is what they said about it, more or less.\n");
        let whole = redact(body.clone(), "text/plain");
        let (passed, _) = pass("text/plain", body.as_bytes().chunks(cut));
        prop_assert_eq!(String::from_utf8_lossy(&passed), String::from_utf8_lossy(whole.bytes()));
    }

    #[test]
    fn any_bytes_pass(bytes in prop::collection::vec(any::<u8>(), 0..600), kind in 0..5_usize, cut in 1_usize..50) {
        let content_type = [SSE, "application/x-ndjson", "application/json", "text/plain", "application/vnd.amazon.eventstream"][kind];
        let (at_once, _) = pass(content_type, [&bytes[..]]);
        let (in_parts, _) = pass(content_type, bytes.chunks(cut));
        prop_assert_eq!(at_once, in_parts);
    }
}

/// What the standard rules find is known to begin and end near its signs: each of their examples passes, a
/// character an event, as it is redacted whole.
#[test]
fn every_example_of_the_rules_passes_as_it_is_redacted_whole() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    let shared = fixed();
    for (name, pack) in standard_packs() {
        let pack: toml::Table = pack.parse().unwrap();
        let rules =
            pack.get("rule").and_then(|rules| rules.as_array()).cloned().unwrap_or_default();
        for rule in rules {
            let examples = rule.get("examples").and_then(|examples| examples.as_array().cloned());
            // One of each rule: a thousand streams are enough of a test.
            let Some(example) =
                examples.and_then(|examples| examples.first()?.as_str().map(str::to_owned))
            else {
                continue;
            };
            let example = example.replace("[[", "").replace("]]", "");
            let text = format!(
                "This is what they wrote to us the other day about all of it: {example} and then nothing more \
                 came from them for a while, as far as anybody here can tell."
            );
            seen += 1;
            let characters: Vec<char> = text.chars().collect();
            let documents: Vec<Value> = characters
                .chunks(3)
                .map(|piece| chat(0, &piece.iter().collect::<String>()))
                .collect();
            let body = events(&documents);
            let mut stream = shared.exchange().stream(Some(SSE.into()), None).unwrap();
            let mut passed = stream.push(body.as_bytes()).unwrap();
            passed.extend(stream.finish().unwrap().0);
            let captured = oubliette_redact::CapturedBody::new(body.into(), Some(SSE.into()), None);
            let whole = shared.exchange().redact(captured).unwrap();
            if joined(&passed) != joined(whole.bytes()) {
                let id = rule.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
                wrong.push((*name, id, joined(&passed), joined(whole.bytes())));
            }
        }
    }
    assert!(seen > 1000, "only {seen} examples");
    assert!(wrong.is_empty(), "{} of {seen}: {wrong:#?}", wrong.len());
}

/// Escapes and brackets of JSON inside JSON, cut at every place: what is remembered of it must go on as it was.
#[test]
fn arguments_cut_anywhere_pass_as_they_are_redacted_whole() {
    let inner =
        json!({"to": ["see \"jane.roe@example.org\" 👋", {"jane.roe@example.org": 1}]}).to_string();
    let padding = "so it is and so it was, ".repeat(14);
    let number = 4_242_424_242_424_242_u64;
    let arguments = json!({"a": padding, "inside": inner, "b": [padding, inner, true, number], "c": number, "d": null})
        .to_string();
    let arguments = arguments.replace('@', "\\u0040").replace('👋', "\\ud83d\\udc4b");
    for first in 0..24 {
        for length in [1, 5, 24] {
            let (head, rest) = arguments.split_at(first);
            let pieces = rest.as_bytes().chunks(length).map(|piece| str::from_utf8(piece).unwrap());
            let documents: Vec<Value> =
                std::iter::once(head).chain(pieces).map(|piece| call(0, piece)).collect();
            let body = events(&documents);
            let (passed, _) = pass(SSE, [body.as_bytes()]);
            let whole = redact(body, SSE);
            assert_eq!(String::from_utf8_lossy(&passed), String::from_utf8_lossy(whole.bytes()));
        }
    }
}

#[test]
fn the_first_words_do_not_wait_for_the_last() {
    let words = "the quick brown fox jumps over the lazy dog and then goes to sleep for a while "
        .repeat(20);
    let mut stream = begin(SSE);
    let (mut pushed, mut came, mut longest) = (0, 0, 0);
    for word in words.split_inclusive(' ') {
        let event = events(&[chat(0, word)]);
        pushed += word.len();
        let out = stream.push(event.as_bytes()).unwrap();
        came += joined(&out).len();
        longest = longest.max(pushed - came);
    }
    assert!(longest < 80, "{longest} bytes of plain words were held");
    // An address holds what follows for as long as it may matter, and then no more.
    let mut most = 0;
    let address = format!("write to jo@example.com {words}");
    for word in address.split_inclusive(' ') {
        stream.push(events(&[anthropic(1, word)]).as_bytes()).unwrap();
        most = most.max(stream.held());
    }
    assert!(most < 64 << 10, "{most}");
    assert!(stream.held() < 8 << 10, "{} bytes are held after it", stream.held());
}

/// A choice or a tool call may have nothing to say for a hundred events in the middle of a value.
#[test]
fn a_channel_that_is_silent_for_long_is_waited_for() {
    for (first, second) in [("card 4242 4242 ", "4242 4242"), ("ask jane.ro", "e@example.org")] {
        let tool = |index, piece: &str| call(index, piece);
        let mut documents = vec![chat(0, first), tool(1, &format!("{{\"a\":\"{first}"))];
        documents.extend((0..100).map(|_| chat(1, "one word after the other. ")));
        documents.extend([chat(0, second), tool(1, &format!("{second}\"}}"))]);
        let body = events(&documents);
        let (passed, _) = pass(SSE, body.as_bytes().chunks(64));
        let whole = redact(body, SSE);
        assert_eq!(String::from_utf8_lossy(&passed), String::from_utf8_lossy(whole.bytes()));
        assert!(!joined(&passed).contains("4242") && !joined(&passed).contains("jane"));
    }
}

/// One channel that has ended does not hold the others back, nor one that says nothing for long, and no key is too
/// long to be held.
#[test]
fn what_is_held_is_bounded() {
    for (last, bound) in [("That is all.", 8 << 10), ("a number: 4242 4242", 24 << 10)] {
        let mut stream = begin(SSE);
        stream.push(events(&[chat(0, last)]).as_bytes()).unwrap();
        let mut most = 0;
        for _ in 0..1000 {
            stream.push(events(&[call(0, "{\"a\":\"words \"} ")]).as_bytes()).unwrap();
            most = most.max(stream.held());
        }
        assert!(most < bound, "{last}: {most}");
    }

    let key = format!(
        "-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n".repeat(50)
    );
    let text = format!("here: {key} thanks");
    let pieces: Vec<char> = text.chars().collect();
    let documents: Vec<Value> =
        pieces.chunks(40).map(|p| chat(0, &p.iter().collect::<String>())).collect();
    let body = events(&documents);
    let (passed, _) = pass(SSE, body.as_bytes().chunks(100));
    assert_eq!(joined(&passed), joined(redact(body, SSE).bytes()));
    assert!(!joined(&passed).contains("MIIE"));

    // An endless token is let go in time.
    let mut stream = begin(SSE);
    let mut most = 0;
    for _ in 0..4000 {
        stream.push(events(&[chat(0, "xyzxyzxyzxyzxyzxyzxyzxyz")]).as_bytes()).unwrap();
        most = most.max(stream.held());
    }
    assert!(most < 128 << 10, "{most}");
}

#[test]
fn encodings_are_undone_on_the_way() {
    let documents: Vec<Value> = "I am jane.roe@example.org, so far as I know. "
        .repeat(40)
        .as_bytes()
        .chunks(5)
        .map(|piece| chat(0, str::from_utf8(piece).unwrap()))
        .collect();
    let body = events(&documents);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(body.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(body.as_bytes()).unwrap();
    let mut br = Vec::new();
    brotli::BrotliCompress(&mut body.as_bytes(), &mut br, &Default::default()).unwrap();
    let expected = pass(SSE, [body.as_bytes()]).0;
    let run = |encoding: &str, data: &[u8]| {
        let mut stream =
            redactor().exchange().stream(Some(SSE.into()), Some(encoding.into())).unwrap();
        let mut out = Vec::new();
        for part in data.chunks(7) {
            out.extend(stream.push(part).unwrap());
        }
        let (rest, report) = stream.finish().unwrap();
        out.extend(rest);
        (out, report)
    };
    for (encoding, data) in [
        ("gzip", gzip.clone()),
        ("deflate", zlib.finish().unwrap()),
        ("br", br),
        ("zstd", zstd::encode_all(body.as_bytes(), 3).unwrap()),
        ("gzip, zstd", zstd::encode_all(&gzip[..], 3).unwrap()),
        (
            "gzip, identity, zstd, zstd",
            zstd::encode_all(&zstd::encode_all(&gzip[..], 3).unwrap()[..], 3).unwrap(),
        ),
    ] {
        let (out, report) = run(encoding, &data);
        assert!(out == expected, "{encoding}");
        assert!(!report.truncated, "{encoding}");
        assert_eq!(report.decoded_from.as_deref(), Some(encoding));
    }
    let (out, report) = run("gzip", &gzip[..gzip.len() / 2]);
    assert!(report.truncated && expected.starts_with(&out[..out.len() / 2]));
    let nested = zstd::encode_all(&gzip[..gzip.len() / 2], 3).unwrap();
    let (out, report) = run("gzip, zstd", &nested);
    assert!(report.truncated && expected.starts_with(&out[..out.len() / 2]));
    // A bomb within a bomb: 8 GiB in a few kilobytes, refused before much of it is there.
    let mut inner = Vec::new();
    let mut encoder = flate2::write::GzEncoder::new(&mut inner, flate2::Compression::best());
    for _ in 0..256 {
        encoder.write_all(&[b' '; 1 << 20]).unwrap();
    }
    encoder.finish().unwrap();
    let bomb = zstd::encode_all(&inner.repeat(32)[..], 3).unwrap();
    let policy = Policy { max_bytes: 1 << 20, ..Policy::default() };
    let redactor = Redactor::new(RuleSet::standard(), policy);
    let mut stream =
        redactor.exchange().stream(Some(SSE.into()), Some("gzip, zstd".into())).unwrap();
    let error = stream.push(&bomb).unwrap_err();
    assert_eq!(error.kind(), RedactErrorKind::TooLarge { limit: 1 << 20 });
    let unknown = self::redactor().exchange().stream(None, Some("rot13".into())).unwrap_err();
    assert_eq!(unknown.kind(), RedactErrorKind::UnknownEncoding);
}

#[test]
fn what_is_no_stream_comes_at_the_end_and_within_the_limit() {
    let body = json!({"messages": [{"content": "I am jane.roe@example.org"}]}).to_string();
    let mut stream = begin("application/json");
    for part in body.as_bytes().chunks(9) {
        assert!(stream.push(part).unwrap().is_empty());
    }
    let (out, report) = stream.finish().unwrap();
    assert_eq!(out, redact(body, "application/json").bytes());
    assert_eq!(report.total(), 1);
    let policy = Policy { max_bytes: 1000, ..Policy::default() };
    let redactor = Redactor::new(RuleSet::standard(), policy);
    let mut stream = redactor.exchange().stream(Some("application/json".into()), None).unwrap();
    let error = stream.push(&vec![b'['; 2000]).unwrap_err();
    assert_eq!(error.kind(), RedactErrorKind::TooLarge { limit: 1000 });
}

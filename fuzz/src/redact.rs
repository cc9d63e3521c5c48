//! Bodies: twice is once, and the shape survives.

use std::sync::OnceLock;

use oubliette_detect::RuleSet;
use oubliette_redact::{CapturedBody, HashKey, Operator, Policy, RedactErrorKind, Redactor};

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
    const TYPES: [Option<&str>; 5] = [
        None,
        Some("text/event-stream"),
        Some("application/x-ndjson"),
        Some("text/plain; charset=utf-8"),
        Some("application/json"),
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

//! What the redaction tests share: a redactor, values it must find, and text around them.

// Each test binary uses a part of this.
#![allow(dead_code)]
// Helpers of tests are tests, though the lint does not know it.
#![allow(clippy::unwrap_used)]

use oubliette_detect::RuleSet;
use oubliette_redact::{CapturedBody, Policy, RedactedBody, Redactor};
use proptest::prelude::*;

/// Values that the standard rules find wherever they stand. All synthetic or published for tests.
pub(crate) const VALUES: [&str; 8] = [
    "jane.roe@example.org",
    "4242 4242 4242 4242",
    "5555555555554444",
    "+44 20 7946 0958",
    "DE89 3704 0044 0532 0130 00",
    "198.51.100.23",
    "AKIAIOSFODNN7EXAMPLQ",
    "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnAA",
];

/// Words that stand between values: letters, quotes, escapes, other scripts, an emoji.
pub(crate) const WORDS: [&str; 9] =
    ["please ", " and ", "\n", "\t- ", "\"so\" ", " \\ ", "Grüße ", "日本 ", "👋 "];

pub(crate) fn redactor() -> Redactor {
    Redactor::new(RuleSet::standard(), Policy::default())
}

pub(crate) fn redact(body: impl Into<Vec<u8>>, content_type: &str) -> RedactedBody {
    let captured = CapturedBody::new(body.into(), Some(content_type.into()), None);
    redactor().exchange().redact(captured).unwrap()
}

pub(crate) fn redact_str(body: &str, content_type: &str) -> String {
    String::from_utf8(redact(body, content_type).bytes().to_vec()).unwrap()
}

/// Text with values in it, each standing apart from what is around it.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        2 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned),
        1 => prop::sample::select(&VALUES[..]).prop_map(|value| format!(" {value} ")),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Cuts a text into pieces at characters.
pub(crate) fn pieces() -> impl Strategy<Value = (String, Vec<String>)> {
    (text(), prop::collection::vec(1_usize..12, 1..12)).prop_map(|(text, lengths)| {
        let characters: Vec<char> = text.chars().collect();
        let mut pieces = Vec::new();
        let mut at = 0;
        for length in lengths.iter().cycle() {
            if at >= characters.len() {
                break;
            }
            let end = (at + length).min(characters.len());
            pieces.push(characters[at..end].iter().collect());
            at = end;
        }
        (text, pieces)
    })
}

/// The values of [`VALUES`] that stand in a text.
pub(crate) fn values_in(text: &str) -> Vec<&'static str> {
    VALUES.into_iter().filter(|value| text.contains(value)).collect()
}

//! Texts and bodies for the benches, made from a seed: the same on every machine.

// Each bench uses a part of this.
#![allow(dead_code, unused_imports)]

mod hostile;
mod languages;
mod rules;
mod text;

use serde_json::json;

pub(crate) use hostile::hostile;
pub(crate) use languages::multilingual;
pub(crate) use rules::{custom_packs, custom_value};
use text::{Random, Writer};

/// How many values a text holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Density {
    /// None.
    Clean,
    /// One in about two kilobytes: what chat traffic looks like.
    Typical,
    /// One in about a hundred bytes: an export of customer records.
    Dense,
}

impl Density {
    pub(crate) const ALL: [(&'static str, Density); 3] =
        [("clean", Density::Clean), ("typical", Density::Typical), ("dense", Density::Dense)];

    fn gap(self) -> usize {
        match self {
            Density::Clean => usize::MAX,
            Density::Typical => 2048,
            Density::Dense => 100,
        }
    }
}

/// Values that the standard rules find by themselves. Synthetic, or published for tests.
pub(crate) const VALUES: [&str; 6] = [
    "jane.roe@example.org",
    "4242 4242 4242 4242",
    "+44 20 7946 0958",
    "DE89 3704 0044 0532 0130 00",
    IP_ADDRESS,
    "536-90-4399",
];

/// As in a version number, so that it counts for little where "version" stands nearby and "IP" does not.
const IP_ADDRESS: &str = "198.51.100.23";

/// What is said to models and by them, of this length in bytes, and the number of values in it.
pub(crate) fn prose(length: usize, density: Density, seed: u64) -> (String, usize) {
    let mut writer = Writer::new(density, seed);
    while writer.text.len() < length {
        writer.passage();
    }
    writer.finish()
}

/// Source code in several languages, of this length in bytes, without values.
pub(crate) fn code(length: usize, seed: u64) -> String {
    let mut writer = Writer::new(Density::Clean, seed);
    while writer.text.len() < length {
        writer.code();
    }
    writer.finish().0
}

/// A chat completion request of about this length, and the number of values in it.
pub(crate) fn chat_request(length: usize, density: Density) -> (String, usize) {
    chat_request_of(length, density, 5)
}

/// The same of another seed: other words.
pub(crate) fn chat_request_of(length: usize, density: Density, seed: u64) -> (String, usize) {
    let mut writer = Writer::new(density, seed);
    let mut messages = vec![json!({"role": "system", "content": "You answer briefly."})];
    let mut total = 0;
    while total < length {
        let turn = (length - total).min(1500);
        while writer.text.len() < turn {
            writer.passage();
        }
        let content = std::mem::take(&mut writer.text);
        total += content.len();
        let role = if messages.len() % 2 == 1 { "user" } else { "assistant" };
        messages.push(json!({"role": role, "content": content}));
    }
    let (_, values) = writer.finish();
    (json!({"model": "gpt-5-mini", "temperature": 0.2, "messages": messages}).to_string(), values)
}

/// A chat completion stream whose deltas hold one word each, and the number of values in it.
pub(crate) fn chat_stream(length: usize, density: Density) -> (String, usize) {
    let (text, values) = prose(length, density, 7);
    let mut stream = String::new();
    for word in text.split_inclusive(' ') {
        let event = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-5-mini",
            "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": null}]});
        stream.push_str(&format!("data: {event}\n\n"));
    }
    stream.push_str("data: [DONE]\n\n");
    (stream, values)
}

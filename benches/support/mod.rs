//! Texts and bodies for the benches, made from a seed: the same on every machine.

// Each bench uses a part of this.
#![allow(dead_code)]

use serde_json::json;

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
    "198.51.100.23",
    "536-90-4399",
];

const WORDS: [&str; 40] = [
    "the", "account", "was", "opened", "in", "spring", "and", "we", "have", "kept", "it", "since",
    "then", "because", "nobody", "asked", "for", "more", "than", "a", "short", "answer", "to",
    "their", "question", "about", "edition", "two", "of", "our", "service", "(see", "below)",
    "which", "runs", "on", "12", "machines", "every", "day",
];

/// Prose of this length in bytes, and the number of values in it.
pub(crate) fn prose(length: usize, density: Density, seed: u64) -> (String, usize) {
    let mut random = Random(seed);
    let mut text = String::with_capacity(length + 64);
    let mut values = 0;
    let mut since = 0;
    while text.len() < length {
        let word = WORDS[random.below(WORDS.len())];
        text.push_str(word);
        since += word.len() + 1;
        if since >= density.gap() {
            text.push_str(", ");
            text.push_str(VALUES[values % VALUES.len()]);
            text.push(',');
            values += 1;
            since = 0;
        }
        text.push(if random.below(12) == 0 { '\n' } else { ' ' });
    }
    (text, values)
}

/// A chat completion request of about this length, and the number of values in it.
pub(crate) fn chat_request(length: usize, density: Density) -> (String, usize) {
    let mut messages = vec![json!({"role": "system", "content": "You answer briefly."})];
    let (mut total, mut values) = (0, 0);
    while total < length {
        let turn = (length - total).min(1500);
        let (content, found) = prose(turn, density, total as u64);
        total += content.len();
        values += found;
        let role = if messages.len() % 2 == 1 { "user" } else { "assistant" };
        messages.push(json!({"role": role, "content": content}));
    }
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

/// A small generator (Steele, Lea and Flood's SplitMix64): good enough to choose words.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

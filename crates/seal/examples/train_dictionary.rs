//! Trains the compression dictionary for small bodies: `cargo xtask train-dictionary`.
//!
//! ```text
//! train_dictionary OUT                  writes the dictionary
//! train_dictionary --measure DICT PATH… compresses files one by one, with it and without
//! ```
//!
//! The samples are made up here from a seed: payloads as `seal` lays them out, with bodies of the
//! chat APIs as they come, redacted. Never customers' data: a dictionary trained on that is plaintext
//! that cannot be shredded. The same zstd makes the same dictionary from the same seed.

#![allow(clippy::print_stdout, reason = "a chore talks to a person")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// 32 KiB: twice as much gains 1%, half as much loses 3%, and each thread's context carries its
/// tables.
const DICTIONARY_BYTES: usize = 32 << 10;
const SAMPLES: usize = 6000;
const SEED: u64 = 0x0b11_e77e;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--measure", dictionary, ref paths @ ..] if !paths.is_empty() => {
            measure(Path::new(dictionary), paths)
        }
        [out] if !out.starts_with('-') => {
            let dictionary = train()?;
            fs::write(out, &dictionary)?;
            println!(
                "{out}: {} bytes, by zstd {}",
                dictionary.len(),
                zstd::zstd_safe::version_string()
            );
            Ok(())
        }
        _ => Err("usage: train_dictionary OUT | --measure DICT PATH…".into()),
    }
}

fn train() -> std::io::Result<Vec<u8>> {
    let mut maker = Maker(SEED);
    let samples: Vec<Vec<u8>> = (0..SAMPLES).map(|_| maker.payload()).collect();
    zstd::dict::from_samples(&samples, DICTIONARY_BYTES)
}

/// What each size of files gains. Files are put behind made-up metadata, as in a payload.
fn measure(dictionary: &Path, paths: &[&str]) -> Result<(), Box<dyn Error>> {
    let dictionary = fs::read(dictionary)?;
    let mut files: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(path)? {
                files.push(entry?.path());
            }
        } else {
            bodies.push(fs::read(path)?);
        }
    }
    let mut maker = Maker(SEED + 1); // other metadata than it was trained on
    println!("payload up to    bodies   plain   with dictionary    µs   µs with dictionary");
    for (from, to) in [
        (0, 1 << 10),
        (1 << 10, 2 << 10),
        (2 << 10, 4 << 10),
        (4 << 10, 8 << 10),
        (8 << 10, 16 << 10),
        (16 << 10, 64 << 10),
    ] {
        let payloads: Vec<Vec<u8>> = bodies
            .iter()
            .map(|body| maker.around("application/json", "json", body))
            .filter(|payload| (from..to).contains(&payload.len()))
            .collect();
        if payloads.is_empty() {
            continue;
        }
        let mut plain = zstd::bulk::Compressor::new(3)?;
        let prepared = zstd::dict::EncoderDictionary::copy(&dictionary, 2); // as `seal` does
        let mut small = zstd::bulk::Compressor::with_prepared_dictionary(&prepared)?;
        let (bytes, time) = total(&payloads, &mut plain)?;
        let (with, faster) = total(&payloads, &mut small)?;
        let count = payloads.len() as u64;
        let each = |time: Duration| time.as_nanos() as f64 / 1000.0 / count as f64;
        println!(
            "{to:>13} {count:>9} {:>7} {:>9} ({:+.0}%) {:>9.1} {:>8.1} ({:+.0}%)",
            bytes / count,
            with / count,
            100.0 * (with as f64 / bytes as f64 - 1.0),
            each(time),
            each(faster),
            100.0 * (faster.as_secs_f64() / time.as_secs_f64() - 1.0),
        );
    }
    Ok(())
}

/// Bytes of all payloads compressed one by one, and the best time of several rounds.
fn total(
    payloads: &[Vec<u8>],
    compressor: &mut zstd::bulk::Compressor<'_>,
) -> std::io::Result<(u64, Duration)> {
    let mut best = Duration::MAX;
    let mut bytes = 0;
    for _ in 0..7 {
        let begun = Instant::now();
        bytes = 0;
        for payload in payloads {
            bytes += compressor.compress(payload)?.len() as u64;
        }
        best = best.min(begun.elapsed());
    }
    Ok((bytes, best))
}

/// Makes payloads, one after the other from a seed.
struct Maker(u64);

impl Maker {
    /// SplitMix64.
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn id(&mut self, prefix: &str, len: usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let letters = (0..len).map(|_| char::from(self.pick(LETTERS)));
        prefix.chars().chain(letters.collect::<Vec<_>>()).collect()
    }

    fn hex(&mut self, len: usize) -> String {
        (0..len).map(|_| char::from(self.pick(b"0123456789abcdef"))).collect()
    }

    fn payload(&mut self) -> Vec<u8> {
        let (content_type, format, body) = match self.below(12) {
            0 | 1 => ("application/json", "json", self.openai_request().to_string()),
            2 | 3 => ("application/json", "json", self.openai_response().to_string()),
            4 => ("application/json", "json", self.anthropic_request().to_string()),
            5 => ("application/json", "json", self.anthropic_response().to_string()),
            6 | 7 => ("text/event-stream", "sse", self.openai_stream()),
            8 => ("text/event-stream", "sse", self.anthropic_stream()),
            9 => ("application/json", "json", self.responses_request().to_string()),
            10 => ("application/json", "json", self.embeddings().to_string()),
            _ => ("application/json", "json", self.error().to_string()),
        };
        self.around(content_type, format, body.as_bytes())
    }

    /// Metadata and exchange in front of a body, as `seal` and the service write them.
    fn around(&mut self, content_type: &str, format: &str, body: &[u8]) -> Vec<u8> {
        let rule_set = self.hex(64);
        let findings = match self.below(4) {
            0 => (r#"{"global.email":1}"#, r#"{"EMAIL_ADDRESS":1}"#),
            1 => (
                r#"{"global.credit-card":1,"global.email":2,"global.phone":1}"#,
                r#"{"CREDIT_CARD":1,"EMAIL_ADDRESS":2,"PHONE_NUMBER":1}"#,
            ),
            _ => ("{}", "{}"),
        };
        let metadata = format!(
            r#"{{"content_type":"{content_type}","report":{{"format":"{format}","rule_set":"{rule_set}","findings":{},"entities":{},"attachments_dropped":0,"fell_back":false}}}}"#,
            findings.0, findings.1
        );
        let time = 1_790_000_000_000 + self.below(100_000_000_000);
        let exchange = format!(
            r#"{{"exchange":{{"account":"{}","id":"{}","time":{time},"api":"{}","model":"{}","provider":"{}","status":200,"tokens_in":{},"tokens_out":{},"latency_ms":{},"trace_id":"{}","cache_key":null,"key_hash":"{}"}},"part":"{}","captured_at":{},"retention_days":{},"redacted_under":"{}"}}"#,
            self.word(),
            self.id("req_", 24),
            self.pick(&["openai-chat", "openai-responses", "anthropic-messages", "embeddings"]),
            self.pick(&MODELS),
            self.pick(&["openai", "anthropic", "google", "azure", "bedrock"]),
            self.below(9000),
            self.below(2000),
            self.below(30_000),
            self.hex(32),
            self.hex(16),
            self.pick(&["request", "response"]),
            time + 1234,
            self.pick(&[7, 7, 7, 14, 30]),
            self.hex(32),
        );
        let mut payload = vec![1];
        payload.extend((metadata.len() as u32).to_be_bytes());
        payload.extend((exchange.len() as u32).to_be_bytes());
        payload.extend(metadata.bytes().chain(exchange.bytes()));
        payload.extend(body);
        payload
    }

    fn word(&mut self) -> &'static str {
        // Some words are far more frequent than others, as in any text.
        let at = self.below(WORDS.len() as u64).min(self.below(WORDS.len() as u64));
        WORDS[at as usize]
    }

    fn sentence(&mut self) -> String {
        if self.below(3) == 0 {
            return self.pick(&PHRASES).to_owned();
        }
        let mut text = String::new();
        for number in 0..5 + self.below(12) {
            let word = if self.below(40) == 0 { self.pick(&PLACEHOLDERS) } else { self.word() };
            match number {
                0 => text.extend(
                    word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)),
                ),
                _ => {
                    text.push(' ');
                    text.push_str(word);
                }
            }
        }
        text.push(self.pick(&['.', '.', '.', '?']));
        text
    }

    fn text(&mut self, sentences: u64) -> String {
        let count = 1 + self.below(sentences);
        let sentences: Vec<_> = (0..count).map(|_| self.sentence()).collect();
        sentences.join(self.pick(&[" ", " ", "\n\n", "\n- "]))
    }

    fn openai_request(&mut self) -> Value {
        let mut messages = vec![json!({"role": "system", "content": self.text(4)})];
        for _ in 0..1 + self.below(3) {
            messages.push(json!({"role": "user", "content": self.text(5)}));
            if self.below(3) == 0 {
                messages.push(json!({"role": "assistant", "content": self.text(4)}));
            }
        }
        let mut request = json!({
            "model": self.pick(&MODELS),
            "messages": messages,
            "temperature": self.pick(&[0.0, 0.2, 0.7, 1.0]),
            "max_tokens": self.pick(&[256, 512, 1024, 4096]),
            "stream": self.below(2) == 0,
        });
        if self.below(3) == 0 {
            request["tools"] = json!([{"type": "function", "function": {
                "name": format!("get_{}", self.word()),
                "description": self.sentence(),
                "parameters": {"type": "object", "properties": {
                    self.word(): {"type": "string", "description": self.sentence()},
                    self.word(): {"type": "number"},
                }, "required": [self.word()]},
            }}]);
            request["tool_choice"] = json!("auto");
        }
        request
    }

    fn usage(&mut self) -> Value {
        let (prompt, completion) = (self.below(3000), self.below(900));
        json!({
            "prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
        })
    }

    fn openai_response(&mut self) -> Value {
        let mut message = json!({"role": "assistant", "content": self.text(8), "refusal": null, "annotations": []});
        let mut finish = "stop";
        if self.below(5) == 0 {
            finish = "tool_calls";
            let arguments = json!({self.word(): self.word(), self.word(): self.below(100)});
            message["content"] = Value::Null;
            message["tool_calls"] = json!([{"id": self.id("call_", 24), "type": "function",
                "function": {"name": format!("get_{}", self.word()), "arguments": arguments.to_string()}}]);
        }
        json!({
            "id": self.id("chatcmpl-", 29), "object": "chat.completion",
            "created": 1_790_000_000 + self.below(100_000_000), "model": self.pick(&MODELS),
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}],
            "usage": self.usage(), "service_tier": "default",
            "system_fingerprint": format!("fp_{}", self.hex(10)),
        })
    }

    fn openai_stream(&mut self) -> String {
        let (id, model) = (self.id("chatcmpl-", 29), self.pick(&MODELS));
        let created = 1_790_000_000 + self.below(100_000_000);
        let fingerprint = format!("fp_{}", self.hex(10));
        let event = |delta: Value, finish: Value| {
            let event = json!({"id": id, "object": "chat.completion.chunk", "created": created,
                "model": model, "service_tier": "default", "system_fingerprint": fingerprint,
                "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]});
            format!("data: {event}\n\n")
        };
        let mut stream =
            event(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null);
        for word in self.text(3).split_inclusive(' ') {
            stream += &event(json!({"content": word}), Value::Null);
        }
        stream + &event(json!({}), json!("stop")) + "data: [DONE]\n\n"
    }

    fn anthropic_request(&mut self) -> Value {
        json!({
            "model": self.pick(&MODELS), "max_tokens": self.pick(&[1024, 4096, 8192]),
            "system": self.text(3),
            "messages": [{"role": "user", "content": [{"type": "text", "text": self.text(6),
                "cache_control": {"type": "ephemeral"}}]}],
            "stream": self.below(2) == 0,
        })
    }

    fn anthropic_response(&mut self) -> Value {
        json!({
            "id": self.id("msg_01", 22), "type": "message", "role": "assistant",
            "model": self.pick(&MODELS), "content": [{"type": "text", "text": self.text(8)}],
            "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": self.below(3000), "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0, "output_tokens": self.below(900), "service_tier": "standard"},
        })
    }

    fn anthropic_stream(&mut self) -> String {
        let event = |name: &str, data: Value| format!("event: {name}\ndata: {data}\n\n");
        let mut message = self.anthropic_response();
        message["content"] = json!([]);
        message["stop_reason"] = Value::Null;
        let mut stream =
            event("message_start", json!({"type": "message_start", "message": message}));
        stream += &event(
            "content_block_start",
            json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "text", "text": ""}}),
        );
        stream += &event("ping", json!({"type": "ping"}));
        for words in self.text(3).split_inclusive(", ") {
            stream += &event(
                "content_block_delta",
                json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "text_delta", "text": words}}),
            );
        }
        stream += &event("content_block_stop", json!({"type": "content_block_stop", "index": 0}));
        stream += &event(
            "message_delta",
            json!({"type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": self.below(900)}}),
        );
        stream + &event("message_stop", json!({"type": "message_stop"}))
    }

    fn responses_request(&mut self) -> Value {
        json!({
            "model": self.pick(&MODELS), "instructions": self.text(3),
            "input": [{"role": "user", "content": [{"type": "input_text", "text": self.text(5)}]}],
            "text": {"format": {"type": "text"}}, "reasoning": {"effort": "medium", "summary": null},
            "store": false, "stream": true, "parallel_tool_calls": true, "tool_choice": "auto",
            "previous_response_id": self.id("resp_", 48),
        })
    }

    fn embeddings(&mut self) -> Value {
        json!({"model": "text-embedding-3-small", "input": [self.text(3), self.text(2)],
            "encoding_format": "float"})
    }

    fn error(&mut self) -> Value {
        json!({"error": {"message": self.sentence(), "type": "invalid_request_error",
            "param": null, "code": self.pick(&["rate_limit_exceeded", "context_length_exceeded", "model_not_found"])}})
    }
}

const MODELS: [&str; 10] = [
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-5",
    "o4-mini",
    "claude-sonnet-4-5",
    "claude-opus-4-1",
    "claude-haiku-4-5",
    "gemini-2.5-flash",
];

const PLACEHOLDERS: [&str; 8] = [
    "<EMAIL_ADDRESS_1>",
    "<PHONE_NUMBER_1>",
    "<CREDIT_CARD_1>",
    "<EMAIL_ADDRESS_2>",
    "<IP_ADDRESS_1>",
    "<IBAN_CODE_1>",
    "<US_SSN_1>",
    "<URL_1>",
];

const PHRASES: [&str; 24] = [
    "You are a helpful assistant.",
    "You are a careful assistant that answers in plain language.",
    "Answer the question based only on the context below.",
    "If you do not know the answer, say that you do not know.",
    "Do not make up facts, links or numbers.",
    "Respond with valid JSON and nothing else.",
    "Keep your answer short and to the point.",
    "Summarize the following text in three sentences.",
    "Translate the following text into English.",
    "Write a function that takes a list of numbers and returns the largest one.",
    "Thank you for reaching out to us.",
    "I'd be happy to help you with that!",
    "Here's a step-by-step guide to get you started:",
    "Let me know if you have any other questions.",
    "Could you please provide more details about the issue you're experiencing?",
    "I'm sorry to hear that you're having trouble with your order.",
    "Based on the information you provided, here are the main points:",
    "Please find the details of my account and the last invoice below.",
    "What is the difference between the two options?",
    "How do I reset my password?",
    "The customer asked for a refund and gave the order number.",
    "It looks like the error is caused by a missing import in the file.",
    "First, make sure that you have the latest version installed.",
    "In summary, the best choice depends on your needs and your budget.",
];

/// Frequent words first.
const WORDS: [&str; 253] = [
    "the",
    "to",
    "and",
    "a",
    "of",
    "in",
    "is",
    "that",
    "for",
    "you",
    "it",
    "with",
    "on",
    "as",
    "be",
    "this",
    "are",
    "your",
    "can",
    "or",
    "have",
    "not",
    "from",
    "by",
    "we",
    "if",
    "will",
    "an",
    "at",
    "but",
    "they",
    "what",
    "which",
    "do",
    "when",
    "there",
    "how",
    "all",
    "more",
    "one",
    "their",
    "has",
    "would",
    "about",
    "use",
    "was",
    "so",
    "some",
    "like",
    "other",
    "any",
    "also",
    "should",
    "my",
    "time",
    "please",
    "data",
    "into",
    "than",
    "these",
    "first",
    "new",
    "need",
    "may",
    "make",
    "only",
    "could",
    "each",
    "here",
    "been",
    "them",
    "who",
    "then",
    "its",
    "most",
    "after",
    "were",
    "between",
    "our",
    "used",
    "where",
    "through",
    "over",
    "because",
    "such",
    "many",
    "well",
    "must",
    "before",
    "very",
    "just",
    "both",
    "help",
    "information",
    "example",
    "following",
    "question",
    "answer",
    "customer",
    "order",
    "account",
    "number",
    "name",
    "date",
    "email",
    "message",
    "file",
    "code",
    "system",
    "user",
    "list",
    "text",
    "value",
    "using",
    "work",
    "service",
    "process",
    "set",
    "change",
    "step",
    "result",
    "people",
    "company",
    "product",
    "request",
    "response",
    "issue",
    "problem",
    "report",
    "team",
    "support",
    "price",
    "payment",
    "invoice",
    "delivery",
    "address",
    "version",
    "function",
    "return",
    "string",
    "error",
    "table",
    "query",
    "model",
    "content",
    "language",
    "document",
    "section",
    "context",
    "summary",
    "analysis",
    "research",
    "project",
    "plan",
    "design",
    "test",
    "build",
    "deploy",
    "server",
    "database",
    "client",
    "application",
    "software",
    "network",
    "security",
    "access",
    "password",
    "update",
    "create",
    "delete",
    "search",
    "include",
    "provide",
    "ensure",
    "consider",
    "understand",
    "explain",
    "describe",
    "compare",
    "different",
    "important",
    "specific",
    "available",
    "possible",
    "current",
    "previous",
    "next",
    "last",
    "large",
    "small",
    "good",
    "best",
    "high",
    "low",
    "long",
    "short",
    "right",
    "same",
    "year",
    "month",
    "week",
    "day",
    "hour",
    "minute",
    "today",
    "tomorrow",
    "meeting",
    "schedule",
    "contract",
    "policy",
    "terms",
    "option",
    "choice",
    "feature",
    "benefit",
    "cost",
    "budget",
    "market",
    "business",
    "industry",
    "strategy",
    "growth",
    "quality",
    "performance",
    "experience",
    "knowledge",
    "learning",
    "training",
    "student",
    "school",
    "health",
    "patient",
    "treatment",
    "energy",
    "water",
    "food",
    "travel",
    "hotel",
    "flight",
    "city",
    "country",
    "world",
    "history",
    "science",
    "method",
    "theory",
    "study",
    "sample",
    "measure",
    "average",
    "increase",
    "reduce",
    "improve",
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_same_seed_makes_the_dictionary_that_is_shipped() {
        // Another zstd may choose other pieces. What is shipped stays what it is.
        if zstd::zstd_safe::version_string() == "1.5.7" {
            let shipped = include_bytes!("../dictionaries/1.zdict");
            assert!(super::train().unwrap() == shipped);
        }
    }
}

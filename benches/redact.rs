//! How fast bodies are redacted, by API, size and density, whole and while they pass; beside each what
//! detection alone costs on the same text and what zstd level 1 does on the same bytes.

mod support;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use oubliette_detect::{RuleSet, ScanOptions, Scanner};
use oubliette_redact::{CapturedBody, Policy, Redactor};
use serde_json::json;
use support::{Density, VALUES, chat_request, chat_stream, prose};

const SSE: &str = "text/event-stream";
const JSON: &str = "application/json";

fn redact(criterion: &mut Criterion) {
    let redactor = Redactor::new(RuleSet::standard(), Policy::default());
    let mut group = criterion.benchmark_group("redact");
    for (name, density) in Density::ALL {
        for (api, (body, values)) in [
            ("chat-request-1k", chat_request(1 << 10, density)),
            ("chat-request-64k", chat_request(64 << 10, density)),
            ("chat-request-1m", chat_request(1 << 20, density)),
            ("chat-stream-64k", chat_stream(16 << 10, density)),
            ("anthropic-stream-64k", anthropic_stream(16 << 10, density)),
            ("tool-calls-64k", tool_calls(64 << 10, density)),
        ] {
            let run = || {
                let captured = CapturedBody::new(black_box(body.as_bytes()).to_vec(), None, None);
                redactor.exchange().redact(captured).expect("the body can be redacted")
            };
            let redacted = run();
            assert_eq!(redacted.report().total(), values as u64, "{api} {name}");
            let text = String::from_utf8_lossy(redacted.bytes());
            assert!(VALUES.iter().all(|value| !text.contains(value)));
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_function(BenchmarkId::new(api, name), |bencher| bencher.iter(run));
        }
    }
    group.finish();
}

/// What a body costs that holds next to nothing: a goal is 5 µs.
fn fixed(criterion: &mut Criterion) {
    let redactor = Redactor::new(RuleSet::standard(), Policy::default());
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let mut group = criterion.benchmark_group("redact-fixed");
    group.bench_function("hi", |bencher| {
        bencher.iter(|| {
            let captured = CapturedBody::new(body.into(), Some(JSON.into()), None);
            redactor.exchange().redact(captured).expect("the body can be redacted")
        });
    });
    group.finish();
}

/// Event by event, as a gateway would push them.
fn passing(criterion: &mut Criterion) {
    let redactor = Redactor::new(RuleSet::standard(), Policy::default());
    let mut group = criterion.benchmark_group("redact-passing");
    for (name, density) in Density::ALL {
        let (body, _) = chat_stream(4 << 10, density);
        let run = || {
            let exchange = redactor.exchange();
            let mut stream = exchange.stream(Some(SSE.into()), None).expect("no encoding");
            let mut out = Vec::new();
            for event in body.split_inclusive("\n\n") {
                out.extend(stream.push(event.as_bytes()).expect("it passes"));
            }
            out.extend(stream.finish().expect("it ends").0);
            out
        };
        let captured = CapturedBody::new(body.clone().into(), Some(SSE.into()), None);
        let whole = redactor.exchange().redact(captured).expect("the body can be redacted");
        assert!(run() == whole.bytes(), "passing is redacting the whole");
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::new("chat-stream", name), |bencher| bencher.iter(run));
    }
    group.finish();
}

/// What redaction is to be held against.
fn beside(criterion: &mut Criterion) {
    let rules = RuleSet::standard();
    let mut group = criterion.benchmark_group("redact-beside");
    for (name, density) in Density::ALL {
        let (body, values) = chat_request(64 << 10, density);
        let mut scanner = Scanner::new(&rules);
        let found = scanner.scan(body.as_bytes(), &ScanOptions::default());
        assert!(found.len() >= values);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::new("detect-64k", name), |bencher| {
            bencher.iter(|| scanner.scan(black_box(body.as_bytes()), &ScanOptions::default()));
        });
        let mut compressor = zstd::bulk::Compressor::new(1).expect("level 1");
        assert!(compressor.compress(body.as_bytes()).expect("it compresses").len() < body.len());
        group.bench_function(BenchmarkId::new("zstd-1-64k", name), |bencher| {
            bencher.iter(|| compressor.compress(black_box(body.as_bytes())));
        });
    }
    group.finish();
}

fn anthropic_stream(length: usize, density: Density) -> (String, usize) {
    let (text, values) = prose(length, density, 11);
    let mut stream = String::new();
    for word in text.split_inclusive(' ') {
        let event = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}});
        stream.push_str(&format!("event: content_block_delta\ndata: {event}\n\n"));
    }
    (stream, values)
}

/// A request whose text is mostly JSON in strings.
fn tool_calls(length: usize, density: Density) -> (String, usize) {
    let (text, values) = prose(length, density, 13);
    let calls: Vec<_> = text
        .split("\n\n")
        .map(|part| {
            let arguments = json!({"query": part, "limit": 10}).to_string();
            json!({"role": "assistant", "tool_calls": [{"id": "call-1", "function": {"name": "find", "arguments": arguments}}]})
        })
        .collect();
    (json!({"model": "gpt-5-mini", "messages": calls}).to_string(), values)
}

criterion_group!(benches, redact, fixed, passing, beside);
criterion_main!(benches);

//! How fast whole bodies are redacted, by API and by density, and what a small one costs.

mod support;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use oubliette_detect::RuleSet;
use oubliette_redact::{CapturedBody, Policy, Redactor};
use support::{Density, VALUES, chat_request, chat_stream};

fn redact(criterion: &mut Criterion) {
    let redactor = Redactor::new(RuleSet::standard(), Policy::default());
    let mut group = criterion.benchmark_group("redact");
    for (name, density) in Density::ALL {
        for (api, size, (body, values)) in [
            ("chat-request", "1k", chat_request(1 << 10, density)),
            ("chat-request", "64k", chat_request(64 << 10, density)),
            ("chat-stream", "64k", chat_stream(16 << 10, density)),
        ] {
            let run = || {
                let captured = CapturedBody::new(black_box(body.as_bytes()).to_vec(), None, None);
                redactor.exchange().redact(captured).expect("the body can be redacted")
            };
            let redacted = run();
            assert_eq!(redacted.report().total(), values as u64);
            let text = String::from_utf8_lossy(redacted.bytes());
            assert!(VALUES.iter().all(|value| !text.contains(value)));
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_function(BenchmarkId::new(format!("{api}-{size}"), name), |bencher| {
                bencher.iter(run);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, redact);
criterion_main!(benches);

//! What sealing and opening cost beside their lower bound, zstd at the same level by itself.

mod support;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use oubliette_keytree::{AccountTag, Hour, LeafAddress, LeafKey};
use oubliette_redact::{CapturedBody, RedactedBody, UnredactedConsent};
use oubliette_seal::{Expected, Opener, Place, Sealer};
use support::{Density, chat_request};

fn seal(criterion: &mut Criterion) {
    let account = AccountTag::from_bytes([7; 16]);
    let hour = Hour::from_unix_seconds(1_793_000_000);
    let address = LeafAddress::new(hour, 1, 0).expect("a small sequence");
    let key = LeafKey::from_bytes([9; 32]);
    let mut group = criterion.benchmark_group("seal");
    for (name, size) in [("1k", 1 << 10), ("16k", 16 << 10), ("256k", 256 << 10)] {
        let (text, _) = chat_request(size, Density::Clean);
        let captured = CapturedBody::new(text.clone().into_bytes(), None, None);
        let consent = UnredactedConsent::recorded("bench");
        let body = RedactedBody::dangerously_unredacted(captured, &consent);
        let place = Place { account, address, exchange: b"{}" };
        let mut sealer = Sealer::new();
        let mut opener = Opener::default();
        let expected = Expected { account, address };
        let sealed = sealer.seal(&body, &place, &key).expect("seals");
        let opened = opener.open(sealed.record(), &expected, &key).expect("opens");
        assert_eq!(opened.bytes(), text.as_bytes());

        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("seal", name), |bencher| {
            bencher.iter(|| sealer.seal(black_box(&body), &place, &key).expect("seals"));
        });
        group.bench_function(BenchmarkId::new("open", name), |bencher| {
            bencher
                .iter(|| opener.open(black_box(sealed.record()), &expected, &key).expect("opens"));
        });
        let mut zstd = zstd::bulk::Compressor::new(3).expect("level 3 exists");
        group.bench_function(BenchmarkId::new("zstd-alone", name), |bencher| {
            bencher.iter(|| zstd.compress(black_box(text.as_bytes())).expect("compresses"));
        });
    }
    group.finish();
}

criterion_group!(benches, seal);
criterion_main!(benches);

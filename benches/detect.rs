//! How fast text is scanned with every standard rule on.
//!
//! `scan` is what users get; `naive` runs each rule's regex over the whole text and is what it must
//! agree with. Density is the axis that matters: clean text costs the search for anchors, dense text
//! the verification of what they find.

mod support;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use oubliette_detect::{RuleSet, ScanOptions, Scanner, naive};
use support::{Density, prose};

fn scan(criterion: &mut Criterion) {
    let rules = RuleSet::standard();
    let options = ScanOptions::default();
    let mut group = criterion.benchmark_group("detect");
    for (name, density) in Density::ALL {
        let (text, values) = prose(256 << 10, density, 1);
        let mut scanner = Scanner::new(&rules);
        let found = scanner.scan(text.as_bytes(), &options);
        assert_eq!(found.len(), values, "every value is found, and nothing else");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("scan", name), |bencher| {
            bencher.iter(|| scanner.scan(black_box(text.as_bytes()), &options).len());
        });
        let (text, _) = prose(16 << 10, density, 1);
        assert_eq!(
            naive::scan(&rules, text.as_bytes(), &options),
            scanner.scan(text.as_bytes(), &options)
        );
        group.sample_size(10);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("naive", name), |bencher| {
            bencher.iter(|| naive::scan(&rules, black_box(text.as_bytes()), &options).len());
        });
    }
    group.finish();
}

criterion_group!(benches, scan);
criterion_main!(benches);

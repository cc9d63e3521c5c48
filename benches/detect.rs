//! How fast text is scanned with every standard rule on.
//!
//! Each bench asserts its answer before it is timed, on the text that is timed.

mod support;

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use oubliette_detect::{Limits, Pack, RuleSet, ScanOptions, Scanner, naive, standard_packs};
use regex_automata::{meta, util::syntax};
use support::{Density, VALUES, code, custom_packs, custom_value, hostile, multilingual, prose};

/// Enough that what a scan costs once is lost in it, and little enough that it stays in the cache.
const LENGTH: usize = 256 << 10;

/// For what is a thousand times slower.
const SHORT: usize = 16 << 10;

/// What users get, by what the text is. Density is the axis that matters: clean text costs the search for
/// anchors, dense text the verification of what they find. Code is full of words that rules look for, and
/// scripts beyond ASCII of characters that could be disguised.
fn scan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("detect");
    for (name, density) in Density::ALL {
        let (text, values) = prose(LENGTH, density, 1);
        bench_scan(&mut group, "scan", name, &RuleSet::standard(), &text, values);
    }
    bench_scan(&mut group, "scan", "code", &RuleSet::standard(), &code(LENGTH, 2), 0);
    let text = multilingual(LENGTH, 3);
    bench_scan(&mut group, "scan", "multilingual", &RuleSet::standard(), &text, 0);
    group.finish();
}

/// Text that somebody made to be slow: how far below ordinary text it falls is what an attacker gains.
fn hostile_text(criterion: &mut Criterion) {
    let rules = RuleSet::standard();
    let mut group = criterion.benchmark_group("detect");
    group.sample_size(20);
    for ((name, text), (_, short)) in hostile(LENGTH).into_iter().zip(hostile(512)) {
        let options = ScanOptions::default();
        let found = Scanner::new(&rules).scan(short.as_bytes(), &options);
        assert_eq!(found, naive::scan(&rules, short.as_bytes(), &options), "{name}");
        bench_scan(&mut group, "hostile", name, &rules, &text, 0);
    }
    group.finish();
}

/// What an account's own rules add, over the standard ones: the cost should barely grow with their number.
fn custom_rules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("detect");
    for count in [10, 100, 1_000, 10_000] {
        let rules = custom_packs(count)
            .into_iter()
            .fold(RuleSet::builder().standard().limits(ample()), |builder, pack| builder.pack(pack))
            .build()
            .expect("the packs compile");
        assert_eq!(rules.rules().len(), RuleSet::standard().rules().len() + count);
        let (mut text, mut values) = prose(LENGTH, Density::Typical, 1);
        // One rule of each kind finds something, whatever the number of rules.
        for number in [0, 1, count - 2, count - 1] {
            let (value, around) = custom_value(number);
            text.push_str(&around.replace("{}", &value));
            text.push_str(&"\n".repeat(200)); // out of reach of the next one's words
            values += 1;
        }
        bench_scan(&mut group, "custom-rules", &count.to_string(), &rules, &text, values);
    }
    group.finish();
}

/// Every rule's regex over the whole text, one after the other: the definition that the scanner must agree
/// with, and what one would write first.
fn naive_loop(criterion: &mut Criterion) {
    let rules = RuleSet::standard();
    let options = ScanOptions::default();
    let mut group = criterion.benchmark_group("detect");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for (name, density) in Density::ALL {
        let (text, values) = prose(SHORT / 4, density, 1);
        let found = naive::scan(&rules, text.as_bytes(), &options);
        assert_eq!(found.len(), values, "{name}");
        assert_eq!(found, Scanner::new(&rules).scan(text.as_bytes(), &options), "{name}");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("naive", name), |bencher| {
            bencher.iter(|| naive::scan(&rules, black_box(text.as_bytes()), &options).len());
        });
    }
    group.finish();
}

/// All standard patterns as one alternation of a regex engine: the best that is to be had without an engine
/// of one's own. It does less: no validators, boundaries, keywords or context, and where two patterns match,
/// the first hides the other. So it reports many things that are none, and what it costs is a lower bound.
fn alternation(criterion: &mut Criterion) {
    let regex = standard_alternation();
    let mut group = criterion.benchmark_group("detect");
    group.sample_size(10);
    for (name, density) in Density::ALL {
        let (text, _) = prose(SHORT, density, 1);
        let found: Vec<_> = regex.find_iter(&text).map(|found| found.range()).collect();
        for value in VALUES {
            for (start, _) in text.match_indices(value) {
                let is_found =
                    found.iter().any(|span| span.start < start + value.len() && span.end > start);
                assert!(is_found, "{name}: at {start}");
            }
        }
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("alternation", name), |bencher| {
            bencher.iter(|| regex.find_iter(black_box(&text)).count());
        });
    }
    group.finish();
}

/// What a process pays once, and each thread once: reading and compiling the standard packs, and a scanner.
/// A scanner's first text costs more than its next: patterns are compiled where texts lead to them.
fn compile(criterion: &mut Criterion) {
    let standard = RuleSet::standard();
    let build = || {
        let builder = standard_packs().iter().fold(
            RuleSet::builder().limits(ample()),
            |builder, (name, text)| {
                builder.pack(Pack::from_toml(name, text).expect("the pack is well formed"))
            },
        );
        builder.build().expect("the packs compile")
    };
    let built = build();
    assert_eq!(built.rules().len(), standard.rules().len());
    assert_eq!(built.digest(), standard.digest());
    let bytes: usize = standard_packs().iter().map(|(_, text)| text.len()).sum();
    let mut group = criterion.benchmark_group("detect");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function(BenchmarkId::new("compile", "standard"), |bencher| bencher.iter(build));
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("scanner", "new"), |bencher| {
        bencher.iter(|| Scanner::new(black_box(&standard)));
    });
    let (text, values) = prose(1024, Density::Dense, 1);
    let scan = |mut scanner: Scanner| {
        scanner.scan(black_box(text.as_bytes()), &ScanOptions::default()).len()
    };
    assert_eq!(scan(Scanner::new(&standard)), values);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function(BenchmarkId::new("scanner", "first-1k"), |bencher| {
        bencher.iter(|| scan(Scanner::new(&standard)));
    });
    group.finish();
}

fn bench_scan(
    group: &mut BenchmarkGroup<'_, WallTime>,
    workload: &str,
    variant: &str,
    rules: &RuleSet,
    text: &str,
    values: usize,
) {
    let options = ScanOptions::default();
    let mut scanner = Scanner::new(rules);
    let mut findings = scanner.scan(text.as_bytes(), &options);
    assert_eq!(
        findings.len(),
        values,
        "{workload}/{variant}: every value is found, and nothing else"
    );
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function(BenchmarkId::new(workload, variant), |bencher| {
        bencher.iter(|| {
            scanner.scan_into(black_box(text.as_bytes()), &options, &mut findings);
            findings.len()
        });
    });
}

/// Limits for rules that are not a stranger's.
fn ample() -> Limits {
    let mut limits = Limits::default();
    limits.rules = 10_000;
    limits.compiled_bytes = usize::MAX;
    limits.word_bytes = usize::MAX;
    limits
}

/// The patterns of the standard rules, each under its own flags.
fn standard_alternation() -> meta::Regex {
    let mut patterns = Vec::new();
    for (_, text) in standard_packs() {
        let pack: toml::Table = text.parse().expect("the pack is well formed");
        for rule in pack["rule"].as_array().expect("it has rules") {
            let is = |flag: &str| rule.get(flag).and_then(toml::Value::as_bool) == Some(true);
            let fold = if is("case_insensitive") { "i" } else { "" };
            let unicode = if is("unicode") { "u" } else { "-u" };
            let pattern = rule["pattern"].as_str().expect("it has a pattern");
            patterns.push(format!("(?{fold}{unicode}){pattern}"));
        }
    }
    assert_eq!(patterns.len(), RuleSet::standard().rules().len());
    // With the default limits it does not compile, and its lazy automaton would be emptied all the time.
    meta::Regex::builder()
        .syntax(syntax::Config::new().utf8(false).nest_limit(1_000))
        .configure(
            meta::Config::new()
                .utf8_empty(false)
                .nfa_size_limit(None)
                .hybrid_cache_capacity(256 << 20),
        )
        .build_many(&patterns)
        .expect("the patterns compile together")
}

criterion_group!(benches, scan, hostile_text, custom_rules, naive_loop, alternation, compile);
criterion_main!(benches);

//! `oubliette rules test`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oubliette_detect::{DEFAULT_MIN_SCORE, Pack, RuleSet, ScanOptions, Scanner};
use serde_json::json;

use super::batch;
use super::body::read_input;
use crate::cli::Shown;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, Listing, note};

const COLUMNS: &[Column] = &[
    ("RULE", "/rule"),
    ("FINDS", "/finds"),
    ("SAMPLES", "/samples"),
    ("NS/KIB", "/ns_per_kib"),
    ("ANCHOR", "/anchor"),
    ("SHAPES", "/shapes"),
    ("WARNINGS", "/warnings"),
];

pub(super) fn run(
    packs: &[PathBuf],
    files: &[PathBuf],
    rounds: u32,
    shown: Shown,
) -> Result<Outcome, Failure> {
    let packs = packs.iter().map(|path| read_pack(path)).collect::<Result<Vec<_>, _>>()?;
    // Without the standard packs, of which an allow list may speak.
    let ids: HashSet<&str> = packs.iter().flat_map(Pack::rule_ids).collect();
    let packs: Vec<Pack> = packs.iter().map(|pack| pack.filtered(|id| ids.contains(id))).collect();
    let rules = compile(&packs)?;
    let mut samples = Vec::new();
    for file in files {
        let extension = file.extension().and_then(|extension| extension.to_str());
        match extension {
            Some("ndjson" | "jsonl") => samples.extend(batch::texts(file)?),
            _ => samples.push(read_input(Some(file))?),
        }
    }
    let bytes: usize = samples.iter().map(Vec::len).sum();
    if bytes == 0 {
        return Err(Failure::failed("the samples are empty"));
    }

    let mut seen = tried(&packs, &samples)?;
    let costs = if rounds == 0 { HashMap::new() } else { costs(&packs, &samples, rounds)? };
    let mut listing = Listing::new(COLUMNS, shown.json);
    for rule in rules.rules() {
        let seen = seen.remove(rule.id()).unwrap_or_default();
        let (index, _) = rules.rule_by_id(rule.id()).expect("it is one of its rules");
        let share = seen.samples as f64 / samples.len() as f64;
        let density = seen.bytes as f64 / bytes as f64;
        let mut warnings = Vec::new();
        if seen.finds == 0 {
            warnings.push(match seen.below {
                0 => "finds nothing".to_owned(),
                below => format!("finds nothing; {below} below the threshold"),
            });
        }
        let dense = bytes >= ENOUGH_BYTES && density > BROAD_BYTES;
        let everywhere = samples.len() >= FEW && share > BROAD_SAMPLES;
        if dense || everywhere {
            warnings.push("over-broad".to_owned());
        }
        listing.row(&json!({
            "rule": rule.id(),
            "entity": rule.entity(),
            "finds": seen.finds,
            "samples": seen.samples,
            "below_threshold": seen.below,
            "shapes": seen.shapes(),
            "anchor": rules.anchor(index).to_string(),
            "ns_per_kib": costs.get(rule.id()),
            "warnings": warnings,
        }))?;
    }
    listing.done()?;
    if !shown.json {
        note(format_args!(
            "{} samples, {bytes} bytes; the cost is a measurement of this machine, now: the least of {rounds} taken, \
             with the rule less the same without it",
            samples.len()
        ));
    }
    Ok(Outcome::Fine)
}

/// A rule that finds a tenth of all bytes, or something in most samples, takes text apart.
const BROAD_BYTES: f64 = 0.1;
const BROAD_SAMPLES: f64 = 0.5;
/// A short sample may well be one value.
const ENOUGH_BYTES: usize = 1 << 10;
/// Of fewer samples, most may well hold something.
const FEW: usize = 10;

fn read_pack(path: &Path) -> Result<Pack, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("rule pack {name} cannot be read: {error}")))?;
    Pack::from_toml(&name, &text).map_err(|error| Failure::usage(error.to_string()))
}

fn compile(packs: &[Pack]) -> Result<RuleSet, Failure> {
    let builder = packs.iter().fold(RuleSet::builder(), |set, pack| set.pack(pack.clone()));
    builder.build().map_err(|error| Failure::usage(error.to_string()))
}

/// What a rule did.
#[derive(Default)]
struct Seen {
    finds: usize,
    samples: usize,
    bytes: usize,
    /// Matches whose score is too low.
    below: usize,
    shapes: BTreeMap<String, usize>,
}

impl Seen {
    /// The most frequent ones.
    fn shapes(&self) -> Vec<String> {
        let mut shapes: Vec<_> = self.shapes.iter().collect();
        shapes.sort_by_key(|&(_, count)| std::cmp::Reverse(*count));
        shapes.iter().take(3).map(|(shape, count)| format!("{shape} ×{count}")).collect()
    }
}

/// Each rule by itself, so that none hides what another finds.
fn tried(packs: &[Pack], samples: &[Vec<u8>]) -> Result<HashMap<String, Seen>, Failure> {
    let mut all = HashMap::new();
    for id in packs.iter().flat_map(Pack::rule_ids) {
        let alone: Vec<Pack> =
            packs.iter().map(|pack| pack.filtered(|other| other == id)).collect();
        let rules = compile(&alone)?;
        all.insert(id.to_owned(), tried_alone(&rules, samples));
    }
    Ok(all)
}

fn tried_alone(rules: &RuleSet, samples: &[Vec<u8>]) -> Seen {
    let options = ScanOptions { min_score: 0.0, ..ScanOptions::default() };
    let mut scanner = Scanner::new(rules);
    let mut seen = Seen::default();
    for sample in samples {
        let before = seen.finds;
        for finding in scanner.scan(sample, &options) {
            if finding.score < DEFAULT_MIN_SCORE && !rules.rule(finding.rule).is_on_request() {
                seen.below += 1;
                continue;
            }
            seen.finds += 1;
            seen.bytes += finding.span.len();
            let shape = shape(&sample[finding.span.range()]);
            if seen.shapes.len() < MAX_SHAPES || seen.shapes.contains_key(&shape) {
                *seen.shapes.entry(shape).or_default() += 1;
            }
        }
        seen.samples += usize::from(seen.finds > before);
    }
    seen
}

/// More shapes than this say that there is none.
const MAX_SHAPES: usize = 1_000;

/// What a text looks like, without it: `AA-999999`, runs beyond a few as `A×40`.
fn shape(text: &[u8]) -> String {
    let class = |c: char| match c {
        'a'..='z' => 'a',
        'A'..='Z' => 'A',
        '0'..='9' => '9',
        c if c.is_ascii_punctuation() => c,
        c if c.is_whitespace() => ' ',
        c if c.is_control() => '?',
        _ => 'ñ',
    };
    let text = String::from_utf8_lossy(text);
    let mut shape = String::new();
    let mut chars = text.chars().map(class).peekable();
    let mut runs = 0;
    while let Some(c) = chars.next() {
        let mut count = 1;
        while chars.next_if_eq(&c).is_some() {
            count += 1;
        }
        match count {
            1..=8 => shape.extend(std::iter::repeat_n(c, count)),
            _ => shape.push_str(&format!("{c}×{count}")),
        }
        runs += 1;
        if runs == 16 && chars.peek().is_some() {
            return shape + "…";
        }
    }
    shape
}

/// What each rule adds to a scan by the packs, in nanoseconds for 1024 bytes.
fn costs(
    packs: &[Pack],
    samples: &[Vec<u8>],
    rounds: u32,
) -> Result<HashMap<String, i64>, Failure> {
    let bytes: usize = samples.iter().map(Vec::len).sum();
    let per_kib = |spent: Duration| spent.as_nanos() as f64 * 1024.0 / bytes as f64;
    let with = compile(packs)?;
    let with = per_kib(fastest(&with, samples, rounds));
    let mut costs = HashMap::new();
    for id in packs.iter().flat_map(Pack::rule_ids) {
        let others: Vec<Pack> =
            packs.iter().map(|pack| pack.filtered(|other| other != id)).collect();
        let without = per_kib(fastest(&compile(&others)?, samples, rounds));
        // Noise may be larger than what a rule costs.
        costs.insert(id.to_owned(), ((with - without).max(0.0)).round() as i64);
    }
    Ok(costs)
}

fn fastest(rules: &RuleSet, samples: &[Vec<u8>], rounds: u32) -> Duration {
    let mut scanner = Scanner::new(rules);
    let mut findings = Vec::new();
    let options = ScanOptions::default();
    let mut round = || {
        let started = Instant::now();
        samples.iter().for_each(|sample| scanner.scan_into(sample, &options, &mut findings));
        started.elapsed()
    };
    round(); // warms the caches
    (0..rounds).map(|_| round()).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_say_what_kind_and_never_which() {
        let cases = [
            ("AB-204518", "AA-999999"),
            ("jo.moss@example.com", "aa.aaaa@aaaaaaa.aaa"),
            ("Zoë 1\n", "Aañ 9 "),
            ("aaaaaaaaaaaaaaaaaaaa-1", "a×20-9"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(shape(text.as_bytes()), expected);
        }
        assert!(shape("a1".repeat(50).as_bytes()).ends_with('…'));
        assert_eq!(shape(b"\xff"), "ñ");
    }
}

//! The same rules over the same texts, by `oubliette-detect` and by Vectorscan, in turns in one run.
//!
//! `apt-get install libvectorscan-dev`, then `cargo run --release --manifest-path benches/vectorscan/Cargo.toml`.
//!
//! What each of them does: Vectorscan reports the matches of the patterns, behind a word boundary if they begin with a
//! letter or digit, with the start of each match or only with its end. `oubliette-detect` does all of its work: patterns, boundaries, validators, context,
//! scores, overlaps, values in disguise. Patterns that Vectorscan refuses (look-around at the start of the text, some
//! Unicode classes, too large with starts) are left out for Vectorscan and stay in for `oubliette-detect`. Before
//! anything is timed, whatever ours finds by a pattern that both have must be found by Vectorscan there.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use clap::Parser;
use oubliette_detect::{Pack, RuleSet, ScanOptions, Scanner, standard_packs};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};
use serde::Deserialize;

mod hs;
#[path = "../../support/mod.rs"]
mod support;

use hs::{Database, Pattern};

/// Compare with Vectorscan: the same rules over the same texts, in turns.
#[derive(Parser)]
struct Arguments {
    /// Bytes of text of each kind
    #[arg(long, default_value_t = 2_000_000)]
    bytes: usize,
    /// How often each text is scanned by each; the best counts
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Bytes of the pieces in which texts are scanned, as bodies are
    #[arg(long, default_value_t = 8192)]
    piece: usize,
    /// Only these packs, by name; all standard packs if none is named. Vectorscan takes minutes to compile all
    packs: Vec<String>,
}

#[derive(Deserialize)]
struct PackFile {
    rule: Vec<RuleEntry>,
}

#[derive(Deserialize)]
struct RuleEntry {
    id: String,
    #[serde(default)]
    pattern: String,
    #[serde(default)]
    case_insensitive: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let all = arguments.packs.is_empty();
    let mut builder = RuleSet::builder();
    let mut entries = Vec::new();
    for (name, text) in standard_packs() {
        let stem = name.trim_end_matches(".toml");
        if all || arguments.packs.iter().any(|wanted| wanted == stem) {
            if !all {
                builder = builder.pack(Pack::from_toml(name, text)?);
            }
            entries.extend(toml::from_str::<PackFile>(text)?.rule);
        }
    }
    let started = Instant::now();
    let rules = if all { RuleSet::standard() } else { builder.build()? };
    println!(
        "oubliette-detect: {} rules compiled in {:.2?}",
        rules.rules().len(),
        started.elapsed()
    );
    let numbers: HashMap<&str, u32> = (0..).zip(rules.rules()).map(|(n, r)| (r.id(), n)).collect();
    println!("Vectorscan {}", hs::version());

    let mut engines = Vec::new();
    for starts in [true, false] {
        let patterns =
            entries.iter().filter(|entry| !entry.pattern.is_empty()).map(|entry| Pattern {
                text: if begins_word(&entry.pattern) {
                    format!(r"\b(?:{})", entry.pattern)
                } else {
                    entry.pattern.clone()
                },
                caseless: entry.case_insensitive,
                id: numbers[entry.id.as_str()],
            });
        let all = patterns.clone().count();
        let takes =
            |pattern: &Pattern| Database::new(std::slice::from_ref(pattern), starts).is_ok();
        let patterns: Vec<Pattern> = patterns.filter(takes).collect();
        let started = Instant::now();
        let database = Database::new(&patterns, starts)?;
        let kind = if starts { "with starts" } else { "ends only" };
        println!(
            "Vectorscan, {kind}: {} of {all} patterns compiled in {:.2?}",
            patterns.len(),
            started.elapsed()
        );
        let ids: Vec<u32> = patterns.iter().map(|pattern| pattern.id).collect();
        engines.push((kind, database, ids));
    }
    let mut scanner = Scanner::new(&rules);
    println!("\nMB/s, the best of {} rounds, and how many times Vectorscan's", arguments.rounds);
    for (name, density) in support::Density::ALL {
        let (text, _) = support::prose(arguments.bytes, density, 7);
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(arguments.piece.max(1)).collect();
        agree(&mut scanner, &mut engines, &pieces);

        let mut best = [Duration::MAX; 3];
        let mut findings = Vec::new();
        for _ in 0..arguments.rounds.max(1) {
            let mut take = |which: usize, scan: &mut dyn FnMut(&[u8])| {
                let started = Instant::now();
                pieces.iter().for_each(|piece| scan(piece));
                best[which] = best[which].min(started.elapsed());
            };
            take(0, &mut |piece| scanner.scan_into(piece, &ScanOptions::default(), &mut findings));
            for (which, (_, database, _)) in engines.iter_mut().enumerate() {
                let mut matches = 0u64;
                take(which + 1, &mut |piece| database.scan(piece, |_, _, _| matches += 1));
                std::hint::black_box(matches);
            }
        }
        let rate = |which: usize| text.len() as f64 / best[which].as_secs_f64() / 1e6;
        print!("{name:8} oubliette-detect {:6.1}", rate(0));
        for (which, (kind, ..)) in engines.iter().enumerate() {
            let other = rate(which + 1);
            print!("   Vectorscan, {kind} {other:6.1} ({:.1} times)", rate(0) / other);
        }
        println!();
    }
    Ok(())
}

/// Whatever ours finds in the text as it stands, by a pattern that both have, Vectorscan must report as well.
fn agree(scanner: &mut Scanner, engines: &mut [(&str, Database, Vec<u32>)], pieces: &[&[u8]]) {
    let rules = scanner.rules().clone();
    let number: HashMap<&str, u32> = (0..).zip(rules.rules()).map(|(n, r)| (r.id(), n)).collect();
    for (at, piece) in pieces.iter().enumerate() {
        let findings = scanner.scan(piece, &ScanOptions::default());
        for (kind, database, ids) in engines.iter_mut() {
            let mut reported: Vec<(u32, usize, usize)> = Vec::new();
            database.scan(piece, |id, from, to| reported.push((id, from, to)));
            for found in &findings {
                let rule = rules.rule(found.rule).id();
                let there = reported.iter().any(|&(id, from, to)| {
                    // Without starts, all are said to begin at 0.
                    id == number[rule] && from <= found.span.start && to >= found.span.end
                });
                assert!(
                    there || !ids.contains(&number[rule]),
                    "Vectorscan, {kind}, lacks a finding of {rule} in piece {at}"
                );
            }
        }
    }
}

/// Whether every match begins with a letter, a digit or an underscore of ASCII.
fn begins_word(pattern: &str) -> bool {
    let parser = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
    parser.is_ok_and(|hir| begins(&hir) == Some(true))
}

/// Whether every match begins so; nothing if some are empty, and those that are not do.
fn begins(hir: &Hir) -> Option<bool> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => None,
        HirKind::Literal(literal) => Some(is_word(literal.0[0])),
        HirKind::Class(Class::Bytes(class)) => {
            Some(class.ranges().iter().all(|range| (range.start()..=range.end()).all(is_word)))
        }
        HirKind::Class(Class::Unicode(_)) => Some(false),
        HirKind::Repetition(repetition) if repetition.min == 0 => {
            begins(&repetition.sub).filter(|begins| !begins)
        }
        HirKind::Repetition(repetition) => begins(&repetition.sub),
        HirKind::Capture(capture) => begins(&capture.sub),
        HirKind::Concat(parts) => parts.iter().find_map(begins),
        HirKind::Alternation(parts) => {
            let each: Vec<Option<bool>> = parts.iter().map(begins).collect();
            if each.contains(&Some(false)) {
                Some(false)
            } else {
                each.into_iter().collect::<Option<Vec<bool>>>().map(|_| true)
            }
        }
    }
}

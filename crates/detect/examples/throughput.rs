//! How fast a text is scanned with the standard rules on one core: `throughput FILE [ROUNDS [PIECE]]`.
//!
//! The text is scanned as a whole, or in pieces of so many bytes, as bodies are. Prints the best of the rounds, as
//! machines are mostly shared: `cargo run --release -p oubliette-detect --example throughput notes.txt 20 8192`.
#![allow(clippy::print_stdout, reason = "a program's output")]
#![allow(clippy::disallowed_methods, reason = "measures time")]

use std::time::{Duration, Instant};

use oubliette_detect::{RuleSet, ScanOptions, Scanner};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("name a file to scan")?;
    let rounds: u32 = arguments.next().map_or(Ok(20), |rounds| rounds.parse())?;
    let piece: usize = arguments.next().map_or(Ok(usize::MAX), |bytes| bytes.parse())?;
    let text = std::fs::read(file)?;

    let started = Instant::now();
    let rules = RuleSet::standard();
    println!("compiled {} rules in {:?}", rules.rules().len(), started.elapsed());

    let mut scanner = Scanner::new(&rules);
    let mut findings = Vec::new();
    let mut found = 0;
    let mut best = Duration::MAX;
    for _ in 0..rounds.max(1) {
        let started = Instant::now();
        found = 0;
        for body in text.chunks(piece.max(1)) {
            scanner.scan_into(body, &ScanOptions::default(), &mut findings);
            found += findings.len();
        }
        best = best.min(started.elapsed());
    }
    let rate = text.len() as f64 / best.as_secs_f64() / 1e6;
    println!("{found} findings in {} bytes, {rate:.0} MB/s", text.len());
    Ok(())
}

//! Counting test results out of the text that `cargo test` prints.
//!
//! Stable libtest has no machine-readable report; its summary lines have kept their form since
//! Rust 1.0: `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; …`.

use std::fmt;

/// Sums of the summary lines seen so far.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// Adds the counts of a line if it is a summary line.
    pub(crate) fn add_line(&mut self, line: &str) {
        let Some((_, summary)) = line.split_once("test result: ") else { return };
        // "ok. 3 passed; 0 failed; …": a count is a number followed by its word.
        let mut words =
            summary.split_whitespace().map(|word| word.trim_end_matches(';')).peekable();
        while let Some(word) = words.next() {
            let (Ok(count), Some(kind)) = (word.parse::<u64>(), words.peek()) else { continue };
            match *kind {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }

    /// Counts tests that libtest calls passed but that found nothing to run against.
    pub(crate) fn move_to_skipped(&mut self, count: u64) {
        let moved = count.min(self.passed);
        self.passed -= moved;
        self.skipped += moved;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Cuts a byte stream into lines and tallies them; the stream may be cut anywhere.
#[derive(Debug, Default)]
pub(crate) struct TallyStream {
    tally: Tally,
    unfinished: Vec<u8>,
}

impl TallyStream {
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.unfinished.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    pub(crate) fn finish(mut self) -> Tally {
        self.end_line();
        self.tally
    }

    fn end_line(&mut self) {
        self.tally.add_line(&String::from_utf8_lossy(&self.unfinished));
        self.unfinished.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Tally, TallyStream};

    const OUTPUT: &str = "\
running 3 tests
test a ... ok
test says_10_passed ... ok

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s

\u{1b}[1mall doctests ran in 0.31s\u{1b}[0m
test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s";

    #[test]
    fn sums_do_not_depend_on_how_the_output_is_cut() {
        let expected = Tally { passed: 7, failed: 2, skipped: 1 };
        for size in 1..OUTPUT.len() {
            let mut stream = TallyStream::default();
            OUTPUT.as_bytes().chunks(size).for_each(|chunk| stream.push(chunk));
            assert_eq!(stream.finish(), expected, "cut every {size} bytes");
        }
    }

    #[test]
    fn shown_plainly() {
        let mut tally = Tally { passed: 3, failed: 0, skipped: 1 };
        tally.move_to_skipped(2);
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 3 skipped");
    }
}

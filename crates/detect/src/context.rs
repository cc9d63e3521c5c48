//! Words near a match that raise or lower its score.
//!
//! The window is [`WINDOW_BEFORE`] bytes before the finding and [`WINDOW_AFTER`] after it; a word counts if
//! it stands in there whole. Words inside the finding do not count: `example@example.com` is not explained
//! away by itself. An underscore separates words, so `ssn` is found in `user_ssn`.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::finding::Span;

/// How far before a finding a context word may begin, in bytes: about two lines of a form.
pub(crate) const WINDOW_BEFORE: usize = 100;
/// How far after a finding a context word may end: explanations mostly come first.
pub(crate) const WINDOW_AFTER: usize = 50;
/// The longest context word or keyword, so that block edges need a bounded look past them.
pub(crate) const MAX_WORD_BYTES: usize = 64;

/// What context words add to a score, and the least that it then is. Presidio's numbers, so that rules
/// carry over.
const RAISE: f32 = 0.35;
const FLOOR: f32 = 0.4;

/// Whether a rule may list this as a context word.
pub(crate) fn is_word(word: &str) -> bool {
    (1..=MAX_WORD_BYTES).contains(&word.len()) && word.trim() == word
}

/// A full automaton reads each byte with one load, but takes about 200 bytes of memory for each byte of its
/// words; beyond a few megabytes the slower, smaller one is also the faster, as it stays in cache.
pub(crate) fn automaton_kind(word_bytes: usize) -> AhoCorasickKind {
    const FULL: usize = 32 << 10;
    if word_bytes <= FULL { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA }
}

/// The spellings of a word to look for with an automaton that folds ASCII case: upper case beyond ASCII is
/// spelt out.
pub(crate) fn spellings(word: &str) -> Vec<String> {
    let (lower, upper) = (word.to_lowercase(), word.to_uppercase());
    if word.is_ascii() || lower == upper { vec![lower] } else { vec![lower, upper] }
}

/// What the neighbourhood of a match says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Neighbours {
    pub(crate) support: bool,
    pub(crate) explain_away: bool,
}

impl Neighbours {
    /// The score of a match that had `score` by itself.
    pub(crate) fn apply(self, mut score: f32) -> f32 {
        if self.support {
            score = (score + RAISE).max(FLOOR);
        }
        if self.explain_away {
            score -= RAISE;
        }
        score.clamp(0.0, 1.0)
    }
}

/// Whether the text at `span` stands as a whole word. Only ASCII letters and digits join words: a script
/// without spaces would otherwise never hold one.
pub(crate) fn is_whole_word(haystack: &[u8], span: Span) -> bool {
    let joins = |inner: u8, outer: Option<&u8>| {
        inner.is_ascii_alphanumeric() && outer.is_some_and(u8::is_ascii_alphanumeric)
    };
    let before = span.start.checked_sub(1).and_then(|at| haystack.get(at));
    !joins(haystack[span.start], before) && !joins(haystack[span.end - 1], haystack.get(span.end))
}

/// All context words of a layer's rules, as one automaton, and who listens to which.
#[derive(Debug)]
pub(crate) struct ContextIndex {
    words: Option<AhoCorasick>,
    /// From the automaton's pattern to the word's number: a word has several spellings.
    word_of: Vec<u32>,
    support: Vec<WordSet>,
    explain_away: Vec<WordSet>,
}

impl ContextIndex {
    /// One `(context, negative_context)` for each rule.
    pub(crate) fn new<'r>(
        rules: impl Iterator<Item = (&'r [String], &'r [String])>,
    ) -> Result<Self, aho_corasick::BuildError> {
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        let mut number = |words: &[String]| -> Vec<u32> {
            let mut of_words = Vec::with_capacity(words.len());
            for word in words {
                let fresh = u32::try_from(numbers.len()).expect("limits keep words few");
                of_words.push(*numbers.entry(word.to_lowercase()).or_insert(fresh));
            }
            of_words
        };
        let listed: Vec<(Vec<u32>, Vec<u32>)> =
            rules.map(|(support, explain_away)| (number(support), number(explain_away))).collect();
        let of = numbers.len();
        let (support, explain_away) = listed
            .iter()
            .map(|(support, explain)| (WordSet::new(support, of), WordSet::new(explain, of)))
            .unzip();

        let mut spellings: Vec<String> = Vec::new();
        let mut word_of = Vec::new();
        for (word, &number) in &numbers {
            for spelling in self::spellings(word) {
                spellings.push(spelling);
                word_of.push(number);
            }
        }
        let words = if spellings.is_empty() {
            None
        } else {
            let mut builder = AhoCorasick::builder();
            let bytes = spellings.iter().map(String::len).sum();
            builder.ascii_case_insensitive(true).kind(Some(automaton_kind(bytes)));
            Some(builder.build(&spellings)?)
        };
        Ok(Self { words, word_of, support, explain_away })
    }

    /// Whether anything near a match of `rule` could change its score.
    pub(crate) fn listens(&self, rule: usize) -> bool {
        !self.support[rule].is_empty() || !self.explain_away[rule].is_empty()
    }

    /// Whether the rule has words that could raise its score.
    pub(crate) fn can_rise(&self, rule: usize) -> bool {
        !self.support[rule].is_empty()
    }

    fn note(&self, rule: usize, word: u32, neighbours: &mut Neighbours) {
        neighbours.support |= self.support[rule].contains(word);
        neighbours.explain_away |= self.explain_away[rule].contains(word);
    }

    /// The whole words in `haystack[from..]` that start before `until`.
    fn find(&self, haystack: &[u8], from: usize, until: usize, mut found: impl FnMut(Span, u32)) {
        let Some(words) = &self.words else { return };
        let end = haystack.len().min(until + MAX_UPPER_BYTES);
        for hit in words.find_overlapping_iter(&haystack[from..end]) {
            let span = Span { start: from + hit.start(), end: from + hit.end() };
            if span.start < until && is_whole_word(haystack, span) {
                found(span, self.word_of[hit.pattern().as_usize()]);
            }
        }
    }
}

/// The context words of one haystack, found block by block and only where somebody asks: however many
/// matches there are, no byte is searched for words more than a few times.
#[derive(Debug, Default)]
pub(crate) struct ContextMemo {
    hits: Vec<(Span, u32)>,
    /// The range of `hits` of each block, once it was searched.
    blocks: Vec<Option<(u32, u32)>>,
    field: Vec<u32>,
    ready: bool,
}

impl ContextMemo {
    /// Forgets the last haystack.
    pub(crate) fn reset(&mut self) {
        self.ready = false;
    }

    /// What stands around `span` that matters to `rule`. `field` holds the words of the field's name.
    pub(crate) fn neighbours(
        &mut self,
        index: &ContextIndex,
        haystack: &[u8],
        field: &[u8],
        rule: usize,
        span: Span,
    ) -> Neighbours {
        if !self.ready {
            self.prepare(index, haystack, field);
        }
        let mut neighbours = Neighbours::default();
        if span.start <= WINDOW_BEFORE {
            self.field.iter().for_each(|&word| index.note(rule, word, &mut neighbours));
        }
        let window = Span {
            start: span.start.saturating_sub(WINDOW_BEFORE),
            end: haystack.len().min(span.end + WINDOW_AFTER),
        };
        // Two stretches, so that a finding of a megabyte does not have its inside searched.
        for stretch in [(window.start, span.start), (span.end, window.end)] {
            if stretch.0 == stretch.1 {
                continue;
            }
            for block in stretch.0 / BLOCK..=(stretch.1 - 1) / BLOCK {
                let (first, last) = self.block(index, haystack, block);
                for &(hit, word) in &self.hits[first as usize..last as usize] {
                    if hit.start >= stretch.0 && hit.end <= stretch.1 {
                        index.note(rule, word, &mut neighbours);
                    }
                }
            }
        }
        neighbours
    }

    fn prepare(&mut self, index: &ContextIndex, haystack: &[u8], field: &[u8]) {
        self.hits.clear();
        self.blocks.clear();
        self.blocks.resize(haystack.len().div_ceil(BLOCK), None);
        self.field.clear();
        index.find(field, 0, field.len(), |_, word| self.field.push(word));
        self.ready = true;
    }

    fn block(&mut self, index: &ContextIndex, haystack: &[u8], block: usize) -> (u32, u32) {
        if let Some(range) = self.blocks[block] {
            return range;
        }
        let place = |hits: &Vec<(Span, u32)>| u32::try_from(hits.len()).unwrap_or(u32::MAX);
        let first = place(&self.hits);
        let from = block * BLOCK;
        let until = haystack.len().min(from + BLOCK);
        index.find(haystack, from, until, |span, word| self.hits.push((span, word)));
        let range = (first, place(&self.hits));
        self.blocks[block] = Some(range);
        range
    }
}

/// Large enough that the look past a block's end is small change, small enough that one finding in a large
/// haystack costs little.
const BLOCK: usize = 256;

/// The longest spelling: upper case can take up to three times the bytes.
const MAX_UPPER_BYTES: usize = 3 * MAX_WORD_BYTES;

/// A set of word numbers.
#[derive(Debug)]
struct WordSet(Vec<u64>);

impl WordSet {
    fn new(words: &[u32], of: usize) -> Self {
        if words.is_empty() {
            return Self(Vec::new());
        }
        let mut bits = vec![0u64; of.div_ceil(64)];
        for &word in words {
            bits[word as usize / 64] |= 1 << (word % 64);
        }
        Self(bits)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn contains(&self, word: u32) -> bool {
        self.0.get(word as usize / 64).is_some_and(|bits| bits & (1 << (word % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(haystack: &str, field: &str, value: &str) -> Neighbours {
        let words = |list: &[&str]| list.iter().map(|&w| w.to_owned()).collect::<Vec<_>>();
        let (support, explain) = (words(&["ssn", "social security", "numéro"]), words(&["order"]));
        let rules = [(support.as_slice(), explain.as_slice())];
        let index = ContextIndex::new(rules.into_iter()).unwrap();
        let start = haystack.find(value).unwrap();
        let span = Span { start, end: start + value.len() };
        let mut memo = ContextMemo::default();
        memo.neighbours(&index, haystack.as_bytes(), field.as_bytes(), 0, span)
    }

    #[test]
    fn words_count_whole_and_in_any_case() {
        assert!(around("my SSN: 123", "", "123").support);
        assert!(around("user_ssn=123", "", "123").support);
        assert!(around("Social Security 123", "", "123").support);
        assert!(around("NUMÉRO 123", "", "123").support);
        assert!(around("号ssn码123", "", "123").support);
        assert!(!around("classno 123", "", "123").support);
        assert!(!around("ssns 123", "", "123").support);
        assert!(around("order 123", "", "123").explain_away);
    }

    #[test]
    fn the_window_is_bounded_and_excludes_the_finding() {
        let far = format!("ssn {} 123", "x".repeat(WINDOW_BEFORE));
        assert!(!around(&far, "", "123").support);
        let near = format!("ssn {} 123", "x".repeat(WINDOW_BEFORE - 5));
        assert!(around(&near, "", "123").support);
        let after = format!("123 {} ssn", "x".repeat(WINDOW_AFTER - 5));
        assert!(around(&after, "", "123").support);
        let too_late = format!("123 {} ssn", "x".repeat(WINDOW_AFTER - 4));
        assert!(!around(&too_late, "", "123").support);
        assert!(!around("a ssn b", "", "a ssn b").support);
    }

    #[test]
    fn words_across_a_block_edge_are_found() {
        for shift in 0..12 {
            let text = format!("{}social security 123", " ".repeat(BLOCK - shift));
            assert!(around(&text, "", "123").support, "{shift}");
        }
    }

    #[test]
    fn a_field_counts_as_directly_before_the_text() {
        assert!(around("123", "user ssn", "123").support);
        let far = format!("{}123", "x".repeat(WINDOW_BEFORE + 1));
        assert!(!around(&far, "user ssn", "123").support);
    }

    #[test]
    fn scores_rise_fall_and_stay_in_range() {
        let neighbours = |support, explain_away| Neighbours { support, explain_away };
        assert_eq!(neighbours(false, false).apply(0.3), 0.3);
        assert_eq!(neighbours(true, false).apply(0.01), 0.4);
        assert_eq!(neighbours(true, false).apply(0.9), 1.0);
        assert_eq!(neighbours(false, true).apply(0.2), 0.0);
        assert!((neighbours(true, true).apply(0.5) - 0.5).abs() < 1e-6);
    }
}

//! Words near a match that raise or lower its score.
//!
//! The window is [`WINDOW_BEFORE`] bytes before the finding and [`WINDOW_AFTER`] after it; a word counts if
//! it stands in there whole. Words inside the finding do not count: `example@example.com` is not explained
//! away by itself. An underscore separates words, so `ssn` is found in `user_ssn`.

use std::collections::BTreeMap;

use crate::finding::Span;
use crate::pack::RuleSyntax;
use crate::scan::verify::Haystack;
use crate::words::WordTable;

/// How near a rule's keyword must start to a match's start, in bytes, on either side.
pub(crate) const KEYWORD_REACH: usize = 128;

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

/// The spellings of a word to look for where ASCII case is folded: upper case beyond ASCII is spelt out, of
/// the first letter and of all.
pub(crate) fn spellings(word: &str) -> Vec<String> {
    let mut spellings = vec![word.to_lowercase()];
    if !word.is_ascii() {
        let mut rest = spellings[0].chars();
        let first = rest.next().map(|first| first.to_uppercase().collect::<String>());
        let capital = first.unwrap_or_default() + rest.as_str();
        for spelling in [capital, word.to_uppercase()] {
            if spellings.iter().all(|known| !known.eq_ignore_ascii_case(&spelling)) {
                spellings.push(spelling);
            }
        }
    }
    spellings
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

/// All context words and keywords of a layer's rules, and who listens to which.
#[derive(Debug)]
pub(crate) struct WordIndex {
    /// The spellings of context words.
    context: WordTable,
    /// From a spelling to the word's number.
    word_of: Vec<u32>,
    keywords: WordTable,
    support: Vec<WordSet>,
    explain_away: Vec<WordSet>,
    /// The keywords of each rule.
    asked: Vec<WordSet>,
    /// The rules whose gate a keyword leads to, by the keyword's number.
    led: Vec<Vec<u32>>,
}

/// A word in the haystack, by its number among those of its kind.
#[derive(Debug, Clone, Copy)]
struct WordHit {
    span: Span,
    word: u32,
}

impl WordIndex {
    /// For the rules of a layer; with each, whether its gate is a token near a keyword.
    pub(crate) fn new<'r>(rules: impl Iterator<Item = (&'r RuleSyntax, bool)>) -> Self {
        let mut context = Numbers::default();
        let mut keywords = Numbers::default();
        let mut led: Vec<Vec<u32>> = Vec::new();
        let mut lists = Vec::new();
        for (rule, (syntax, is_led)) in (0u32..).zip(rules) {
            let mut contextual = |list: &[String]| -> Vec<u32> {
                list.iter().map(|word| context.of(word.to_lowercase())).collect()
            };
            let support = contextual(&syntax.context);
            let explain = contextual(&syntax.negative_context);
            let asked: Vec<u32> =
                syntax.keywords.iter().map(|word| keywords.of(word.to_ascii_lowercase())).collect();
            led.resize_with(keywords.0.len(), Vec::new);
            if is_led {
                asked.iter().for_each(|&keyword| led[keyword as usize].push(rule));
            }
            lists.push([support, explain, asked]);
        }
        let sets = |which: usize, of: usize| -> Vec<WordSet> {
            lists.iter().map(|lists| WordSet::new(&lists[which], of)).collect()
        };
        let of = context.0.len();
        let (support, explain_away) = (sets(0, of), sets(1, of));
        let asked = sets(2, keywords.0.len());
        let mut word_of = Vec::new();
        let mut all: Vec<Vec<u8>> = Vec::new();
        for (word, number) in context.in_order() {
            for spelling in spellings(&word) {
                all.push(spelling.into_bytes());
                word_of.push(number);
            }
        }
        Self {
            context: WordTable::new(all.into_iter()),
            word_of,
            keywords: WordTable::new(keywords.in_order().map(|(word, _)| word.into_bytes())),
            support,
            explain_away,
            asked,
            led,
        }
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

    /// The words of a kind that start in `haystack[from..until]`; context words only where they are whole.
    fn find(
        &self,
        kind: Kind,
        haystack: &[u8],
        (from, until): (usize, usize),
        mut found: impl FnMut(WordHit),
    ) {
        match kind {
            Kind::Context => {
                self.context.find_at_starts(haystack, from, until, |span, spelling| {
                    if is_whole_word(haystack, span) {
                        found(WordHit { span, word: self.word_of[spelling as usize] });
                    }
                })
            }
            Kind::Keyword => self.keywords.find(haystack, from, until, |span, word| {
                found(WordHit { span, word });
            }),
        }
    }
}

/// What a word is listed as. They are looked for apart: most candidates ask for one kind only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Context,
    Keyword,
}

/// Words and their numbers, in the order in which they came.
#[derive(Default)]
struct Numbers(BTreeMap<String, u32>);

impl Numbers {
    fn of(&mut self, word: String) -> u32 {
        let fresh = u32::try_from(self.0.len()).expect("limits keep words few");
        *self.0.entry(word).or_insert(fresh)
    }

    fn in_order(self) -> impl Iterator<Item = (String, u32)> {
        let mut all: Vec<(String, u32)> = self.0.into_iter().collect();
        all.sort_unstable_by_key(|&(_, number)| number);
        all.into_iter()
    }
}

/// The words of one haystack, found block by block and only where somebody asks: however many matches there
/// are, no byte is searched for words more than a few times.
#[derive(Debug, Default)]
pub(crate) struct WordMemo {
    context: Found,
    keywords: Found,
    ready: bool,
}

/// The words of one kind.
#[derive(Debug, Default)]
struct Found {
    hits: Vec<WordHit>,
    /// The range of `hits` of each block, once it was searched.
    blocks: Vec<Option<(u32, u32)>>,
    /// The words of the field's name.
    field: Vec<u32>,
}

impl WordMemo {
    /// Forgets the last haystack.
    pub(crate) fn reset(&mut self) {
        self.ready = false;
    }

    /// What stands around `span` that matters to `rule`.
    pub(crate) fn neighbours(
        &mut self,
        index: &WordIndex,
        haystack: &Haystack<'_>,
        rule: usize,
        span: Span,
    ) -> Neighbours {
        self.prepare(index, haystack);
        let mut neighbours = Neighbours::default();
        if span.start <= WINDOW_BEFORE {
            self.context.field.iter().for_each(|&word| index.note(rule, word, &mut neighbours));
        }
        let window = Span {
            start: span.start.saturating_sub(WINDOW_BEFORE),
            end: haystack.bytes.len().min(span.end + WINDOW_AFTER),
        };
        // Two stretches, so that a finding of a megabyte does not have its inside searched.
        for (from, to) in [(window.start, span.start), (span.end, window.end)] {
            self.context.within(index, Kind::Context, haystack.bytes, from, to, |hit| {
                if hit.span.end <= to {
                    index.note(rule, hit.word, &mut neighbours);
                }
            });
        }
        neighbours
    }

    /// Whether a match of `rule` that starts at `start` and is at most `len` bytes long could have a context
    /// word around it.
    pub(crate) fn may_support(
        &mut self,
        index: &WordIndex,
        haystack: &Haystack<'_>,
        rule: usize,
        start: usize,
        len: usize,
    ) -> bool {
        self.prepare(index, haystack);
        // Widening a match to whole characters moves its ends by at most three bytes.
        const CHAR: usize = 3;
        let support = &index.support[rule];
        let speaks = |word| support.contains(word);
        if start <= WINDOW_BEFORE + CHAR && self.context.field.iter().copied().any(speaks) {
            return true;
        }
        let from = start.saturating_sub(WINDOW_BEFORE + CHAR);
        let to = haystack.bytes.len().min(start + len + CHAR + WINDOW_AFTER);
        let mut may = false;
        self.context
            .within(index, Kind::Context, haystack.bytes, from, to, |hit| may |= speaks(hit.word));
        may
    }

    /// Whether the rule has no keywords or one of them is within reach of `start`.
    pub(crate) fn keyword_near(
        &mut self,
        index: &WordIndex,
        haystack: &Haystack<'_>,
        rule: usize,
        start: usize,
    ) -> bool {
        let keywords = &index.asked[rule];
        if keywords.is_empty() {
            return true;
        }
        self.prepare(index, haystack);
        let speaks = |word| keywords.contains(word);
        if start <= KEYWORD_REACH && self.keywords.field.iter().copied().any(speaks) {
            return true;
        }
        let mut near = false;
        let (from, to) = reach(start, start, haystack.bytes.len());
        self.keywords
            .within(index, Kind::Keyword, haystack.bytes, from, to, |hit| near |= speaks(hit.word));
        near
    }

    /// The first place from `from` on that is within reach of a keyword of the rule.
    pub(crate) fn next_near_keyword(
        &mut self,
        index: &WordIndex,
        haystack: &Haystack<'_>,
        rule: usize,
        from: usize,
    ) -> Option<usize> {
        if self.keyword_near(index, haystack, rule, from) {
            return Some(from);
        }
        let keywords = &index.asked[rule];
        let mut next = None;
        let mut at = from;
        while next.is_none() && at < haystack.bytes.len() {
            let to = haystack.bytes.len().min(at + BLOCK);
            self.keywords.within(index, Kind::Keyword, haystack.bytes, at, to, |hit| {
                if keywords.contains(hit.word) {
                    next = Some(next.unwrap_or(usize::MAX).min(hit.span.start));
                }
            });
            at = to;
        }
        next.map(|keyword| from.max(keyword.saturating_sub(KEYWORD_REACH)))
    }

    /// Gathers the rules that a keyword leads to which is within reach of a place in `from..=to`.
    pub(crate) fn led_rules(
        &mut self,
        index: &WordIndex,
        haystack: &Haystack<'_>,
        (from, to): (usize, usize),
        rules: &mut Vec<u32>,
    ) {
        self.prepare(index, haystack);
        rules.clear();
        let mut add = |keyword: u32| rules.extend_from_slice(&index.led[keyword as usize]);
        if from <= KEYWORD_REACH {
            self.keywords.field.iter().copied().for_each(&mut add);
        }
        let (from, to) = reach(from, to, haystack.bytes.len());
        self.keywords.within(index, Kind::Keyword, haystack.bytes, from, to, |hit| add(hit.word));
        rules.sort_unstable();
        rules.dedup();
    }

    fn prepare(&mut self, index: &WordIndex, haystack: &Haystack<'_>) {
        if !self.ready {
            self.context.prepare(index, Kind::Context, haystack);
            self.keywords.prepare(index, Kind::Keyword, haystack);
            self.ready = true;
        }
    }
}

impl Found {
    fn prepare(&mut self, index: &WordIndex, kind: Kind, haystack: &Haystack<'_>) {
        self.hits.clear();
        self.blocks.clear();
        self.blocks.resize(haystack.bytes.len().div_ceil(BLOCK), None);
        self.field.clear();
        let field = haystack.field.as_bytes();
        index.find(kind, field, (0, field.len()), |hit| self.field.push(hit.word));
    }

    /// The words that start in `from..to`.
    fn within(
        &mut self,
        index: &WordIndex,
        kind: Kind,
        haystack: &[u8],
        from: usize,
        to: usize,
        mut each: impl FnMut(&WordHit),
    ) {
        if from >= to {
            return;
        }
        for block in from / BLOCK..=(to - 1) / BLOCK {
            let (first, last) = match self.blocks[block] {
                Some(range) => range,
                None => self.search(index, kind, haystack, block),
            };
            for hit in &self.hits[first as usize..last as usize] {
                if hit.span.start >= from && hit.span.start < to {
                    each(hit);
                }
            }
        }
    }

    fn search(
        &mut self,
        index: &WordIndex,
        kind: Kind,
        haystack: &[u8],
        block: usize,
    ) -> (u32, u32) {
        let place = |hits: &Vec<WordHit>| u32::try_from(hits.len()).unwrap_or(u32::MAX);
        let first = place(&self.hits);
        let from = block * BLOCK;
        let until = haystack.len().min(from + BLOCK);
        index.find(kind, haystack, (from, until), |hit| self.hits.push(hit));
        let range = (first, place(&self.hits));
        self.blocks[block] = Some(range);
        range
    }
}

/// Where keywords may start that are within reach of a place in `from..=to`.
fn reach(from: usize, to: usize, len: usize) -> (usize, usize) {
    (from.saturating_sub(KEYWORD_REACH), len.min(to + KEYWORD_REACH + 1))
}

/// Large enough that the look past a block's end is small change, small enough that one finding in a large
/// haystack costs little.
const BLOCK: usize = 64;

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
        let pack = "pack = 't'\n[[rule]]\nid = 't'\nentity = 'T'\ncategory = 'pii'\npattern = 'x'\nscore = 1\n\
                    context = ['ssn', 'social security', 'numéro', 'čísla']\nnegative_context = ['order']\n";
        let pack = crate::Pack::from_toml("t", pack).unwrap();
        let rules = pack.rules().iter().map(|source| (&source.syntax, false));
        let index = WordIndex::new(rules);
        let start = haystack.find(value).unwrap();
        let span = Span { start, end: start + value.len() };
        let haystack = Haystack { bytes: haystack.as_bytes(), field };
        WordMemo::default().neighbours(&index, &haystack, 0, span)
    }

    #[test]
    fn words_count_whole_and_in_any_case() {
        assert!(around("my SSN: 123", "", "123").support);
        assert!(around("user_ssn=123", "", "123").support);
        assert!(around("Social Security 123", "", "123").support);
        assert!(around("NUMÉRO 123", "", "123").support);
        assert!(around("Čísla 123", "", "123").support && around("ČÍSLA 123", "", "123").support);
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

//! Words near a match that raise or lower its score.
//!
//! The window is [`WINDOW_BEFORE`] bytes before the finding and [`WINDOW_AFTER`] after it; a word counts if
//! it stands in there whole. What explains a match away is its label or unit: such words count on its line
//! only and nearer, see [`explaining`]. Words inside the finding do not count: `example@example.com` is not explained
//! away by itself. An underscore separates words, so `ssn` is found in `user_ssn`.

use std::collections::BTreeMap;

use crate::boundary::Boundary;
use crate::finding::Span;
use crate::pack::RuleSyntax;
use crate::scan::verify::Haystack;

/// How near a rule's keyword must start to a match's start, in bytes, on either side. It counts where a name
/// begins, see [`Boundary::Name`]; in the field's name, anywhere.
pub(crate) const KEYWORD_REACH: usize = 128;

/// How far before a finding a context word may begin, in bytes: about two lines of a form.
pub(crate) const WINDOW_BEFORE: usize = 100;
/// How far after a finding a context word may end: explanations mostly come first.
pub(crate) const WINDOW_AFTER: usize = 50;
/// The same for words that explain a finding away. Wider windows let the browser that ends one line of a log
/// explain the address that begins the next.
pub(crate) const EXPLAIN_BEFORE: usize = 40;
pub(crate) const EXPLAIN_AFTER: usize = 16;
/// The longest context word or keyword.
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

/// Where words that support what stands at `span` count. The field's name counts if the text's start does.
pub(crate) fn supporting(haystack: &[u8], span: Span) -> Span {
    Span {
        start: span.start.saturating_sub(WINDOW_BEFORE),
        end: haystack.len().min(span.end + WINDOW_AFTER),
    }
}

/// Where words that explain away what stands at `span` count: on its line, [`EXPLAIN_BEFORE`] bytes before it and
/// [`EXPLAIN_AFTER`] after it. The field's name counts if the text's start does.
pub(crate) fn explaining(haystack: &[u8], span: Span) -> Span {
    let from = span.start.saturating_sub(EXPLAIN_BEFORE);
    let until = haystack.len().min(span.end + EXPLAIN_AFTER);
    let before = haystack[from..span.start].iter().rposition(|&byte| byte == b'\n');
    let after = haystack[span.end..until].iter().position(|&byte| byte == b'\n');
    Span {
        start: before.map_or(from, |at| from + at + 1),
        end: after.map_or(until, |at| span.end + at),
    }
}

/// Whether a keyword counts at `start`: only where a name begins, if it begins with a letter or digit.
pub(crate) fn is_keyword_place(haystack: &[u8], start: usize) -> bool {
    !haystack[start].is_ascii_alphanumeric() || Boundary::Name.admits_start(haystack, start)
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
    /// The spellings of context words, in lower case, and each word's number.
    spellings: Vec<(Vec<u8>, u32)>,
    /// The keywords, in lower case.
    keywords: Vec<Vec<u8>>,
    support: Vec<WordSet>,
    explain_away: Vec<WordSet>,
    /// The keywords of each rule, and such as are looked for only where it is asked.
    asked: Vec<WordSet>,
    late: Vec<Vec<Vec<u8>>>,
    /// The rules whose gate a keyword leads to, by the keyword's number.
    led: Vec<Vec<u32>>,
    /// The weak rules that a context word leads to, by its number: to a digit near it, or anywhere.
    weak: Vec<Vec<u32>>,
    far: Vec<Vec<u32>>,
}

/// A rule, as far as its words matter.
pub(crate) struct WordsOf<'r> {
    pub(crate) rule: &'r RuleSyntax,
    /// Whether its gate is a token near a keyword.
    pub(crate) is_led: bool,
    /// Whether its keywords are its gate.
    pub(crate) is_keyed: bool,
    /// Whether its context words lead to it, and whether only to where a digit stands.
    pub(crate) is_weak: bool,
    pub(crate) has_digit: bool,
}

impl<'r> WordsOf<'r> {
    /// A rule that words only say something about.
    pub(crate) fn unled(rule: &'r RuleSyntax) -> Self {
        Self { rule, is_led: false, is_keyed: false, is_weak: false, has_digit: false }
    }
}

/// A word in the haystack, by its number among those of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WordHit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) word: u32,
}

impl WordIndex {
    /// For the rules of a layer.
    pub(crate) fn new<'r>(rules: impl Iterator<Item = WordsOf<'r>>) -> Self {
        let mut context = Numbers::default();
        let mut keywords = Numbers::default();
        let (mut led, mut weak, mut far) = (Vec::new(), Vec::new(), Vec::new());
        let mut lists = Vec::new();
        let mut late: Vec<Vec<Vec<u8>>> = Vec::new();
        for (number, WordsOf { rule, is_led, is_keyed, is_weak, has_digit }) in (0u32..).zip(rules)
        {
            let mut contextual = |list: &[String]| -> Vec<u32> {
                list.iter().map(|word| context.of(word.to_lowercase())).collect()
            };
            let support = contextual(&rule.context);
            let explain = contextual(&rule.negative_context);
            // A few letters stand everywhere, and matches hardly anywhere.
            let (short, asked): (Vec<&String>, Vec<&String>) =
                rule.keywords.iter().partition(|word| is_late(word) && !is_led && !is_keyed);
            late.push(short.iter().map(|word| word.as_bytes().to_vec()).collect());
            let asked: Vec<u32> =
                asked.iter().map(|word| keywords.of(word.to_ascii_lowercase())).collect();
            weak.resize(context.0.len(), Vec::new());
            far.resize(context.0.len(), Vec::new());
            if is_weak {
                let leads = if has_digit { &mut weak } else { &mut far };
                support.iter().for_each(|&word| leads[word as usize].push(number));
            }
            led.resize(keywords.0.len(), Vec::new());
            if is_led {
                asked.iter().for_each(|&keyword| led[keyword as usize].push(number));
            }
            lists.push([support, explain, asked]);
        }
        let sets = |which: usize, of: usize| -> Vec<WordSet> {
            lists.iter().map(|lists| WordSet::new(&lists[which], of)).collect()
        };
        let of = context.0.len();
        let (support, explain_away) = (sets(0, of), sets(1, of));
        let asked = sets(2, keywords.0.len());
        let spellings = context
            .in_order()
            .flat_map(|(word, number)| {
                spellings(&word)
                    .into_iter()
                    .map(move |spelling| (spelling.into_bytes().to_ascii_lowercase(), number))
            })
            .collect();
        Self {
            spellings,
            keywords: keywords.in_order().map(|(word, _)| word.into_bytes()).collect(),
            support,
            explain_away,
            asked,
            late,
            led,
            weak,
            far,
        }
    }

    /// The spellings of context words, in lower case as far as ASCII has it, and the words' numbers.
    pub(crate) fn spellings(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.spellings.iter().map(|(spelling, word)| (&spelling[..], *word))
    }

    /// The keywords, in lower case as far as ASCII has it, and their numbers.
    pub(crate) fn keywords(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.keywords.iter().zip(0..).map(|(text, word)| (&text[..], word))
    }

    /// How many context words there are.
    pub(crate) fn context_words(&self) -> usize {
        self.weak.len()
    }

    /// Whether a context word leads to anything.
    pub(crate) fn leads(&self, word: u32) -> bool {
        !self.weak(word).is_empty() || !self.far(word).is_empty()
    }

    /// The weak rules that a context word leads to, where a digit stands.
    pub(crate) fn weak(&self, word: u32) -> &[u32] {
        &self.weak[word as usize]
    }

    /// Those that it leads to anywhere.
    pub(crate) fn far(&self, word: u32) -> &[u32] {
        &self.far[word as usize]
    }

    /// Whether the rule has keywords that are found with all other words.
    pub(crate) fn has_keywords(&self, rule: usize) -> bool {
        !self.asked[rule].is_empty() && self.late[rule].is_empty()
    }

    /// Whether anything near a match of `rule` could change its score.
    pub(crate) fn listens(&self, rule: usize) -> bool {
        !self.support[rule].is_empty() || !self.explain_away[rule].is_empty()
    }

    /// Whether the rule has words that could raise its score.
    pub(crate) fn can_rise(&self, rule: usize) -> bool {
        !self.support[rule].is_empty()
    }

    /// Takes note of a word near a match of `rule`; `explains` says whether it stands near enough to explain
    /// the match away.
    fn note(&self, rule: usize, word: u32, explains: bool, neighbours: &mut Neighbours) {
        neighbours.support |= self.support[rule].contains(word);
        neighbours.explain_away |= explains && self.explain_away[rule].contains(word);
    }
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

/// The words of one haystack.
#[derive(Debug, Default)]
pub(crate) struct WordMemo {
    context: Found,
    keywords: Found,
}

/// The words of one kind.
#[derive(Debug, Default)]
struct Found {
    /// In order, once settled.
    hits: Vec<WordHit>,
    /// The first of the hits that start in each block or later.
    blocks: Vec<u32>,
    /// The words of the field's name.
    field: Vec<u32>,
}

impl WordMemo {
    /// Forgets the last haystack.
    pub(crate) fn reset(&mut self) {
        self.context.reset();
        self.keywords.reset();
    }

    /// Takes note of a context word. They may come in any order, but all before anything is asked.
    pub(crate) fn add(&mut self, hit: WordHit) {
        self.context.hits.push(hit);
    }

    /// The same of a keyword.
    pub(crate) fn add_keyword(&mut self, hit: WordHit) {
        self.keywords.hits.push(hit);
    }

    /// Takes note of a context word in the field's name.
    pub(crate) fn add_in_field(&mut self, word: u32) {
        self.context.field.push(word);
    }

    /// The same of a keyword.
    pub(crate) fn add_keyword_in_field(&mut self, word: u32) {
        self.keywords.field.push(word);
    }

    /// Puts the words in order.
    pub(crate) fn settle(&mut self, haystack: usize) {
        self.context.settle(haystack);
        self.keywords.settle(haystack);
    }

    /// What stands around `span` that matters to `rule`.
    pub(crate) fn neighbours(
        &mut self,
        index: &WordIndex,
        haystack: &Haystack<'_>,
        rule: usize,
        span: Span,
    ) -> Neighbours {
        let mut neighbours = Neighbours::default();
        let window = supporting(haystack.bytes, span);
        let near = explaining(haystack.bytes, span);
        if window.start == 0 {
            for &word in &self.context.field {
                index.note(rule, word, near.start == 0, &mut neighbours);
            }
        }
        // Two stretches, so that a finding of a megabyte does not have its inside searched.
        for (from, to) in [(window.start, span.start), (span.end, window.end)] {
            for hit in self.context.within(from, to).filter(|hit| hit.end <= to) {
                let explains = hit.start >= near.start && hit.end <= near.end;
                index.note(rule, hit.word, explains, &mut neighbours);
            }
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
        // Widening a match to whole characters moves its ends by at most three bytes.
        const CHAR: usize = 3;
        let support = &index.support[rule];
        let speaks = |word| support.contains(word);
        if start <= WINDOW_BEFORE + CHAR && self.context.field.iter().copied().any(speaks) {
            return true;
        }
        let from = start.saturating_sub(WINDOW_BEFORE + CHAR);
        let to = haystack.bytes.len().min(start + len + CHAR + WINDOW_AFTER);
        self.context.within(from, to).any(|hit| speaks(hit.word))
    }

    /// Whether the rule has no keywords or one of them is within reach of `start`.
    pub(crate) fn keyword_near(
        &self,
        index: &WordIndex,
        haystack: &Haystack<'_>,
        rule: usize,
        start: usize,
    ) -> bool {
        let (keywords, late) = (&index.asked[rule], &index.late[rule]);
        if keywords.is_empty() && late.is_empty() {
            return true;
        }
        let speaks = |word| keywords.contains(word);
        let in_field = start <= KEYWORD_REACH && self.keywords.field.iter().copied().any(speaks);
        let (from, to) = reach(start, start);
        in_field
            || self.keywords.within(from, to).any(|hit| speaks(hit.word))
            || late_in_field(late, haystack, start)
            || next_late(late, haystack.bytes, from, to).is_some()
    }

    /// The first place from `from` on that is within reach of a keyword of the rule.
    pub(crate) fn next_near_keyword(
        &self,
        index: &WordIndex,
        haystack: &Haystack<'_>,
        rule: usize,
        from: usize,
    ) -> Option<usize> {
        if self.keyword_near(index, haystack, rule, from) {
            return Some(from);
        }
        let keywords = &index.asked[rule];
        let mut hits = self.keywords.within(from, usize::MAX);
        let keyword = hits.find(|hit| keywords.contains(hit.word)).map(|hit| hit.start);
        let late = next_late(&index.late[rule], haystack.bytes, from, usize::MAX);
        let next = keyword.into_iter().chain(late).min()?;
        Some(from.max(next.saturating_sub(KEYWORD_REACH)))
    }

    /// Gathers the rules that a keyword leads to which is within reach of a place in `from..=to`.
    pub(crate) fn led_rules(
        &self,
        index: &WordIndex,
        (from, to): (usize, usize),
        rules: &mut Vec<u32>,
    ) {
        rules.clear();
        let mut add = |keyword: u32| rules.extend_from_slice(&index.led[keyword as usize]);
        if from <= KEYWORD_REACH {
            self.keywords.field.iter().copied().for_each(&mut add);
        }
        let (from, to) = reach(from, to);
        self.keywords.within(from, to).for_each(|hit| add(hit.word));
        rules.sort_unstable();
        rules.dedup();
    }
}

impl Found {
    fn reset(&mut self) {
        self.hits.clear();
        self.field.clear();
    }

    fn settle(&mut self, haystack: usize) {
        if !self.hits.is_sorted() {
            self.hits.sort_unstable();
        }
        self.blocks.clear();
        let blocks = haystack / BLOCK + 1;
        let mut next = 0u32;
        for block in 0..blocks {
            while self.hits.get(next as usize).is_some_and(|hit| hit.start < block * BLOCK) {
                next += 1;
            }
            self.blocks.push(next);
        }
    }

    /// The words that start in `from..to`.
    fn within(&self, from: usize, to: usize) -> impl Iterator<Item = &WordHit> {
        let first = self.blocks.get(from / BLOCK).map_or(self.hits.len(), |&at| at as usize);
        let hits = self.hits[first..].iter();
        hits.skip_while(move |hit| hit.start < from).take_while(move |hit| hit.start < to)
    }
}

/// A look-up passes the words of a block that it does not ask for.
const BLOCK: usize = 256;

/// Whether a keyword stands everywhere, so that it is looked for only where a match needs one.
fn is_late(keyword: &str) -> bool {
    keyword.len() < 4 && keyword.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether one of these keywords stands in the field's name, if that counts at `start`.
fn late_in_field(late: &[Vec<u8>], haystack: &Haystack<'_>, start: usize) -> bool {
    let field = haystack.field.as_bytes();
    let stands = |keyword: &Vec<u8>| {
        field.windows(keyword.len()).any(|text| text.eq_ignore_ascii_case(keyword))
    };
    start <= KEYWORD_REACH && late.iter().any(stands)
}

/// Where the first of these keywords starts in `from..to`.
fn next_late(late: &[Vec<u8>], haystack: &[u8], from: usize, to: usize) -> Option<usize> {
    if late.is_empty() {
        return None;
    }
    let stands = |at: usize, keyword: &Vec<u8>| {
        let text = haystack.get(at..at + keyword.len());
        text.is_some_and(|text| text.eq_ignore_ascii_case(keyword))
    };
    (from..to.min(haystack.len())).find(|&at| {
        late.iter().any(|keyword| stands(at, keyword)) && is_keyword_place(haystack, at)
    })
}

/// Where keywords may start that are within reach of a place in `from..=to`.
fn reach(from: usize, to: usize) -> (usize, usize) {
    (from.saturating_sub(KEYWORD_REACH), to + KEYWORD_REACH + 1)
}

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
        let index = WordIndex::new(std::iter::once(WordsOf::unled(&pack.rules()[0].syntax)));
        let start = haystack.find(value).unwrap();
        let span = Span { start, end: start + value.len() };
        let haystack = Haystack { bytes: haystack.as_bytes(), field };
        let mut memo = WordMemo::default();
        memo.reset();
        for (spelling, word) in index.spellings() {
            let whole = |text: &[u8]| -> Vec<Span> {
                (0..text.len())
                    .map(|start| Span { start, end: start + spelling.len() })
                    .filter(|span| {
                        text.get(span.range()).is_some_and(|t| t.eq_ignore_ascii_case(spelling))
                    })
                    .filter(|&span| is_whole_word(text, span))
                    .collect()
            };
            for Span { start, end } in whole(haystack.bytes) {
                memo.add(WordHit { start, end, word });
            }
            whole(field.as_bytes()).iter().for_each(|_| memo.add_in_field(word));
        }
        memo.settle(haystack.bytes.len());
        memo.neighbours(&index, &haystack, 0, span)
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
    fn what_explains_a_match_away_stands_beside_it() {
        let explains = |text: &str, field: &str| around(text, field, "123").explain_away;
        let before = |gap: usize| format!("order{}123", " ".repeat(gap));
        assert!(explains(&before(EXPLAIN_BEFORE - 5), ""));
        assert!(!explains(&before(EXPLAIN_BEFORE - 4), ""));
        let after = |gap: usize| format!("123{}order", " ".repeat(gap));
        assert!(explains(&after(EXPLAIN_AFTER - 5), ""));
        assert!(!explains(&after(EXPLAIN_AFTER - 4), ""));
        assert!(!explains("an order\n123", "") && !explains("123\norder", ""));
        assert!(explains("x 123", "order") && !explains("x\n123", "order"));
        assert!(!explains(&format!("{}123", " ".repeat(EXPLAIN_BEFORE + 1)), "order"));
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

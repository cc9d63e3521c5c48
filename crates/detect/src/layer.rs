//! Rules compiled together: what is looked for in every byte, and tables for what that leads to.

mod literals;
mod shapes;
mod starts;

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::byteset::ByteSet;
use crate::compile::Matcher;
use crate::compile::gate::{self, Gate};
use crate::context::{Neighbours, WordIndex, WordsOf};
use crate::error::{DetectError, DetectErrorKind};
use crate::lexicon::{Lexicon, Starts};
use crate::limits::Limits;
use crate::pack::RuleSource;
use crate::prefilter::{PLACES, Window, Windows};
use crate::rule::Rule;
use crate::scan::DEFAULT_MIN_SCORE;
use crate::validate;
use crate::validator::Validator;
use crate::words::WordTable;

use literals::Gathered;
pub(crate) use literals::{Literal, Literals};
pub(crate) use shapes::Shapes;
pub(crate) use starts::Start;
use starts::{ByteSets, ByteSetsBuilder};

/// Rules that are scanned for in one pass.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) rules: Vec<LayerRule>,
    /// What is asked before a rule's pattern is walked, by the rule's number.
    starts: Vec<Start>,
    sets: ByteSets,
    pub(crate) literals: Literals,
    /// The literals that hold a word of their own.
    pub(crate) lexicon: Lexicon,
    /// The literals that are context words or keywords, for the names of fields.
    pub(crate) in_field: FieldIndex,
    /// What else is looked for in every byte of the text.
    pub(crate) windows: Windows,
    /// What each window is a part of.
    pub(crate) entries: Vec<Vec<Entry>>,
    /// The rules that wait for a run of digits, by their shapes, and how far before it a match may start.
    pub(crate) digits: ByContext,
    /// The same for a digit.
    pub(crate) digit: ByContext,
    /// The same for runs of token bytes.
    pub(crate) tokens: Reaching,
    /// How far at most before a run of token bytes a match may start of a rule that a keyword leads to.
    pub(crate) led_reach: Option<usize>,
    /// The rules that context words lead to, to where a digit stands near.
    pub(crate) by_words: Reaching,
    /// The best score of a rule that words need not lead to with a lower threshold.
    pub(crate) weak_score: f32,
    /// How far behind a word at most a match may begin that it leads to, and how far before it.
    pub(crate) weak_reach: usize,
    /// The rules of which a match starts otherwise, or only, where the text does.
    pub(crate) at_start: Vec<u32>,
    /// The rules whose gate is open once no context leads to them.
    pub(crate) open: Vec<u32>,
    pub(crate) words: WordIndex,
}

/// Words for the names of fields.
#[derive(Debug, Default)]
pub(crate) struct FieldIndex {
    pub(crate) table: WordTable,
    /// From a word of the table to the literal's number.
    pub(crate) literals: Vec<u32>,
}

impl FieldIndex {
    fn new(literals: &[Gathered]) -> Self {
        let is_word = |literal: &Gathered| literal.word.is_some() || literal.keyword.is_some();
        let (numbers, texts): (Vec<u32>, Vec<Vec<u8>>) = (0u32..)
            .zip(literals)
            .filter(|(_, literal)| is_word(literal))
            .map(|(number, literal)| (number, literal.text.clone()))
            .unzip();
        Self { table: WordTable::new(texts.into_iter()), literals: numbers }
    }
}

/// A table and how far before a run it is to be asked.
#[derive(Debug, Default)]
pub(crate) struct Reaching {
    pub(crate) shapes: Shapes,
    pub(crate) reach: usize,
    /// How many digits stand in the first [`NEEDED_WITHIN`](crate::compile::NEEDED_WITHIN) bytes of any rule's match
    /// at least.
    pub(crate) needed: usize,
}

/// Tables of one kind: of the rules that are always looked for, and of the weak ones.
#[derive(Debug, Default)]
pub(crate) struct ByContext {
    pub(crate) always: Reaching,
    pub(crate) weak: Reaching,
}

/// A rule within its layer.
#[derive(Debug)]
pub(crate) struct LayerRule {
    pub(crate) rule: Rule,
    pub(crate) matcher: Matcher,
    pub(crate) validator: Option<Validator>,
    /// Set if the rule requires context and its matches are short.
    needs_context: bool,
    /// Whether its context words lead to its matches as long as it needs them at all: it does at
    /// [`DEFAULT_MIN_SCORE`].
    pub(crate) is_weak: bool,
    /// The best score that a match can come to.
    best_score: f32,
}

impl LayerRule {
    /// Whether only a context word can bring the rule's matches to `min_score`.
    pub(crate) fn needs_context(&self, min_score: f32) -> bool {
        self.needs_context && self.rule.score() < min_score
    }

    /// Whether any match of the rule could reach `min_score`.
    pub(crate) fn can_reach(&self, min_score: f32) -> bool {
        self.best_score >= min_score
    }

    /// Whether the rule's candidates lie around its context words in a scan with this threshold.
    pub(crate) fn is_led_by_context(&self, min_score: f32) -> bool {
        self.is_weak && self.needs_context(min_score)
    }
}

/// What a window belongs to, and where in it the window stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry {
    Literal { literal: u32, offset: usize },
    Shape { rule: u32, offset: usize },
    Inner { rule: u32, ahead: usize },
}

impl Layer {
    pub(crate) fn new(rules: &[Rule], limits: &Limits) -> Result<Self, DetectError> {
        let mut literals = literals::Builder::default();
        let mut windows = WindowSet::default();
        let mut tables = Tables::default();
        let mut led_reach = None;
        let (mut weak_score, mut weak_reach) = (f32::NEG_INFINITY, 0);
        let (mut at_start, mut open, mut by_keyword) = (Vec::new(), Vec::new(), Vec::new());
        let mut compiled: Vec<LayerRule> = Vec::with_capacity(rules.len());
        let mut bytes = 0;
        let mut word_bytes = 0;
        let mut matchers = Matchers::new(rules, limits);
        for (number, rule) in (0u32..).zip(rules) {
            let source = rule.source();
            let syntax = &source.syntax;
            word_bytes += check_words(source, limits, word_bytes)?;
            let mut matcher = matchers.next()?;
            let tails = std::mem::take(&mut matcher.tails);
            bytes += matcher.bytes;
            if bytes > limits.compiled_bytes {
                let mend = "the rules together compile to more than the limit; remove some";
                return Err(source.place.error(DetectErrorKind::TooLarge, "pattern", mend));
            }
            // Beyond that length a match without context would cost too much to be refused uncharged.
            let short = matcher.max_len.filter(|&len| len <= SHORT);
            let needs_context = syntax.context_required && short.is_some();
            let words_are_better = match &matcher.gate {
                Gate::Digits { .. } | Gate::Digit { .. } | Gate::InnerShape { .. } | Gate::Open => {
                    true
                }
                Gate::Prefix(literals) => {
                    matcher.digit_near().is_some()
                        && !literals.iter().all(|text| gate::is_telling(&sets(text)))
                }
                Gate::Inner { .. } => matcher.digit_near().is_some(),
                Gate::Shape => !gate::is_telling(matcher.gate_shape()),
                _ => false,
            };
            let is_weak = needs_context && words_are_better && syntax.score < DEFAULT_MIN_SCORE;
            if is_weak {
                weak_score = syntax.score.max(weak_score);
                weak_reach = weak_reach.max(short.unwrap_or(SHORT) + CHAR);
                if let Some(reach) = matcher.digit_near() {
                    tables.by_words.add(number, &matcher, reach);
                }
            }
            // The tables know nothing of where the text starts.
            if matcher.shape_at_start.is_some() && matcher.gate != Gate::Start {
                at_start.push(number);
            }
            match &matcher.gate {
                Gate::Digits { reach } => {
                    tables.digits[usize::from(is_weak)].add(number, &matcher, *reach)
                }
                Gate::Digit { reach } => {
                    tables.digit[usize::from(is_weak)].add(number, &matcher, *reach)
                }
                Gate::Token { reach } => tables.tokens.add(number, &matcher, *reach),
                Gate::TokenByKeyword { reach } => led_reach = led_reach.max(Some(*reach)),
                // Words lead to the weak; without, they are searched for.
                Gate::Prefix(_)
                | Gate::Inner { .. }
                | Gate::InnerShape { .. }
                | Gate::Shape
                | Gate::Open
                    if is_weak =>
                {
                    open.push(number);
                }
                Gate::Prefix(list) => {
                    literals.anchors(list, number, matcher.starts, tails);
                }
                Gate::Inner { literals: list, .. } => {
                    literals.anchors(list, number, Starts::Anywhere, tails);
                }
                Gate::InnerShape { shape, ahead, .. } => windows.inner(shape, *ahead, number),
                Gate::Keywords => by_keyword.push(number),
                Gate::Start => at_start.push(number),
                Gate::Shape => windows.shape(matcher.gate_shape(), number),
                Gate::Open => open.push(number),
            }
            let validator: Option<Validator> = match &syntax.validator {
                Some(name) => Some(validate::by_name(name).ok_or_else(|| {
                    source.place.error(
                        DetectErrorKind::Syntax,
                        "validator",
                        "there is no such validator",
                    )
                })?),
                None => None,
            };
            let alone = if validator.is_some() { 1.0 } else { syntax.score };
            let support = !syntax.context.is_empty();
            let best_score = Neighbours { support, explain_away: false }.apply(alone);
            compiled.push(LayerRule {
                rule: rule.clone(),
                matcher,
                validator,
                needs_context,
                is_weak,
                best_score: best_score.max(alone),
            });
        }
        let words = WordIndex::new(compiled.iter().map(|rule| WordsOf {
            rule: rule.rule.syntax(),
            is_led: matches!(rule.matcher.gate, Gate::TokenByKeyword { .. }),
            is_keyed: rule.matcher.gate == Gate::Keywords,
            is_weak: rule.is_weak,
            has_digit: rule.matcher.digit_near().is_some(),
        }));
        for (spelling, word) in words.spellings() {
            literals.at(spelling).word = Some(word);
        }
        for (text, word) in words.keywords() {
            literals.at(text).keyword = Some(word);
        }
        for rule in by_keyword {
            for keyword in &compiled[rule as usize].rule.syntax().keywords {
                literals.at(&keyword.as_bytes().to_ascii_lowercase()).keyword_of.push(rule);
            }
        }
        let lexicon = Lexicon::new(literals.list.iter().map(Gathered::headed));
        for (number, literal) in (0u32..).zip(&literals.list) {
            if !literal.headed().is_known() {
                windows.literal(literal, number);
            }
        }
        let mut sets = ByteSetsBuilder::default();
        let starts = (0..).zip(&compiled).map(|(number, with)| {
            let context = (with.needs_context, with.rule.score());
            Start::new(&with.matcher, context, words.has_keywords(number), &mut sets)
        });
        let starts = starts.collect();
        Ok(Self {
            starts,
            in_field: FieldIndex::new(&literals.list),
            literals: literals.build(&mut sets),
            sets: sets.build(),
            rules: compiled,
            lexicon,
            windows: Windows::new(&windows.windows),
            entries: windows.entries,
            digits: ByContext::new(tables.digits),
            digit: ByContext::new(tables.digit),
            tokens: tables.tokens.build(),
            led_reach,
            by_words: tables.by_words.build(),
            weak_score,
            weak_reach,
            at_start,
            open,
            words,
        })
    }
}

impl Layer {
    /// What is asked before the rule's pattern is walked.
    #[inline]
    pub(crate) fn start(&self, rule: u32) -> &Start {
        &self.starts[rule as usize]
    }

    /// Whether a match of the rule may start at `start`, see [`Matcher::may_start`].
    #[inline]
    pub(crate) fn may_start(&self, rule: u32, text: &[u8], start: usize) -> bool {
        let matcher = || self.rules[rule as usize].matcher.may_start(text, start);
        self.start(rule).admits(&self.sets, matcher, text, start)
    }

    /// See [`Literals::anchors_at`].
    #[inline]
    pub(crate) fn anchors_at(
        &self,
        literal: &Literal,
        text: &[u8],
        end: usize,
        found: impl FnMut(u32),
    ) {
        self.literals.anchors_at(literal, &self.sets, text, end, found);
    }
}

/// The patterns of rules, compiled side by side, a batch ahead: what hostile rules take before the limit on all of them
/// is felt stays bounded.
struct Matchers<'r> {
    rules: std::slice::Chunks<'r, Rule>,
    limits: &'r Limits,
    batch: std::vec::IntoIter<Result<Matcher, DetectError>>,
}

/// How many patterns are compiled ahead.
const BATCH: usize = 256;

impl<'r> Matchers<'r> {
    fn new(rules: &'r [Rule], limits: &'r Limits) -> Self {
        Self { rules: rules.chunks(BATCH), limits, batch: Vec::new().into_iter() }
    }

    /// The next rule's.
    fn next(&mut self) -> Result<Matcher, DetectError> {
        if self.batch.len() == 0 {
            let rules = self.rules.next().unwrap_or_default();
            let compiled = rules.par_iter().map(|rule| Matcher::new(rule.source(), self.limits));
            self.batch = compiled.collect::<Vec<_>>().into_iter();
        }
        self.batch.next().expect("there is one for each rule")
    }
}

/// The tables of shapes while they are filled; of those by context, the first are for rules without it.
#[derive(Default)]
struct Tables {
    digits: [ReachingBuilder; 2],
    digit: [ReachingBuilder; 2],
    tokens: ReachingBuilder,
    by_words: ReachingBuilder,
}

#[derive(Default)]
struct ReachingBuilder {
    shapes: shapes::Builder,
    reach: usize,
    needed: Option<usize>,
}

impl ReachingBuilder {
    fn add(&mut self, rule: u32, matcher: &Matcher, reach: usize) {
        self.shapes.add(rule, matcher);
        self.reach = self.reach.max(reach);
        self.needed = Some(self.needed.map_or(matcher.needed, |least| least.min(matcher.needed)));
    }

    fn build(self) -> Reaching {
        let needed = self.needed.unwrap_or(0);
        Reaching { shapes: self.shapes.build(), reach: self.reach, needed }
    }
}

impl ByContext {
    fn new([always, weak]: [ReachingBuilder; 2]) -> Self {
        Self { always: always.build(), weak: weak.build() }
    }
}

/// The bytes of the words of a rule, if they are within the limits.
fn check_words(source: &RuleSource, limits: &Limits, before: usize) -> Result<usize, DetectError> {
    let syntax = &source.syntax;
    let mut bytes = 0;
    for (field, list) in [
        ("keywords", &syntax.keywords),
        ("context", &syntax.context),
        ("negative_context", &syntax.negative_context),
    ] {
        let too_large = |mend: &str| source.place.error(DetectErrorKind::TooLarge, field, mend);
        if list.len() > limits.words {
            return Err(too_large(&format!("more than {} words", limits.words)));
        }
        bytes += list.iter().map(String::len).sum::<usize>();
        if before + bytes > limits.word_bytes {
            return Err(too_large("the words of all rules together are too long; remove some"));
        }
    }
    Ok(bytes)
}

/// The longest match of a rule that waits for context.
const SHORT: usize = 256;

/// What widening a span to whole characters may add at an end.
const CHAR: usize = 3;

/// What a literal admits at each place.
fn sets(text: &[u8]) -> Vec<ByteSet> {
    text.iter().map(|&byte| ByteSet::either_case(byte)).collect()
}

/// Windows, each once, and what they belong to.
#[derive(Default)]
struct WindowSet {
    numbers: BTreeMap<Window, usize>,
    windows: Vec<Window>,
    entries: Vec<Vec<Entry>>,
}

impl WindowSet {
    /// A short literal's window goes on with what its tails admit.
    fn literal(&mut self, literal: &Gathered, number: u32) {
        let mut sets = sets(&literal.text);
        while sets.len() < PLACES
            && let Some(set) = literal.behind(sets.len() - literal.text.len())
        {
            sets.push(set);
        }
        let (offset, window) = Window::rarest(&sets);
        self.add(window, Entry::Literal { literal: number, offset });
    }

    fn shape(&mut self, sets: &[ByteSet], rule: u32) {
        let (offset, window) = Window::rarest(sets);
        self.add(window, Entry::Shape { rule, offset });
    }

    fn inner(&mut self, sets: &[ByteSet], ahead: usize, rule: u32) {
        self.add(Window::new(sets.to_vec()), Entry::Inner { rule, ahead });
    }

    fn add(&mut self, window: Window, entry: Entry) {
        let number = *self.numbers.entry(window.clone()).or_insert_with(|| {
            self.windows.push(window);
            self.entries.push(Vec::new());
            self.windows.len() - 1
        });
        self.entries[number].push(entry);
    }
}

//! Rules compiled together: what is looked for in every byte, and tables for what that leads to.

mod shapes;

use std::collections::BTreeMap;

use crate::byteset::ByteSet;
use crate::compile::Matcher;
use crate::compile::gate::{self, Gate};
use crate::context::{self, Neighbours, WINDOW_AFTER, WordIndex};
use crate::error::{DetectError, DetectErrorKind};
use crate::finding::Span;
use crate::limits::Limits;
use crate::pack::RuleSource;
use crate::prefilter::{Window, Windows};
use crate::rule::Rule;
use crate::validate;
use crate::validator::Validator;
use crate::words::WordTable;

pub(crate) use shapes::Shapes;

/// Rules that are scanned for in one pass.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) rules: Vec<LayerRule>,
    /// What is looked for in every byte of the text.
    pub(crate) windows: Windows,
    /// What each window is a part of.
    pub(crate) entries: Vec<Vec<Entry>>,
    pub(crate) literals: Vec<Literal>,
    /// The rules that wait for a run of digits, by their shapes, and how far before it a match may start.
    pub(crate) digits: Reaching,
    /// The same for runs of token bytes.
    pub(crate) tokens: Reaching,
    /// How far at most before a run of token bytes a match may start of a rule that a keyword leads to.
    pub(crate) led_reach: Option<usize>,
    /// The literals that rules begin with which wait for a run of token bytes behind these.
    pub(crate) prefixes: PrefixIndex,
    /// The rules that words lead to, by their shapes, as far as these are seldom.
    pub(crate) by_words: Shapes,
    /// The rules of which a match can only start where the text does.
    pub(crate) at_start: Vec<u32>,
    /// The rules whose gate is open once no context leads to them.
    pub(crate) open: Vec<u32>,
    pub(crate) words: WordIndex,
}

/// A table and how far before a run it is to be asked.
#[derive(Debug, Default)]
pub(crate) struct Reaching {
    pub(crate) shapes: Shapes,
    pub(crate) reach: usize,
}

/// Literals that matches begin with, some way before a run of token bytes.
#[derive(Debug, Default)]
pub(crate) struct PrefixIndex {
    pub(crate) table: WordTable,
    /// The rules that begin with each.
    pub(crate) rules: Vec<Vec<u32>>,
    pub(crate) reach: usize,
}

impl PrefixIndex {
    fn new(list: Vec<(Vec<u8>, u32)>, reach: usize) -> Self {
        let mut texts: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
        for (text, rule) in list {
            texts.entry(text).or_default().push(rule);
        }
        let (texts, rules): (Vec<_>, Vec<_>) = texts.into_iter().unzip();
        Self { table: WordTable::new(texts.into_iter()), rules, reach }
    }
}

/// A rule within its layer.
#[derive(Debug)]
pub(crate) struct LayerRule {
    pub(crate) rule: Rule,
    pub(crate) matcher: Matcher,
    pub(crate) validator: Option<Validator>,
    /// The literals of its gate.
    pub(crate) anchors: Vec<u32>,
    /// Set if the rule requires context and its matches are short.
    needs_context: bool,
    /// Whether its context words are the best sign of a match while context is needed.
    pub(crate) has_context_gate: bool,
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

    /// Whether the rule's candidates lie around words: keywords, or context words in a scan with this
    /// threshold.
    pub(crate) fn is_led_by_words(&self, min_score: f32) -> bool {
        self.matcher.gate == Gate::Keywords || self.is_led_by_context(min_score)
    }

    /// Whether they lie around its context words in a scan with this threshold.
    pub(crate) fn is_led_by_context(&self, min_score: f32) -> bool {
        self.has_context_gate && self.needs_context(min_score)
    }
}

/// What a window belongs to, and where in it the window stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry {
    Literal { literal: u32, offset: usize },
    Shape { rule: u32, offset: usize },
}

/// A literal, in lower case, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Literal {
    pub(crate) text: Vec<u8>,
    /// The rules whose gate it is; their candidates come from where it stands.
    pub(crate) anchor_of: Vec<u32>,
    /// The rules whose gate is their keywords, and it is one.
    pub(crate) keyword_of: Vec<u32>,
    /// The rules that have it, as a whole word, for their context gate.
    pub(crate) context_of: Vec<u32>,
    /// How far before it a match may start that it leads to as a context word.
    pub(crate) context_reach: usize,
}

impl Layer {
    pub(crate) fn new(rules: &[Rule], limits: &Limits) -> Result<Self, DetectError> {
        let mut literals = Literals::default();
        let mut windows = WindowSet::default();
        let (mut digits, mut tokens) = (shapes::Builder::default(), shapes::Builder::default());
        let (mut digits_reach, mut token_reach, mut led_reach) = (0, 0, None);
        let (mut prefixes, mut prefix_reach) = (Vec::new(), 0);
        let mut by_words = shapes::Builder::default();
        let (mut at_start, mut open) = (Vec::new(), Vec::new());
        let mut compiled: Vec<LayerRule> = Vec::with_capacity(rules.len());
        let mut bytes = 0;
        let mut word_bytes = 0;
        for (number, rule) in (0u32..).zip(rules) {
            let source = rule.source();
            let syntax = &source.syntax;
            word_bytes += check_words(source, limits, word_bytes)?;
            let matcher = Matcher::new(source, limits)?;
            bytes += matcher.bytes;
            if bytes > limits.compiled_bytes {
                let mend = "the rules together compile to more than the limit; remove some";
                return Err(source.place.error(DetectErrorKind::TooLarge, "pattern", mend));
            }
            // Beyond that length a match without context would cost too much to be refused uncharged.
            let short = matcher.max_len.filter(|&len| len <= SHORT);
            let needs_context = syntax.context_required && short.is_some();
            let context_is_better = match &matcher.gate {
                Gate::Inner { .. } | Gate::Open => true,
                Gate::Prefix(literals) => {
                    !literals.iter().all(|text| gate::is_telling(&sets(text)))
                }
                Gate::Shape => !gate::is_telling(matcher.gate_shape()),
                _ => false,
            };
            let has_context_gate = needs_context && context_is_better;
            if has_context_gate {
                let reach = WINDOW_AFTER + short.unwrap_or(SHORT) + CHAR;
                literals.context(&syntax.context, number, reach);
            }
            if (has_context_gate || matcher.gate == Gate::Keywords) && matcher.is_seldom {
                by_words.add(number, &matcher);
            }
            let mut anchors = Vec::new();
            match &matcher.gate {
                Gate::Digits { reach } => {
                    digits.add(number, &matcher);
                    digits_reach = digits_reach.max(*reach);
                }
                Gate::Token { reach } => {
                    tokens.add(number, &matcher);
                    token_reach = token_reach.max(*reach);
                }
                Gate::TokenByKeyword { reach } => led_reach = led_reach.max(Some(*reach)),
                Gate::TokenByPrefix { literals, reach } => {
                    prefixes.extend(literals.iter().map(|text| (text.clone(), number)));
                    prefix_reach = prefix_reach.max(*reach);
                }
                _ if has_context_gate => open.push(number),
                Gate::Prefix(list) | Gate::Inner { literals: list, .. } => {
                    anchors = literals.anchors(list, number);
                }
                Gate::Keywords => literals.keywords(&syntax.keywords, number),
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
                anchors,
                needs_context,
                has_context_gate,
                best_score: best_score.max(alone),
            });
        }
        let led = |rule: &LayerRule| matches!(rule.matcher.gate, Gate::TokenByKeyword { .. });
        let words = WordIndex::new(compiled.iter().map(|rule| (rule.rule.syntax(), led(rule))));
        let literals = literals.list;
        for (number, literal) in (0u32..).zip(&literals) {
            windows.literal(&literal.text, number);
        }
        Ok(Self {
            rules: compiled,
            windows: Windows::new(&windows.windows),
            entries: windows.entries,
            literals,
            digits: Reaching { shapes: digits.build(), reach: digits_reach },
            tokens: Reaching { shapes: tokens.build(), reach: token_reach },
            led_reach,
            prefixes: PrefixIndex::new(prefixes, prefix_reach),
            by_words: by_words.build(),
            at_start,
            open,
            words,
        })
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

/// Literals in lower case, numbered.
#[derive(Default)]
struct Literals {
    numbers: BTreeMap<Vec<u8>, u32>,
    list: Vec<Literal>,
}

impl Literals {
    fn anchors(&mut self, list: &[Vec<u8>], rule: u32) -> Vec<u32> {
        let numbers: Vec<u32> = list.iter().map(|literal| self.number(literal)).collect();
        numbers.iter().for_each(|&id| self.list[id as usize].anchor_of.push(rule));
        numbers
    }

    fn keywords(&mut self, list: &[String], rule: u32) {
        for keyword in list {
            let id = self.number(&keyword.as_bytes().to_ascii_lowercase());
            self.list[id as usize].keyword_of.push(rule);
        }
    }

    fn context(&mut self, list: &[String], rule: u32, reach: usize) {
        // Where a longer word stands, so does one that it holds; the check that follows knows both.
        let holds = |word: &str, other: &str| {
            other.len() < word.len()
                && word.match_indices(other).any(|(start, _)| {
                    let span = Span { start, end: start + other.len() };
                    context::is_whole_word(word.as_bytes(), span)
                })
        };
        let needed = list.iter().filter(|word| !list.iter().any(|other| holds(word, other)));
        for spelling in needed.flat_map(|word| context::spellings(word)) {
            let id = self.number(&spelling.as_bytes().to_ascii_lowercase());
            let literal = &mut self.list[id as usize];
            literal.context_of.push(rule);
            literal.context_reach = literal.context_reach.max(reach);
        }
    }

    fn number(&mut self, text: &[u8]) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = u32::try_from(self.list.len()).expect("limits keep literals few");
        self.numbers.insert(text.to_vec(), number);
        self.list.push(Literal { text: text.to_vec(), ..Literal::default() });
        number
    }
}

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
    fn literal(&mut self, text: &[u8], literal: u32) {
        let (offset, window) = Window::rarest(&sets(text));
        self.add(window, Entry::Literal { literal, offset });
    }

    fn shape(&mut self, sets: &[ByteSet], rule: u32) {
        let (offset, window) = Window::rarest(sets);
        self.add(window, Entry::Shape { rule, offset });
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

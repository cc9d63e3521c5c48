//! Rules compiled together: one automaton over all their literals, one table over all their shapes.

mod shapes;

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;

use crate::compile::Matcher;
use crate::compile::gate::Gate;
use crate::context::{self, ContextIndex, WINDOW_AFTER, WINDOW_BEFORE};
use crate::error::{DetectError, DetectErrorKind};
use crate::limits::Limits;
use crate::rule::Rule;
use crate::validate;
use crate::validator::Validator;

pub(crate) use shapes::Shapes;

/// Rules that are scanned for in one pass.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) rules: Vec<LayerRule>,
    /// Every literal of every gate and every keyword, each once.
    pub(crate) literals: Option<AhoCorasick>,
    pub(crate) uses: Vec<LiteralUse>,
    pub(crate) shapes: Shapes,
    /// The rules that are searched for in every haystack.
    pub(crate) open: Vec<u32>,
    /// The highest score of a rule with a context gate: above it, all of them wait for context.
    pub(crate) highest_gated_score: f32,
    pub(crate) context: ContextIndex,
}

/// A rule within its layer.
#[derive(Debug)]
pub(crate) struct LayerRule {
    pub(crate) rule: Rule,
    pub(crate) matcher: Matcher,
    pub(crate) validator: Option<Validator>,
    /// The literals of its gate.
    pub(crate) anchors: Vec<u32>,
    /// Its keywords.
    pub(crate) keywords: Vec<u32>,
    /// Set if the rule requires context and its matches are short.
    needs_context: bool,
    /// Its context words, if they are the best sign of a match while context is needed.
    pub(crate) context_gate: Option<ContextGate>,
}

/// Context words that take the place of a poorer gate.
#[derive(Debug)]
pub(crate) struct ContextGate {
    pub(crate) words: Vec<u32>,
    /// How far before a word's start a match that it speaks for may start.
    pub(crate) before: usize,
    /// How far after.
    pub(crate) after: usize,
}

impl LayerRule {
    /// Whether only a context word can bring the rule's matches to `min_score`.
    pub(crate) fn needs_context(&self, min_score: f32) -> bool {
        self.needs_context && self.rule.score() < min_score
    }

    /// Whether the rule's candidates lie around words: keywords, or context words in a scan with this
    /// threshold.
    pub(crate) fn is_led_by_words(&self, min_score: f32) -> bool {
        self.matcher.gate == Gate::Keywords || self.context_gate(min_score).is_some()
    }

    /// The context words that lead to the rule's matches in a scan with this threshold.
    pub(crate) fn context_gate(&self, min_score: f32) -> Option<&ContextGate> {
        self.context_gate.as_ref().filter(|_| self.needs_context(min_score))
    }
}

/// Who waits for a literal.
#[derive(Debug, Default)]
pub(crate) struct LiteralUse {
    /// The rules whose gate it is; their candidates come from where it stands.
    pub(crate) anchor_of: Vec<u32>,
    /// The rules whose gate is their keywords, and it is one.
    pub(crate) wakes: Vec<u32>,
    /// Whether it is a keyword of any rule.
    pub(crate) is_keyword: bool,
    /// The rules that have it, as a whole word, for their context gate.
    pub(crate) context_of: Vec<u32>,
}

impl Layer {
    pub(crate) fn new(rules: &[Rule], limits: &Limits) -> Result<Self, DetectError> {
        let mut literals = Literals::default();
        let mut shapes = shapes::Builder::default();
        let mut open = Vec::new();
        let mut compiled = Vec::with_capacity(rules.len());
        let mut bytes = 0;
        let mut word_bytes = 0;
        for (number, rule) in (0u32..).zip(rules) {
            let source = rule.source();
            let syntax = &source.syntax;
            let lists = [
                ("keywords", &syntax.keywords),
                ("context", &syntax.context),
                ("negative_context", &syntax.negative_context),
            ];
            for (field, list) in lists {
                if list.len() > limits.words {
                    let mend = format!("more than {} words", limits.words);
                    return Err(source.place.error(DetectErrorKind::TooLarge, field, &mend));
                }
                word_bytes += list.iter().map(String::len).sum::<usize>();
                if word_bytes > limits.word_bytes {
                    let mend = "the words of all rules together are too long; remove some";
                    return Err(source.place.error(DetectErrorKind::TooLarge, field, mend));
                }
            }
            let matcher = Matcher::new(source, limits)?;
            bytes += matcher.bytes;
            if bytes > limits.compiled_bytes {
                let mend = "the rules together compile to more than the limit; remove some";
                return Err(source.place.error(DetectErrorKind::TooLarge, "pattern", mend));
            }
            let keywords = literals.keywords(&syntax.keywords);
            // Beyond that length a match without context would cost too much to be refused uncharged.
            let needs_context =
                rule.syntax().context_required && matcher.max_len.is_some_and(|len| len <= SHORT);
            let context_gate = match (needs_context, matcher.max_len, &matcher.gate) {
                (true, Some(len), Gate::Inner { .. } | Gate::Shape | Gate::Open) => {
                    Some(ContextGate {
                        words: literals.context(&syntax.context, number),
                        before: WINDOW_AFTER + len + CHAR,
                        after: WINDOW_BEFORE + CHAR,
                    })
                }
                _ => None,
            };
            let anchors = match &matcher.gate {
                Gate::Prefix(list) | Gate::Inner { literals: list, .. } => {
                    literals.anchors(list, number)
                }
                Gate::Keywords => {
                    keywords.iter().for_each(|&id| literals.uses[id as usize].wakes.push(number));
                    Vec::new()
                }
                Gate::Shape => Vec::new(),
                Gate::Open => {
                    open.push(number);
                    Vec::new()
                }
            };
            let by_words = context_gate.is_some() || matcher.gate == Gate::Keywords;
            if matcher.gate == Gate::Shape || (by_words && matcher.is_seldom) {
                shapes.add(number, matcher.boundary, &matcher.shape, by_words);
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
            compiled.push(LayerRule {
                rule: rule.clone(),
                matcher,
                validator,
                anchors,
                keywords,
                needs_context,
                context_gate,
            });
        }
        let too_many_words = |error: aho_corasick::BuildError| {
            DetectError::new(
                DetectErrorKind::TooLarge,
                "the rules' words and literals are too many",
            )
            .caused_by(error)
        };
        let context = ContextIndex::new(
            rules.iter().map(|r| (&r.syntax().context[..], &r.syntax().negative_context[..])),
        )
        .map_err(too_many_words)?;
        let (literals, uses) = literals.build().map_err(too_many_words)?;
        let gated = compiled.iter().filter(|rule| rule.context_gate.is_some());
        let highest_gated_score = gated.map(|rule| rule.rule.score()).fold(-1.0, f32::max);
        let shapes = shapes.build();
        Ok(Self { rules: compiled, literals, uses, shapes, open, highest_gated_score, context })
    }
}

/// The longest match of a rule that waits for context.
const SHORT: usize = 256;

/// What widening a span to whole characters may add at an end.
const CHAR: usize = 3;

/// Literals in lower case, numbered.
#[derive(Default)]
struct Literals {
    numbers: BTreeMap<Vec<u8>, u32>,
    texts: Vec<Vec<u8>>,
    uses: Vec<LiteralUse>,
}

impl Literals {
    fn anchors(&mut self, list: &[Vec<u8>], rule: u32) -> Vec<u32> {
        let numbers: Vec<u32> = list.iter().map(|literal| self.number(literal)).collect();
        numbers.iter().for_each(|&id| self.uses[id as usize].anchor_of.push(rule));
        numbers
    }

    fn keywords(&mut self, list: &[String]) -> Vec<u32> {
        let mut numbers: Vec<u32> =
            list.iter().map(|word| self.number(&word.as_bytes().to_ascii_lowercase())).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.iter().for_each(|&id| self.uses[id as usize].is_keyword = true);
        numbers
    }

    fn context(&mut self, list: &[String], rule: u32) -> Vec<u32> {
        let mut numbers: Vec<u32> = list
            .iter()
            .flat_map(|word| context::spellings(word))
            .map(|word| self.number(&word.as_bytes().to_ascii_lowercase()))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.iter().for_each(|&id| self.uses[id as usize].context_of.push(rule));
        numbers
    }

    fn number(&mut self, literal: &[u8]) -> u32 {
        if let Some(&number) = self.numbers.get(literal) {
            return number;
        }
        let number = u32::try_from(self.texts.len()).expect("limits keep literals few");
        self.numbers.insert(literal.to_vec(), number);
        self.texts.push(literal.to_vec());
        self.uses.push(LiteralUse::default());
        number
    }

    fn build(self) -> Result<(Option<AhoCorasick>, Vec<LiteralUse>), aho_corasick::BuildError> {
        if self.texts.is_empty() {
            return Ok((None, self.uses));
        }
        let bytes = self.texts.iter().map(Vec::len).sum();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(context::automaton_kind(bytes)))
            .build(&self.texts)?;
        Ok((Some(automaton), self.uses))
    }
}

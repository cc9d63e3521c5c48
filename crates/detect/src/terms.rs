//! Deny lists: rules that look for terms instead of a pattern.
//!
//! All terms of a set that are not in a standard pack share two tries. A trie is walked only from where a term
//! may start: at the beginning of a word for those that stand as whole words, and only if the first four bytes
//! are those of some term. So ten thousand terms cost a byte of text about as much as one does.
//!
//! # What a rule of terms matches
//!
//! Starts are tried from left to right. At each, the longest term counts whose boundary holds at both ends; the
//! next start is where it ended.

use aho_corasick::automaton::Automaton as _;
use aho_corasick::{Anchored, MatchKind, PatternID, nfa::contiguous};

use crate::boundary::Boundary;
use crate::context::{WordHit, WordIndex, WordMemo, WordsOf, is_whole_word, spellings};
use crate::error::{DetectError, DetectErrorKind};
use crate::finding::Span;
use crate::limits::Limits;
use crate::rule::Rule;
use crate::scan::verify::{Haystack, Raw, char_end, char_start};
use crate::validator::Verdict;
use crate::words::WordTable;

/// The longest term: a few lines of an address. It bounds how far a walk leads.
pub(crate) const MAX_TERM_BYTES: usize = 256;

/// Rules of terms that are looked for in one pass.
#[derive(Debug)]
pub(crate) struct TermLayer {
    pub(crate) rules: Vec<Rule>,
    context: WordIndex,
    /// The spellings of all context words, to look for once a term was found.
    spellings: WordTable,
    /// Terms that start as words do, of rules that ask for whole words.
    words: Trie,
    /// All others.
    anywhere: Trie,
}

impl TermLayer {
    pub(crate) fn new(rules: &[Rule], limits: &Limits) -> Result<Self, DetectError> {
        let (mut count, mut bytes, mut word_bytes) = (0, 0, 0);
        let (mut words, mut anywhere) = (Builder::default(), Builder::default());
        for (number, rule) in (0u32..).zip(rules) {
            let syntax = rule.syntax();
            let place = &rule.source().place;
            for (field, list) in
                [("context", &syntax.context), ("negative_context", &syntax.negative_context)]
            {
                word_bytes += list.iter().map(String::len).sum::<usize>();
                if list.len() > limits.words || word_bytes > limits.word_bytes {
                    let mend = format!("more than {} words, or too long ones", limits.words);
                    return Err(place.error(DetectErrorKind::TooLarge, field, &mend));
                }
            }
            count += syntax.terms.len();
            bytes += syntax.terms.iter().map(String::len).sum::<usize>();
            if count > limits.terms || bytes > limits.term_bytes {
                let mend = format!(
                    "the terms of all rules together are more than {}, or longer than {} bytes",
                    limits.terms, limits.term_bytes
                );
                return Err(place.error(DetectErrorKind::TooLarge, "terms", &mend));
            }
            for (at, term) in (0u32..).zip(&syntax.terms) {
                let starts_a_word = syntax.boundary().forbidden_before().contains(b'a')
                    && is_word(term.as_bytes()[0]);
                let trie = if starts_a_word { &mut words } else { &mut anywhere };
                let variants = match syntax.case_insensitive {
                    true => spellings(term),
                    false => vec![term.clone()],
                };
                variants.into_iter().for_each(|text| trie.push(text, Term { rule: number, at }));
            }
        }
        let too_many = |error: aho_corasick::BuildError| {
            DetectError::new(DetectErrorKind::TooLarge, "the terms of all rules are too many")
                .caused_by(error)
        };
        let context = WordIndex::new(rules.iter().map(|rule| WordsOf::unled(rule.syntax())));
        Ok(Self {
            spellings: WordTable::new(context.spellings().map(|(text, _)| text.to_vec())),
            context,
            words: words.build().map_err(too_many)?,
            anywhere: anywhere.build().map_err(too_many)?,
            rules: rules.to_vec(),
        })
    }

    /// Finds every occurrence that counts, of rules that are wanted.
    fn find(
        &self,
        haystack: &[u8],
        wanted: &dyn Fn(&Rule) -> bool,
        scratch: &mut Scratch,
        out: &mut Vec<Raw>,
    ) {
        scratch.cursors.clear();
        scratch.cursors.resize(self.rules.len(), 0);
        let wants: Vec<bool> = self.rules.iter().map(wanted).collect();
        if !wants.contains(&true) {
            return;
        }
        let mut in_word = false;
        let anywhere = self.anywhere.nfa.is_some();
        for (at, &byte) in haystack.iter().enumerate() {
            let word = is_word(byte);
            let starts = word && !in_word;
            in_word = word;
            if !(starts || anywhere) {
                continue;
            }
            let ahead = &haystack[at..];
            let walk_words = starts && self.words.may_start(ahead);
            let walk_anywhere = anywhere && self.anywhere.may_start(ahead);
            if walk_words || walk_anywhere {
                scratch.best.clear();
                if walk_words {
                    self.walk(&self.words, haystack, at, &wants, scratch);
                }
                if walk_anywhere {
                    self.walk(&self.anywhere, haystack, at, &wants, scratch);
                }
                for &(rule, end) in &scratch.best {
                    scratch.cursors[rule as usize] = end;
                    let span =
                        Span { start: char_start(haystack, at), end: char_end(haystack, end) };
                    out.push(Raw { rule, span, verdict: Verdict::Unknown });
                }
            }
        }
    }

    /// Finds the context words of a haystack.
    fn find_context(&self, haystack: &Haystack<'_>, memo: &mut WordMemo) {
        let words: Vec<u32> = self.context.spellings().map(|(_, word)| word).collect();
        let find = |text: &[u8], found: &mut dyn FnMut(WordHit)| {
            self.spellings.find_at_starts(text, 0, text.len(), |span, spelling| {
                if is_whole_word(text, span) {
                    let Span { start, end } = span;
                    found(WordHit { start, end, word: words[spelling as usize] });
                }
            });
        };
        find(haystack.bytes, &mut |hit| memo.add(hit));
        find(haystack.field.as_bytes(), &mut |hit| memo.add_in_field(hit.word));
        memo.settle(haystack.bytes.len());
    }

    /// Notes the longest term of each rule that stands at `start`.
    fn walk(
        &self,
        trie: &Trie,
        haystack: &[u8],
        start: usize,
        wants: &[bool],
        scratch: &mut Scratch,
    ) {
        let Some(nfa) = &trie.nfa else { return };
        let Ok(mut state) = nfa.start_state(Anchored::Yes) else { return };
        for (at, &byte) in haystack.iter().enumerate().skip(start) {
            state = nfa.next_state(Anchored::Yes, state, byte);
            if nfa.is_dead(state) {
                return;
            }
            if !nfa.is_match(state) {
                continue;
            }
            let end = at + 1;
            for index in 0..nfa.match_len(state) {
                let pattern = nfa.match_pattern(state, index);
                // A state also lists terms that end here and began later.
                if nfa.pattern_len(pattern) != end - start {
                    continue;
                }
                let Term { rule, at: number } = trie.terms[pattern.as_usize()];
                if !wants[rule as usize] || start < scratch.cursors[rule as usize] {
                    continue;
                }
                if self.counts(rule, number, haystack, Span { start, end }) {
                    match scratch.best.iter_mut().find(|(other, _)| *other == rule) {
                        Some(best) => best.1 = best.1.max(end),
                        None => scratch.best.push((rule, end)),
                    }
                }
            }
        }
    }

    fn counts(&self, rule: u32, number: u32, haystack: &[u8], span: Span) -> bool {
        let syntax = self.rules[rule as usize].syntax();
        let boundary = syntax.boundary();
        boundary.admits_start(haystack, span.start)
            && boundary.admits_end(haystack, span.end)
            && (syntax.case_insensitive
                || &haystack[span.range()] == syntax.terms[number as usize].as_bytes())
    }
}

/// What one term layer needs while it is scanned for.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Where the next match of each rule may start.
    cursors: Vec<usize>,
    /// Rule and end of what was found at one start.
    best: Vec<(u32, usize)>,
    raw: Vec<Raw>,
    context: WordMemo,
}

impl Scratch {
    /// Finds and scores: hands on rule, span and score of what reaches `min_score`.
    pub(crate) fn scan(
        &mut self,
        layer: &TermLayer,
        haystack: &Haystack<'_>,
        min_score: f32,
        wanted: Option<&dyn Fn(&Rule) -> bool>,
        mut found: impl FnMut(u32, Span, f32),
    ) {
        let mut raw = std::mem::take(&mut self.raw);
        raw.clear();
        layer.find(haystack.bytes, wanted.unwrap_or(&|_| true), self, &mut raw);
        self.context.reset();
        if raw.iter().any(|raw| layer.context.listens(raw.rule as usize)) {
            layer.find_context(haystack, &mut self.context);
        }
        for raw in &raw {
            let rule = raw.rule as usize;
            let neighbours = if layer.context.listens(rule) {
                self.context.neighbours(&layer.context, haystack, rule, raw.span)
            } else {
                Default::default()
            };
            let score = raw.score(layer.rules[rule].syntax(), neighbours);
            if score >= min_score {
                found(raw.rule, raw.span, score);
            }
        }
        self.raw = raw;
    }
}

/// Which term of which rule.
#[derive(Debug, Clone, Copy)]
struct Term {
    rule: u32,
    at: u32,
}

/// Terms, ASCII case aside; those that mind it are compared once more.
#[derive(Debug)]
struct Trie {
    nfa: Option<contiguous::NFA>,
    terms: Vec<Term>,
    gate: Gate,
}

impl Trie {
    fn may_start(&self, ahead: &[u8]) -> bool {
        self.gate.admits(ahead)
    }
}

#[derive(Default)]
struct Builder {
    texts: Vec<String>,
    terms: Vec<Term>,
}

impl Builder {
    fn push(&mut self, text: String, term: Term) {
        self.texts.push(text);
        self.terms.push(term);
    }

    fn build(self) -> Result<Trie, aho_corasick::BuildError> {
        let gate = Gate::new(&self.texts);
        let nfa = if self.texts.is_empty() {
            None
        } else {
            let mut builder = contiguous::NFA::builder();
            builder.match_kind(MatchKind::Standard).ascii_case_insensitive(true);
            Some(builder.build(&self.texts)?)
        };
        debug_assert!(
            nfa.as_ref().is_none_or(|nfa| nfa.pattern_len(PatternID::ZERO) == self.texts[0].len())
        );
        Ok(Trie { nfa, terms: self.terms, gate })
    }
}

/// What the first bytes of some term are: one load dismisses nearly every other place.
#[derive(Debug)]
struct Gate {
    /// The first bytes of terms that are too short for the table.
    short: [bool; 256],
    /// A bit for each hash of the first four bytes.
    bits: Vec<u64>,
    shift: u32,
}

impl Gate {
    fn new(texts: &[String]) -> Self {
        // Thirty-two bits a term keep false alarms at some percent; 2 MiB is the most.
        let size = (texts.len() * 32).next_power_of_two().clamp(1 << 6, 1 << 24);
        let shift = 32 - size.trailing_zeros();
        let mut gate = Self { short: [false; 256], bits: vec![0; size / 64], shift };
        for text in texts {
            match text.as_bytes().first_chunk() {
                Some(&first) => {
                    let bit = gate.bit(first);
                    gate.bits[bit / 64] |= 1 << (bit % 64);
                }
                None => {
                    let first = text.as_bytes()[0];
                    gate.short[usize::from(first.to_ascii_lowercase())] = true;
                    gate.short[usize::from(first.to_ascii_uppercase())] = true;
                }
            }
        }
        gate
    }

    /// Setting one bit folds the case of letters, and harms no other byte more than by a false alarm.
    fn bit(&self, first: [u8; 4]) -> usize {
        let folded = u32::from_le_bytes(first) | 0x2020_2020;
        (folded.wrapping_mul(0x9E37_79B1) >> self.shift) as usize
    }

    fn admits(&self, ahead: &[u8]) -> bool {
        let in_table = ahead.first_chunk().is_some_and(|&first| {
            let bit = self.bit(first);
            self.bits[bit / 64] & (1 << (bit % 64)) != 0
        });
        in_table || ahead.first().is_some_and(|&first| self.short[usize::from(first)])
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The definition, slow and plain: every term at every place.
pub(crate) fn naive(rule: &Rule, haystack: &[u8]) -> Vec<Raw> {
    let syntax = rule.syntax();
    let boundary = syntax.boundary();
    let spelt: Vec<String> = match syntax.case_insensitive {
        true => syntax.terms.iter().flat_map(|term| spellings(term)).collect(),
        false => syntax.terms.clone(),
    };
    let mut found = Vec::new();
    let mut start = 0;
    while start < haystack.len() {
        let stands = |term: &&String| {
            haystack.get(start..start + term.len()).is_some_and(|text| {
                let same = match syntax.case_insensitive {
                    true => text.eq_ignore_ascii_case(term.as_bytes()),
                    false => text == term.as_bytes(),
                };
                same && boundary.admits_end(haystack, start + term.len())
            })
        };
        let longest = spelt.iter().filter(stands).map(String::len).max();
        let longest = longest.filter(|_| boundary.admits_start(haystack, start));
        match longest {
            Some(len) => {
                let span = Span {
                    start: char_start(haystack, start),
                    end: char_end(haystack, start + len),
                };
                found.push(Raw { rule: 0, span, verdict: Verdict::Unknown });
                start += len;
            }
            None => start += 1,
        }
    }
    found
}

/// The boundary of a rule of terms that does not name one.
pub(crate) const DEFAULT_BOUNDARY: Boundary = Boundary::Word;

#[cfg(test)]
mod tests;

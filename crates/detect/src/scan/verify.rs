//! From a place where a match may start to a raw match.
//!
//! # What a rule matches
//!
//! Starts are tried from left to right. At each, the pattern's preferred match (as a regex means it) is
//! taken; it counts if a keyword is near, the boundary holds, the validator does not object and, for a rule
//! that requires context and would not reach the scan's threshold without, a context word stands near. If it
//! counts, the next start is where it ended; if not, the next byte, so that a long match that is refused does
//! not hide a short one inside it. Gates only skip starts where this cannot succeed.
//!
//! # Bounds
//!
//! - Refused matches of a rule may add up to [`refusal_budget`] bytes in one haystack; after that, the search
//!   goes on behind a refused match instead of one byte further.
//! - Candidates that lead nowhere may cost a rule [`candidate_budget`] bytes; after that the rest of the
//!   haystack is searched by the pattern as a whole, in one linear pass up to the next match.

use regex_automata::hybrid::dfa::{Cache as DfaCache, DFA};
use regex_automata::{Anchored, Input, meta};

use super::candidates::Places;
use crate::context::{Neighbours, WordMemo};
use crate::finding::Span;
use crate::layer::{Layer, LayerRule};
use crate::pack::RuleSyntax;
use crate::validate::secret::entropy;
use crate::validator::Verdict;

/// What is scanned.
#[derive(Clone, Copy)]
pub(crate) struct Haystack<'h> {
    pub(crate) bytes: &'h [u8],
    /// The spellings of the field's name.
    pub(crate) field: &'h str,
}

/// A match that counts, before context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) rule: u32,
    pub(crate) span: Span,
    pub(crate) verdict: Verdict,
}

impl Raw {
    /// The score, given what stands around the match.
    pub(crate) fn score(&self, rule: &RuleSyntax, neighbours: Neighbours) -> f32 {
        let proven =
            self.verdict == Verdict::Valid && (neighbours.support || !rule.context_required);
        neighbours.apply(if proven { 1.0 } else { rule.score })
    }
}

/// How far a rule has come in the present haystack, and its caches.
#[derive(Debug, Default)]
pub(crate) struct RuleState {
    /// The scan that the rest belongs to.
    scan: u64,
    /// Where the next match may start.
    cursor: usize,
    /// Bytes of refused matches.
    refused: usize,
    /// Bytes walked without leading to a match.
    wasted: usize,
    /// The last anchor from which places were offered.
    anchor: usize,
    /// Set when candidates are given up and the rest is searched.
    searching: bool,
    /// Elsewhere, so that what is looked at for each candidate lies close together.
    dfa: Option<Box<DfaCache>>,
    regex: Option<Box<meta::Cache>>,
}

impl RuleState {
    /// Forgets the last haystack.
    fn begin(&mut self, scan: u64) {
        self.scan = scan;
        self.cursor = 0;
        self.refused = 0;
        self.wasted = 0;
        self.anchor = 0;
        self.searching = false;
    }

    fn give_up_on_candidates(&mut self, from: usize) {
        self.cursor = self.cursor.max(from);
        self.searching = true;
    }
}

/// How many bytes of refused matches a rule may have. At 64 for each byte, a pattern whose matches are at
/// most 64 bytes long never gets there.
pub(crate) fn refusal_budget(haystack: usize) -> usize {
    64 * haystack
}

/// How many bytes of walks in vain a rule may have before its candidates are not worth having.
fn candidate_budget(haystack: usize) -> usize {
    16 * haystack + 1024
}

/// One layer's rules on their way through one haystack.
pub(super) struct Pass<'p> {
    pub(super) layer: &'p Layer,
    pub(super) haystack: Haystack<'p>,
    pub(super) min_score: f32,
    /// A number that no earlier pass over these states had.
    pub(super) scan: u64,
    pub(super) states: &'p mut [RuleState],
    /// The rules that have been offered anything in this pass.
    pub(super) active: &'p mut Vec<u32>,
    /// Which rules are looked for.
    pub(super) wants: &'p [bool],
    pub(super) places: &'p mut Places,
    pub(super) words: &'p mut WordMemo,
    pub(super) out: &'p mut Vec<Raw>,
    /// Bytes walked or searched.
    pub(super) steps: u64,
}

impl Pass<'_> {
    pub(super) fn wants(&self, rule: u32) -> bool {
        self.wants[rule as usize]
    }

    /// Tries a match of `rule` at `start`. Ones before the rule's cursor are ignored.
    pub(super) fn offer(&mut self, rule: u32, start: usize) {
        if !self.layer.may_start(rule, self.haystack.bytes, start) {
            return;
        }
        let state = self.state(rule);
        if state.searching || start < state.cursor {
            return;
        }
        // Looked up before the walk: most numbers have no word near that speaks for anything.
        let with = self.layer.start(rule);
        let (words, number) = (&self.layer.words, rule as usize);
        if let Some(len) = with.needs_context.filter(|_| with.score < self.min_score)
            && !self.words.may_support(words, &self.haystack, number, start, len.into())
        {
            return;
        }
        // A walk costs more than most keywords.
        if with.has_keywords && !self.keyword_near(rule, start) {
            return;
        }
        self.try_at(rule, start);
    }

    fn keyword_near(&self, rule: u32, start: usize) -> bool {
        self.words.keyword_near(&self.layer.words, &self.haystack, rule as usize, start)
    }

    /// As [`offer`](Self::offer), where the first bytes are known to be right.
    fn try_at(&mut self, rule: u32, start: usize) {
        let with = &self.layer.rules[rule as usize];
        let bytes = self.haystack.bytes;
        let state = self.state(rule);
        let dfa = &with.matcher.machines(with.rule.syntax()).dfa;
        let cache = state.dfa.get_or_insert_with(|| Box::new(dfa.create_cache()));
        let Ok(walk) = walk(dfa, cache, bytes, start) else {
            // The automaton has neither quit bytes nor a limit on clearing its cache, so this does not
            // happen; if it ever did, the search would still be right.
            state.give_up_on_candidates(start);
            return;
        };
        self.steps += walk.steps as u64;
        let useful = match walk.end {
            Some(end) if self.keyword_near(rule, start) => {
                self.judge(rule, Span { start, end });
                end - start
            }
            _ => 0,
        };
        let state = self.state(rule);
        state.wasted += walk.steps.saturating_sub(useful);
        if state.wasted > candidate_budget(bytes.len()) {
            state.give_up_on_candidates(start + 1);
        }
    }

    /// Leaves a rule to [`search_rest`](Self::search_rest).
    pub(super) fn give_up_on_candidates(&mut self, rule: u32) {
        self.state(rule).give_up_on_candidates(0);
    }

    pub(super) fn is_searching(&mut self, rule: u32) -> bool {
        self.state(rule).searching
    }

    /// The anchor that was offered before this one, or the start of the text.
    pub(super) fn previous_anchor(&mut self, rule: u32, anchor: usize) -> usize {
        std::mem::replace(&mut self.state(rule).anchor, anchor)
    }

    pub(super) fn cursor(&mut self, rule: u32) -> usize {
        self.state(rule).cursor
    }

    /// Searches the rest of the haystack for the rules whose candidates were given up, or that have no gate.
    /// Returns the steps of the whole pass.
    pub(super) fn search_rest(&mut self) -> u64 {
        let active = std::mem::take(self.active);
        for &rule in &active {
            if self.state(rule).searching {
                self.search(rule);
            }
        }
        *self.active = active;
        self.steps
    }

    fn search(&mut self, rule: u32) {
        let with = &self.layer.rules[rule as usize];
        let bytes = self.haystack.bytes;
        let boundary = with.matcher.boundary;
        loop {
            let state = self.state(rule);
            if state.cursor >= bytes.len() {
                return;
            }
            let regex = &with.matcher.machines(with.rule.syntax()).regex;
            let cache = state.regex.get_or_insert_with(|| Box::new(regex.create_cache()));
            let input = Input::new(bytes).span(state.cursor..bytes.len());
            let found = regex.search_with(cache, &input);
            let reached = found.as_ref().map_or(bytes.len(), |found| found.end());
            self.steps += (reached - state.cursor) as u64;
            let Some(found) = found else { return };
            let start = found.start();
            // What forbids a start depends on the start alone: skip to the next that is not forbidden, without
            // searching from each in between.
            let next = if !boundary.admits_start(bytes, start) {
                (start + 1..bytes.len()).find(|&at| boundary.admits_start(bytes, at))
            } else if !self.keyword_near(rule, start) {
                let words = &self.layer.words;
                self.words.next_near_keyword(words, &self.haystack, rule as usize, start + 1)
            } else {
                self.judge(rule, Span { start, end: found.end() });
                continue;
            };
            self.state(rule).cursor = next.unwrap_or(bytes.len());
        }
    }

    /// Decides on a match of the whole pattern, and where the next may start.
    fn judge(&mut self, rule: u32, whole: Span) {
        let with = &self.layer.rules[rule as usize];
        let bytes = self.haystack.bytes;
        let accepted = if with.matcher.boundary.admits_end(bytes, whole.end) {
            let span = match with.matcher.value_group {
                Some(group) => value_span(with, group, &mut self.state(rule).regex, bytes, whole),
                None => whole,
            };
            accept(with, rule, bytes, span)
        } else {
            None
        };
        let Some(raw) = accepted else {
            let state = self.state(rule);
            state.refused += whole.len();
            let thrifty = state.refused > refusal_budget(bytes.len());
            state.cursor = if thrifty { whole.end } else { whole.start + 1 };
            return;
        };
        let lacks_context = with.needs_context(self.min_score) && {
            let words = &self.layer.words;
            !self.words.neighbours(words, &self.haystack, rule as usize, raw.span).support
        };
        if lacks_context {
            // Not charged, as gates skip such starts altogether; such matches are short.
            self.state(rule).cursor = whole.start + 1;
        } else {
            self.state(rule).cursor = raw.span.end.max(whole.start + 1);
            self.out.push(raw);
        }
    }

    fn state(&mut self, rule: u32) -> &mut RuleState {
        let state = &mut self.states[rule as usize];
        if state.scan != self.scan {
            state.begin(self.scan);
            self.active.push(rule);
        }
        state
    }
}

/// Widens the span to whole characters and asks the validator.
pub(crate) fn accept(with: &LayerRule, rule: u32, haystack: &[u8], span: Span) -> Option<Raw> {
    if span.is_empty() {
        return None;
    }
    let span = Span { start: char_start(haystack, span.start), end: char_end(haystack, span.end) };
    let text = &haystack[span.range()];
    let syntax = with.rule.syntax();
    let digits = || text.iter().filter(|byte| byte.is_ascii_digit()).count();
    if syntax.min_digits > 0 && digits() < syntax.min_digits as usize
        || syntax.min_entropy > 0.0 && entropy(text) < syntax.min_entropy
    {
        return None;
    }
    let verdict = with.validator.map_or(Verdict::Unknown, |validator| validator(text));
    (verdict != Verdict::Invalid).then_some(Raw { rule, span, verdict })
}

/// The span of the `value` group within a match, or the whole if the group took no part.
fn value_span(
    with: &LayerRule,
    group: usize,
    cache: &mut Option<Box<meta::Cache>>,
    haystack: &[u8],
    whole: Span,
) -> Span {
    let regex = &with.matcher.machines(with.rule.syntax()).regex;
    let cache = cache.get_or_insert_with(|| Box::new(regex.create_cache()));
    let input = Input::new(haystack).span(whole.range()).anchored(Anchored::Yes);
    let mut few = [None; 2 * FEW_GROUPS];
    let mut many = Vec::new();
    let slots = match few.get_mut(..2 * (group + 1)) {
        Some(few) => few,
        None => {
            many.resize(2 * (group + 1), None);
            &mut many[..]
        }
    };
    regex.search_slots_with(cache, &input, slots);
    match (slots[2 * group], slots[2 * group + 1]) {
        (Some(start), Some(end)) => Span { start: start.get(), end: end.get() },
        _ => whole,
    }
}

/// As many groups as patterns mostly have up to the one named `value`.
const FEW_GROUPS: usize = 4;

struct Walk {
    end: Option<usize>,
    steps: usize,
}

/// Runs an automaton from `start` until it is dead: the end of the preferred match, if any, and the price.
fn walk(
    dfa: &DFA,
    cache: &mut DfaCache,
    haystack: &[u8],
    start: usize,
) -> Result<Walk, Box<dyn std::error::Error>> {
    let input = Input::new(haystack).span(start..haystack.len()).anchored(Anchored::Yes);
    let mut state = dfa.start_state_forward(cache, &input)?;
    let mut end = None;
    for (at, &byte) in haystack.iter().enumerate().skip(start) {
        state = dfa.next_state(cache, state, byte)?;
        if state.is_tagged() {
            // Matches are reported one byte late, when it is known what follows them.
            if state.is_match() {
                end = Some(at);
            } else if state.is_dead() {
                return Ok(Walk { end, steps: at + 1 - start });
            }
        }
    }
    state = dfa.next_eoi_state(cache, state)?;
    if state.is_match() {
        end = Some(haystack.len());
    }
    Ok(Walk { end, steps: haystack.len() - start })
}

/// The start of the UTF-8 character that `at` lies inside of, or `at`.
pub(crate) fn char_start(haystack: &[u8], at: usize) -> usize {
    char_around(haystack, at).map_or(at, |span| span.start)
}

/// The end of the UTF-8 character that `at` lies inside of, or `at`.
pub(crate) fn char_end(haystack: &[u8], at: usize) -> usize {
    char_around(haystack, at).map_or(at, |span| span.end)
}

/// The well-formed multi-byte character that `at` splits, if it splits one.
fn char_around(haystack: &[u8], at: usize) -> Option<Span> {
    let is_tail = |byte: u8| byte & 0xC0 == 0x80;
    if !haystack.get(at).copied().is_some_and(is_tail) {
        return None;
    }
    let start = (at.saturating_sub(3)..at).rev().find(|&before| !is_tail(haystack[before]))?;
    let len = match haystack[start] {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let end = start + len;
    let whole = end > at && std::str::from_utf8(haystack.get(start..end)?).is_ok();
    whole.then_some(Span { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_characters_are_kept_whole() {
        let text = "aé€😀".as_bytes();
        assert_eq!((char_start(text, 2), char_end(text, 2)), (1, 3));
        assert_eq!((char_start(text, 4), char_end(text, 5)), (3, 6));
        assert_eq!((char_start(text, 9), char_end(text, 7)), (6, 10));
        assert_eq!((char_start(text, 3), char_end(text, 10)), (3, 10));
        assert_eq!(char_start(b"\x80\x80\x80\x80\x80", 4), 4);
        assert_eq!(char_end(b"\xE2\x82", 1), 1);
    }
}

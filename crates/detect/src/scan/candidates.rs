//! Where the literals of a layer stand, and the candidates that follow from it.

use std::ops::Range;

use super::verify::{Haystack, Pass};
use crate::byteset::ByteSet;
use crate::compile::gate::Gate;
use crate::context::{WINDOW_BEFORE, is_whole_word};
use crate::finding::Span;
use crate::layer::{ContextGate, Layer, LayerRule};

/// How near a rule's keyword must start to a match's start, in bytes, on either side.
pub(crate) const KEYWORD_REACH: usize = 128;

/// The places of a layer's literals in the present haystack.
#[derive(Debug, Default)]
pub(super) struct Literals {
    places: Vec<Places>,
    /// The literals that were found, to forget them cheaply.
    touched: Vec<u32>,
    /// The rules that have an anchor in the haystack, in the order of their numbers once sorted.
    woken: Vec<u32>,
    is_woken: Vec<bool>,
}

#[derive(Debug, Default)]
struct Places {
    touched: bool,
    /// Starts in ascending order, for literals that are anchors.
    starts: Vec<usize>,
    /// There were too many to be worth keeping; `starts` is incomplete.
    flooded: bool,
    /// Where it stands as a keyword.
    keyword: Stretches,
    /// Where it stands as a whole word.
    word: Stretches,
}

/// The first and last starts of stretches in which a literal stands again and again: it takes no more
/// room than its reach leaves room for.
#[derive(Debug, Default)]
struct Stretches(Vec<(usize, usize)>);

impl Stretches {
    fn push(&mut self, start: usize, reach: usize) {
        match self.0.last_mut() {
            Some((_, last)) if start - *last <= reach => *last = start,
            _ => self.0.push((start, start)),
        }
    }

    /// The first places from `from` on that lie at most `before` bytes before the literal, or `after` after.
    fn near(&self, from: usize, before: usize, after: usize) -> Option<Range<usize>> {
        let next = self.0.partition_point(|&(_, last)| last + after < from);
        let &(first, last) = self.0.get(next)?;
        Some(from.max(first.saturating_sub(before))..last + after + 1)
    }
}

impl Literals {
    pub(super) fn new(layer: &Layer) -> Self {
        Self {
            places: layer.uses.iter().map(|_| Places::default()).collect(),
            is_woken: vec![false; layer.rules.len()],
            ..Self::default()
        }
    }

    /// Finds all literals in the haystack and the field's name.
    pub(super) fn find(&mut self, layer: &Layer, haystack: &Haystack<'_>) {
        for id in self.touched.drain(..) {
            let places = &mut self.places[id as usize];
            places.touched = false;
            places.flooded = false;
            places.starts.clear();
            places.keyword.0.clear();
            places.word.0.clear();
        }
        let Some(literals) = &layer.literals else { return };
        let field = haystack.field.as_bytes();
        for hit in literals.find_overlapping_iter(field) {
            // As if it stood directly before the text.
            let span = Span { start: hit.start(), end: hit.end() };
            self.note(layer, hit.pattern().as_u32(), 0, || is_whole_word(field, span));
        }
        let flood = haystack.bytes.len() / FLOOD_SHARE + FLOOD_FREE;
        for hit in literals.find_overlapping_iter(haystack.bytes) {
            let id = hit.pattern().as_u32();
            let uses = &layer.uses[id as usize];
            let span = Span { start: hit.start(), end: hit.end() };
            self.note(layer, id, hit.start(), || is_whole_word(haystack.bytes, span));
            if !uses.anchor_of.is_empty() {
                let places = &mut self.places[id as usize];
                if places.starts.is_empty() {
                    touch(places, &mut self.touched, id);
                    wake(&uses.anchor_of, &mut self.is_woken, &mut self.woken);
                }
                if places.starts.len() < flood {
                    places.starts.push(hit.start());
                } else {
                    places.flooded = true;
                }
            }
        }
    }

    /// Notes a keyword or context word. Most literals are neither.
    fn note(&mut self, layer: &Layer, id: u32, start: usize, is_word: impl Fn() -> bool) {
        let uses = &layer.uses[id as usize];
        let places = &mut self.places[id as usize];
        if uses.is_keyword {
            places.keyword.push(start, KEYWORD_REACH);
            touch(places, &mut self.touched, id);
            wake(&uses.wakes, &mut self.is_woken, &mut self.woken);
        }
        if !uses.context_of.is_empty() && is_word() {
            places.word.push(start, WINDOW_BEFORE);
            touch(places, &mut self.touched, id);
            wake(&uses.context_of, &mut self.is_woken, &mut self.woken);
        }
    }

    /// Whether the rule has no keywords or one of them is within reach of `start`.
    pub(super) fn keyword_near(&self, rule: &LayerRule, start: usize) -> bool {
        rule.keywords.is_empty()
            || rule.keywords.iter().any(|&id| {
                let near =
                    self.places[id as usize].keyword.near(start, KEYWORD_REACH, KEYWORD_REACH);
                near.is_some_and(|near| near.start == start)
            })
    }

    /// The first stretch of places from `from` on that are within reach of a keyword of the rule. More may
    /// follow it directly.
    pub(super) fn next_near_keyword(&self, rule: &LayerRule, from: usize) -> Option<Range<usize>> {
        let places = rule.keywords.iter().map(|&id| &self.places[id as usize].keyword);
        let near = places.filter_map(|places| places.near(from, KEYWORD_REACH, KEYWORD_REACH));
        near.min_by_key(|near| near.start)
    }

    /// The same for the words of a context gate.
    fn next_near_context(&self, gate: &ContextGate, from: usize) -> Option<Range<usize>> {
        let places = gate.words.iter().map(|&id| &self.places[id as usize].word);
        let near = places.filter_map(|places| places.near(from, gate.before, gate.after));
        near.min_by_key(|near| near.start)
    }

    /// The rules that have an anchor in the haystack, in order.
    pub(super) fn take_woken(&mut self) -> Vec<u32> {
        self.woken.sort_unstable();
        std::mem::take(&mut self.woken)
    }

    /// Takes the list back, and lets them sleep.
    pub(super) fn recycle_woken(&mut self, mut woken: Vec<u32>) {
        woken.drain(..).for_each(|rule| self.is_woken[rule as usize] = false);
        self.woken = woken;
    }

    pub(super) fn is_woken(&self, rule: u32) -> bool {
        self.is_woken[rule as usize]
    }

    /// Gathers the starts of all the rule's anchors in ascending order; false if there are too many.
    fn anchors(&self, rule: &LayerRule, starts: &mut Vec<usize>) -> bool {
        starts.clear();
        for &id in &rule.anchors {
            let places = &self.places[id as usize];
            if places.flooded {
                return false;
            }
            starts.extend_from_slice(&places.starts);
        }
        if rule.anchors.len() > 1 {
            starts.sort_unstable();
            starts.dedup();
        }
        true
    }
}

impl Pass<'_> {
    /// Offers every candidate of a woken rule. `anchors` is scratch space.
    pub(super) fn offer_all(&mut self, rule: u32, anchors: &mut Vec<usize>) {
        let layer = self.layer;
        let with = &layer.rules[rule as usize];
        if with.is_led_by_words(self.min_score) {
            self.offer_stretches(rule);
            return;
        }
        if !self.literals.anchors(with, anchors) {
            self.give_up_on_candidates(rule);
            return;
        }
        match &with.matcher.gate {
            Gate::Inner { before, reach, .. } => self.offer_before(rule, anchors, before, *reach),
            _ => anchors.iter().for_each(|&start| self.offer(rule, start)),
        }
    }

    /// Whether the rules that words lead to are better found by shape, since the stretches around their words
    /// add up to much of the haystack.
    pub(super) fn words_are_dense(&self, woken: &[u32]) -> bool {
        let len = self.haystack.bytes.len();
        let mut sum = 0;
        for &rule in woken {
            let with = &self.layer.rules[rule as usize];
            if with.matcher.is_seldom && with.is_led_by_words(self.min_score) {
                let mut from = 0;
                while let Some(near) = self.next_stretch(with, from).filter(|_| from < len) {
                    sum += near.len();
                    from = near.end;
                    if sum > len / DENSE_SHARE {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Offers all places around the words that lead to the rule.
    fn offer_stretches(&mut self, rule: u32) {
        let bytes = self.haystack.bytes;
        let with = &self.layer.rules[rule as usize];
        let mut from = 0;
        while let Some(near) = self.next_stretch(with, from) {
            let end = near.end.min(bytes.len());
            for start in near.start..end {
                if with.matcher.may_start(bytes, start) {
                    self.try_at(rule, start);
                }
            }
            from = near.end.max(self.cursor(rule));
            if self.is_searching(rule) || from >= bytes.len() {
                break;
            }
        }
    }

    /// The first stretch of places from `from` on near a word that leads to the rule.
    fn next_stretch(&self, with: &LayerRule, from: usize) -> Option<Range<usize>> {
        match with.context_gate(self.min_score) {
            Some(gate) => self.literals.next_near_context(gate, from),
            None => self.literals.next_near_keyword(with, from),
        }
    }

    /// Offers the places from which only bytes of `before` lead up to an anchor.
    fn offer_before(&mut self, rule: u32, anchors: &[usize], before: &ByteSet, reach: usize) {
        let bytes = self.haystack.bytes;
        let mut previous = 0;
        for &anchor in anchors {
            // Nothing before the cursor matters, and what lies before the previous anchor was offered for
            // that one.
            let floor = anchor.saturating_sub(reach).max(self.cursor(rule)).max(previous);
            previous = anchor;
            let mut start = anchor;
            while start > floor && before.contains(bytes[start - 1]) {
                start -= 1;
            }
            while start < anchor && !self.is_searching(rule) {
                self.offer(rule, start);
                start = (start + 1).max(self.cursor(rule));
            }
        }
    }
}

/// With more hits than one in so many bytes, plus a few, candidates cost more than a search.
const FLOOD_SHARE: usize = 8;
const FLOOD_FREE: usize = 64;

/// The table of shapes reads every haystack anyway: looking for some more is worth it early.
const DENSE_SHARE: usize = 4;

fn touch(places: &mut Places, touched: &mut Vec<u32>, id: u32) {
    if !places.touched {
        places.touched = true;
        touched.push(id);
    }
}

fn wake(rules: &[u32], is_woken: &mut [bool], woken: &mut Vec<u32>) {
    for &rule in rules {
        if !std::mem::replace(&mut is_woken[rule as usize], true) {
            woken.push(rule);
        }
    }
}

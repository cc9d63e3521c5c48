//! Where the literals of a layer stand, and the candidates that follow from it.

use std::ops::Range;

use crate::compile::gate::Gate;
use crate::layer::{Layer, LayerRule};

use super::verify::{self, Haystack, Raw, RuleState};

/// How near a rule's keyword must start to a match's start, in bytes, on either side.
pub(crate) const KEYWORD_REACH: usize = 256;

/// The places of a layer's literals in the present haystack.
#[derive(Debug, Default)]
pub(super) struct Literals {
    places: Vec<Places>,
    /// The literals that were found, to forget them cheaply.
    touched: Vec<u32>,
    /// The rules that have an anchor in the haystack, in the order of their numbers once sorted.
    woken: Vec<u32>,
    is_woken: Vec<bool>,
    scratch: Vec<usize>,
}

#[derive(Debug, Default)]
struct Places {
    touched: bool,
    /// Starts in ascending order, for literals that are anchors.
    starts: Vec<usize>,
    /// There were too many to be worth keeping; `starts` is incomplete.
    flooded: bool,
    /// For keywords: first and last start of stretches in which no gap exceeds the keyword's reach.
    stretches: Vec<(usize, usize)>,
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
            places.stretches.clear();
        }
        let Some(literals) = &layer.literals else { return };
        if !haystack.field.is_empty() {
            for hit in literals.find_overlapping_iter(haystack.field) {
                if layer.uses[hit.pattern().as_usize()].is_keyword {
                    // As if it stood directly before the text.
                    self.note_keyword(layer, hit.pattern().as_u32(), 0);
                }
            }
        }
        let flood = haystack.bytes.len() / FLOOD_SHARE + FLOOD_FREE;
        for hit in literals.find_overlapping_iter(haystack.bytes) {
            let id = hit.pattern().as_u32();
            let uses = &layer.uses[id as usize];
            if uses.is_keyword {
                self.note_keyword(layer, id, hit.start());
            }
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

    fn note_keyword(&mut self, layer: &Layer, id: u32, start: usize) {
        let places = &mut self.places[id as usize];
        match places.stretches.last_mut() {
            Some((_, last)) if start - *last <= KEYWORD_REACH => *last = start,
            _ => places.stretches.push((start, start)),
        }
        if places.stretches.len() == 1 {
            touch(places, &mut self.touched, id);
            wake(&layer.uses[id as usize].wakes, &mut self.is_woken, &mut self.woken);
        }
    }

    /// Whether the rule has no keywords or one of them is within reach of `start`.
    pub(super) fn keyword_near(&self, rule: &LayerRule, start: usize) -> bool {
        rule.keywords.is_empty()
            || rule.keywords.iter().any(|&id| {
                let stretches = &self.places[id as usize].stretches;
                let next = stretches.partition_point(|&(_, last)| last + KEYWORD_REACH < start);
                stretches.get(next).is_some_and(|&(first, _)| first <= start + KEYWORD_REACH)
            })
    }

    /// The first stretch of places from `from` on that are within reach of a keyword of the rule. More may
    /// follow it directly.
    pub(super) fn next_near_keyword(&self, rule: &LayerRule, from: usize) -> Option<Range<usize>> {
        rule.keywords
            .iter()
            .filter_map(|&id| {
                let stretches = &self.places[id as usize].stretches;
                let next = stretches.partition_point(|&(_, last)| last + KEYWORD_REACH < from);
                let &(first, last) = stretches.get(next)?;
                Some(from.max(first.saturating_sub(KEYWORD_REACH))..last + KEYWORD_REACH + 1)
            })
            .min_by_key(|stretch| stretch.start)
    }

    /// Hands out the rules that have an anchor in the haystack, once.
    pub(super) fn take_woken(&mut self, mut each: impl FnMut(&mut Self, u32)) {
        let mut woken = std::mem::take(&mut self.woken);
        woken.sort_unstable();
        for rule in woken.drain(..) {
            self.is_woken[rule as usize] = false;
            each(self, rule);
        }
        self.woken = woken;
    }

    /// The starts of all the rule's anchors in ascending order, or `None` if there are too many.
    fn anchors(&mut self, rule: &LayerRule) -> Option<Vec<usize>> {
        let mut starts = std::mem::take(&mut self.scratch);
        starts.clear();
        for &id in &rule.anchors {
            let places = &self.places[id as usize];
            if places.flooded {
                self.scratch = starts;
                return None;
            }
            starts.extend_from_slice(&places.starts);
        }
        if rule.anchors.len() > 1 {
            starts.sort_unstable();
            starts.dedup();
        }
        Some(starts)
    }
}

/// Offers every candidate of a woken rule.
pub(super) fn offer_all(
    layer: &Layer,
    rule: u32,
    state: &mut RuleState,
    literals: &mut Literals,
    haystack: &Haystack<'_>,
    out: &mut Vec<Raw>,
) {
    let with = &layer.rules[rule as usize];
    if with.matcher.gate == Gate::Keywords {
        let mut from = 0;
        while let Some(near) = literals.next_near_keyword(with, from) {
            for start in near.start..near.end.min(haystack.bytes.len()) {
                if with.matcher.first.contains(haystack.bytes[start]) {
                    verify::offer(layer, rule, state, literals, haystack, start, out);
                }
            }
            from = near.end.max(state.cursor());
            if state.is_searching() || from >= haystack.bytes.len() {
                break;
            }
        }
        return;
    }
    let Some(anchors) = literals.anchors(with) else {
        state.give_up_on_candidates(0);
        return;
    };
    match &with.matcher.gate {
        Gate::Inner { before, reach, .. } => {
            let mut previous = 0;
            for &anchor in &anchors {
                // The run of bytes that may lead up to the anchor. Nothing before the cursor matters, and what
                // lies before the previous anchor was offered for that one.
                let floor = anchor.saturating_sub(*reach).max(state.cursor()).max(previous);
                previous = anchor;
                let mut first = anchor;
                while first > floor && before.contains(haystack.bytes[first - 1]) {
                    first -= 1;
                }
                for start in first..anchor {
                    if state.is_searching() || state.cursor() > anchor {
                        break;
                    }
                    if with.matcher.first.contains(haystack.bytes[start]) {
                        verify::offer(layer, rule, state, literals, haystack, start, out);
                    }
                }
            }
        }
        _ => {
            for &start in &anchors {
                verify::offer(layer, rule, state, literals, haystack, start, out);
            }
        }
    }
    literals.scratch = anchors;
}

/// With more hits than one in so many bytes, plus a few, candidates cost more than a search.
const FLOOD_SHARE: usize = 8;
const FLOOD_FREE: usize = 64;

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

//! From what the prefilter points at to places where a rule's match may start.

use super::verify::Pass;
use crate::byteset::ByteSet;
use crate::compile::gate::Gate;
use crate::context::{KEYWORD_REACH, WINDOW_BEFORE, is_whole_word};
use crate::finding::Span;
use crate::layer::{Entry, Layer};
use crate::prefilter::{DIGIT_RUN, Kernel, Runs, TOKEN_RUN};

/// What the windows of a layer led to in the present haystack.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Where each literal stands that is an anchor.
    literals: Vec<Starts>,
    /// The literals that were found, to forget them cheaply.
    touched: Vec<u32>,
    /// The rules that an anchor or a word leads to, in the order of their numbers once sorted.
    woken: Vec<u32>,
    is_woken: Vec<bool>,
    /// Where a word leads to a rule of a seldom shape: all such rules are looked for in one go.
    ranges: Ranges,
    /// Where a word leads to each other rule.
    own_ranges: Vec<Ranges>,
    /// How many places of one literal are worth keeping.
    flood: usize,
}

/// Half-open ranges; once settled, apart from each other and in order.
#[derive(Debug, Default)]
struct Ranges(Vec<(usize, usize)>);

impl Ranges {
    /// Adds a range, to one that it touches if that is the last.
    fn add(&mut self, (from, to): (usize, usize)) {
        match self.0.last_mut() {
            Some((last_from, last_to)) if from <= *last_to && to >= *last_from => {
                (*last_from, *last_to) = (from.min(*last_from), to.max(*last_to));
            }
            _ => self.0.push((from, to)),
        }
    }

    /// Puts them in order and makes those that touch one.
    fn settle(&mut self) {
        self.0.sort_unstable();
        self.0.dedup_by(|next, last| {
            let touches = next.0 <= last.1;
            if touches {
                last.1 = last.1.max(next.1);
            }
            touches
        });
    }
}

#[derive(Debug, Default)]
struct Starts {
    /// In ascending order.
    starts: Vec<usize>,
    /// There were too many to be worth keeping; `starts` is incomplete.
    flooded: bool,
}

impl Places {
    pub(super) fn new(layer: &Layer) -> Self {
        Self {
            literals: layer.literals.iter().map(|_| Starts::default()).collect(),
            is_woken: vec![false; layer.rules.len()],
            own_ranges: layer.rules.iter().map(|_| Ranges::default()).collect(),
            ..Self::default()
        }
    }

    /// Forgets the last haystack.
    pub(super) fn begin(&mut self, haystack: usize) {
        for id in self.touched.drain(..) {
            let literal = &mut self.literals[id as usize];
            literal.starts.clear();
            literal.flooded = false;
        }
        for rule in self.woken.drain(..) {
            self.is_woken[rule as usize] = false;
            self.own_ranges[rule as usize].0.clear();
        }
        self.ranges.0.clear();
        self.flood = haystack / FLOOD_SHARE + FLOOD_FREE;
    }

    fn wake(&mut self, rule: u32) {
        if !std::mem::replace(&mut self.is_woken[rule as usize], true) {
            self.woken.push(rule);
        }
    }

    fn keep(&mut self, literal: u32, start: usize) {
        let places = &mut self.literals[literal as usize];
        if places.starts.is_empty() {
            self.touched.push(literal);
        }
        if places.starts.len() < self.flood {
            places.starts.push(start);
        } else {
            places.flooded = true;
        }
    }

    /// Gathers the starts of all the rule's anchors in ascending order; false if there are too many.
    fn anchors(&self, anchors: &[u32], starts: &mut Vec<usize>) -> bool {
        starts.clear();
        for &id in anchors {
            let places = &self.literals[id as usize];
            if places.flooded {
                return false;
            }
            starts.extend_from_slice(&places.starts);
        }
        if anchors.len() > 1 {
            starts.sort_unstable();
            starts.dedup();
        }
        true
    }
}

impl Pass<'_> {
    /// Looks for the windows of the layer, and takes note of what they lead to.
    pub(super) fn find_windows(&mut self, kernel: Kernel) {
        let layer = self.layer;
        if layer.entries.is_empty() {
            return;
        }
        let bytes = self.haystack.bytes;
        let windows = &layer.windows;
        let places = |block: usize, mut bits: u64| {
            std::iter::from_fn(move || {
                let at = (bits != 0).then(|| block + bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
                (at < bytes.len()).then_some(at)
            })
        };
        kernel.hits(bytes, windows.literals(), |block, bits| {
            for at in places(block, bits) {
                windows.literals_at(bytes, at, |window| self.hit(window, at));
            }
        });
        kernel.hits(bytes, windows.others(), |block, bits| {
            for at in places(block, bits) {
                windows.others_at(bytes, at, |window| self.hit(window, at));
            }
        });
    }

    /// Takes note of a window at `at`.
    fn hit(&mut self, window: u32, at: usize) {
        let layer = self.layer;
        let bytes = self.haystack.bytes;
        for entry in &layer.entries[window as usize] {
            match *entry {
                Entry::Literal { literal, offset } => {
                    let text = &layer.literals[literal as usize].text;
                    if let Some(start) = stands(bytes, at, offset, text) {
                        self.literal(literal, start, bytes);
                    }
                }
                Entry::Shape { rule, offset } => {
                    if let Some(start) = at.checked_sub(offset).filter(|_| self.wants(rule)) {
                        self.offer_led(rule, start);
                    }
                }
            }
        }
    }

    /// Offers the places whose lead ends at `start`.
    fn offer_led(&mut self, rule: u32, start: usize) {
        let (min, max) = self.layer.rules[rule as usize].matcher.lead;
        for lead in (min..=max.min(start)).rev() {
            self.offer(rule, start - lead);
        }
    }

    /// Takes note of a literal that starts at `start` of `text`, which is the haystack or the field's name.
    fn literal(&mut self, id: u32, start: usize, text: &[u8]) {
        let literal = &self.layer.literals[id as usize];
        if !literal.anchor_of.is_empty() {
            self.places.keep(id, start);
            literal.anchor_of.iter().for_each(|&rule| self.places.wake(rule));
        }
        self.word(id, start, text, start);
    }

    /// Takes note of a keyword or context word that counts as standing at `place`.
    fn word(&mut self, id: u32, start: usize, text: &[u8], place: usize) {
        let literal = &self.layer.literals[id as usize];
        let near = (place.saturating_sub(KEYWORD_REACH), place + KEYWORD_REACH + 1);
        for &rule in &literal.keyword_of {
            if self.wants(rule) {
                self.lead(rule, near);
            }
        }
        let whole = Span { start, end: start + literal.text.len() };
        if !literal.context_of.is_empty() && is_whole_word(text, whole) {
            let from = place.saturating_sub(literal.context_reach);
            let around = (from, place + WINDOW_BEFORE + CHAR + 1);
            for &rule in &literal.context_of {
                let with = &self.layer.rules[rule as usize];
                if self.wants(rule) && with.is_led_by_context(self.min_score) {
                    self.lead(rule, around);
                }
            }
        }
    }

    /// Takes note that a word leads a rule to a range.
    fn lead(&mut self, rule: u32, range: (usize, usize)) {
        self.places.wake(rule);
        if self.layer.rules[rule as usize].matcher.is_seldom {
            self.places.ranges.add(range);
        } else {
            self.places.own_ranges[rule as usize].add(range);
        }
    }

    /// Lets the words of the field's name lead to the start of the text.
    pub(super) fn find_words_in_field(&mut self) {
        let field = self.haystack.field.as_bytes();
        if field.is_empty() {
            return;
        }
        let windows = &self.layer.windows;
        for at in 0..field.len() {
            windows.literals_at(field, at, |window| self.hit_in_field(window, at, field));
            windows.others_at(field, at, |window| self.hit_in_field(window, at, field));
        }
    }

    fn hit_in_field(&mut self, window: u32, at: usize, field: &[u8]) {
        let layer = self.layer;
        for entry in &layer.entries[window as usize] {
            if let Entry::Literal { literal, offset } = *entry
                && let Some(start) =
                    stands(field, at, offset, &layer.literals[literal as usize].text)
            {
                self.word(literal, start, field, 0);
            }
        }
    }

    /// Offers what runs of token bytes point at. `led` is scratch space.
    pub(super) fn offer_tokens(&mut self, runs: &Runs, led: &mut Vec<u32>) {
        let layer = self.layer;
        let bytes = self.haystack.bytes;
        let (mut scanned, mut prefixed) = (0, 0);
        for run in &runs.tokens {
            let to = run.end - TOKEN_RUN + 1;
            let from = run.start.saturating_sub(layer.tokens.reach).max(scanned);
            layer.tokens.shapes.scan(bytes, from, to, |rules, start| self.offer_each(rules, start));
            scanned = to;
            if !bytes[run.start..run.end].iter().any(u8::is_ascii_digit) {
                continue;
            }
            let prefixes = &layer.prefixes;
            let from = run.start.saturating_sub(prefixes.reach).max(prefixed);
            prefixes.table.find(bytes, from, to, |span, prefix| {
                self.offer_each(&prefixes.rules[prefix as usize], span.start);
            });
            prefixed = to;
            if let Some(reach) = layer.led_reach {
                let from = run.start.saturating_sub(reach);
                self.words.led_rules(&layer.words, &self.haystack, (from, to), led);
                for &rule in led.iter().filter(|&&rule| self.wants[rule as usize]) {
                    let Gate::TokenByKeyword { reach } = layer.rules[rule as usize].matcher.gate
                    else {
                        continue;
                    };
                    for start in run.start.saturating_sub(reach)..to {
                        self.offer(rule, start);
                    }
                }
            }
        }
    }

    /// Offers what runs of digits point at.
    pub(super) fn offer_digits(&mut self, runs: &Runs) {
        let layer = self.layer;
        let bytes = self.haystack.bytes;
        let mut scanned = 0;
        for run in &runs.digits {
            let to = run.end - DIGIT_RUN + 1;
            let from = run.start.saturating_sub(layer.digits.reach).max(scanned);
            layer.digits.shapes.scan(bytes, from, to, |rules, start| self.offer_each(rules, start));
            scanned = to;
        }
    }

    pub(super) fn offer_each(&mut self, rules: &[u32], start: usize) {
        for &rule in rules {
            if self.wants(rule) {
                self.offer(rule, start);
            }
        }
    }

    /// Offers what the anchors and words lead to that were found. `starts` is scratch space.
    pub(super) fn offer_woken(&mut self, starts: &mut Vec<usize>) {
        let layer = self.layer;
        let bytes = self.haystack.bytes;
        let mut ranges = std::mem::take(&mut self.places.ranges);
        ranges.settle();
        for &(from, to) in &ranges.0 {
            layer.by_words.scan(bytes, from, to, |rules, start| {
                for &rule in rules {
                    if self.places.is_woken[rule as usize] && self.wants(rule) {
                        self.offer(rule, start);
                    }
                }
            });
        }
        let mut woken = std::mem::take(&mut self.places.woken);
        woken.sort_unstable();
        for &rule in &woken {
            let with = &layer.rules[rule as usize];
            if !self.wants(rule) {
                continue;
            }
            if with.is_led_by_words(self.min_score) {
                let mut own = std::mem::take(&mut self.places.own_ranges[rule as usize]);
                own.settle();
                let places = own.0.iter().flat_map(|&(from, to)| from..to.min(bytes.len()));
                places.for_each(|start| self.offer(rule, start));
                self.places.own_ranges[rule as usize] = own;
                continue;
            }
            if !self.places.anchors(&with.anchors, starts) {
                self.give_up_on_candidates(rule);
                continue;
            }
            match &with.matcher.gate {
                Gate::Inner { before, reach, .. } => {
                    self.offer_before(rule, starts, before, *reach);
                }
                _ => starts.iter().for_each(|&start| self.offer_led(rule, start)),
            }
        }
        self.places.woken = woken;
        self.places.ranges = ranges;
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
            // With a lead, a match starts that much further left.
            let (min, max) = self.layer.rules[rule as usize].matcher.lead;
            let last = anchor.saturating_sub(min);
            start = start.saturating_sub(max).max(self.cursor(rule));
            while start <= last && !self.is_searching(rule) {
                self.offer(rule, start);
                start = (start + 1).max(self.cursor(rule));
            }
        }
    }
}

/// Where a literal starts of which the window at `offset` stands at `at`, if all of it stands there.
fn stands(text: &[u8], at: usize, offset: usize, literal: &[u8]) -> Option<usize> {
    let start = at.checked_sub(offset)?;
    let stands = text.get(start..start + literal.len())?;
    stands.eq_ignore_ascii_case(literal).then_some(start)
}

/// What widening a span to whole characters may add at an end.
const CHAR: usize = 3;

/// With more hits than one in so many bytes, plus a few, candidates cost more than a search.
const FLOOD_SHARE: usize = 8;
const FLOOD_FREE: usize = 64;

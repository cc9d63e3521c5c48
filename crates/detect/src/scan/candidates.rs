//! From what the passes over a text point at to places where a rule's match may start.

use super::verify::Pass;
use crate::byteset::ByteSet;
use crate::compile::NEEDED_WITHIN;
use crate::compile::gate::Gate;
use crate::context::{
    KEYWORD_REACH, WINDOW_AFTER, WINDOW_BEFORE, WordHit, WordMemo, is_keyword_place, is_whole_word,
};
use crate::finding::Span;
use crate::layer::{Entry, Layer, Reaching};
use crate::prefilter::{BLOCK, BLOCKS, DIGIT_RUN, Kernel, Marks, Runs, TOKEN_RUN};

/// What was found of a layer's literals and shapes in the present haystack.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Where literals stand that are anchors, and which anchors.
    anchors: Vec<(usize, u32)>,
    /// The literals that are keywords which lead by themselves.
    keywords: Vec<(usize, u32)>,
    /// The context words that lead to rules, in the text and in the field's name.
    leads: Vec<WordHit>,
    field_leads: Vec<u32>,
    /// Where windows of literals and others were hit, while these are looked for.
    marks: [Marks; 2],
    /// Where shapes stand, and whose.
    shapes: Vec<(usize, u32)>,
    /// The rules that words lead to by ranges, in the order of their numbers once sorted.
    woken: Vec<u32>,
    /// Where a word leads to each rule.
    ranges: Vec<Ranges>,
    /// The last round in which context words led to each rule, and in which each of these words was met.
    led_in: Vec<u32>,
    met_in: Vec<u32>,
    round: u32,
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

impl Places {
    pub(super) fn new(layer: &Layer) -> Self {
        Self {
            ranges: layer.rules.iter().map(|_| Ranges::default()).collect(),
            led_in: vec![0; layer.rules.len()],
            met_in: vec![0; layer.words.context_words()],
            ..Self::default()
        }
    }

    /// Forgets the last haystack.
    pub(super) fn begin(&mut self) {
        self.anchors.clear();
        self.keywords.clear();
        self.leads.clear();
        self.field_leads.clear();
        self.shapes.clear();
        for rule in self.woken.drain(..) {
            self.ranges[rule as usize].0.clear();
        }
    }

    /// Takes note that a word leads a rule to a range.
    fn lead(&mut self, rule: u32, range: (usize, usize)) {
        let ranges = &mut self.ranges[rule as usize];
        if ranges.0.is_empty() {
            self.woken.push(rule);
        }
        ranges.add(range);
    }
}

/// Takes note of a literal that stands at `start`.
pub(super) fn note(
    layer: &Layer,
    text: &[u8],
    (start, number): (usize, u32),
    places: &mut Places,
    words: &mut WordMemo,
) {
    let literal = layer.literals.get(number);
    let end = start + layer.literals.len(number);
    if let Some(word) = literal.word
        && is_whole_word(text, Span { start, end })
    {
        words.add(WordHit { start, end, word });
        if layer.words.leads(word) {
            places.leads.push(WordHit { start, end, word });
        }
    }
    if let Some(word) = literal.keyword
        && is_keyword_place(text, start)
    {
        words.add_keyword(WordHit { start, end, word });
        if literal.keyword_leads {
            places.keywords.push((start, number));
        }
    }
    layer.anchors_at(literal, text, end, |anchor| places.anchors.push((start, anchor)));
}

impl Pass<'_> {
    /// Looks for the windows of the layer, and takes note of what they are part of.
    pub(super) fn find_windows(&mut self, kernel: Kernel) {
        let layer = self.layer;
        if layer.entries.is_empty() {
            return;
        }
        let bytes = self.haystack.bytes;
        let mut marks = std::mem::take(&mut self.places.marks);
        let (mut from, mut blocks) = (0, 0);
        kernel.hits(bytes, layer.windows.both(), |at, [literals, others]| {
            marks[0].set(blocks, literals);
            marks[1].set(blocks, others);
            blocks += 1;
            if blocks == HIT_BLOCKS {
                self.look_at_hits(kernel, from, blocks, &mut marks);
                (from, blocks) = (at + BLOCK, 0);
            }
        });
        self.look_at_hits(kernel, from, blocks, &mut marks);
        self.places.marks = marks;
    }

    /// Takes note of the windows that stand where these blocks were hit.
    fn look_at_hits(&mut self, kernel: Kernel, at: usize, blocks: usize, marks: &mut [Marks; 2]) {
        let windows = &self.layer.windows;
        let bytes = self.haystack.bytes;
        for marks in &mut *marks {
            marks.gather(kernel, at, blocks);
            marks.cut(bytes.len());
        }
        windows.literals_at(bytes, marks[0].get(), |window, at| self.hit(window, at));
        windows.others_at(bytes, marks[1].get(), |window, at| self.hit(window, at));
        marks.iter_mut().for_each(Marks::clear);
    }

    /// Takes note of a window at `at`.
    fn hit(&mut self, window: u32, at: usize) {
        let layer = self.layer;
        let bytes = self.haystack.bytes;
        for entry in &layer.entries[window as usize] {
            match *entry {
                Entry::Literal { literal, offset } => {
                    let text = layer.literals.text(literal);
                    if let Some(start) = stands(bytes, at, offset, text) {
                        note(layer, bytes, (start, literal), self.places, self.words);
                    }
                }
                Entry::Shape { rule, offset } => {
                    if let Some(start) = at.checked_sub(offset).filter(|_| self.wants(rule)) {
                        self.places.shapes.push((start, rule));
                    }
                }
                Entry::Inner { rule, ahead } => {
                    if self.wants(rule) {
                        self.places.shapes.push((at + ahead, rule));
                    }
                }
            }
        }
    }

    /// Takes note of the words of the field's name.
    pub(super) fn find_words_in_field(&mut self) {
        let layer = self.layer;
        let field = self.haystack.field.as_bytes();
        if field.is_empty() {
            return;
        }
        // Keywords count anywhere in a name.
        layer.in_field.table.find(field, 0, field.len(), |span, number| {
            let literal = layer.in_field.literals[number as usize];
            let with = layer.literals.get(literal);
            if let Some(word) = with.word.filter(|_| is_whole_word(field, span)) {
                self.words.add_in_field(word);
                if layer.words.leads(word) {
                    self.places.field_leads.push(word);
                }
            }
            if let Some(keyword) = with.keyword {
                self.words.add_keyword_in_field(keyword);
                self.lead_keyword(literal, 0);
            }
        });
    }

    /// Lets a keyword lead to its rules.
    fn lead_keyword(&mut self, literal: u32, place: usize) {
        let (from, to) = (place.saturating_sub(KEYWORD_REACH), place + KEYWORD_REACH + 1);
        for &rule in self.layer.literals.keyword_of(literal) {
            if self.wants(rule) {
                self.places.lead(rule, (from, to));
            }
        }
    }

    /// Offers what the literals and shapes lead to that were found.
    pub(super) fn offer_anchored(&mut self, runs: &Runs) {
        let layer = self.layer;
        let mut shapes = std::mem::take(&mut self.places.shapes);
        shapes.iter().for_each(|&(at, rule)| self.offer_anchor(rule, at));
        shapes.clear();
        self.places.shapes = shapes;

        let mut anchors = std::mem::take(&mut self.places.anchors);
        if !anchors.is_sorted() {
            anchors.sort_unstable();
        }
        for &(start, anchor) in &anchors {
            let rule = layer.literals.anchored(anchor);
            if !self.wants(rule) {
                continue;
            }
            let with = layer.start(rule);
            // An anchor inside may have the digit before it.
            let from = start.saturating_sub(with.lead.1.into());
            let has_digit =
                |within| with.is_inner || runs.has_digit(from, start + usize::from(within) + 1);
            if with.digit_within.is_none_or(has_digit) {
                self.offer_anchor(rule, start);
            }
        }
        self.places.anchors = anchors;
        for at in 0..self.places.keywords.len() {
            let (start, literal) = self.places.keywords[at];
            self.lead_keyword(literal, start);
        }
    }

    /// Offers the places that an anchor of the rule at `at` leads to.
    fn offer_anchor(&mut self, rule: u32, at: usize) {
        let with = self.layer.start(rule);
        if with.is_inner {
            if let Gate::Inner { before, reach, .. } | Gate::InnerShape { before, reach, .. } =
                &self.layer.rules[rule as usize].matcher.gate
            {
                self.offer_before(rule, at, before, *reach);
            }
            return;
        }
        let (min, max) = (usize::from(with.lead.0), usize::from(with.lead.1));
        for lead in (min..=max.min(at)).rev() {
            self.offer(rule, at - lead);
        }
    }

    /// Offers the places from which only bytes of `before` lead up to an anchor.
    fn offer_before(&mut self, rule: u32, anchor: usize, before: &ByteSet, reach: usize) {
        let bytes = self.haystack.bytes;
        // Nothing before the cursor matters, and what lies before the previous anchor was offered for that one.
        let previous = self.previous_anchor(rule, anchor);
        let floor = anchor.saturating_sub(reach).max(self.cursor(rule)).max(previous);
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

    /// Offers what runs of token bytes point at. `led` is scratch space.
    pub(super) fn offer_tokens(&mut self, runs: &Runs, led: &mut Vec<u32>) {
        let layer = self.layer;
        let bytes = self.haystack.bytes;
        let mut scanned = 0;
        for run in &runs.tokens {
            let to = run.end - TOKEN_RUN + 1;
            let from = run.start.saturating_sub(layer.tokens.reach).max(scanned);
            layer.tokens.shapes.scan(bytes, from, to, |rules, start| self.offer_each(rules, start));
            scanned = to;
            if let Some(reach) = layer.led_reach
                && runs.has_digit(run.start, run.end)
            {
                let from = run.start.saturating_sub(reach);
                self.words.led_rules(&layer.words, (from, to), led);
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

    /// Offers what runs of digits, and single digits, point at.
    pub(super) fn offer_digits(&mut self, runs: &Runs) {
        let layer = self.layer;
        // With a low threshold the weak need no words.
        let weak = self.min_score <= layer.weak_score;
        for (table, is_weak) in [(&layer.digits.always, false), (&layer.digits.weak, true)] {
            if is_weak && !weak || table.shapes.is_empty() {
                continue;
            }
            let mut scanned = 0;
            for run in &runs.digits {
                let to = run.end - DIGIT_RUN + 1;
                scanned = self.offer_table(table, is_weak, (run.start, to), scanned, runs);
            }
        }
        for (table, is_weak) in [(&layer.digit.always, false), (&layer.digit.weak, true)] {
            if is_weak && !weak || table.shapes.is_empty() {
                continue;
            }
            let (mut scanned, mut at) = (0, 0);
            while let Some(start) = runs.next_digit(at, usize::MAX) {
                at = runs.digits_end(start);
                scanned = self.offer_table(table, is_weak, (start, at), scanned, runs);
            }
        }
    }

    /// Offers what fits a table's shapes from as far before `start` as it reaches up to `to`. Returns `to`.
    fn offer_table(
        &mut self,
        table: &Reaching,
        is_weak: bool,
        (start, to): (usize, usize),
        scanned: usize,
        runs: &Runs,
    ) -> usize {
        let bytes = self.haystack.bytes;
        let from = start.saturating_sub(table.reach).max(scanned);
        if !runs.has_digits(from, to + NEEDED_WITHIN, table.needed) {
            return to;
        }
        table.shapes.scan(bytes, from, to, |rules, start| {
            for &rule in rules {
                let led = is_weak && self.is_led_by_context(rule);
                if !led && self.wants(rule) {
                    self.offer(rule, start);
                }
            }
        });
        to
    }

    fn is_led_by_context(&self, rule: u32) -> bool {
        self.layer.rules[rule as usize].is_led_by_context(self.min_score)
    }

    pub(super) fn offer_each(&mut self, rules: &[u32], start: usize) {
        for &rule in rules {
            if self.wants(rule) {
                self.offer(rule, start);
            }
        }
    }

    /// Offers the weak rules that context words lead to.
    pub(super) fn offer_weak(&mut self, runs: &Runs) {
        let layer = self.layer;
        let bytes = self.haystack.bytes;
        let before = layer.weak_reach + WINDOW_AFTER + CHAR;
        let after = WINDOW_BEFORE + CHAR + 1;
        let (hits, field) = self.places.take_leads();
        for &word in &field {
            self.lead_weak(word, (0, after));
        }
        for &WordHit { start, word, .. } in &hits {
            self.lead_weak(word, (start.saturating_sub(before), start + after));
        }

        // Of the rest every match has a digit near its start.
        let table = &layer.by_words;
        let (mut first, mut last) = (0, 0);
        let mut known = None;
        let (mut scanned, mut at) = (0, 0);
        while !table.shapes.is_empty() {
            let near_field = !field.is_empty() && at <= after + table.reach;
            if !near_field {
                // On to the next word.
                let Some(next) = hits.get(first) else { break };
                at = at.max(next.start.saturating_sub(before));
            }
            let Some(start) = runs.next_digit(at, usize::MAX) else { break };
            at = runs.digits_end(start);
            let from = start.saturating_sub(table.reach).max(scanned);
            scanned = at;
            while hits.get(first).is_some_and(|hit| hit.start + after + table.reach <= start) {
                first += 1;
            }
            last = last.max(first);
            while hits.get(last).is_some_and(|hit| hit.start < at + before) {
                last += 1;
            }
            let near_field = !field.is_empty() && start <= after + table.reach;
            if first == last && !near_field {
                continue;
            }
            if known != Some((first, last, near_field)) {
                known = Some((first, last, near_field));
                self.places.next_round();
                let field = if near_field { &field[..] } else { &[] };
                for &word in hits[first..last].iter().map(|hit| &hit.word).chain(field) {
                    self.places.lead_all(word, layer.words.weak(word));
                }
            }
            table.shapes.scan(bytes, from, at, |rules, start| {
                for &rule in rules {
                    if self.places.led_in[rule as usize] == self.places.round
                        && self.wants(rule)
                        && self.is_led_by_context(rule)
                    {
                        self.offer(rule, start);
                    }
                }
            });
        }
        self.places.leads = hits;
        self.places.field_leads = field;
    }

    /// Lets a context word lead to the rules whose matches may have no digit near.
    fn lead_weak(&mut self, word: u32, range: (usize, usize)) {
        for &rule in self.layer.words.far(word) {
            if self.wants(rule) && self.is_led_by_context(rule) {
                self.places.lead(rule, range);
            }
        }
    }

    /// Offers all places of the ranges that words led to.
    pub(super) fn offer_ranges(&mut self, runs: &Runs) {
        let len = self.haystack.bytes.len();
        let mut woken = std::mem::take(&mut self.places.woken);
        woken.sort_unstable();
        for &rule in &woken {
            let within = self.layer.rules[rule as usize].matcher.digit_within;
            let mut ranges = std::mem::take(&mut self.places.ranges[rule as usize]);
            ranges.settle();
            for &(from, to) in &ranges.0 {
                if within.is_none_or(|within| runs.has_digit(from, to + within)) {
                    (from..to.min(len)).for_each(|start| self.offer(rule, start));
                }
            }
            self.places.ranges[rule as usize] = ranges;
        }
        self.places.woken = woken;
    }
}

impl Places {
    /// The context words that lead, in order.
    fn take_leads(&mut self) -> (Vec<WordHit>, Vec<u32>) {
        if !self.leads.is_sorted() {
            self.leads.sort_unstable();
        }
        (std::mem::take(&mut self.leads), std::mem::take(&mut self.field_leads))
    }

    /// Takes note that a word leads to these rules in this round. A word that comes again costs no more.
    fn lead_all(&mut self, word: u32, rules: &[u32]) {
        let round = self.round;
        if std::mem::replace(&mut self.met_in[word as usize], round) != round {
            rules.iter().for_each(|&rule| self.led_in[rule as usize] = round);
        }
    }

    fn next_round(&mut self) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.led_in.fill(0);
            self.met_in.fill(0);
            self.round = 1;
        }
    }
}

/// Where a literal starts of which the window at `offset` stands at `at`, if all of it stands there.
fn stands(text: &[u8], at: usize, offset: usize, literal: &[u8]) -> Option<usize> {
    let start = at.checked_sub(offset)?;
    let stands = text.get(start..start + literal.len())?;
    stands.eq_ignore_ascii_case(literal).then_some(start)
}

/// How many blocks are looked through before what was hit is looked at; every place of them may be.
const HIT_BLOCKS: usize = BLOCKS / 2;

/// What widening a span to whole characters may add at an end.
const CHAR: usize = 3;

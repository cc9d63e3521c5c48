//! Scanning: text in, findings out.

mod candidates;
pub(crate) mod field;
pub(crate) mod overlap;
pub(crate) mod verify;

use std::fmt;

use crate::context::WordMemo;
use crate::entity::EntityType;
use crate::finding::{Finding, RuleIndex, Span};
use crate::layer::Layer;
use crate::prefilter::{Kernel, Runs, Words};
use crate::ruleset::RuleSet;
use crate::terms;
use crate::view::Views;
use candidates::Places;
use field::FieldWords;
use verify::{Haystack, Pass, RuleState};

/// The score from which on a finding is acted upon, unless a caller says otherwise.
pub const DEFAULT_MIN_SCORE: f32 = 0.5;

/// What a scan should report.
#[derive(Clone, Copy)]
pub struct ScanOptions<'a> {
    /// Findings below this score are left out, before overlaps are resolved.
    pub min_score: f32,
    /// With a list, every finding of these entities is reported, also where another entity would have won
    /// the overlap; of findings of one entity, those inside another are left out. Without, findings do not
    /// overlap.
    pub entities: Option<&'a [EntityType]>,
    /// The name of the field, or the path to it, whose value the haystack is. Its words count as context
    /// and keywords directly before the text: `user.ssnNumber` says "user ssn number".
    pub field: Option<&'a str>,
}

/// Without the field's name, which is part of a body.
impl fmt::Debug for ScanOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanOptions")
            .field("min_score", &self.min_score)
            .field("entities", &self.entities)
            .field("field", &self.field.map(str::len))
            .finish()
    }
}

impl Default for ScanOptions<'_> {
    fn default() -> Self {
        Self { min_score: DEFAULT_MIN_SCORE, entities: None, field: None }
    }
}

/// Runs a rule set over haystacks. One per thread, reused: it owns the caches of lazily built automata and
/// the scratch space.
///
/// # Cost
///
/// Every byte is read in blocks of 64 by a few vector instructions, whatever the number of rules; only near
/// what these point at is a pattern run. A fresh scanner is cheap; a warm one faster, since patterns
/// compile as far as texts lead into them. Hostile text costs each rule a bounded multiple of its length
/// (see the crate's notes on untrusted input).
#[derive(Debug)]
pub struct Scanner {
    rules: RuleSet,
    layers: Vec<LayerScratch>,
    kernel: Kernel,
    runs: Runs,
    words: Words,
    terms: Vec<terms::Scratch>,
    field: FieldWords,
    overlap: overlap::Scratch,
    views: Views,
    steps: u64,
}

/// What one layer needs while it is scanned for, kept between scans for its memory.
#[derive(Debug)]
struct LayerScratch {
    /// Counts scans, so that states of earlier ones are known as such without touching each.
    scans: u64,
    states: Vec<RuleState>,
    active: Vec<u32>,
    places: Places,
    words: WordMemo,
    /// Which rules are looked for, and for which threshold that was decided if no caller picked them.
    wants: Vec<bool>,
    wants_for: Option<f32>,
    led: Vec<u32>,
    raw: Vec<verify::Raw>,
}

impl Scanner {
    /// A scanner for a rule set.
    #[must_use]
    pub fn new(rules: &RuleSet) -> Self {
        Self::with_kernel(rules, Kernel::best())
    }

    /// A scanner that reads text by the means of `kernel`.
    pub(crate) fn with_kernel(rules: &RuleSet, kernel: Kernel) -> Self {
        let layers = rules.layers().iter().map(|based| LayerScratch::new(&based.layer)).collect();
        Self {
            rules: rules.clone(),
            layers,
            kernel,
            runs: Runs::default(),
            words: Words::new(kernel),
            terms: rules.terms().iter().map(|_| terms::Scratch::default()).collect(),
            field: FieldWords::default(),
            overlap: overlap::Scratch::default(),
            views: Views::default(),
            steps: 0,
        }
    }

    /// The rule set.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Finds what the rules look for, ordered by start. The haystack may be any bytes; where it is UTF-8, no
    /// span splits a character.
    #[must_use]
    pub fn scan(&mut self, haystack: &[u8], options: &ScanOptions<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.scan_into(haystack, options, &mut findings);
        findings
    }

    /// As [`scan`](Self::scan), into a vector that is emptied first.
    pub fn scan_into(
        &mut self,
        haystack: &[u8],
        options: &ScanOptions<'_>,
        findings: &mut Vec<Finding>,
    ) {
        self.scan_plain(haystack, options, findings);
        let (rules, mut steps) = (self.rules.clone(), self.steps);
        let mut views = std::mem::take(&mut self.views);
        views.complete(&rules, haystack, options, findings, &mut |text, options, found| {
            self.scan_plain(text, options, found);
            steps += self.steps;
        });
        self.views = views;
        self.steps = steps;
        match options.entities {
            None => self.overlap.resolve(&self.rules, findings),
            Some(_) => overlap::drop_contained(&self.rules, findings),
        }
    }

    /// What every rule finds by itself in the text as it stands, in place of `findings`.
    fn scan_plain(
        &mut self,
        haystack: &[u8],
        options: &ScanOptions<'_>,
        findings: &mut Vec<Finding>,
    ) {
        match options.entities {
            None => self.scan_where(haystack, options, None, findings),
            Some(entities) => {
                let wanted = |rule: &crate::Rule| entities.contains(rule.entity());
                self.scan_where(haystack, options, Some(&wanted), findings);
            }
        }
    }

    /// All findings of the rules that `wanted` picks, overlaps unresolved, in no order.
    pub(crate) fn scan_where(
        &mut self,
        haystack: &[u8],
        options: &ScanOptions<'_>,
        wanted: Option<&dyn Fn(&crate::Rule) -> bool>,
        findings: &mut Vec<Finding>,
    ) {
        findings.clear();
        self.steps = 0;
        self.field.set(options.field);
        self.read(haystack);
        let haystack = Haystack { bytes: haystack, field: self.field.text() };
        for (based, scratch) in self.rules.layers().iter().zip(&mut self.layers) {
            scratch.choose(&based.layer, options.min_score, wanted);
            let runs = &self.runs;
            self.steps +=
                scratch.scan(&based.layer, &haystack, options.min_score, self.kernel, runs);
            scratch.score(&based.layer, &haystack, options.min_score, |rule, span, score| {
                findings.push(Finding { rule: RuleIndex(based.base + rule), span, score });
            });
        }
        for (based, scratch) in self.rules.terms().iter().zip(&mut self.terms) {
            scratch.scan(
                &based.layer,
                &haystack,
                options.min_score,
                wanted,
                |rule, span, score| {
                    findings.push(Finding { rule: RuleIndex(based.base + rule), span, score });
                },
            );
        }
        if let Some(allow) = self.rules.allow() {
            findings.retain(|found| !allow.drops(found, &haystack.bytes[found.span.range()]));
        }
    }

    /// Reads the text: its runs, and the literals of every layer that its words lead to.
    fn read(&mut self, haystack: &[u8]) {
        let Self { rules, layers, runs, words, kernel, .. } = self;
        layers.iter_mut().for_each(LayerScratch::begin);
        let mut look = |words: &mut Words| {
            words.gather();
            for (based, scratch) in rules.layers().iter().zip(&mut *layers) {
                scratch.look(&based.layer, haystack, words, *kernel);
            }
            words.go_on();
        };
        runs.begin();
        words.begin();
        kernel.classify(haystack, |at, masks| {
            runs.push(at, masks);
            if words.push(masks) {
                look(words);
            }
        });
        words.finish(haystack.len());
        look(words);
    }

    /// How many bytes the last scan walked or searched with patterns: a measure of work that, unlike time,
    /// tests can rely on.
    #[doc(hidden)]
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

impl LayerScratch {
    fn new(layer: &Layer) -> Self {
        Self {
            scans: 0,
            states: layer.rules.iter().map(|_| RuleState::default()).collect(),
            active: Vec::new(),
            places: Places::new(layer),
            words: WordMemo::default(),
            wants: Vec::new(),
            wants_for: None,
            led: Vec::new(),
            raw: Vec::new(),
        }
    }

    /// Decides which rules to look for: those that are wanted and could reach the threshold.
    fn choose(
        &mut self,
        layer: &Layer,
        min_score: f32,
        wanted: Option<&dyn Fn(&crate::Rule) -> bool>,
    ) {
        if wanted.is_none() && self.wants_for == Some(min_score) {
            return;
        }
        self.wants_for = wanted.is_none().then_some(min_score);
        self.wants.clear();
        self.wants.extend(layer.rules.iter().map(|rule| {
            rule.can_reach(min_score) && wanted.is_none_or(|wanted| wanted(&rule.rule))
        }));
    }

    /// Forgets the last haystack.
    fn begin(&mut self) {
        self.raw.clear();
        self.active.clear();
        self.words.reset();
        self.places.begin();
    }

    /// Takes note of the literals that words lead to.
    fn look(&mut self, layer: &Layer, haystack: &[u8], words: &Words, kernel: Kernel) {
        layer.lexicon.find(haystack, words, kernel, |start, literal| {
            let found = (start, literal);
            candidates::note(layer, haystack, found, &mut self.places, &mut self.words);
        });
    }

    /// Finds raw matches: right by pattern, boundary, keyword and validator, not yet scored.
    fn scan(
        &mut self,
        layer: &Layer,
        haystack: &Haystack<'_>,
        min_score: f32,
        kernel: Kernel,
        runs: &Runs,
    ) -> u64 {
        let Self { scans, states, active, places, words, wants, led, raw, .. } = self;
        *scans += 1;
        let mut pass = Pass {
            layer,
            haystack: *haystack,
            min_score,
            scan: *scans,
            states,
            active,
            wants,
            places,
            words,
            out: raw,
            steps: 0,
        };
        pass.find_windows(kernel);
        pass.find_words_in_field();
        pass.words.settle(haystack.bytes.len());
        pass.offer_each(&layer.at_start, 0);
        pass.offer_anchored(runs);
        pass.offer_tokens(runs, led);
        pass.offer_digits(runs);
        pass.offer_weak(runs);
        pass.offer_ranges(runs);
        for &rule in &layer.open {
            let led = layer.rules[rule as usize].is_led_by_context(min_score);
            if pass.wants(rule) && !led {
                pass.give_up_on_candidates(rule);
            }
        }
        pass.search_rest()
    }

    /// Scores the raw matches and hands on those that reach `min_score`.
    fn score(
        &mut self,
        layer: &Layer,
        haystack: &Haystack<'_>,
        min_score: f32,
        mut found: impl FnMut(u32, Span, f32),
    ) {
        for raw in &self.raw {
            let rule = raw.rule as usize;
            let syntax = layer.rules[rule].rule.syntax();
            let best = if layer.words.can_rise(rule) {
                1.0
            } else {
                raw.score(syntax, Default::default())
            };
            if best < min_score {
                continue;
            }
            let neighbours = if layer.words.listens(rule) {
                self.words.neighbours(&layer.words, haystack, rule, raw.span)
            } else {
                Default::default()
            };
            let score = raw.score(syntax, neighbours);
            if score >= min_score {
                found(raw.rule, raw.span, score);
            }
        }
    }
}

#[cfg(test)]
mod tests;

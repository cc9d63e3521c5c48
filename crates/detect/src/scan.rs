//! Scanning: text in, findings out.

mod candidates;
pub(crate) mod field;
pub(crate) mod overlap;
pub(crate) mod verify;

use std::fmt;

use crate::compile::gate::Gate;
use crate::entity::EntityType;
use crate::finding::{Finding, RuleIndex, Span};
use crate::layer::Layer;
use crate::ruleset::RuleSet;
use crate::terms;
pub(crate) use candidates::KEYWORD_REACH;
use candidates::Literals;
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
/// Every byte passes one automaton over all literals and one table over all shapes, whatever the number of
/// rules; only near an anchor is a pattern run. A fresh scanner is cheap; a warm one faster, since patterns
/// compile as far as texts lead into them. Hostile text costs each rule a bounded multiple of its length
/// (see the crate's notes on untrusted input).
#[derive(Debug)]
pub struct Scanner {
    rules: RuleSet,
    layers: Vec<LayerScratch>,
    terms: Vec<terms::Scratch>,
    field: FieldWords,
    overlap: overlap::Scratch,
    steps: u64,
}

/// What one layer needs while it is scanned for, kept between scans for its memory.
#[derive(Debug)]
struct LayerScratch {
    /// Counts scans, so that states of earlier ones are known as such without touching each.
    scans: u64,
    states: Vec<RuleState>,
    active: Vec<u32>,
    literals: Literals,
    context: crate::context::ContextMemo,
    wanted: Vec<bool>,
    anchors: Vec<usize>,
    raw: Vec<verify::Raw>,
}

impl Scanner {
    /// A scanner for a rule set.
    #[must_use]
    pub fn new(rules: &RuleSet) -> Self {
        let layers = rules.layers().iter().map(|based| LayerScratch::new(&based.layer)).collect();
        Self {
            rules: rules.clone(),
            layers,
            terms: rules.terms().iter().map(|_| terms::Scratch::default()).collect(),
            field: FieldWords::default(),
            overlap: overlap::Scratch::default(),
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
        match options.entities {
            None => self.scan_where(haystack, options, None, findings),
            Some(entities) => {
                let wanted = |rule: &crate::Rule| entities.contains(rule.entity());
                self.scan_where(haystack, options, Some(&wanted), findings);
            }
        }
        match options.entities {
            None => self.overlap.resolve(&self.rules, findings),
            Some(_) => overlap::drop_contained(&self.rules, findings),
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
        let field = self.field.text();
        for (based, scratch) in self.rules.layers().iter().zip(&mut self.layers) {
            let haystack = Haystack { bytes: haystack, field };
            self.steps += scratch.scan(&based.layer, &haystack, options.min_score, wanted);
            scratch.score(&based.layer, &haystack, options.min_score, |rule, span, score| {
                findings.push(Finding { rule: RuleIndex(based.base + rule), span, score });
            });
        }
        for (based, scratch) in self.rules.terms().iter().zip(&mut self.terms) {
            let haystack = Haystack { bytes: haystack, field };
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
            findings.retain(|found| !allow.drops(found, &haystack[found.span.range()]));
        }
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
            literals: Literals::new(layer),
            context: crate::context::ContextMemo::default(),
            wanted: Vec::new(),
            anchors: Vec::new(),
            raw: Vec::new(),
        }
    }

    /// Finds raw matches: right by pattern, boundary, keyword and validator, not yet scored.
    fn scan(
        &mut self,
        layer: &Layer,
        haystack: &Haystack<'_>,
        min_score: f32,
        wanted: Option<&dyn Fn(&crate::Rule) -> bool>,
    ) -> u64 {
        let Self { scans, states, active, literals, context, wanted: mask, anchors, raw } = self;
        raw.clear();
        active.clear();
        context.reset();
        mask.clear();
        if let Some(wanted) = wanted {
            mask.extend(layer.rules.iter().map(|rule| wanted(&rule.rule)));
        }
        let is_wanted = |rule: u32| mask.is_empty() || mask[rule as usize];
        *scans += 1;

        literals.find(layer, haystack);
        let woken = literals.take_woken();
        let mut pass = Pass {
            layer,
            haystack: *haystack,
            min_score,
            scan: *scans,
            states,
            active,
            literals,
            context,
            out: raw,
        };
        // Rules that words lead to are looked for around their words, or, if these are everywhere, by shape.
        let by_words = |rule: u32| layer.rules[rule as usize].is_led_by_words(min_score);
        let dense = pass.words_are_dense(&woken);
        let by_shape = |rule: u32, literals: &Literals| match &layer.rules[rule as usize].matcher {
            matcher if by_words(rule) => dense && matcher.is_seldom && literals.is_woken(rule),
            matcher => matcher.gate == Gate::Shape,
        };
        let gated = dense || min_score <= layer.highest_gated_score;
        layer.shapes.scan(haystack.bytes, gated, |rules, start| {
            for &rule in rules {
                if is_wanted(rule) && by_shape(rule, pass.literals) {
                    pass.offer(rule, start);
                }
            }
        });
        for &rule in woken.iter().filter(|&&rule| is_wanted(rule)) {
            if !by_shape(rule, pass.literals) {
                pass.offer_all(rule, anchors);
            }
        }
        for &rule in layer.open.iter().filter(|&&rule| is_wanted(rule) && !by_words(rule)) {
            pass.give_up_on_candidates(rule);
        }
        let steps = pass.search_rest();
        literals.recycle_woken(woken);
        steps
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
            let best = if layer.context.can_rise(rule) {
                1.0
            } else {
                raw.score(syntax, Default::default())
            };
            if best < min_score {
                continue;
            }
            let neighbours = if layer.context.listens(rule) {
                let field = haystack.field.as_bytes();
                self.context.neighbours(&layer.context, haystack.bytes, field, rule, raw.span)
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

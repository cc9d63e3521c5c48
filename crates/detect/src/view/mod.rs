//! Values that are dressed up: found in views, reported where they lie.
//!
//! A rule looks for a value as it is usually written. The same value may stand in a text as `４１１１…` or
//! `4\u{200B}111…`, as `name%40example.com`, `&#110;ame&commat;example.com` or `\u0040`, directly behind a
//! literal `\n`, or in base64. A [`View`] is such a stretch of the text with the dress taken off and
//! a map back; the rules run over it as over any text, and what they find is carried back to the bytes of the
//! original that it was written with.
//!
//! # Two kinds of views
//!
//! *Folded* ([`window`]): where something is noticed that stands for something else, a window of some 256 bytes
//! around it is written out with **everything** in it undone: look-alikes of ASCII (digits of all scripts,
//! full-width and mathematical letters, dashes, spaces, dots), invisible characters, percent-encoding, HTML
//! entities, backslash escapes, and `+` for space in forms. The surroundings are in the view, so that keywords
//! and context words count. Of what is found only that is taken which touches a change, or which a changed word
//! nearby may have turned up; the rest was found without the view. What ends where the window was cut is not
//! taken. Where the dress alone had made a finding, what the view shows in its place replaces it.
//!
//! *Decoded* ([`encoded`]): a run of base64 or hexadecimal that decodes to text. There only what is nearly sure
//! counts ([`SURE_SECRET`], [`SURE`]), since text that somebody encoded is mostly not meant to be read. The finding covers
//! whole quanta, or the whole run if it is most of it.
//!
//! Views are made of views ([`DEPTH`] deep), so that percent-encoding inside base64 is undone as well, or
//! `\\u0040`.
//!
//! Dresses that need no map are rules in `rules/evasion.toml`: spelt-out addresses, numbers with their digits
//! set apart. Folding comes first, so both may be combined.
//!
//! # Accidents
//!
//! The reverse of the medal: what rules match inside the base64 of a picture is no finding; see [`blob`].
//!
//! # Cost
//!
//! Text without anything dressed up is passed by `memchr` for three signs, by words for bytes beyond ASCII and
//! by one word in sixteen bytes for runs: in all some 0.06 ns a byte of ASCII on the machine this was written on.
//! Scripts beyond ASCII add a pass by vectors over their blocks (0.1 ns a byte of Russian, 0.4 of Chinese), and
//! only characters that begin like one that folds are decoded. A window costs what its bytes cost to scan.
//! Windows do not overlap but at their edges, parts of runs by an eighth, and depth is bounded: text that is
//! nothing but dress costs a small multiple of its length. A view is made of a megabyte at most and takes a few
//! times that in memory.
//!
//! # The same in `naive`
//!
//! Views are part of what a rule set finds, not of how: the reference implementation calls the same
//! [`Views::complete`] with its own scan.

mod blob;
mod encoded;
mod escape;
mod fold;
mod map;
mod window;

use std::collections::BTreeMap;

use crate::entity::{Category, OperatorName};
use crate::finding::{Finding, Span};
use crate::ruleset::RuleSet;
use crate::scan::{ScanOptions, overlap};
use encoded::Runs;
use map::{Nearness, View};
use window::Windows;

/// Finds all that rules see in a text, without views and with overlaps unresolved, in place of what the vector
/// holds.
pub(crate) type PlainScan<'s> = dyn FnMut(&[u8], &ScanOptions<'_>, &mut Vec<Finding>) + 's;

/// The views of a text, kept between scans for their memory.
#[derive(Debug, Default)]
pub(crate) struct Views {
    levels: [Level; DEPTH],
}

/// How often a dress is taken off: once, and what was under it.
const DEPTH: usize = 2;

/// The least score that counts for a secret in decoded text: a format that proves itself.
const SURE_SECRET: f32 = 0.8;
/// The same for personal data.
const SURE: f32 = 0.9;

/// How far a keyword may stand from the finding it speaks for.
const REACH: usize = 128;

/// So many of those that begin before a place are looked at for one that reaches it.
const FEW: usize = 16;

#[derive(Debug, Default)]
struct Level {
    windows: Windows,
    view: View,
    found: Vec<Finding>,
    overlap: overlap::Scratch,
}

impl Views {
    /// Takes what `scan` found in `text` and makes it all that is to be found: adds what views show, and drops
    /// what is none.
    pub(crate) fn complete(
        &mut self,
        rules: &RuleSet,
        text: &[u8],
        options: &ScanOptions<'_>,
        findings: &mut Vec<Finding>,
        scan: &mut PlainScan<'_>,
    ) {
        complete(&mut self.levels, rules, text, options, findings, scan);
    }
}

fn complete(
    levels: &mut [Level],
    rules: &RuleSet,
    text: &[u8],
    options: &ScanOptions<'_>,
    findings: &mut Vec<Finding>,
    scan: &mut PlainScan<'_>,
) {
    blob::drop_accidents(text, findings);
    let Some((Level { windows, view, found, overlap }, deeper)) = levels.split_first_mut() else {
        return;
    };
    let mut merge = Merge::of(findings);

    let mut runs = Runs::new(text);
    while runs.next(view) {
        let options = inside(view, options, SURE_SECRET);
        scan(&view.text, &options, found);
        complete(deeper, rules, &view.text, &options, found, scan);
        found.retain(|finding| {
            finding.score >= SURE || rules.rule(finding.rule).category() == Category::Secret
        });
        if options.entities.is_none() {
            // Here, as what is most of the run becomes all of it, whichever was the longer.
            overlap.resolve(rules, found);
        }
        merge.take(view, found);
    }
    for window in windows.find(text) {
        window::undress(text, window.clone(), view);
        if view.is_changed() {
            let options = inside(view, options, 0.0);
            scan(&view.text, &options, found);
            complete(deeper, rules, &view.text, &options, found, scan);
            merge.unmask(rules, view, found);
            merge.take(view, found);
        }
    }
    merge.finish();
}

/// The options for a view: its text does not begin where the field does, unless it does.
fn inside<'o>(view: &View, options: &ScanOptions<'o>, least: f32) -> ScanOptions<'o> {
    ScanOptions {
        min_score: options.min_score.max(least),
        entities: options.entities,
        field: options.field.filter(|_| view.origin_start() == 0),
    }
}

/// Findings, and what of them is known already.
struct Merge<'f> {
    findings: &'f mut Vec<Finding>,
    /// For each rule and start the finding that reaches furthest, by its place in the vector; made when the
    /// first view has findings.
    known: Option<BTreeMap<(u32, usize), usize>>,
    /// The findings in the text itself by where they begin; made when the first window has findings.
    plain: Option<Vec<usize>>,
    /// How many findings there are in the text itself.
    plain_len: usize,
    /// Places of findings that turned out to be none.
    masks: Vec<usize>,
}

impl<'f> Merge<'f> {
    fn of(findings: &'f mut Vec<Finding>) -> Self {
        let plain_len = findings.len();
        Self { findings, known: None, plain: None, plain_len, masks: Vec::new() }
    }

    /// Marks what rules found in the letters of the dress itself, as a password in `4\u{200B}0\u{200B}7` where
    /// there is none in `407`: a finding that holds a change, that its rule does not make of the same place in
    /// the view, and all of which something else that was found in the view covers. Its score was for what does
    /// not stand there, and is not to decide what the place is called.
    fn unmask(&mut self, rules: &RuleSet, view: &View, found: &[Finding]) {
        if found.is_empty() || self.plain_len == 0 {
            return;
        }
        let findings = &*self.findings;
        let plain = self.plain.get_or_insert_with(|| {
            let mut plain: Vec<usize> = (0..self.plain_len).collect();
            plain.sort_by_key(|&place| findings[place].span.start);
            plain
        });
        let start = |place: &usize| findings[*place].span.start;
        let first = plain.partition_point(|place| start(place) < view.origin_start());
        let here = plain[first..].iter().take_while(|place| start(place) < view.origin_end());
        let mut here = here.copied().filter(|&place| view.changes(findings[place].span)).peekable();
        if here.peek().is_none() {
            return;
        }
        let mut by_rule: Vec<(u32, Span)> =
            found.iter().map(|finding| (finding.rule.0, view.original(finding.span))).collect();
        by_rule.sort_unstable();
        let mut covers: Vec<Span> = found
            .iter()
            .filter(|finding| {
                view.nearness(finding.span, 0) == Nearness::Touching
                    && view.is_whole(finding.span)
                    && rules.rule(finding.rule).operator() != Some(OperatorName::Keep)
            })
            .map(|finding| view.original(finding.span))
            .collect();
        covers.sort_unstable();
        for place in here {
            let Finding { rule, span, .. } = findings[place];
            let until = by_rule
                .partition_point(|(other, found)| (*other, found.start) < (rule.0, span.end));
            let again = by_rule[..until].iter().rev().take_while(|(other, _)| *other == rule.0);
            let until = covers.partition_point(|cover| cover.start <= span.start);
            let covered = covers[..until].iter().rev().take(FEW).any(|cover| cover.end >= span.end);
            if covered && !again.take(FEW).any(|(_, found)| found.end > span.start) {
                self.masks.push(place);
            }
        }
    }

    /// Removes what was marked.
    fn finish(mut self) {
        if self.masks.is_empty() {
            return;
        }
        self.masks.sort_unstable();
        let mut place = 0..;
        let masks = &self.masks;
        self.findings.retain(|_| place.next().is_some_and(|at| masks.binary_search(&at).is_err()));
    }

    /// Carries a view's findings back and adds those that say something new.
    fn take(&mut self, view: &View, found: &mut Vec<Finding>) {
        // No order is promised by a scan, but what is kept must not depend on it.
        found.sort_by(|a, b| {
            let key = |f: &Finding| (f.rule, f.span.start, usize::MAX - f.span.end);
            key(a).cmp(&key(b)).then(b.score.total_cmp(&a.score))
        });
        for finding in found.drain(..) {
            let nearness = view.nearness(finding.span, REACH);
            if nearness == Nearness::Far || !view.is_whole(finding.span) {
                continue;
            }
            let finding = Finding { span: view.original(finding.span), ..finding };
            match self.overlapping(finding.rule.0, finding.span) {
                None => self.add(finding),
                Some(place) => {
                    let known = self.findings[place].span;
                    let Span { start, end } = finding.span;
                    if known.end == end && view.split_unit_end(known.start) == Some(start) {
                        // `\nmarta@example.com` seems to begin with an n.
                        self.known().remove(&(finding.rule.0, known.start));
                        self.findings[place] = finding;
                        note(self.findings, self.known.get_or_insert_default(), place);
                    } else if nearness == Nearness::Touching
                        && !(known.start <= start && known.end >= end)
                    {
                        self.add(finding);
                    }
                }
            }
        }
    }

    fn add(&mut self, finding: Finding) {
        let place = self.findings.len();
        self.known();
        self.findings.push(finding);
        note(self.findings, self.known.get_or_insert_default(), place);
    }

    /// A known finding of the rule that overlaps the span, one that contains it first. Those of one rule
    /// seldom overlap each other, so the nearest few are all that can.
    fn overlapping(&mut self, rule: u32, span: Span) -> Option<usize> {
        self.known();
        let known = self.known.as_ref()?;
        let before = known.range((rule, 0)..(rule, span.end)).rev().take(4);
        let overlaps = before
            .map(|(_, &place)| place)
            .filter(|&place| self.findings[place].span.end > span.start);
        let contains = |place: &usize| {
            let known = self.findings[*place].span;
            known.start <= span.start && known.end >= span.end
        };
        overlaps.clone().find(contains).or_else(|| overlaps.clone().next())
    }

    fn known(&mut self) -> &mut BTreeMap<(u32, usize), usize> {
        self.known.get_or_insert_with(|| {
            let mut known = BTreeMap::new();
            (0..self.findings.len()).for_each(|place| note(self.findings, &mut known, place));
            known
        })
    }
}

fn note(findings: &[Finding], known: &mut BTreeMap<(u32, usize), usize>, place: usize) {
    let Finding { rule, span, .. } = findings[place];
    let furthest = known.entry((rule.0, span.start)).or_insert(place);
    if findings[*furthest].span.end < span.end {
        *furthest = place;
    }
}

#[cfg(test)]
mod tests;

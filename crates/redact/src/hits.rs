//! What was found in the texts of a reading, and where that lies in the body.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use oubliette_detect::{Category, Finding, RuleIndex, RuleSet, ScanOptions, Scanner};
use zeroize::Zeroizing;

use crate::explore::Explored;
use crate::field::CleanNames;
use crate::form;
use crate::json;
use crate::memo::Memo;
use crate::operator::Operator;
use crate::policy::Policy;
use crate::pool::Warm;
use crate::pseudonyms::{Pseudonyms, may_be_telling};
use crate::reading::{Kind, NodeId, Reading};

/// One finding in one text of a reading.
pub(crate) struct Hit {
    pub(crate) node: NodeId,
    pub(crate) span: Range<usize>,
    pub(crate) rule: RuleIndex,
    pub(crate) score: f32,
    /// The value, where it is not just the text at the span.
    value: Option<Zeroizing<Vec<u8>>>,
}

impl Hit {
    fn of(node: NodeId, finding: &Finding) -> Self {
        Self {
            node,
            span: finding.span.range(),
            rule: finding.rule,
            score: finding.score,
            value: None,
        }
    }

    pub(crate) fn value<'a>(&'a self, reading: &'a Reading<'_>) -> &'a [u8] {
        match &self.value {
            Some(value) => value,
            None => &reading.text(self.node)[self.span.clone()],
        }
    }
}

/// Everything found in one reading.
#[derive(Default)]
pub(crate) struct Hits {
    pub(crate) found: Vec<Hit>,
}

/// Text inside text is unescaped this often: a log line may quote a body that quotes a tool call.
const MAX_UNESCAPES: usize = 3;

impl Hits {
    /// Scans the texts that lie in these stretches of the body; `None` stands for all.
    pub(crate) fn scan(
        &mut self,
        explored: &Explored<'_>,
        warm: &mut Warm,
        policy: &Policy,
        changed: Option<&[Range<usize>]>,
        memo: &mut Memo,
    ) {
        let Warm { scanner, names } = warm;
        let reading = &explored.reading;
        for node in reading.texts() {
            if changed.is_some_and(|changed| !reading.touches(node, changed)) {
                continue;
            }
            let options = ScanOptions {
                min_score: policy.min_score,
                entities: policy.entities.as_deref(),
                field: reading.field(node),
            };
            let text = reading.text(node);
            let common = CleanNames::number_in(options.field, text);
            if common.is_some_and(|name| names.knows(name)) || memo.knows(text, options.field) {
                continue;
            }
            let before = self.found.len();
            self.scan_text(node, text, reading.node(node).kind, scanner, &options);
            if self.found.len() == before {
                match common {
                    Some(name) => names.learn(name),
                    None => memo.learn(text, options.field),
                }
            }
        }
        self.drop_those_aside(explored);
    }

    /// Scans a text, as it stands and with its escapes undone.
    pub(crate) fn scan_text(
        &mut self,
        node: NodeId,
        text: &[u8],
        kind: Kind,
        scanner: &mut Scanner,
        options: &ScanOptions<'_>,
    ) {
        let before = self.found.len();
        let findings = scanner.scan(text, options);
        self.found.extend(findings.iter().map(|finding| Hit::of(node, finding)));
        self.scan_unescaped(node, text, scanner, options);
        if kind == Kind::Schema {
            let mut at = 0;
            self.found.retain(|hit| {
                at += 1;
                at <= before || scanner.rules().rule(hit.rule).category() == Category::Secret
            });
        }
    }

    /// What stands in an attachment is part of it, and no more prose than the rest.
    fn drop_those_aside(&mut self, explored: &Explored<'_>) {
        if explored.aside.is_empty() {
            return;
        }
        let mut aside: BTreeMap<NodeId, Vec<Range<usize>>> = BTreeMap::new();
        for (node, what) in &explored.aside {
            aside.entry(*node).or_default().push(what.range());
        }
        aside.values_mut().for_each(|ranges| ranges.sort_by_key(|range| range.start));
        self.found.retain(|hit| {
            !aside.get(&hit.node).is_some_and(|ranges| {
                let next = ranges.partition_point(|range| range.end <= hit.span.start);
                ranges.get(next).is_some_and(|range| range.start < hit.span.end)
            })
        });
    }

    /// JSON quoted in prose, or broken JSON, hides values behind escapes: `\u0040` for `@`, or the
    /// `n` of `\n` before a number. So text with escapes is scanned both ways.
    fn scan_unescaped(
        &mut self,
        node: NodeId,
        text: &[u8],
        scanner: &mut Scanner,
        options: &ScanOptions<'_>,
    ) {
        let mut maps = Vec::new();
        let mut current = Zeroizing::new(Vec::new());
        let mut spaced = false;
        while maps.len() < MAX_UNESCAPES {
            let before = if maps.is_empty() { text } else { &current };
            let mut decoded = json::decode(before);
            if decoded.text.len() == before.len() {
                if spaced || !has_plus_for_space(before) {
                    break;
                }
                spaced = true;
                decoded = form::decode(before);
            }
            maps.push(decoded.map);
            current = Zeroizing::new(decoded.text.into_owned());
            for finding in scanner.scan(&current, options) {
                let back = |offset| maps.iter().rev().fold(offset, |at, map| map.raw(at));
                let span = back(finding.span.start)..back(finding.span.end);
                let value = Zeroizing::new(current[finding.span.range()].to_vec());
                self.found.push(Hit { span, value: Some(value), ..Hit::of(node, &finding) });
            }
        }
    }

    pub(crate) fn drop_kept(&mut self, rules: &RuleSet, policy: &Policy) {
        self.found.retain(|hit| policy.operator_for(rules.rule(hit.rule)) != Operator::Keep);
    }

    /// Adds the places where a value that some rule has found stands again, without the context
    /// that gave it away: in a citation, an error message, a URL, the other body.
    pub(crate) fn echo(
        &mut self,
        explored: &Explored<'_>,
        pseudonyms: &mut Pseudonyms,
        changed: Option<&[Range<usize>]>,
    ) {
        let reading = &explored.reading;
        if !pseudonyms.prepare() {
            return;
        }
        for node in reading.texts() {
            if changed.is_some_and(|changed| !reading.touches(node, changed)) {
                continue;
            }
            let text = reading.text(node);
            // Most texts are names, and a value that is remembered is none.
            if !may_be_telling(text) {
                continue;
            }
            pseudonyms.find(text, |span, rule| {
                if stands_alone(text, &span) {
                    self.found.push(Hit { node, span, rule, score: 1.0, value: None });
                }
            });
        }
        self.drop_those_aside(explored);
    }

    /// Every hit with its places in the body, in the order in which they stand there. Of hits that
    /// cover the same places only the first is left; if `all`, only of those of the same rule.
    pub(crate) fn placed(self, reading: &Reading<'_>, all: bool) -> Vec<(Hit, Vec<Range<usize>>)> {
        let mut placed: Vec<_> = self
            .found
            .into_iter()
            .map(|hit| {
                let ranges = reading.lift(hit.node, hit.span.clone());
                (hit, ranges)
            })
            .filter(|(_, ranges)| !ranges.is_empty())
            .collect();
        let key = |ranges: &[Range<usize>]| {
            (ranges[0].start, std::cmp::Reverse(ranges[ranges.len() - 1].end))
        };
        placed.sort_by(|(a, at), (b, bt)| {
            key(at).cmp(&key(bt)).then(b.score.total_cmp(&a.score)).then(a.rule.cmp(&b.rule))
        });
        // Streams interleave, so hits that reach past a range do not all follow each other.
        let mut kept: Vec<(Hit, Vec<Range<usize>>)> = Vec::with_capacity(placed.len());
        let mut last: VecDeque<(RuleIndex, Places)> = VecDeque::new();
        for (hit, ranges) in placed {
            let places = reading.settle_at(hit.node, hit.span.clone());
            let repeats = last
                .iter()
                .any(|(rule, others)| (!all || *rule == hit.rule) && covers(others, &places));
            if !repeats {
                if last.len() == REACH {
                    last.pop_front();
                }
                last.push_back((hit.rule, places));
                kept.push((hit, ranges));
            }
        }
        kept
    }
}

/// Whether a text holds a form or the query of a URL in which spaces are plus signs: `4111+1111`, `?q=the+key`. What
/// else stands behind percent signs the scanner sees by itself.
fn has_plus_for_space(text: &[u8]) -> bool {
    let is = |at: usize, kind: fn(&u8) -> bool| text.get(at).is_some_and(kind);
    let between = |at: usize, kind: fn(&u8) -> bool| at > 0 && is(at - 1, kind) && is(at + 1, kind);
    let in_query = |at: usize| {
        let before = text[..at].iter().rev().take(LONGEST_QUERY);
        let mut before = before.take_while(|b| !b.is_ascii_whitespace());
        before.any(|b| *b == b'=') && before.any(|b| b"?&".contains(b))
    };
    memchr::memchr3(b'=', b'%', b'&', text).is_some()
        && memchr::memchr_iter(b'+', text).any(|at| {
            between(at, u8::is_ascii_digit)
                || (between(at, u8::is_ascii_alphanumeric) && in_query(at))
        })
}

/// The beginning of a query is not looked for further back.
const LONGEST_QUERY: usize = 256;

/// Where a hit stands, by what is written as one.
type Places = Vec<(NodeId, Range<usize>)>;

/// How far back a repeated hit is looked for. Missing one costs nothing but a count too many: edits
/// that overlap are merged.
const REACH: usize = 16;

fn covers(outer: &Places, inner: &Places) -> bool {
    inner
        .iter()
        .all(|(at, i)| outer.iter().any(|(of, o)| of == at && o.start <= i.start && i.end <= o.end))
}

/// Whether a stretch of text is not part of a longer word or number.
pub(crate) fn stands_alone(text: &[u8], span: &Range<usize>) -> bool {
    let joins = |a: Option<&u8>, b: Option<&u8>| matches!((a, b), (Some(a), Some(b)) if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric());
    let before = span.start.checked_sub(1).and_then(|at| text.get(at));
    !joins(before, text.get(span.start)) && !joins(text.get(span.end - 1), text.get(span.end))
}

//! Findings that overlap.
//!
//! Of two that overlap the one with the higher score stays, then the longer, then the one of the earlier
//! rule. The other goes, but not what it covered: a short match inside a long token must not leave the
//! token's tail standing. Bytes that only a loser covered are added to the winner they touch; if that winner
//! is to be kept as it is, they become a finding of the loser. In the result nothing overlaps, and every byte
//! that any finding covered is covered.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::entity::OperatorName;
use crate::finding::{Finding, Span};
use crate::ruleset::RuleSet;

/// Space kept between resolutions.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    resolved: Vec<Finding>,
}

impl Scratch {
    /// Replaces findings by ones that do not overlap, ordered by start.
    pub(crate) fn resolve(&mut self, rules: &RuleSet, findings: &mut Vec<Finding>) {
        let keeps =
            |finding: &Finding| rules.rule(finding.rule).operator() == Some(OperatorName::Keep);
        sort(findings);
        self.resolved.clear();
        let mut rest = &findings[..];
        while let Some(first) = rest.first() {
            // A cluster: findings that are connected by overlaps. Most are alone.
            let mut end = first.span.end;
            let len = rest[1..]
                .iter()
                .take_while(|finding| {
                    let joined = finding.span.start < end;
                    end = if joined { end.max(finding.span.end) } else { end };
                    joined
                })
                .count();
            let (cluster, after) = rest.split_at(len + 1);
            match cluster {
                [alone] => self.resolved.push(*alone),
                _ => resolve_cluster(cluster, &keeps, &mut self.resolved),
            }
            rest = after;
        }
        std::mem::swap(findings, &mut self.resolved);
    }
}

/// Removes findings that lie inside another of the same entity; orders by start.
pub(crate) fn drop_contained(rules: &RuleSet, findings: &mut Vec<Finding>) {
    let entity = |finding: &Finding| rules.rule(finding.rule).entity();
    findings.sort_by(|a, b| {
        entity(a)
            .cmp(entity(b))
            .then(a.span.start.cmp(&b.span.start))
            .then(b.span.end.cmp(&a.span.end))
            .then_with(|| preference(a, b))
    });
    let mut last: Option<Finding> = None;
    findings.retain(|finding| {
        let inside = last.is_some_and(|outer| {
            entity(&outer) == entity(finding) && finding.span.end <= outer.span.end
        });
        if !inside {
            last = Some(*finding);
        }
        !inside
    });
    sort(findings);
}

/// By place, then by preference: an order that does not depend on how findings were come by.
fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| a.span.cmp(&b.span).then_with(|| preference(a, b)));
}

/// The preferred one first.
fn preference(a: &Finding, b: &Finding) -> Ordering {
    b.score
        .total_cmp(&a.score)
        .then(b.span.len().cmp(&a.span.len()))
        .then(a.rule.cmp(&b.rule))
        .then(a.span.start.cmp(&b.span.start))
}

fn resolve_cluster(
    cluster: &[Finding],
    keeps: &dyn Fn(&Finding) -> bool,
    resolved: &mut Vec<Finding>,
) {
    let mut ranked = cluster.to_vec();
    ranked.sort_by(preference);

    // By start; never overlapping.
    let mut winners: BTreeMap<usize, Finding> = BTreeMap::new();
    let mut losers = Vec::new();
    for finding in ranked {
        if last_before(&winners, finding.span.end)
            .is_some_and(|winner| winner.span.end > finding.span.start)
        {
            losers.push(finding);
        } else {
            winners.insert(finding.span.start, finding);
        }
    }
    for loser in losers {
        cover(&mut winners, loser, keeps);
    }
    resolved.extend(winners.into_values());
}

/// Gives the bytes that only `loser` covers to its neighbours.
fn cover(winners: &mut BTreeMap<usize, Finding>, loser: Finding, keeps: &dyn Fn(&Finding) -> bool) {
    let end = loser.span.end;
    let mut at = loser.span.start;
    while at < end {
        let left = last_before(winners, at + 1);
        if let Some(left) = left.filter(|left| left.span.end > at) {
            at = left.span.end;
            continue;
        }
        // A gap from `at` to the next winner or the loser's end.
        let next = winners.range(at..end).next().map(|(_, winner)| *winner);
        let gap = Span { start: at, end: next.map_or(end, |next| next.span.start) };
        let left = left.filter(|left| left.span.end == at && !keeps(left));
        if let Some(left) = left {
            let grown = Finding { span: Span { end: gap.end, ..left.span }, ..left };
            winners.insert(left.span.start, grown);
        } else if let Some(right) = next.filter(|right| !keeps(right)) {
            winners.remove(&right.span.start);
            let grown = Finding { span: Span { start: gap.start, ..right.span }, ..right };
            winners.insert(gap.start, grown);
        } else {
            winners.insert(gap.start, Finding { span: gap, ..loser });
        }
        at = gap.end;
    }
}

/// The last winner that starts before `at`.
fn last_before(winners: &BTreeMap<usize, Finding>, at: usize) -> Option<Finding> {
    winners.range(..at).next_back().map(|(_, winner)| *winner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Pack;
    use crate::finding::RuleIndex;

    fn rules() -> RuleSet {
        let rule = |id: &str, entity: &str, extra: &str| {
            format!(
                "[[rule]]\nid = '{id}'\nentity = '{entity}'\ncategory = 'pii'\npattern = '{id}'\nscore = 1\n{extra}\n"
            )
        };
        let text = format!(
            "pack = 't'\n{}{}{}",
            rule("a", "A", ""),
            rule("b", "B", ""),
            rule("k", "A", "operator = 'keep'")
        );
        RuleSet::builder().pack(Pack::from_toml("t", &text).unwrap()).build().unwrap()
    }

    fn finding((rule, start, end, score): (u32, usize, usize, f32)) -> Finding {
        Finding { rule: RuleIndex(rule), span: Span { start, end }, score }
    }

    fn resolve(list: &[(u32, usize, usize, f32)]) -> Vec<(u32, usize, usize)> {
        let mut findings: Vec<Finding> = list.iter().copied().map(finding).collect();
        Scratch::default().resolve(&rules(), &mut findings);
        findings.iter().map(|f| (f.rule.0, f.span.start, f.span.end)).collect()
    }

    #[test]
    fn score_then_length_then_rule_decides() {
        assert_eq!(resolve(&[(0, 0, 9, 0.5), (1, 0, 9, 0.6)]), [(1, 0, 9)]);
        assert_eq!(resolve(&[(1, 0, 9, 0.5), (0, 2, 4, 0.5)]), [(1, 0, 9)]);
        assert_eq!(resolve(&[(1, 0, 9, 0.5), (0, 0, 9, 0.5)]), [(0, 0, 9)]);
        assert_eq!(resolve(&[(0, 0, 4, 0.5), (1, 4, 9, 0.9)]), [(0, 0, 4), (1, 4, 9)]);
    }

    #[test]
    fn what_only_a_loser_covers_stays_covered() {
        assert_eq!(resolve(&[(0, 0, 10, 0.9), (1, 8, 20, 0.5)]), [(0, 0, 20)]);
        assert_eq!(resolve(&[(0, 5, 7, 0.9), (1, 0, 20, 0.5)]), [(0, 0, 20)]);
        let chain = [(0, 0, 10, 0.9), (1, 8, 20, 0.5), (0, 18, 30, 0.8)];
        assert_eq!(resolve(&chain), [(0, 0, 18), (0, 18, 30)]);
    }

    #[test]
    fn a_kept_winner_does_not_grow() {
        assert_eq!(resolve(&[(2, 5, 7, 1.0), (1, 0, 20, 0.5)]), [(1, 0, 5), (2, 5, 7), (1, 7, 20)]);
    }

    #[test]
    fn contained_findings_of_the_same_entity_are_dropped() {
        let mut findings: Vec<Finding> =
            [(0, 0, 9, 0.5), (2, 2, 4, 0.9), (1, 2, 4, 0.9), (0, 8, 12, 0.5)].map(finding).to_vec();
        drop_contained(&rules(), &mut findings);
        let left: Vec<_> = findings.iter().map(|f| (f.rule.0, f.span.start)).collect();
        assert_eq!(left, [(0, 0), (1, 2), (0, 8)]);
    }

    proptest! {
        #[test]
        fn nothing_overlaps_and_all_that_was_covered_is(
            list in prop::collection::vec((0u32..3, 0usize..60, 1usize..20, 0u8..4), 0..24)
        ) {
            let findings: Vec<Finding> = list
                .iter()
                .map(|&(rule, start, len, score)| {
                    finding((rule, start, start + len, f32::from(score) / 4.0))
                })
                .collect();
            let mut resolved = findings.clone();
            Scratch::default().resolve(&rules(), &mut resolved);
            let covered = |list: &[Finding]| {
                let mut bytes = [false; 80];
                list.iter().for_each(|f| bytes[f.span.range()].fill(true));
                bytes
            };
            prop_assert_eq!(covered(&findings), covered(&resolved));
            prop_assert!(resolved.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start));
            prop_assert!(resolved.iter().all(|f| !f.span.is_empty()));
            if let Some(best) = findings.iter().min_by(|a, b| preference(a, b)) {
                prop_assert!(resolved.iter().any(|f| f.rule == best.rule
                    && f.span.start <= best.span.start && f.span.end >= best.span.end));
            }
        }
    }
}

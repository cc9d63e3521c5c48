//! The engine's definition, slow and plain: every rule over the whole text, no gate, no table.
//!
//! It is what the scanner is held against in property tests, fuzzing and benches. Not part of the promise of
//! this crate's interface.

use regex_automata::{Anchored, Input};

use crate::context::{self, KEYWORD_REACH, Neighbours};
use crate::finding::Span;
#[cfg(any(test, feature = "naive"))]
use crate::finding::{Finding, RuleIndex};
use crate::layer::LayerRule;
#[cfg(any(test, feature = "naive"))]
use crate::prefilter::{BLOCK, Kernel, Runs};
use crate::rule::Rule;
#[cfg(any(test, feature = "naive"))]
use crate::ruleset::RuleSet;
use crate::scan::verify;
#[cfg(any(test, feature = "naive"))]
use crate::scan::{ScanOptions, Scanner, field::FieldWords, overlap};
#[cfg(any(test, feature = "naive"))]
use crate::terms;
#[cfg(any(test, feature = "naive"))]
use crate::view::Views;

/// Finds what [`Scanner::scan`](crate::Scanner::scan) finds.
#[cfg(any(test, feature = "naive"))]
#[must_use]
pub fn scan(rules: &RuleSet, haystack: &[u8], options: &ScanOptions<'_>) -> Vec<Finding> {
    let mut findings = scan_plain(rules, haystack, options);
    Views::default().complete(
        rules,
        haystack,
        options,
        &mut findings,
        &mut |text, options, found| {
            *found = scan_plain(rules, text, options);
        },
    );
    match options.entities {
        None => overlap::Scratch::default().resolve(rules, &mut findings),
        Some(_) => overlap::drop_contained(rules, &mut findings),
    }
    findings
}

/// Checks that all kernels that run here see the same in a text: the same runs, every hit of the portable one's
/// windows or more, and the same findings.
///
/// # Panics
///
/// If they do not.
#[cfg(any(test, feature = "naive"))]
pub fn kernels_agree(rules: &RuleSet, haystack: &[u8], options: &ScanOptions<'_>) {
    let see = |kernel: Kernel| {
        let mut runs = Runs::default();
        runs.begin();
        kernel.classify(haystack, |at, masks| runs.push(at, masks));
        (runs.digits, runs.tokens)
    };
    let hits = |kernel: Kernel| {
        let mut all = Vec::new();
        for based in rules.layers() {
            // A bit for each byte; blocks without a hit are not reported.
            let mut blocks = vec![[0u64; 2]; haystack.len().div_ceil(BLOCK)];
            kernel.hits(haystack, based.layer.windows.both(), |at, hits| {
                // What is hit past the end is nothing that could be missed.
                let past = BLOCK.saturating_sub(haystack.len() - at);
                blocks[at / BLOCK] = hits.map(|bits| bits & (u64::MAX >> past));
            });
            all.extend(blocks.into_iter().flatten());
        }
        all
    };
    let [expected, ..] = Kernel::all()[..] else { return };
    let (runs, windows) = (see(expected), hits(expected));
    let findings = Scanner::with_kernel(rules, expected).scan(haystack, options);
    for kernel in Kernel::all().into_iter().skip(1) {
        let name = kernel.name();
        assert!(see(kernel) == runs, "{name} sees other runs");
        let missed = hits(kernel).iter().zip(&windows).any(|(&has, &must)| must & !has != 0);
        assert!(!missed, "{name} misses a window");
        let found = Scanner::with_kernel(rules, kernel).scan(haystack, options);
        assert!(found == findings, "{name} finds something else");
    }
}

/// What every rule finds by itself in the text as it stands.
#[cfg(any(test, feature = "naive"))]
fn scan_plain(rules: &RuleSet, haystack: &[u8], options: &ScanOptions<'_>) -> Vec<Finding> {
    let mut field = FieldWords::default();
    field.set(options.field);
    let mut findings = Vec::new();
    for based in rules.layers() {
        for (number, rule) in (based.base..).zip(&based.layer.rules) {
            if options.entities.is_some_and(|list| !list.contains(rule.rule.entity())) {
                continue;
            }
            let field = field.text().as_bytes();
            for raw in matches(rule, haystack, field, options.min_score, &mut |_, _| ()) {
                let near = neighbours(&rule.rule, haystack, field, raw.span);
                let score = raw.score(rule.rule.syntax(), near);
                if score >= options.min_score {
                    findings.push(Finding { rule: RuleIndex(number), span: raw.span, score });
                }
            }
        }
    }
    for based in rules.terms() {
        for (number, rule) in (based.base..).zip(&based.layer.rules) {
            if options.entities.is_some_and(|list| !list.contains(rule.entity())) {
                continue;
            }
            for raw in terms::naive(rule, haystack) {
                let near = neighbours(rule, haystack, field.text().as_bytes(), raw.span);
                let score = raw.score(rule.syntax(), near);
                if score >= options.min_score {
                    findings.push(Finding { rule: RuleIndex(number), span: raw.span, score });
                }
            }
        }
    }
    if let Some(allow) = rules.allow() {
        findings.retain(|found| !allow.drops(found, &haystack[found.span.range()]));
    }
    findings
}

/// Why what a pattern matches is no match of its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Miss {
    /// What stands beside it.
    Boundary,
    /// No keyword is near.
    Keyword,
    /// The validator or what the finding must hold.
    Refused,
    /// No context word is near, and the rule requires one.
    Context,
}

/// The raw matches of a rule; `missed` is told of those that do not count.
pub(crate) fn matches(
    rule: &LayerRule,
    haystack: &[u8],
    field: &[u8],
    min_score: f32,
    missed: &mut dyn FnMut(Span, Miss),
) -> Vec<verify::Raw> {
    let matcher = &rule.matcher;
    let regex = &matcher.machines(rule.rule.syntax()).regex;
    let keywords: Vec<Vec<usize>> = rule
        .rule
        .syntax()
        .keywords
        .iter()
        .map(|word| {
            let in_field = places(field, word).next().map(|_| 0);
            let in_text =
                places(haystack, word).filter(|&start| context::is_keyword_place(haystack, start));
            in_field.into_iter().chain(in_text).collect()
        })
        .collect();
    let keyword_near = |start: usize| {
        keywords.is_empty()
            || keywords.iter().flatten().any(|&at| at.abs_diff(start) <= KEYWORD_REACH)
    };
    let mut found = Vec::new();
    let mut refused = 0;
    let mut cursor = 0;
    while cursor < haystack.len() {
        let input = Input::new(haystack).span(cursor..haystack.len());
        let Some(whole) = regex.find(input) else { break };
        let admitted = matcher.boundary.admits_start(haystack, whole.start());
        if !admitted || !keyword_near(whole.start()) {
            let miss = if admitted { Miss::Keyword } else { Miss::Boundary };
            missed(Span { start: whole.start(), end: whole.end() }, miss);
            cursor = whole.start() + 1;
            continue;
        }
        let span = matcher
            .value_group
            .and_then(|group| {
                let mut captures = regex.create_captures();
                let input = Input::new(haystack).span(whole.start()..haystack.len());
                regex.captures(input.anchored(Anchored::Yes), &mut captures);
                captures.get_group(group)
            })
            .map_or(whole.span(), |value| value);
        let span = Span { start: span.start, end: span.end };
        let admitted = matcher.boundary.admits_end(haystack, whole.end());
        let raw = admitted.then(|| verify::accept(rule, 0, haystack, span)).flatten();
        cursor = match raw {
            Some(raw)
                if rule.needs_context(min_score)
                    && !neighbours(&rule.rule, haystack, field, raw.span).support =>
            {
                missed(raw.span, Miss::Context);
                whole.start() + 1
            }
            Some(raw) => {
                found.push(raw);
                raw.span.end.max(whole.start() + 1)
            }
            None => {
                missed(span, if admitted { Miss::Refused } else { Miss::Boundary });
                refused += whole.len();
                let thrifty = refused > verify::refusal_budget(haystack.len());
                if thrifty { whole.end() } else { whole.start() + 1 }
            }
        };
    }
    found
}

pub(crate) fn neighbours(rule: &Rule, haystack: &[u8], field: &[u8], span: Span) -> Neighbours {
    let stands = |text: &[u8], from: usize, to: usize, word: &str| {
        context::spellings(word).iter().any(|spelling| {
            places(text, spelling).any(|start| {
                let end = start + spelling.len();
                start >= from && end <= to && context::is_whole_word(text, Span { start, end })
            })
        })
    };
    let any = |words: &[String], window: Span| {
        words.iter().any(|word| {
            stands(haystack, window.start, span.start, word)
                || stands(haystack, span.end, window.end, word)
                || (window.start == 0 && stands(field, 0, field.len(), word))
        })
    };
    let syntax = rule.syntax();
    Neighbours {
        support: any(&syntax.context, context::supporting(haystack, span)),
        explain_away: any(&syntax.negative_context, context::explaining(haystack, span)),
    }
}

/// Where `word` starts in `text`, ASCII case aside.
pub(crate) fn places<'t>(text: &'t [u8], word: &'t str) -> impl Iterator<Item = usize> + 't {
    let windows = text.windows(word.len()).enumerate();
    windows.filter(|(_, window)| window.eq_ignore_ascii_case(word.as_bytes())).map(|(at, _)| at)
}

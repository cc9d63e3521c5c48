//! Whether packs do what they say: the check behind `oubliette rules check`.

use std::collections::HashMap;
use std::fmt;

use crate::compile::Matcher;
use crate::compile::gate::Gate;
use crate::error::DetectError;
use crate::finding::Span;
use crate::limits::Limits;
use crate::pack::{Pack, RuleSource};
use crate::rule::Rule;
use crate::ruleset::{RuleSet, assemble};
use crate::scan::{DEFAULT_MIN_SCORE, ScanOptions, Scanner};

/// Something about a rule that should be mended, or known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The pack's file name.
    pub source: String,
    /// The rule's line in it, counted from 1; 0 if the problem is the pack's as a whole.
    pub line: usize,
    /// The rule's id; empty if the problem is the pack's as a whole.
    pub rule: String,
    /// What is wrong, and how to mend it.
    pub message: String,
    /// Whether it must be mended.
    pub severity: Severity,
}

/// Whether a problem must be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing: the rule works, at a price.
    Note,
    /// The rule does not do what it says.
    Error,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Note => "note: ",
            Severity::Error => "",
        };
        match (self.line, self.rule.as_str()) {
            (0, _) => write!(f, "{}: {severity}{}", self.source, self.message),
            (line, rule) => {
                write!(f, "{}:{line}: rule {rule}: {severity}{}", self.source, self.message)
            }
        }
    }
}

/// Checks packs as one set: ids are unique; patterns compile singly and together and match no empty text;
/// every example is matched by its rule, through the real scanner among all the other rules, exactly at the
/// spans marked with `[[` and `]]`; no negative example is; there is at least one of each; a rule that can
/// never reach the default threshold, or that no anchor leads to, is named.
#[must_use]
pub fn check(packs: &[Pack]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let limits = Limits::of_trusted_packs();
    let mut ids: HashMap<&str, &RuleSource> = HashMap::new();
    for source in packs.iter().flat_map(Pack::rules) {
        if let Some(other) = ids.insert(&source.syntax.id, source) {
            let at = format!("{}:{}", other.place.source(), other.place.line());
            problems.push(problem(
                source,
                Severity::Error,
                format!("the id stands already in {at}"),
            ));
        }
        match matcher(source, &limits) {
            Err(error) => problems.push(problem(source, Severity::Error, error.to_string())),
            Ok(Some(matcher)) if matcher.gate == Gate::Open && !source.syntax.context_required => problems.push(problem(
                source,
                Severity::Note,
                "no anchor: the pattern is searched for in every text, about 1 to 2 ns a byte; begin it \
                 with three fixed characters, or give keywords",
            )),
            Ok(_) => {}
        }
        fields(source, &mut problems);
    }
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return problems; // what does not compile cannot be tried
    }
    match assemble(&[], packs, &limits) {
        Ok(rules) => examples(&rules, &mut problems),
        Err(error) => problems.push(Problem {
            source: packs.first().map(|pack| pack.source_name().to_owned()).unwrap_or_default(),
            line: 0,
            rule: String::new(),
            message: error.to_string(),
            severity: Severity::Error,
        }),
    }
    problems
}

/// What runs a rule's pattern, if it has one.
fn matcher(source: &RuleSource, limits: &Limits) -> Result<Option<Matcher>, DetectError> {
    if source.syntax.is_of_terms() {
        return Ok(None);
    }
    Matcher::new(source, limits).map(Some)
}

fn problem(source: &RuleSource, severity: Severity, message: impl Into<String>) -> Problem {
    Problem {
        source: source.place.source().to_owned(),
        line: source.place.line(),
        rule: source.syntax.id.clone(),
        message: message.into(),
        severity,
    }
}

fn fields(source: &RuleSource, problems: &mut Vec<Problem>) {
    let rule = &source.syntax;
    let mut wrong = |message: &str| problems.push(problem(source, Severity::Error, message));
    if rule.description.trim().is_empty() {
        wrong("no description");
    }
    if rule.examples.is_empty() {
        wrong("no examples; give one, with [[ and ]] around the finding");
    }
    if rule.negative_examples.is_empty() {
        wrong("no negative_examples; give a text that looks alike and must not match");
    }
    if rule.context_required && rule.score >= DEFAULT_MIN_SCORE {
        wrong(
            "context_required, but the score reaches the default threshold of 0.5 without context",
        );
    }
    let highest = if rule.validator.is_some() { 1.0 } else { rule.score };
    let risen = if rule.context.is_empty() { highest } else { (highest + 0.35).max(0.4) };
    match (risen < DEFAULT_MIN_SCORE, rule.on_request) {
        (true, false) => wrong(
            "never reaches the default threshold of 0.5, not even with context (+0.35); say on_request if \
             that is meant",
        ),
        (false, true) => wrong("on_request, but the score reaches the default threshold of 0.5"),
        _ => {}
    }
}

fn examples(rules: &RuleSet, problems: &mut Vec<Problem>) {
    let mut scanner = Scanner::new(rules);
    for rule in rules.rules() {
        let source = rule.source();
        let mut wrong = |message: String| problems.push(problem(source, Severity::Error, message));
        for (number, example) in (1..).zip(&source.syntax.examples) {
            let Some((text, marked)) = unmark(example) else {
                wrong(format!("example {number} has no finding marked with [[ and ]]"));
                continue;
            };
            let found = spans(&mut scanner, rule, &text);
            if found != marked {
                let show = |spans: &[Span]| {
                    let list: Vec<_> =
                        spans.iter().map(|s| format!("{}..{}", s.start, s.end)).collect();
                    if list.is_empty() { "nothing".to_owned() } else { list.join(", ") }
                };
                let (marked, found) = (show(&marked), show(&found));
                wrong(format!("example {number} marks bytes {marked}, but the rule finds {found}"));
            }
        }
        for (number, example) in (1..).zip(&source.syntax.negative_examples) {
            if let Some(span) = spans(&mut scanner, rule, example).first() {
                let Span { start, end } = span;
                wrong(format!("negative example {number} is matched at bytes {start}..{end}"));
            }
        }
    }
}

/// What one rule finds at the threshold it is meant for, whichever rule would win.
fn spans(scanner: &mut Scanner, rule: &Rule, text: &str) -> Vec<Span> {
    let mut findings = Vec::new();
    let only = |other: &Rule| other.id() == rule.id();
    let min_score = if rule.syntax().on_request { 0.0 } else { DEFAULT_MIN_SCORE };
    let options = ScanOptions { min_score, ..ScanOptions::default() };
    scanner.scan_where(text.as_bytes(), &options, Some(&only), &mut findings);
    let mut spans: Vec<Span> = findings.iter().map(|finding| finding.span).collect();
    spans.sort();
    spans
}

/// The text without its marks, and the spans they marked; `None` without a well-formed pair.
fn unmark(example: &str) -> Option<(String, Vec<Span>)> {
    let mut text = String::new();
    let mut spans = Vec::new();
    let mut rest = example;
    while let Some((before, marked)) = rest.split_once("[[") {
        let (inside, after) = marked.split_once("]]")?;
        text.push_str(before);
        let start = text.len();
        text.push_str(inside);
        spans.push(Span { start, end: text.len() });
        rest = after;
    }
    text.push_str(rest);
    (!spans.is_empty()).then_some((text, spans))
}

#[cfg(test)]
mod tests;

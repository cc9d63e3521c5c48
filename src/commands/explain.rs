//! `oubliette scan --explain`.

use oubliette_detect::{Explanation, NearWord, Outcome, RuleSet, Verdict, WordPlace};
use oubliette_redact::{CapturedBody, Policy, Redactor};
use serde_json::{Value, json};

use super::scan::unreadable;
use crate::cli::Explained;
use crate::failure::Failure;
use crate::output::Output;

/// Prints why things are found, and why not.
pub(super) fn run(
    rules: &RuleSet,
    policy: Policy,
    body: &CapturedBody,
    explained: Explained,
) -> Result<(), Failure> {
    let redactor = Redactor::new(rules.clone(), policy);
    let mut out = Output::new();
    for one in redactor.explain(body).map_err(|error| unreadable(&error))? {
        let explanation = &one.explanation;
        if explained == Explained::All || is_near(explanation.outcome) {
            for span in &one.spans {
                out.json(&shown(rules, explanation, (span.start, span.end)))?;
            }
        }
    }
    out.done()
}

/// What only lacks a word or a boundary is mostly any word of a text.
fn is_near(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::NoKeyword | Outcome::NoContext | Outcome::Boundary)
}

fn shown(rules: &RuleSet, one: &Explanation, (start, end): (usize, usize)) -> Value {
    let rule = rules.rule(one.rule);
    let mut fields = json!({
        "rule": rule.id(),
        "entity": rule.entity(),
        "start": start,
        "end": end,
        "outcome": one.outcome.name(),
        "base_score": decimal(one.base_score),
        "score": decimal(one.score),
    });
    let mut field = |name: &str, value: Value| {
        fields[name] = value;
    };
    if let Outcome::LostTo(winner) = one.outcome {
        field("lost_to", rules.rule(winner).id().into());
    }
    if let (Some(name), Some(verdict)) = (rule.validator(), one.verdict) {
        let verdict = match verdict {
            Verdict::Valid => "valid",
            Verdict::Unknown => "unknown",
            Verdict::Invalid => "invalid",
        };
        field("validator", json!({ "name": name, "verdict": verdict }));
    }
    for (name, list) in [("raised_by", &one.raised_by), ("lowered_by", &one.lowered_by)] {
        if !list.is_empty() {
            field(name, list.iter().map(word).collect());
        }
    }
    if let Some(keyword) = &one.keyword {
        field("keyword", word(keyword));
    }
    fields
}

fn word(word: &NearWord) -> Value {
    let place = match word.place {
        WordPlace::Before => "before",
        WordPlace::After => "after",
        WordPlace::Field => "field",
    };
    json!({ "word": word.word, "distance": word.distance, "place": place })
}

/// Through the shortest decimal: 0.95 and not 0.949999988079071.
pub(super) fn decimal(score: f32) -> f64 {
    ((f64::from(score) * 1e4).round()) / 1e4
}

//! What TOML types cannot say about a rule's fields.

use super::{PackSyntax, RuleSource};
use crate::allow;
use crate::context::{self, MAX_WORD_BYTES};
use crate::entity::EntityType;
use crate::error::{DetectError, DetectErrorKind};
use crate::terms::MAX_TERM_BYTES;
use crate::validate;

pub(super) fn pack(source: &str, pack: &PackSyntax) -> Result<(), DetectError> {
    let id = &pack.pack;
    let good = (1..=64).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
    if good {
        return allow::check(source, &pack.allow);
    }
    Err(DetectError::new(
        DetectErrorKind::Syntax,
        format!("{source}: pack: write 1 to 64 of a-z, 0-9, `_` and `-`"),
    ))
}

pub(super) fn rule(source: &RuleSource) -> Result<(), DetectError> {
    let rule = &source.syntax;
    let wrong =
        |field: &str, mend: &str| Err(source.place.error(DetectErrorKind::Syntax, field, mend));

    let id_byte = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    if !(1..=96).contains(&rule.id.len()) || !rule.id.bytes().all(id_byte) {
        return wrong("id", "write 1 to 96 of a-z, 0-9, `.`, `_` and `-`");
    }
    if rule.entity.parse::<EntityType>().is_err() {
        return wrong("entity", "write 1 to 64 of A-Z, 0-9 and `_`, like EMAIL_ADDRESS");
    }
    match (rule.pattern.is_empty(), rule.is_of_terms()) {
        (true, false) => return wrong("pattern", "missing; give a `pattern`, or `terms`"),
        (false, true) => return wrong("terms", "give either these or a `pattern`"),
        _ => {}
    }
    if rule.is_of_terms() {
        for (field, given) in [
            ("unicode", rule.unicode),
            ("keywords", !rule.keywords.is_empty()),
            ("validator", rule.validator.is_some()),
            ("min_digits", rule.min_digits > 0),
            ("min_entropy", rule.min_entropy > 0.0),
        ] {
            if given {
                return wrong(field, "is for patterns; a rule of `terms` has none");
            }
        }
    }
    for (field, list) in [("terms", &rule.terms), ("allow", &rule.allow)] {
        let good =
            |term: &String| (1..=MAX_TERM_BYTES).contains(&term.len()) && term.trim() == term;
        if !list.iter().all(good) {
            return wrong(field, "each is 1 to 256 bytes, without space at either end");
        }
    }
    if !(0.0..=1.0).contains(&rule.score) {
        return wrong("score", "write a number from 0 to 1");
    }
    if !(0.0..=8.0).contains(&rule.min_entropy) {
        return wrong("min_entropy", "write a number of bits from 0 to 8");
    }
    if rule.context_required && rule.context.is_empty() {
        return wrong("context_required", "give `context` words, or leave this out");
    }
    for keyword in &rule.keywords {
        if !(2..=MAX_WORD_BYTES).contains(&keyword.len()) {
            return wrong("keywords", "each is 2 to 64 bytes long");
        }
    }
    for (field, words) in [("context", &rule.context), ("negative_context", &rule.negative_context)]
    {
        for word in words {
            if !context::is_word(word) {
                return wrong(field, "each is 1 to 64 bytes, without space at either end");
            }
        }
    }
    if let Some(name) = &rule.validator
        && validate::by_name(name).is_none()
    {
        let names: Vec<_> = validate::names().collect();
        return wrong(
            "validator",
            &format!("there is no validator `{name}`; there are {}", names.join(", ")),
        );
    }
    Ok(())
}

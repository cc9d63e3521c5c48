//! The name of a rule set: a hash of all that decides what it finds.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::allow::Allow;
use crate::rule::Rule;

/// SHA-256 over the canonical content of a rule set. `Display` is hex.
///
/// Two sets with the same digest find the same in any text. Examples, descriptions and references are left
/// out: editing them is no reason to redact anything again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleSetDigest([u8; 32]);

impl RuleSetDigest {
    pub(crate) fn of(rules: &[Rule], allow: Option<&Allow>) -> Self {
        let mut canon = Canon(Sha256::new());
        canon.text(FORMAT);
        for rule in rules {
            let syntax = rule.syntax();
            canon.text(&syntax.id);
            canon.text(&syntax.entity);
            canon.text(syntax.category.as_str());
            canon.text(&syntax.pattern);
            canon.flag(syntax.case_insensitive);
            canon.flag(syntax.unicode);
            canon.text(syntax.boundary().name());
            canon.list(&syntax.keywords);
            canon.list(&syntax.context);
            canon.list(&syntax.negative_context);
            canon.flag(syntax.context_required);
            canon.text(syntax.validator.as_deref().unwrap_or_default());
            canon.text(syntax.operator.map_or("", |operator| operator.as_str()));
            canon.0.update(syntax.min_digits.to_le_bytes());
            canon.0.update(syntax.min_entropy.to_bits().to_le_bytes());
            canon.0.update(syntax.score.to_bits().to_le_bytes());
            // No id is empty: an empty text begins what only some rules have.
            if syntax.is_of_terms() {
                canon.text("");
                canon.text("terms");
                canon.list(&syntax.terms);
            }
            if !syntax.allow.is_empty() {
                canon.text("");
                canon.text("allow");
                canon.list(&syntax.allow);
            }
        }
        for list in allow.into_iter().flat_map(Allow::syntax) {
            canon.text("");
            canon.text("allow list");
            canon.list(&list.entities);
            canon.list(&list.rules);
            canon.list(&list.terms);
            canon.list(&list.contains);
            canon.list(&list.patterns);
            canon.flag(list.case_insensitive);
        }
        Self(canon.0.finalize().into())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for RuleSetDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RuleSetDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RuleSetDigest({self})")
    }
}

/// Raised whenever the engine itself comes to find something else with the same rules.
const FORMAT: &str = "oubliette/v2/rule-set";

/// Fields with their lengths before them, so that none can pass for part of its neighbour.
struct Canon(Sha256);

impl Canon {
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }

    fn list(&mut self, list: &[String]) {
        self.0.update((list.len() as u64).to_le_bytes());
        list.iter().for_each(|item| self.text(item));
    }

    fn flag(&mut self, flag: bool) {
        self.0.update([u8::from(flag)]);
    }
}

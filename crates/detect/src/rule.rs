//! A rule of a rule set, as callers see it.

use std::sync::Arc;

use crate::entity::{Category, EntityType, OperatorName};
use crate::error::DetectError;
use crate::pack::{Pack, RuleSource, RuleSyntax};

/// One rule: what it looks for and what it says about it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rule(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pack: String,
    entity: EntityType,
    source: RuleSource,
}

impl Rule {
    pub(crate) fn new(pack: &Pack, source: &RuleSource) -> Result<Self, DetectError> {
        let entity = source.syntax.entity.parse()?;
        Ok(Self(Arc::new(Inner { pack: pack.id().to_owned(), entity, source: source.clone() })))
    }

    /// The id: stable, and unique within a rule set.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.syntax().id
    }

    /// The id of the pack it stands in.
    #[must_use]
    pub fn pack(&self) -> &str {
        &self.0.pack
    }

    /// What its findings are.
    #[must_use]
    pub fn entity(&self) -> &EntityType {
        &self.0.entity
    }

    /// The kind of thing its findings are.
    #[must_use]
    pub fn category(&self) -> Category {
        self.syntax().category
    }

    /// What the rule would have done to its findings, if it says so.
    #[must_use]
    pub fn operator(&self) -> Option<OperatorName> {
        self.syntax().operator
    }

    /// The score of a match that neither a validator nor context words speak about.
    #[must_use]
    pub fn score(&self) -> f32 {
        self.syntax().score
    }

    /// Whether it stays below the default threshold on purpose.
    #[must_use]
    pub fn is_on_request(&self) -> bool {
        self.syntax().on_request
    }

    /// What the rule says it is for.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.syntax().description
    }

    /// The regular expression as written; empty if the rule looks for terms.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.syntax().pattern
    }

    /// The terms it looks for in place of a regular expression.
    #[must_use]
    pub fn terms(&self) -> &[String] {
        &self.syntax().terms
    }

    /// The name of its validator.
    #[must_use]
    pub fn validator(&self) -> Option<&str> {
        self.syntax().validator.as_deref()
    }

    /// Where the pattern or the numbers behind it are described.
    #[must_use]
    pub fn references(&self) -> &[String] {
        &self.syntax().references
    }

    pub(crate) fn syntax(&self) -> &RuleSyntax {
        &self.0.source.syntax
    }

    pub(crate) fn source(&self) -> &RuleSource {
        &self.0.source
    }
}

//! Rule packs as they are written: TOML, checked, not yet compiled.

mod check;
mod locate;

use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use crate::allow::AllowSyntax;
use crate::boundary::Boundary;
use crate::entity::{Category, OperatorName};
use crate::error::{DetectError, DetectErrorKind};
use crate::terms;
use locate::Place;

/// A file of rules that was read and checked, field by field. Patterns are compiled by
/// [`RuleSetBuilder::build`](crate::RuleSetBuilder::build).
///
/// # Syntax
///
/// TOML: `pack`, the id (`[a-z0-9_-]`), a `description`, and `[[rule]]` tables. An unknown field is an error.
///
/// | field | meaning |
/// | --- | --- |
/// | `id` | unique in a rule set, never reused: `[a-z0-9._-]` |
/// | `entity` | what a finding is: `[A-Z0-9_]`, Presidio's name where one exists |
/// | `category` | `pii` or `secret` |
/// | `description` | one line |
/// | `pattern` | a regular expression of the `regex` crate; `.`, `\w`, `\b` and classes are ASCII or bytes unless `unicode = true`. A group `(?P<value>…)` is the finding's span; without one, the whole match |
/// | `terms` | in place of `pattern`, a deny list: the finding is one of these texts, the longest that stands there. As whole words unless `boundary` says otherwise |
/// | `case_insensitive` | fold the case of the pattern, or of the terms |
/// | `unicode` | give `\w`, classes and case folding their Unicode meaning (never `\b`) |
/// | `boundary` | what may not stand next to the whole match: `none` (default); `word`: `[A-Za-z0-9_]`; `digit`: `[0-9]`; `name`: `[A-Za-z0-9]` before it, unless a capital follows what is none, as in `myKey`; `token`: `[A-Za-z0-9_+/-]`, and `=` after it |
/// | `keywords` | one of these must start within 128 bytes of the match's start, before or after, in any case. It counts where a name begins: `git` in `GIT_KEY` and `myGitKey`, not in `digit`. A cheap sign to look for as well as a condition |
/// | `context` | whole words, in any case, that raise the score by 0.35, to at least 0.4, if they stand within 100 bytes before the finding or 50 after it. `_` separates words |
/// | `negative_context` | words that lower the score by 0.35, if they stand on the line of the finding, within 40 bytes before it or 16 after it |
/// | `context_required` | the validator's praise counts only with a context word, and a match that cannot reach the threshold without one is none |
/// | `validator` | a check by name: it drops the match, leaves the score or raises it to 1 |
/// | `min_digits` | how many ASCII digits the finding must hold. A random token of 16 characters without one is rare, a name of that length in code is not |
/// | `min_entropy` | how many bits a byte (Shannon) the finding must have |
/// | `on_request` | the rule stays below the default threshold on purpose: a scan finds it if it asks for a lower score |
/// | `score` | from 0 to 1, of a match that nothing else speaks about. From 0.5 on it is acted upon |
/// | `allow` | texts that are no finding of this rule, whatever matches: compared with the finding's whole span, in any case if `case_insensitive` |
/// | `operator` | `replace`, `mask`, `hash`, `remove` or `keep` |
/// | `examples` | texts in which `[[` and `]]` mark each finding of the rule |
/// | `negative_examples` | texts that look alike and hold none |
/// | `references` | where the format is described |
///
/// The name of the [field](crate::ScanOptions::field) that holds the text counts as keywords and context
/// directly before it.
///
/// # Allow lists
///
/// `[[allow]]` tables drop findings of any rule of the set before overlaps are resolved, those of the standard
/// packs included. A pack may consist of them alone.
///
/// ```toml
/// [[allow]]
/// entities = ["EMAIL_ADDRESS"]
/// terms = ["support@acme.example"]
/// patterns = ['[a-z]+@acme\.example']
/// case_insensitive = true
/// ```
///
/// | field | meaning |
/// | --- | --- |
/// | `entities`, `rules` | findings of these entities and of the rules with these ids; without either, all findings |
/// | `terms` | texts that are no finding: compared with the finding's whole span |
/// | `contains` | texts that are in no finding |
/// | `patterns` | regular expressions, as for rules, that match the whole finding |
/// | `case_insensitive` | in any (ASCII) case |
/// | `description` | why |
#[derive(Debug, Clone)]
pub struct Pack {
    source: Arc<str>,
    syntax: Arc<PackSyntax>,
    rules: Arc<[RuleSource]>,
}

impl Pack {
    /// Reads a pack. `source_name` is the file's name, used in messages only.
    ///
    /// ```
    /// use oubliette_detect::Pack;
    ///
    /// let error = Pack::from_toml("mine.toml", "pack = \"mine\"\n[[rule]]\nid = \"mine.badge\"\npatern = 'B-[0-9]{6}'\n")
    ///     .unwrap_err();
    /// assert!(error.to_string().starts_with("mine.toml:4: rule mine.badge: unknown field `patern`"));
    /// ```
    ///
    /// # Errors
    ///
    /// [`Syntax`](DetectErrorKind::Syntax) if it is not TOML, or a field is unknown, missing or has no such
    /// value; [`TooLarge`](DetectErrorKind::TooLarge) above 1 MiB.
    pub fn from_toml(source_name: &str, text: &str) -> Result<Self, DetectError> {
        if text.len() > MAX_PACK_BYTES {
            return Err(DetectError::new(
                DetectErrorKind::TooLarge,
                format!("{source_name}: larger than 1 MiB; split the pack"),
            ));
        }
        let mut syntax: PackSyntax = toml::from_str(text)
            .map_err(|error| locate::syntax_error(source_name, text, &error))?;
        let rules: Vec<RuleSource> = std::mem::take(&mut syntax.rules)
            .into_iter()
            .map(|rule| {
                let start = rule.span().start;
                let syntax = rule.into_inner();
                let place = Place::new(source_name, text, start, &syntax.id);
                RuleSource { syntax, place }
            })
            .collect();
        check::pack(source_name, &syntax)?;
        for rule in &rules {
            check::rule(rule)?;
        }
        Ok(Self { source: source_name.into(), syntax: Arc::new(syntax), rules: rules.into() })
    }

    /// The pack's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.syntax.pack
    }

    /// What the pack says it is for.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.syntax.description
    }

    /// The name it was read under.
    #[must_use]
    pub fn source_name(&self) -> &str {
        &self.source
    }

    /// The number of its rules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it has no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The pack with only the rules whose ids `keep` wants, and what its allow lists say about such rules or about
    /// entities.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        let rules = self.rules.iter().filter(|rule| keep(&rule.syntax.id)).cloned().collect();
        let narrowed = |table: &AllowSyntax| {
            let mut table = table.clone();
            let named = !table.rules.is_empty();
            table.rules.retain(|id| keep(id));
            (!named || !table.rules.is_empty() || !table.entities.is_empty()).then_some(table)
        };
        let syntax = PackSyntax {
            pack: self.syntax.pack.clone(),
            description: self.syntax.description.clone(),
            rules: Vec::new(),
            allow: self.syntax.allow.iter().filter_map(narrowed).collect(),
        };
        Self { source: self.source.clone(), syntax: Arc::new(syntax), rules }
    }

    /// The ids of its rules.
    pub fn rule_ids(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.syntax.id.as_str())
    }

    pub(crate) fn allow(&self) -> &[AllowSyntax] {
        &self.syntax.allow
    }

    pub(crate) fn rules(&self) -> &[RuleSource] {
        &self.rules
    }
}

/// A rule as written, and where.
#[derive(Debug, Clone)]
pub(crate) struct RuleSource {
    pub(crate) syntax: RuleSyntax,
    pub(crate) place: Place,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackSyntax {
    pack: String,
    #[serde(default)]
    description: String,
    #[serde(default, rename = "rule")]
    rules: Vec<Spanned<RuleSyntax>>,
    #[serde(default)]
    allow: Vec<AllowSyntax>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSyntax {
    pub(crate) id: String,
    pub(crate) entity: String,
    pub(crate) category: Category,
    #[serde(default)]
    pub(crate) description: String,
    /// Empty if there are terms.
    #[serde(default)]
    pub(crate) pattern: String,
    #[serde(default)]
    pub(crate) terms: Vec<String>,
    #[serde(default)]
    pub(crate) case_insensitive: bool,
    #[serde(default)]
    pub(crate) unicode: bool,
    boundary: Option<Boundary>,
    #[serde(default)]
    pub(crate) keywords: Vec<String>,
    #[serde(default)]
    pub(crate) context: Vec<String>,
    #[serde(default)]
    pub(crate) negative_context: Vec<String>,
    #[serde(default)]
    pub(crate) context_required: bool,
    pub(crate) validator: Option<String>,
    #[serde(default)]
    pub(crate) min_digits: u32,
    #[serde(default)]
    pub(crate) min_entropy: f32,
    #[serde(default)]
    pub(crate) on_request: bool,
    pub(crate) score: f32,
    #[serde(default)]
    pub(crate) allow: Vec<String>,
    pub(crate) operator: Option<OperatorName>,
    #[serde(default)]
    pub(crate) examples: Vec<String>,
    #[serde(default)]
    pub(crate) negative_examples: Vec<String>,
    #[serde(default)]
    pub(crate) references: Vec<String>,
}

impl RuleSyntax {
    /// What may not stand beside a match.
    pub(crate) fn boundary(&self) -> Boundary {
        let default = if self.is_of_terms() { terms::DEFAULT_BOUNDARY } else { Boundary::None };
        self.boundary.unwrap_or(default)
    }

    /// Whether it looks for terms instead of a pattern.
    pub(crate) fn is_of_terms(&self) -> bool {
        !self.terms.is_empty()
    }
}

/// Ample for hundreds of rules; what is larger is a mistake or an attack.
const MAX_PACK_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests;

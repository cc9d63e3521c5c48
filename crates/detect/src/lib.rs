//! Finds personal data and secrets in text by rules kept as data.
//!
//! ```
//! use oubliette_detect::{Pack, RuleSet, ScanOptions, Scanner};
//!
//! let badges = r#"
//! pack = "acme"
//! [[rule]]
//! id = "acme.badge"
//! entity = "ACME_BADGE"
//! category = "pii"
//! description = "Acme staff badge"
//! pattern = 'ACME-[0-9]{6}'
//! boundary = "word"
//! score = 0.9
//! "#;
//! let rules = RuleSet::builder().standard().pack(Pack::from_toml("acme.toml", badges)?).build()?;
//!
//! let mut scanner = Scanner::new(&rules);
//! let text = "badge ACME-204518 was lost";
//! let findings = scanner.scan(text.as_bytes(), &ScanOptions::default());
//!
//! assert_eq!(findings.len(), 1);
//! assert_eq!(&text[findings[0].span.range()], "ACME-204518");
//! assert_eq!(rules.rule(findings[0].rule).entity().as_str(), "ACME_BADGE");
//! # Ok::<(), oubliette_detect::DetectError>(())
//! ```
//!
//! A [`RuleSet`] is compiled once and shared; each thread has a [`Scanner`]; a [`Finding`] says which rule,
//! where and how sure, never the text. [`RuleSet::standard`] holds the embedded packs. The syntax of packs is
//! described at [`Pack`]; [`lint::check`] proves their examples.
//!
//! # Cost
//!
//! Each byte passes one automaton over all literals of all rules and one table over all shapes (a digit run, an
//! upper-case letter before eight digits). Patterns run only where one of these points, so the cost grows slowly
//! with the number of rules. A rule that neither can point to is searched for in every text; the linter names
//! such rules.
//!
//! # Untrusted input
//!
//! Text: any bytes. No text makes a scan fail or panic. Patterns match in linear time; what a rule may spend on
//! candidates that lead nowhere and on matches that its validator refuses is a fixed multiple of the text's
//! length (16 and 64), after which it goes on with coarser steps. A pattern that can match arbitrarily far and
//! is tried at arbitrarily many places costs each match one pass over the rest in the worst case, as with any
//! regular expression engine.
//!
//! Rules: packs may come from strangers. Regular expressions without look-around or back-references, of limited
//! length, nesting and compiled size; see [`Limits`]. They cannot match the empty text.
//!
//! # Offsets
//!
//! Spans are half-open ranges of bytes, and do not split characters. [`Offsets`] translates them to code
//! points and UTF-16 units.
//!
//! # Features
//!
//! `naive` adds a slow reference implementation to test and measure against.

mod allow;
mod anchor;
mod boundary;
mod byteset;
mod compile;
mod context;
mod digest;
mod entity;
mod error;
mod explain;
mod finding;
pub mod import;
mod layer;
mod limits;
pub mod lint;
#[cfg(not(any(test, feature = "naive")))]
mod naive;
#[cfg(any(test, feature = "naive"))]
#[doc(hidden)]
pub mod naive;
mod offsets;
mod pack;
mod prefilter;
mod rule;
mod ruleset;
mod scan;
mod terms;
mod validate;
mod validator;
mod view;
mod words;

pub use anchor::Anchor;
pub use digest::RuleSetDigest;
pub use entity::{Category, EntityType, OperatorName};
pub use error::{DetectError, DetectErrorKind};
pub use explain::{Explanation, NearWord, Outcome, WordPlace};
pub use finding::{Finding, RuleIndex, Span};
pub use limits::Limits;
pub use offsets::Offsets;
pub use pack::Pack;
pub use rule::Rule;
pub use ruleset::{RuleSet, RuleSetBuilder, standard_packs};
pub use scan::{DEFAULT_MIN_SCORE, ScanOptions, Scanner};
pub use validator::Verdict;

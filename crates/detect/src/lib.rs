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
//! Text is read in blocks of 64 bytes by the vector instructions of the processor (AVX-512 or AVX2, asked for at run
//! time; plain Rust elsewhere, with the same findings). That pass marks runs of digits and of token characters, and
//! places where a literal or a shape of some rule may stand. A pattern runs only where one of these points and the
//! first bytes fit, so the cost grows slowly with the number of rules, and with what looks like a value more than
//! with the length of the text. A rule to which nothing points is searched for in every text; [`lint`] names such
//! rules.
//!
//! The standard packs are compiled on first use, once in a process. Sets built upon them share them and cost their
//! own rules. A pattern's automata are built when the first candidate turns up.
//!
//! Values in disguise (other scripts' digits, invisible characters, percent-encoding, HTML entities, backslash
//! escapes, base64 and hexadecimal) are found by scanning stretches around what looks like one a second time; plain
//! text pays for noticing that there is nothing.
//!
//! # Untrusted input
//!
//! Text: any bytes. No text makes a scan fail or panic. Patterns match in linear time; what a rule may spend on
//! candidates that lead nowhere and on matches that its validator refuses is a fixed multiple of the text's
//! length (16 and 64), after which it goes on with coarser steps. A pattern that can match arbitrarily far and
//! is tried at arbitrarily many places costs each match one pass over the rest in the worst case, as with any
//! regular expression engine. Disguises are undone two deep and a megabyte at a time.
//!
//! Rules: packs may come from strangers. Regular expressions without look-around or back-references, of limited
//! length, nesting and compiled size; see [`Limits`]. They cannot match the empty text.
//!
//! # Offsets
//!
//! Spans are half-open ranges of bytes of the text as it was given, also where a value was in disguise: then
//! they cover all that it was written with. They do not split characters. [`Offsets`] translates them to code
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
mod frequency;
pub mod import;
mod layer;
mod lexicon;
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

//! Finds personal data and secrets in text by rules kept as data.

mod finding;

pub use finding::{Finding, RuleIndex, Span};

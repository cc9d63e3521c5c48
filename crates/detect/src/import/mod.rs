//! Rules of other projects, as packs of ours.
//!
//! ```
//! use oubliette_detect::{Pack, import};
//!
//! let theirs = r#"
//! [[rules]]
//! id = "acme-token"
//! regex = '''\bacme_([a-z0-9]{20})(?:['"\s]|$)'''
//! entropy = 3
//! keywords = ["acme_"]
//! "#;
//! let imported = import::gitleaks_toml("acme.toml", theirs)?;
//!
//! assert_eq!(imported.carried, 1);
//! assert!(imported.toml.contains(r#"(?P<value>[a-z0-9]{20})"#));
//! Pack::from_toml("imported.toml", &imported.toml)?;
//! # Ok::<(), oubliette_detect::DetectError>(())
//! ```
//!
//! What cannot be said exactly in [our syntax](crate::Pack) is left out, and a [`Note`] says why. Notes, and errors
//! of files that cannot be read, name rules and never quote patterns or lists: these may hold secrets.
//!
//! Imported rules have no examples: they load and scan, and `rules check` asks for examples until they are given
//! some.

mod gitleaks;
mod pack;
mod presidio;
mod regex;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::error::{DetectError, DetectErrorKind};

/// A pack made from somebody else's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// The pack, as [`Pack::from_toml`](crate::Pack::from_toml) reads it.
    pub toml: String,
    /// What became of each rule, in their order, and of what else the source held.
    pub notes: Vec<Note>,
    /// How many of the source's rules were carried over.
    pub carried: usize,
}

/// What became of a rule, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// The rule as the source names it; empty if the note is about the source as a whole.
    pub rule: String,
    /// What became of it.
    pub fate: Fate,
    /// What was changed, or why it was refused.
    pub message: String,
}

/// Whether a rule was carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fate {
    /// It means the same.
    Carried,
    /// It was carried over with changes that the message names.
    Changed,
    /// It was left out.
    Refused,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Carried => "carried over",
            Self::Changed => "changed",
            Self::Refused => "refused",
        })
    }
}

/// `acme-token: changed: …`, on one line whatever the name holds.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.rule.chars().take(MAX_NAME_CHARS) {
            write!(f, "{}", if c.is_control() { '\u{fffd}' } else { c })?;
        }
        if !self.rule.is_empty() {
            f.write_str(": ")?;
        }
        write!(f, "{}", self.fate)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

/// Names of other projects' rules are shown, but not whole books.
const MAX_NAME_CHARS: usize = 96;

/// A configuration of gitleaks: `[[rules]]` with `regex`, `secretGroup`, `entropy`, `keywords` and allow lists.
///
/// `source_name` is the file's name; the pack is called after it.
///
/// # Errors
///
/// [`Syntax`](DetectErrorKind::Syntax) if it is no such file, [`TooLarge`](DetectErrorKind::TooLarge) if it, or the
/// pack, is larger than 1 MiB.
pub fn gitleaks_toml(source_name: &str, text: &str) -> Result<Imported, DetectError> {
    check_size(source_name, text)?;
    gitleaks::import(source_name, text)
}

/// A file of Presidio recognizers: `recognizers:`, by themselves or in a `recognizer_registry:`.
///
/// # Errors
///
/// As [`gitleaks_toml`]; also if its aliases or its nesting are out of proportion.
pub fn presidio_yaml(source_name: &str, text: &str) -> Result<Imported, DetectError> {
    check_size(source_name, text)?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 16,
            max_alias_expansions_per_anchor: 1_000,
        },
        with_snippet: false,
    };
    let value = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map(|at| format!(":{}", at.line())).unwrap_or_default();
        // What the reader says may quote the file.
        syntax(source_name, &format!("{line}: not YAML within the limits on nesting and aliases"))
    })?;
    presidio::import(source_name, &value)
}

/// Presidio's ad-hoc recognizers in JSON: a list of them, a single one, or a request or a file that holds a list.
///
/// # Errors
///
/// As [`gitleaks_toml`].
pub fn presidio_json(source_name: &str, text: &str) -> Result<Imported, DetectError> {
    check_size(source_name, text)?;
    let value = serde_json::from_str(text).map_err(|error| {
        syntax(source_name, &format!(":{}: not JSON (see column {})", error.line(), error.column()))
    })?;
    presidio::import(source_name, &value)
}

/// Deeper files are no lists of rules.
const MAX_DEPTH: usize = 32;
/// A file of 1 MiB with a value every five bytes.
const MAX_NODES: usize = 200_000;
/// The same as for packs.
const MAX_SOURCE_BYTES: usize = 1 << 20;

fn check_size(source_name: &str, text: &str) -> Result<(), DetectError> {
    if text.len() <= MAX_SOURCE_BYTES {
        return Ok(());
    }
    let message = format!("{source_name}: larger than 1 MiB; split it");
    Err(DetectError::new(DetectErrorKind::TooLarge, message))
}

fn syntax(source_name: &str, message: &str) -> DetectError {
    DetectError::new(DetectErrorKind::Syntax, format!("{source_name}{message}"))
}

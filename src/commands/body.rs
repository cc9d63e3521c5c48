//! Bodies at hand: what `scan` and `redact` share.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use oubliette_detect::{Rule, RuleIndex, RuleSet, Span};
use oubliette_redact::Format;
use serde::Serialize;

use crate::cli::FormatName;
use crate::failure::Failure;

/// Reads a file, or standard input for `-` or nothing.
pub(super) fn read_input(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match file.filter(|path| path.as_os_str() != "-") {
        Some(path) => {
            bytes = fs::read(path).map_err(|error| {
                Failure::failed(format!("{} cannot be read: {error}", path.display()))
            })?;
        }
        None => {
            std::io::stdin().lock().read_to_end(&mut bytes)?;
        }
    }
    Ok(bytes)
}

/// A finding as it is printed: never the text.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Found<'r> {
    rule: &'r str,
    pub(super) entity: &'r str,
    category: &'static str,
    start: usize,
    end: usize,
    score: f32,
}

impl<'r> Found<'r> {
    pub(super) fn new(rules: &'r RuleSet, rule: RuleIndex, span: Span, score: f32) -> Self {
        let rule: &Rule = rules.rule(rule);
        Self {
            rule: rule.id(),
            entity: rule.entity().as_str(),
            category: rule.category().as_str(),
            start: span.start,
            end: span.end,
            score,
        }
    }
}

/// The redactor's name for a format; `None` lets it look for itself.
pub(super) fn format(name: FormatName) -> Option<Format> {
    match name {
        FormatName::Auto => None,
        FormatName::Text => Some(Format::Text),
        FormatName::Json => Some(Format::Json),
        FormatName::Ndjson => Some(Format::Ndjson),
        FormatName::Sse => Some(Format::Sse),
        FormatName::Multipart => Some(Format::Multipart),
        FormatName::Form => Some(Format::Form),
    }
}

/// The largest body that the command line takes on, in bytes: it is held in memory several times.
pub(super) const MAX_BYTES: usize = 1 << 30;

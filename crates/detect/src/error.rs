//! The one error of this crate: a rule pack that cannot be used, and how to mend it.

use std::error::Error;
use std::fmt::{self, Write as _};

/// A rule pack or rule that cannot be used.
///
/// `Display` is one line that names the file, line, rule and field where they are known. Errors come from
/// rules only: scanning cannot fail, whatever the haystack holds.
#[derive(Debug)]
pub struct DetectError {
    kind: DetectErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What is wrong, as far as a caller would act differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DetectErrorKind {
    /// The pack is not TOML, lacks a field, has one that is unknown, or a field has no such value.
    Syntax,
    /// A pattern is no regular expression that this engine runs, or matches the empty text.
    Pattern,
    /// A [limit](crate::Limits) on size or number was exceeded.
    TooLarge,
    /// A rule id stands twice in one set.
    Duplicate,
}

impl DetectError {
    pub(crate) fn new(kind: DetectErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> DetectErrorKind {
        self.kind
    }
}

impl fmt::Display for DetectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A pack may have any characters in its names: one line stays one line.
        for character in self.message.chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

impl Error for DetectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

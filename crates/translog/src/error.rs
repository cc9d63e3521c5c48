//! What can go wrong, sorted by what the caller can do about it.

use std::borrow::Cow;
use std::error::Error;

/// An error of the log or of a receipt.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct LogError {
    kind: LogErrorKind,
    message: Cow<'static, str>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What the caller can do about a [`LogError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogErrorKind {
    /// The disk failed; nothing is in force that was not before.
    Storage,
    /// What lies in the folder is not the log that was written.
    Damaged,
    /// A receipt or a key is not what it should be.
    Invalid,
}

impl LogError {
    pub(crate) fn new(kind: LogErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(LogErrorKind::Invalid, message)
    }

    pub(crate) fn damaged(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(LogErrorKind::Damaged, message)
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> LogErrorKind {
        self.kind
    }
}

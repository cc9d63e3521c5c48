//! The one error of this crate. Its messages are fixed texts, so none can carry a byte of a body.

use std::error::Error;

/// Why a body could not be sealed or a record could not be opened.
///
/// [`kind`](Self::kind) tells what to do about it. The message is one of a fixed set of texts: it
/// holds no body bytes, no key and nothing from a record.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SealError {
    kind: SealErrorKind,
    message: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of failure a [`SealError`] is, by what the caller would do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SealErrorKind {
    /// The record does not open with this key at this place. Wrong key, wrong account, wrong
    /// address and altered bytes are deliberately one and the same answer.
    Authentication,
    /// The bytes are not a sealed record, or whoever sealed it did not keep to the format.
    Malformed,
    /// The body, or what a record claims to unpack to, is over the limit.
    TooLarge,
    /// The record is of a version, compression or dictionary that this release does not know.
    UnsupportedVersion,
    /// The operating system gave no random bytes or no memory; trying again may help.
    Unavailable,
}

impl SealError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> SealErrorKind {
        self.kind
    }

    /// One constructor, one message: nothing tells the reasons apart.
    pub(crate) fn authentication() -> Self {
        Self::new(
            SealErrorKind::Authentication,
            "the record does not open with this key at this place",
        )
    }

    pub(crate) fn malformed(message: &'static str) -> Self {
        Self::new(SealErrorKind::Malformed, message)
    }

    pub(crate) fn too_large(message: &'static str) -> Self {
        Self::new(SealErrorKind::TooLarge, message)
    }

    pub(crate) fn unsupported(message: &'static str) -> Self {
        Self::new(SealErrorKind::UnsupportedVersion, message)
    }

    pub(crate) fn unavailable(
        message: &'static str,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self { source: Some(Box::new(source)), ..Self::new(SealErrorKind::Unavailable, message) }
    }

    fn new(kind: SealErrorKind, message: &'static str) -> Self {
        Self { kind, message, source: None }
    }
}

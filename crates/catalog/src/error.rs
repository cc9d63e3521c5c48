//! The crate's one error.

use std::{error::Error, fmt};

/// Why the catalog could not do what it was asked to.
///
/// The message is one line that names the thing and, where there is one, the mend. It holds ids
/// and paths, never a body, a key or a key hash.
#[derive(Debug)]
pub struct CatalogError {
    kind: CatalogErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl CatalogError {
    /// An error of this kind, with a message of one line. For implementors of
    /// [`Catalog`](crate::Catalog).
    #[must_use]
    pub fn new(kind: CatalogErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same error with its cause, which [`Error::source`] gives.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of error it is, that is what the caller should do about it.
    #[must_use]
    pub fn kind(&self) -> CatalogErrorKind {
        self.kind
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(CatalogErrorKind::Invalid, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(CatalogErrorKind::NotFound, message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(CatalogErrorKind::Conflict, message)
    }
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CatalogError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// What a caller can do about a [`CatalogError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CatalogErrorKind {
    /// Nothing was changed and the same call may succeed later: the database is busy, its disk is
    /// full or failing, or the server is away.
    Retry,
    /// What was asked for does not exist, or no longer does.
    NotFound,
    /// What was asked for exists already or has changed in the meantime: read again, then decide.
    Conflict,
    /// The request itself is wrong; repeating it is of no use.
    Invalid,
    /// A number that may be used only once has run out.
    Exhausted,
    /// The database was written by a newer binary.
    TooNew,
    /// The database is not one of ours, or its content is damaged.
    Damaged,
    /// The catalog cannot be opened or has been shut down: fix the configuration, restart.
    Unavailable,
    /// A mistake in this crate.
    Internal,
}

//! The crate's one error, sorted as the API sorts its answers.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use oubliette_catalog::{CatalogError, CatalogErrorKind};
use oubliette_keytree::{KeyTreeError, KeyTreeErrorKind};
use oubliette_seal::SealError;
use oubliette_store::{StoreError, StoreErrorKind};

/// Why something could not be done.
///
/// The message is one line that names the thing and, where there is one, the mend. It holds ids,
/// counts and paths; never a body, a matched text, a key or a credential.
#[derive(Debug)]
pub struct ServiceError {
    kind: ServiceErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of failure a [`ServiceError`] is, by what its caller would do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceErrorKind {
    /// The request is wrong; repeating it is of no use.
    Invalid,
    /// No API key, or none that is known.
    Unauthenticated,
    /// The key is known and may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// It exists already, has changed in the meantime, or is not in the state for this.
    Conflict,
    /// It was shredded or has expired.
    Forgotten,
    /// It is larger than the queue or a limit allows.
    TooLarge,
    /// The queue is full: nothing was kept.
    Busy,
    /// Keys, store or catalog cannot do it now: nothing was kept, the same call may succeed later.
    Unavailable,
    /// Something stored is not what was stored.
    Damaged,
    /// The configuration is wrong, or something it names is missing. Only at start.
    Configuration,
    /// A mistake in this program.
    Internal,
}

impl ServiceErrorKind {
    /// The code of the HTTP API for it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Forgotten => "forgotten",
            Self::TooLarge => "too_large",
            Self::Busy => "busy",
            Self::Unavailable | Self::Damaged | Self::Configuration | Self::Internal => {
                "unavailable"
            }
        }
    }
}

impl ServiceError {
    pub(crate) fn new(kind: ServiceErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ServiceErrorKind::Invalid, message)
    }

    pub(crate) fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ServiceErrorKind::Forbidden, message)
    }

    pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ServiceErrorKind::NotFound, message)
    }

    pub(crate) fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ServiceErrorKind::Conflict, message)
    }

    pub(crate) fn forgotten(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ServiceErrorKind::Forgotten, message)
    }

    pub(crate) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ServiceErrorKind::Unavailable, message)
    }

    pub(crate) fn damaged(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ServiceErrorKind::Damaged, message)
    }

    pub(crate) fn configuration(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ServiceErrorKind::Configuration, message)
    }

    pub(crate) fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ServiceErrorKind::Internal, message)
    }

    pub(crate) fn no_randomness(cause: getrandom::Error) -> Self {
        Self::unavailable("the operating system gave no random bytes").with_source(cause)
    }

    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> ServiceErrorKind {
        self.kind
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ServiceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<CatalogError> for ServiceError {
    fn from(error: CatalogError) -> Self {
        let kind = match error.kind() {
            CatalogErrorKind::NotFound => ServiceErrorKind::NotFound,
            CatalogErrorKind::Conflict => ServiceErrorKind::Conflict,
            CatalogErrorKind::Invalid => ServiceErrorKind::Invalid,
            CatalogErrorKind::TooNew => ServiceErrorKind::Configuration,
            CatalogErrorKind::Damaged => ServiceErrorKind::Damaged,
            CatalogErrorKind::Internal => ServiceErrorKind::Internal,
            _ => ServiceErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}

impl From<KeyTreeError> for ServiceError {
    fn from(error: KeyTreeError) -> Self {
        let kind = match error.kind() {
            KeyTreeErrorKind::MissingRoot
            | KeyTreeErrorKind::RootAhead
            | KeyTreeErrorKind::RootBehind
            | KeyTreeErrorKind::NewerVersion
            | KeyTreeErrorKind::Locked => ServiceErrorKind::Configuration,
            KeyTreeErrorKind::Damaged => ServiceErrorKind::Damaged,
            _ => ServiceErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        let kind = match error.kind() {
            StoreErrorKind::NotFound => ServiceErrorKind::NotFound,
            StoreErrorKind::Configuration => ServiceErrorKind::Configuration,
            StoreErrorKind::Damaged => ServiceErrorKind::Damaged,
            StoreErrorKind::Invalid => ServiceErrorKind::Internal,
            _ => ServiceErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}

impl From<SealError> for ServiceError {
    fn from(error: SealError) -> Self {
        use oubliette_seal::SealErrorKind;
        let kind = match error.kind() {
            SealErrorKind::TooLarge => ServiceErrorKind::TooLarge,
            SealErrorKind::Unavailable => ServiceErrorKind::Unavailable,
            _ => ServiceErrorKind::Damaged,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}

/// The crate's result.
pub(crate) type Result<T, E = ServiceError> = std::result::Result<T, E>;

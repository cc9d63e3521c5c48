//! What can go wrong, sorted by what the caller can do about it.

use std::borrow::Cow;
use std::error::Error;

/// An error of the key tree or of one of its stores.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct KeyTreeError {
    kind: KeyTreeErrorKind,
    message: Cow<'static, str>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What the caller can do about a [`KeyTreeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyTreeErrorKind {
    /// Nothing has changed; the same call may be made again.
    Retry,
    /// A store failed, and what it was asked to do may or may not have happened.
    Storage,
    /// There are key pages but no root key: nothing they hold can be opened any more.
    MissingRoot,
    /// The root key is newer than the key pages: the pages come from an older backup.
    RootAhead,
    /// The root key is older than the key pages: the root was restored from a backup.
    RootBehind,
    /// A root or a page does not check out.
    Damaged,
    /// A root or a page was written by a newer release.
    NewerVersion,
    /// Another process holds the root.
    Locked,
    /// It is not known which generation is in force: the tree must be opened again.
    Poisoned,
}

impl KeyTreeError {
    /// An error for an implementation of [`PageStore`](crate::PageStore) or
    /// [`RootStore`](crate::RootStore) to return. The message must hold no key.
    pub fn new(kind: KeyTreeErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> KeyTreeErrorKind {
        self.kind
    }

    pub(crate) fn no_randomness(cause: getrandom::Error) -> Self {
        Self::new(KeyTreeErrorKind::Retry, "the operating system gave no random bytes")
            .with_source(cause)
    }

    pub(crate) fn damaged(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(KeyTreeErrorKind::Damaged, message)
    }

    pub(crate) fn storage(message: impl Into<Cow<'static, str>>, cause: std::io::Error) -> Self {
        Self::new(KeyTreeErrorKind::Storage, message).with_source(cause)
    }
}

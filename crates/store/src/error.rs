//! What can go wrong between a sealed body and its place, sorted by what the caller should do.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// An error of this crate. [`StoreError::kind`] says what to do about it.
///
/// It is cheap to clone, because one failed fsync answers every append that waited for it. It
/// never carries record bytes, credentials, or the text of a server's reply.
#[derive(Clone)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: Cow<'static, str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What the caller of a failed operation should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// There is no such object: it was never written, or it has expired.
    NotFound,
    /// The object store cannot answer now: try again later.
    Retry,
    /// The object store refuses these credentials: mend the permissions.
    Denied,
    /// A setting is wrong: mend the configuration, trying again will not help.
    Configuration,
    /// The spool or its disk is full: drop the body, or wait for uploads to make room.
    Full,
    /// Stored bytes are not what was written: the record is lost here, its neighbours may not be.
    Damaged,
    /// The local disk failed: nothing of this call was acknowledged.
    Disk,
    /// The arguments make no sense: a bug in the caller.
    Invalid,
    /// The spool has been closed.
    Closed,
}

impl StoreError {
    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// An error of a given kind, for implementors of [`ObjectStore`](crate::ObjectStore).
    ///
    /// The message must be one lower-case line without secrets or stored bytes.
    #[must_use]
    pub fn new(kind: StoreErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same error with its cause. The cause's `Debug` must be free of secrets too.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// A failure of the local disk; a full disk is of kind `Full`.
    pub(crate) fn disk(what: impl Into<Cow<'static, str>>, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::Full,
            _ => StoreErrorKind::Disk,
        };
        Self::new(kind, what).with_source(source)
    }

    pub(crate) fn damaged(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Damaged, message)
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Invalid, message)
    }

    pub(crate) fn closed() -> Self {
        Self::new(StoreErrorKind::Closed, "the spool is closed")
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError")
            .field("kind", &self.kind)
            .field("message", &self.message)
            .field("source", &self.source)
            .finish()
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_full_and_any_other_failure_is_the_disk() {
        let full = StoreError::disk("could not write", io::ErrorKind::StorageFull.into());
        assert_eq!(full.kind(), StoreErrorKind::Full);
        let broken = StoreError::disk("could not write", io::Error::other("broken"));
        assert_eq!(broken.kind(), StoreErrorKind::Disk);
        assert_eq!(broken.to_string(), "could not write");
        assert_eq!(broken.source().expect("has a cause").to_string(), "broken");
    }
}

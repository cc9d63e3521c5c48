//! Small files with names that others may know: the published log.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::StoreError;

/// A place for small named files beside the segments.
///
/// # Contract
///
/// As for [`ObjectStore`](super::ObjectStore): a put is atomic, durable when it returns, and may be
/// repeated. Unlike a segment, a file may be replaced by another content. Names are made of lower-case
/// letters, digits, dots and slashes, and begin with `log/`.
#[async_trait]
pub trait FileStore: Send + Sync + Debug {
    /// Writes a file whole.
    ///
    /// # Errors
    ///
    /// `Invalid` for a name that is none; otherwise as [`ObjectStore::put`](super::ObjectStore::put).
    async fn put_file(&self, name: &str, bytes: Bytes) -> Result<(), StoreError>;

    /// Reads a file whole; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// As [`put_file`](Self::put_file).
    async fn get_file(&self, name: &str) -> Result<Option<Bytes>, StoreError>;
}

/// Refuses what could name something else than a file of the log.
pub(super) fn check_name(name: &str) -> Result<(), StoreError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.';
    let good = name.starts_with("log/")
        && name.len() < 256
        && name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && part.bytes().all(fits));
    if good { Ok(()) } else { Err(StoreError::invalid("a file of this name cannot be published")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FolderStore, MemoryStore};

    async fn conformance(store: &dyn FileStore) {
        assert_eq!(store.get_file("log/checkpoint").await.unwrap(), None);
        store.put_file("log/checkpoint", Bytes::from_static(b"one")).await.unwrap();
        store.put_file("log/checkpoint", Bytes::from_static(b"two")).await.unwrap();
        store.put_file("log/tile/0/x001/000.p/7", Bytes::from_static(b"tile")).await.unwrap();
        assert_eq!(store.get_file("log/checkpoint").await.unwrap().unwrap(), "two");
        assert_eq!(store.get_file("log/tile/0/x001/000.p/7").await.unwrap().unwrap(), "tile");
        for bad in
            ["", "checkpoint", "log/", "log/../x", "log/a/../../b", "log//a", "/log/a", "log/A"]
        {
            assert!(store.put_file(bad, Bytes::new()).await.is_err(), "{bad}");
            assert!(store.get_file(bad).await.is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn files_are_kept_replaced_and_confined() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::open(folder.path()).await.unwrap();
        conformance(&store).await;
        conformance(&MemoryStore::default()).await;
        // Segments and files do not see each other.
        let segments = crate::ObjectStore::list(&store, "", None).await.unwrap();
        assert!(segments.objects.is_empty());
    }
}

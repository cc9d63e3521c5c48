//! Where key pages are kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::KeyTreeError;
use crate::page::{Generation, PageId};

/// Keeps sealed key pages, each named by page id and generation.
///
/// A store needs to erase nothing: pages are opened by keys that lead up to the root key, and only
/// that is erased. It may be replicated, logged and backed up, but a backup is of use only as long
/// as the root has not moved on.
///
/// # Contract
///
/// - A page is what was written last under its `(id, generation)`.
/// - `write` is atomic and durable: once it has returned, all its pages survive a power cut; if it
///   fails or the power goes, either all or none of them are there. A page that is there already
///   is replaced: a commit that failed is tried again under the same generation.
/// - `remove` may be partial when it fails, and a page that is not there is no failure. It need
///   not be durable: what comes back is swept when the tree is opened.
/// - `list` names every page there is, in any order.
/// - One store belongs to one root; nobody else writes to it.
///
/// An error of kind [`Retry`](crate::KeyTreeErrorKind::Retry) or
/// [`Storage`](crate::KeyTreeErrorKind::Storage) is usual; the tree treats them alike, because
/// pages that were or were not written are harmless until a root leads to them.
/// Run [`testing::page_store_conformance`](crate::testing::page_store_conformance) on each store.
pub trait PageStore: Send + Sync {
    /// Writes all these pages, atomically and durably.
    ///
    /// # Errors
    ///
    /// If it is not certain that all pages are written.
    fn write(&self, pages: &[(PageId, Generation, Vec<u8>)]) -> Result<(), KeyTreeError>;

    /// The bytes of one page; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn read(&self, id: PageId, generation: Generation) -> Result<Option<Vec<u8>>, KeyTreeError>;

    /// Every page there is.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn list(&self) -> Result<Vec<(PageId, Generation)>, KeyTreeError>;

    /// Removes these pages as far as they are there.
    ///
    /// # Errors
    ///
    /// If some of them may still be there.
    fn remove(&self, pages: &[(PageId, Generation)]) -> Result<(), KeyTreeError>;
}

impl<T: PageStore + ?Sized> PageStore for Arc<T> {
    fn write(&self, pages: &[(PageId, Generation, Vec<u8>)]) -> Result<(), KeyTreeError> {
        (**self).write(pages)
    }

    fn read(&self, id: PageId, generation: Generation) -> Result<Option<Vec<u8>>, KeyTreeError> {
        (**self).read(id, generation)
    }

    fn list(&self) -> Result<Vec<(PageId, Generation)>, KeyTreeError> {
        (**self).list()
    }

    fn remove(&self, pages: &[(PageId, Generation)]) -> Result<(), KeyTreeError> {
        (**self).remove(pages)
    }
}

/// Key pages in memory, for tests and examples: durable only as long as the value lives.
#[derive(Debug, Default)]
pub struct MemoryPageStore {
    pages: Mutex<BTreeMap<(PageId, Generation), Vec<u8>>>,
}

impl MemoryPageStore {
    fn pages(&self) -> MutexGuard<'_, BTreeMap<(PageId, Generation), Vec<u8>>> {
        // No step below leaves the map half changed, so a panic elsewhere does no harm.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PageStore for MemoryPageStore {
    fn write(&self, pages: &[(PageId, Generation, Vec<u8>)]) -> Result<(), KeyTreeError> {
        self.pages().extend(pages.iter().map(|(id, g, bytes)| ((*id, *g), bytes.clone())));
        Ok(())
    }

    fn read(&self, id: PageId, generation: Generation) -> Result<Option<Vec<u8>>, KeyTreeError> {
        Ok(self.pages().get(&(id, generation)).cloned())
    }

    fn list(&self) -> Result<Vec<(PageId, Generation)>, KeyTreeError> {
        Ok(self.pages().keys().copied().collect())
    }

    fn remove(&self, pages: &[(PageId, Generation)]) -> Result<(), KeyTreeError> {
        let mut kept = self.pages();
        for page in pages {
            kept.remove(page);
        }
        Ok(())
    }
}

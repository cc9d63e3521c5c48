//! Key pages in the same file.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use oubliette_keytree::{Generation, KeyTreeError, KeyTreeErrorKind, PageId, PageStore};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::{convert, fault::Result, schema, turn::Turns};
use crate::error::{CatalogError, CatalogErrorKind};

/// The sealed pages of the key tree, kept in the catalog's file.
///
/// It has a connection of its own and is synchronous, as the key tree is: call it where blocking is
/// allowed. Made by [`SqliteCatalog::pages`](crate::SqliteCatalog::pages) it comes first when it
/// wants to write, so that a shred does not wait behind a queue of captures.
#[derive(Debug)]
pub struct SqlitePages {
    path: Arc<Path>,
    connection: Mutex<Connection>,
    turns: Turns,
}

impl SqlitePages {
    /// Opens the pages in the catalog at `path`, which is created if it is not there.
    ///
    /// # Errors
    /// As [`SqliteCatalog::open`](crate::SqliteCatalog::open).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CatalogError> {
        let path: Arc<Path> = path.as_ref().into();
        schema::prepare(&path).map_err(|fault| fault.explain(&path))?;
        Self::beside(path, Turns::default())
    }

    pub(super) fn beside(path: Arc<Path>, turns: Turns) -> Result<Self, CatalogError> {
        let connection = schema::connect(&path).map_err(|fault| fault.explain(&path))?;
        Ok(Self { path, connection: Mutex::new(connection), turns })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T, KeyTreeError> {
        // A panic elsewhere cannot leave a transaction open: dropping one rolls it back.
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection).map_err(|fault| {
            let error = fault.explain(&self.path);
            let kind = match error.kind() {
                CatalogErrorKind::Damaged => KeyTreeErrorKind::Damaged,
                CatalogErrorKind::TooNew => KeyTreeErrorKind::NewerVersion,
                // A failed commit was rolled back or, if the power went, is found out on opening:
                // the tree treats the two alike.
                _ => KeyTreeErrorKind::Storage,
            };
            KeyTreeError::new(kind, error.to_string()).with_source(error)
        })
    }
}

impl PageStore for SqlitePages {
    fn write(&self, pages: &[(PageId, Generation, Vec<u8>)]) -> Result<(), KeyTreeError> {
        let _turn = self.turns.wait_urgently();
        self.with(|connection| {
            let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            {
                let mut statement = step.prepare_cached(
                    "INSERT OR REPLACE INTO key_pages (page_id, generation, bytes)
                     VALUES (?1, ?2, ?3)",
                )?;
                for (id, generation, bytes) in pages {
                    let (id, generation) = columns(*id, *generation);
                    statement.execute((id, generation, bytes))?;
                }
            }
            Ok(step.commit()?)
        })
    }

    fn read(&self, id: PageId, generation: Generation) -> Result<Option<Vec<u8>>, KeyTreeError> {
        self.with(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT bytes FROM key_pages WHERE page_id = ?1 AND generation = ?2",
                )?
                .query_row(columns(id, generation), |row| row.get(0))
                .optional()?)
        })
    }

    fn list(&self) -> Result<Vec<(PageId, Generation)>, KeyTreeError> {
        self.with(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT page_id, generation FROM key_pages")?;
            let mut rows = statement.query([])?;
            let mut pages = Vec::new();
            while let Some(row) = rows.next()? {
                let id = convert::count_back(row.get(0)?, "key page id")?;
                let generation = convert::count_back(row.get(1)?, "key page generation")?;
                pages.push((PageId::new(id), Generation::new(generation)));
            }
            Ok(pages)
        })
    }

    fn remove(&self, pages: &[(PageId, Generation)]) -> Result<(), KeyTreeError> {
        let _turn = self.turns.wait_urgently();
        self.with(|connection| {
            // The contract does not ask this to be durable, and it happens once a commit: an fsync
            // saved. It is still atomic, and the next durable write takes it along.
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            let removed = remove(connection, pages);
            connection.pragma_update(None, "synchronous", "FULL")?;
            removed
        })
    }
}

fn remove(connection: &mut Connection, pages: &[(PageId, Generation)]) -> Result<()> {
    let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut statement =
            step.prepare_cached("DELETE FROM key_pages WHERE page_id = ?1 AND generation = ?2")?;
        for (id, generation) in pages {
            statement.execute(columns(*id, *generation))?;
        }
    }
    Ok(step.commit()?)
}

fn columns(id: PageId, generation: Generation) -> (i64, i64) {
    (convert::count(id.number()), convert::count(generation.number()))
}

#[cfg(test)]
mod tests {
    use oubliette_keytree::testing::page_store_conformance;

    use super::*;
    use crate::SqliteCatalog;

    #[test]
    fn keeps_the_contract_of_a_page_store() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        page_store_conformance(|| SqlitePages::open(&path).unwrap());
    }

    #[test]
    fn keeps_the_contract_beside_a_catalog() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = SqliteCatalog::open(folder.path().join("catalog.db")).unwrap();
        page_store_conformance(|| catalog.pages().unwrap());
    }
}

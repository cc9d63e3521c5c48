//! Where the root key is kept: the one place that must be able to forget.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{KeyTreeError, KeyTreeErrorKind};
use crate::key::RootKey;
use crate::page::Generation;

/// The root key in force and the generation of key pages it opens.
pub struct Root {
    generation: Generation,
    key: RootKey,
}

impl Root {
    /// A root as a store kept it.
    #[must_use]
    pub fn new(generation: Generation, key: RootKey) -> Self {
        Self { generation, key }
    }

    /// The generation whose top page the key opens.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &RootKey {
        &self.key
    }

    fn duplicate(&self) -> Self {
        Self::new(self.generation, RootKey::from_bytes(self.key.expose_secret()))
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root({}, ..)", self.generation)
    }
}

/// Keeps the one root key, and forgets the one before.
///
/// # Contract
///
/// - At most one root is in force. `create` and `replace` switch atomically: after a crash at any
///   moment `load` gives the root from before or the root from after, whole.
/// - Once `create` or `replace` has returned, the switch is durable, **and the old key is erased**
///   as far as the store can. An implementation documents what that is worth on its medium. If a
///   crash came between the switch and the erasure, the erasure is made good before the next
///   `load` returns.
/// - A key that `replace` was given but did not put in force is erased just like an old one.
/// - The store is kept out of backups, snapshots and replicas: whoever holds an old root and old
///   key pages can open what was shredded since.
/// - One process at a time. A store that can be reached by two refuses the second with
///   [`Locked`](KeyTreeErrorKind::Locked).
/// - An error of kind [`Retry`](KeyTreeErrorKind::Retry) means that the old root is certainly in
///   force still. Any other error of `replace` leaves the outcome open, and the tree will refuse
///   to work until it is opened again.
pub trait RootStore: Send + Sync {
    /// The root in force; `None` if none was ever created, or if it was lost.
    ///
    /// # Errors
    ///
    /// If the store cannot be read or what it holds does not check out.
    fn load(&self) -> Result<Option<Root>, KeyTreeError>;

    /// Puts the first root in force.
    ///
    /// # Errors
    ///
    /// If there is a root already, or the store cannot be written.
    fn create(&self, root: &Root) -> Result<(), KeyTreeError>;

    /// Does what can be done of a [`replace`](Self::replace) with the same arguments while the root of
    /// generation `old` stays in force. The tree calls it while it writes key pages, so that the two wait
    /// for the disk together, and never counts on it: `replace` may come without it, or with another root.
    ///
    /// A key that was prepared and is not put in force is erased before another one is, and when the
    /// store is next opened.
    ///
    /// # Errors
    ///
    /// As `replace`. The old root is in force in any case.
    fn prepare(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        let _ = (old, root);
        Ok(())
    }

    /// Puts `root` in force instead of the root of generation `old`, and erases that.
    ///
    /// # Errors
    ///
    /// If the root in force is not of generation `old`, or the store cannot be written.
    fn replace(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError>;
}

impl<T: RootStore + ?Sized> RootStore for Arc<T> {
    fn load(&self) -> Result<Option<Root>, KeyTreeError> {
        (**self).load()
    }

    fn create(&self, root: &Root) -> Result<(), KeyTreeError> {
        (**self).create(root)
    }

    fn prepare(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        (**self).prepare(old, root)
    }

    fn replace(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        (**self).replace(old, root)
    }
}

/// The root in memory, for tests and examples: everything is forgotten when the value is dropped.
#[derive(Debug, Default)]
pub struct MemoryRootStore {
    root: Mutex<Option<Root>>,
}

impl RootStore for MemoryRootStore {
    fn load(&self) -> Result<Option<Root>, KeyTreeError> {
        let root = self.root.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(root.as_ref().map(Root::duplicate))
    }

    fn create(&self, root: &Root) -> Result<(), KeyTreeError> {
        let mut kept = self.root.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_some() {
            return Err(KeyTreeError::new(
                KeyTreeErrorKind::Storage,
                "there is a root key already",
            ));
        }
        *kept = Some(root.duplicate());
        Ok(())
    }

    fn replace(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        let mut kept = self.root.lock().unwrap_or_else(PoisonError::into_inner);
        check_in_force(kept.as_ref(), old)?;
        *kept = Some(root.duplicate());
        Ok(())
    }
}

#[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
pub(crate) use crate::sabotage::crash_point;

/// Where the crash tests let the power go. Nothing, otherwise.
#[cfg(not(any(test, all(feature = "sabotage", debug_assertions))))]
pub(crate) fn crash_point() {}

/// Refuses to replace a root that is not the one the caller knows.
fn check_in_force(found: Option<&Root>, old: Generation) -> Result<(), KeyTreeError> {
    match found {
        Some(root) if root.generation == old => Ok(()),
        found => Err(KeyTreeError::new(
            KeyTreeErrorKind::Storage,
            format!(
                "the root key is of generation {}, not {old}: somebody else has replaced it; \
                 stop the other process and open the key tree again",
                found.map_or_else(|| "none".into(), |root| root.generation.to_string())
            ),
        )),
    }
}

/// Where the root of generation `old` lies, as a store that is about to replace it has found it.
pub(crate) fn place_of<P>(
    old: Generation,
    found: Result<Option<(P, Root)>, KeyTreeError>,
) -> Result<P, KeyTreeError> {
    let found = found.map_err(|cause| match cause.kind() {
        // Nothing has been touched yet, so a medium that does not answer may do so later.
        KeyTreeErrorKind::Storage => {
            let what = "the root key cannot be read before it is replaced";
            KeyTreeError::new(KeyTreeErrorKind::Retry, what).with_source(cause)
        }
        _ => cause,
    })?;
    check_in_force(found.as_ref().map(|(_, root)| root), old)?;
    Ok(found.expect("one that is in force is there").0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key() {
        let root = Root::new(Generation::new(3), RootKey::from_bytes(&[0xab; 32]));
        assert_eq!(format!("{root:?}"), "Root(3, ..)");
        let store = MemoryRootStore::default();
        store.create(&root).unwrap();
        assert!(!format!("{store:?}").contains("ab, ab") && !format!("{store:?}").contains("171"));
    }
}

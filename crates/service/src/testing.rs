//! A service whose root key can be made to fail, for the tests of this crate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oubliette_keytree::{
    Generation, KeyTree, KeyTreeError, KeyTreeErrorKind, MemoryPageStore, MemoryRootStore, Root,
    RootStore,
};
use tempfile::TempDir;

use crate::{Layout, ManualClock, Options, Oubliette};

/// A service in a folder, and the switch that keeps its root from being replaced.
pub(crate) async fn with_failing_root() -> (TempDir, Oubliette, Arc<AtomicBool>) {
    let folder = tempfile::tempdir().unwrap();
    let mut layout = Layout::new(folder.path().join("data"), folder.path().join("keys"));
    layout.spool.min_free_bytes = 0;
    let clock = Arc::new(ManualClock::at(1_793_448_123_000));
    let mut components = layout.components(Options::default(), clock).await.unwrap();
    let fails = Arc::new(AtomicBool::new(false));
    let root = FailingRoot { root: MemoryRootStore::default(), fails: Arc::clone(&fails) };
    components.tree = KeyTree::open(root, MemoryPageStore::default()).unwrap();
    (folder, Oubliette::start(components).await.unwrap(), fails)
}

struct FailingRoot {
    root: MemoryRootStore,
    fails: Arc<AtomicBool>,
}

impl RootStore for FailingRoot {
    fn load(&self) -> Result<Option<Root>, KeyTreeError> {
        self.root.load()
    }

    fn create(&self, root: &Root) -> Result<(), KeyTreeError> {
        self.root.create(root)
    }

    fn replace(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(KeyTreeError::new(KeyTreeErrorKind::Retry, "not now"));
        }
        self.root.replace(old, root)
    }
}

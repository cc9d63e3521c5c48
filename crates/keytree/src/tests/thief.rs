//! The thief has every page ever written. With today's root, nothing that was pruned opens.

use std::sync::{Arc, Mutex};

use super::{account, hour, key_of, leaf};
use crate::entry::Entry;
use crate::page::{self, Opened};
use crate::{
    Generation, KeyTree, KeyTreeError, MemoryPageStore, MemoryRootStore, Op, PageId, PageStore,
    Root, RootStore,
};

type Written = (PageId, Generation, Vec<u8>);

/// A disk that never forgets.
#[derive(Default)]
struct Pages {
    inner: MemoryPageStore,
    ever: Mutex<Vec<Written>>,
}

impl PageStore for Pages {
    fn write(&self, pages: &[Written]) -> Result<(), KeyTreeError> {
        self.ever.lock().unwrap().extend_from_slice(pages);
        self.inner.write(pages)
    }

    fn read(&self, id: PageId, generation: Generation) -> Result<Option<Vec<u8>>, KeyTreeError> {
        self.inner.read(id, generation)
    }

    fn list(&self) -> Result<Vec<(PageId, Generation)>, KeyTreeError> {
        self.inner.list()
    }

    fn remove(&self, pages: &[(PageId, Generation)]) -> Result<(), KeyTreeError> {
        self.inner.remove(pages)
    }
}

/// A root store whose old keys were copied in time.
#[derive(Default)]
struct Roots {
    inner: MemoryRootStore,
    ever: Mutex<Vec<[u8; 32]>>,
}

impl RootStore for Roots {
    fn load(&self) -> Result<Option<Root>, KeyTreeError> {
        self.inner.load()
    }

    fn create(&self, root: &Root) -> Result<(), KeyTreeError> {
        self.ever.lock().unwrap().push(*root.key().expose_secret());
        self.inner.create(root)
    }

    fn replace(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        self.ever.lock().unwrap().push(*root.key().expose_secret());
        self.inner.replace(old, root)
    }
}

/// Tries each key on every page there ever was, and goes on with the keys found in those.
fn everything_that_opens(root: [u8; 32], ever: &[Written]) -> Vec<Entry> {
    let mut keys = vec![root];
    let mut found = Vec::new();
    while let Some(key) = keys.pop() {
        for (id, generation, bytes) in ever {
            match page::open(&key, *id, *generation, bytes) {
                Ok(Opened::Leaf(entries)) => found.extend(entries),
                Ok(Opened::Inner { children, .. }) => {
                    keys.extend(children.iter().map(|stub| *stub.key.as_bytes()));
                }
                Err(_) => {}
            }
        }
    }
    found
}

#[test]
fn with_every_page_ever_written_todays_root_opens_nothing_that_was_pruned() {
    let pages = Arc::new(Pages::default());
    let roots = Arc::new(Roots::default());
    let tree = KeyTree::open(Arc::clone(&roots), Arc::clone(&pages)).unwrap();
    let all: Vec<_> = (0..500).map(|n| Op::CreateAccount(account(n))).collect();
    tree.commit(&all).unwrap();

    let shredded: Vec<_> = (0..20).map(|n| (account(n), leaf(490_000, 3, u32::from(n)))).collect();
    let keys: Vec<_> = shredded.iter().map(|(tag, leaf)| key_of(&tree, *tag, *leaf)).collect();
    let old_root = *roots.ever.lock().unwrap().last().unwrap();
    for (tag, leaf) in &shredded {
        tree.commit(&[Op::PruneLeaf(*tag, *leaf)]).unwrap();
    }
    let (expired, dropped) = ((account(400), leaf(99, 0, 0)), (account(401), leaf(500, 0, 0)));
    tree.commit(&[Op::PruneHoursBefore(expired.0, hour(100))]).unwrap();
    tree.commit(&[Op::PruneAccount(dropped.0)]).unwrap();

    let ever = pages.ever.lock().unwrap();
    let gone: Vec<_> = shredded.iter().chain([&expired, &dropped]).collect();
    let covers = |entry: &Entry, (tag, leaf): (crate::AccountTag, crate::LeafAddress)| {
        entry.tag == tag && entry.subtree.covers(leaf.to_bits())
    };

    let todays_root = *roots.ever.lock().unwrap().last().unwrap();
    let loot = everything_that_opens(todays_root, &ever);
    let open: Vec<_> = gone.iter().filter(|g| loot.iter().any(|e| covers(e, ***g))).collect();
    assert!(open.is_empty(), "the thief opened {open:?}");
    // Not because the thief is clumsy: all that lives is there.
    assert_eq!(loot.len() as u64, tree.status().unwrap().entries);

    // The control: had an old root been kept, everything would be.
    let loot = everything_that_opens(old_root, &ever);
    for ((tag, leaf), key) in shredded.iter().zip(keys) {
        let entry = loot.iter().find(|entry| covers(entry, (*tag, *leaf))).unwrap();
        assert_eq!(Some(*entry.subtree.leaf(*leaf).expose_secret()), key);
    }
    assert!(loot.iter().any(|entry| covers(entry, expired)));
    assert!(loot.iter().any(|entry| covers(entry, dropped)));
}

#[test]
fn no_key_lies_in_a_page_in_the_clear() {
    let pages = Arc::new(Pages::default());
    let tree = KeyTree::open(MemoryRootStore::default(), Arc::clone(&pages)).unwrap();
    tree.commit(&(0..300).map(|n| Op::CreateAccount(account(n))).collect::<Vec<_>>()).unwrap();
    let ever = pages.ever.lock().unwrap();
    let mut keys = Vec::new();
    tree.top().for_each_entry(&mut |entry| keys.push(*entry.subtree.node().as_bytes()));
    tree.top().for_each_child(&mut |child| keys.push(*child.key.as_bytes()));
    assert!(keys.len() > 300);
    for (.., bytes) in ever.iter() {
        let shown = |key: &[u8; 32]| bytes.windows(16).any(|window| window == &key[..16]);
        assert!(!keys.iter().any(shown));
    }
}

//! Key trees that are broken on purpose, and the thief that must notice.
//!
//! A test that nobody can fail proves nothing. This module holds the breaks that the thief tests
//! must catch, one for each thing that makes forgetting work, and the thief's own tools. It exists
//! in tests, and with the feature `sabotage` in builds with debug assertions; a release build has
//! none of it, whatever features it asks for.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::address::{AccountTag, LeafAddress};
use crate::directory::{Draft, Node, SealedPage};
use crate::entry::{Entry, Subtree};
use crate::error::KeyTreeError;
use crate::key::{LeafKey, PageKey, RootKey};
use crate::lease::Lease;
use crate::page::{self, Generation, Opened, PageId};
use crate::page_store::PageStore;
use crate::root::{Root, RootStore};
use crate::tree::KeyTree;

thread_local!(static POWER: Cell<Option<usize>> = const { Cell::new(None) });

/// The power goes at the n-th point from here on where a store of this thread would notice: by a panic
/// that is not printed.
pub fn power_fails_at(point: Option<usize>) {
    POWER.set(point);
}

pub(crate) fn crash_point() {
    match POWER.get() {
        Some(0) => {
            POWER.set(None);
            std::panic::resume_unwind(Box::new("the power has gone"));
        }
        Some(left) => POWER.set(Some(left - 1)),
        None => {}
    }
}

/// Puts a [`RootStore`] through power cuts at each of its crash points.
///
/// `open` gives the same store each time, empty at first. `erased` is asked, with the store open, whether
/// nothing but the root in force is left in the medium, and where the keys it is given may not be found.
///
/// # Panics
///
/// If after a power cut `load` gives neither the root from before nor the one from after, if a key that is
/// not in force is left, or if the store does not go on.
pub fn root_store_crash_conformance<S: RootStore>(
    mut open: impl FnMut() -> S,
    mut erased: impl FnMut(&S, &[[u8; 32]]),
) -> usize {
    let root = |generation: u64, byte: u8| {
        Root::new(Generation::new(generation), RootKey::from_bytes(&[byte; 32]))
    };
    open().create(&root(0, 1)).expect("create works");
    let mut all = 0;
    for prepared in [true, false] {
        let mut points = 0;
        while crashes_at(points, prepared, &mut open, &mut erased) {
            points += 1;
        }
        all += points;
    }
    all
}

/// One replacement with a power cut at a point; whether there was such a point.
fn crashes_at<S: RootStore>(
    point: usize,
    prepared: bool,
    open: &mut impl FnMut() -> S,
    erased: &mut impl FnMut(&S, &[[u8; 32]]),
) -> bool {
    let store = open();
    let before = store.load().expect("load works").expect("there is a root");
    let from = before.generation();
    let mut bytes = [u8::from(prepared) + 2; 32];
    bytes[..8].copy_from_slice(&(point as u64).to_be_bytes());
    let next = Root::new(Generation::new(from.number() + 1), RootKey::from_bytes(&bytes));
    power_fails_at(Some(point));
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        if prepared {
            store.prepare(from, &next)?;
        }
        store.replace(from, &next)
    }));
    power_fails_at(None);
    let crashed = outcome.is_err();
    if let Ok(done) = outcome {
        done.expect("replace works");
    }
    drop(store);
    let store = open();
    let after = store.load().expect("load works after a power cut").expect("there is a root");
    let (old, new) = (before.key().expose_secret(), next.key().expose_secret());
    let dead = if after.generation() == from {
        assert!(crashed, "what was acknowledged is in force");
        assert_eq!(after.key().expose_secret(), old, "the root from before, whole");
        new
    } else {
        assert_eq!(after.generation(), next.generation());
        assert_eq!(after.key().expose_secret(), new, "the root from after, whole");
        old
    };
    erased(&store, &[*dead]);
    crashed
}

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The root key stays the same from generation to generation.
    NoRotation,
    /// A page that changed is sealed again under the key it had.
    PageKeyKept,
    /// A page that changed is changed in memory and not written.
    PageNotRewritten,
    /// A lease keeps the node above the leaves it has given out.
    LeaseNodeKept,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::NoRotation, Self::PageKeyKept, Self::PageNotRewritten, Self::LeaseNodeKept];
}

impl KeyTree {
    /// As [`open`](KeyTree::open), but broken.
    ///
    /// # Errors
    ///
    /// As `open`.
    pub fn open_sabotaged(
        root: impl RootStore + 'static,
        pages: impl PageStore + 'static,
        sabotage: Option<Sabotage>,
    ) -> Result<Self, KeyTreeError> {
        let mut tree = Self::open(root, pages)?;
        tree.sabotage = sabotage;
        Ok(tree)
    }
}

impl Lease {
    /// Calls `visit` with the node above all leaves of a lease that gave none out yet: what a writer
    /// must not keep once it has.
    pub fn visit_node_above(&self, visit: impl FnOnce(&[u8; 32])) {
        if let [whole] = self.held() {
            visit(whole.node().as_bytes());
        }
    }
}

pub(crate) fn root_key(
    sabotage: Option<Sabotage>,
    store: &dyn RootStore,
    fresh: RootKey,
) -> Result<RootKey, KeyTreeError> {
    match (sabotage, store.load()?) {
        (Some(Sabotage::NoRotation), Some(root)) => {
            Ok(RootKey::from_bytes(root.key().expose_secret()))
        }
        _ => Ok(fresh),
    }
}

pub(crate) fn lease(sabotage: Option<Sabotage>, lease: Option<Lease>) -> Option<Lease> {
    let mut lease = lease?;
    if sabotage == Some(Sabotage::LeaseNodeKept) {
        lease.kept = lease.held().last().map(Subtree::duplicate);
    }
    Some(lease)
}

type PageKeys = BTreeMap<PageId, PageKey>;

/// The keys that changed pages have before they are sealed anew.
pub(crate) fn kept_page_keys(draft: &Draft) -> PageKeys {
    let mut keys = PageKeys::new();
    if draft.sabotage == Some(Sabotage::PageKeyKept) {
        draft.top.for_each_child(&mut |child| {
            keys.insert(child.id, child.key.duplicate());
        });
    }
    keys
}

/// Seals once more, under the keys that were kept.
pub(crate) fn seal_under(
    kept: PageKeys,
    top: &mut std::sync::Arc<Node>,
    generation: Generation,
    pages: &mut Vec<SealedPage>,
) -> Result<(), KeyTreeError> {
    if kept.is_empty() {
        return Ok(());
    }
    pages.clear();
    seal_kept(&kept, top, generation, pages)
}

fn seal_kept(
    kept: &PageKeys,
    node: &mut std::sync::Arc<Node>,
    generation: Generation,
    pages: &mut Vec<SealedPage>,
) -> Result<(), KeyTreeError> {
    // Sealing has made every changed node unique already.
    let Some(Node::Inner(children)) = std::sync::Arc::get_mut(node) else { return Ok(()) };
    for child in children.iter_mut().filter(|child| child.generation == generation) {
        seal_kept(kept, &mut child.node, generation, pages)?;
        if let Some(key) = kept.get(&child.id) {
            child.key = key.duplicate();
        }
        let page = page::seal(child.key.as_bytes(), child.id, generation, &child.node)?;
        pages.push((child.id, generation, page));
    }
    Ok(())
}

/// What a thief makes of pages and keys: every page that a key opens, and so on with what is found.
///
/// Each key is tried on each page, whatever the page says it is: no route is left out because the
/// protocol would not take it. What it finds it wipes when dropped, so that a search of the process's
/// memory finds what the tree left behind, and not the thief's own copies.
#[derive(Debug, Default)]
pub struct Loot {
    entries: Vec<Entry>,
    page_keys: Vec<PageKey>,
}

impl Loot {
    /// Everything that opens with one key.
    #[must_use]
    pub fn with_key(key: &[u8; 32], pages: &[(PageId, Generation, Vec<u8>)]) -> Self {
        let mut entries = Vec::new();
        let mut tried: Vec<PageKey> = Vec::new();
        let mut keys = vec![PageKey::from_bytes(key)];
        while let Some(key) = keys.pop() {
            if tried.iter().any(|other| other.as_bytes() == key.as_bytes()) {
                continue;
            }
            for (id, generation, bytes) in pages {
                match page::open(key.as_bytes(), *id, *generation, bytes) {
                    Ok(Opened::Leaf(found)) => entries.extend(found),
                    Ok(Opened::Inner { children, .. }) => {
                        keys.extend(children.into_iter().map(|stub| stub.key));
                    }
                    Err(_) => {}
                }
            }
            tried.push(key);
        }
        tried.remove(0); // the key it was given
        Self { entries, page_keys: tried }
    }

    /// Every key that this loot gives for one leaf: several if pages of several times were opened.
    #[must_use]
    pub fn leaf_keys(&self, account: AccountTag, address: LeafAddress) -> Vec<LeafKey> {
        let covering =
            |entry: &&Entry| entry.tag == account && entry.subtree.covers(address.to_bits());
        self.entries.iter().filter(covering).map(|entry| entry.subtree.leaf(address)).collect()
    }

    /// Calls `visit` with every key that leads to one leaf: all nodes on the path down to it, and its own.
    pub fn for_each_key_above(
        &self,
        account: AccountTag,
        address: LeafAddress,
        mut visit: impl FnMut(&[u8; 32]),
    ) {
        for Entry { tag, subtree } in &self.entries {
            if *tag == account && subtree.covers(address.to_bits()) {
                for len in subtree.len()..=Subtree::DEPTH {
                    visit(subtree.descend(address.to_bits(), len).node().as_bytes());
                }
            }
        }
    }

    /// Calls `visit` with each secret: the nodes, then the page keys. No copy is made.
    pub fn for_each_secret(&self, mut visit: impl FnMut(&[u8; 32])) {
        self.entries.iter().for_each(|entry| visit(entry.subtree.node().as_bytes()));
        self.page_keys.iter().for_each(|key| visit(key.as_bytes()));
    }

    /// The secrets themselves: page keys and nodes, to be searched for in what was written.
    #[must_use]
    pub fn secrets(&self) -> Vec<[u8; 32]> {
        let nodes = self.entries.iter().map(|entry| *entry.subtree.node().as_bytes());
        nodes.chain(self.page_keys.iter().map(|key| *key.as_bytes())).collect()
    }

    #[cfg(test)]
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

#[cfg(test)]
impl Lease {
    /// What a thief finds in the memory of a writer.
    pub(crate) fn stolen(&self) -> impl Iterator<Item = &Subtree> {
        self.held().iter().chain(&self.kept)
    }
}

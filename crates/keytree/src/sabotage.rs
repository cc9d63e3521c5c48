//! Key trees that are broken on purpose, and the thief that must notice.
//!
//! A test that nobody can fail proves nothing. This module holds the breaks that the thief tests
//! must catch, one for each thing that makes forgetting work, and the thief's own tools. It exists
//! in tests, and with the feature `sabotage` in builds with debug assertions; a release build has
//! none of it, whatever features it asks for.

use std::collections::BTreeMap;

use crate::address::{AccountTag, LeafAddress};
use crate::directory::{Draft, Node, SealedPage};
use crate::entry::{Entry, Subtree};
use crate::error::KeyTreeError;
use crate::key::{LeafKey, PageKey, RootKey};
use crate::lease::Lease;
use crate::page::{self, Generation, Opened, PageId};
use crate::page_store::PageStore;
use crate::root::RootStore;
use crate::tree::KeyTree;

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
/// protocol would not take it.
#[derive(Debug, Default)]
pub struct Loot {
    entries: Vec<Entry>,
    page_keys: Vec<[u8; 32]>,
}

impl Loot {
    /// Everything that opens with one key.
    #[must_use]
    pub fn with_key(key: &[u8; 32], pages: &[(PageId, Generation, Vec<u8>)]) -> Self {
        let mut loot = Self::default();
        let mut keys = vec![*key];
        let mut tried = std::collections::BTreeSet::new();
        while let Some(key) = keys.pop() {
            if !tried.insert(key) {
                continue;
            }
            for (id, generation, bytes) in pages {
                match page::open(&key, *id, *generation, bytes) {
                    Ok(Opened::Leaf(entries)) => loot.entries.extend(entries),
                    Ok(Opened::Inner { children, .. }) => {
                        keys.extend(children.iter().map(|stub| *stub.key.as_bytes()));
                    }
                    Err(_) => {}
                }
            }
        }
        tried.remove(key);
        loot.page_keys = tried.into_iter().collect();
        loot
    }

    /// Every key that this loot gives for one leaf: several if pages of several times were opened.
    #[must_use]
    pub fn leaf_keys(&self, account: AccountTag, address: LeafAddress) -> Vec<LeafKey> {
        let covering =
            |entry: &&Entry| entry.tag == account && entry.subtree.covers(address.to_bits());
        self.entries.iter().filter(covering).map(|entry| entry.subtree.leaf(address)).collect()
    }

    /// The secrets themselves: page keys and nodes, to be searched for in what was written.
    #[must_use]
    pub fn secrets(&self) -> Vec<[u8; 32]> {
        let nodes = self.entries.iter().map(|entry| *entry.subtree.node().as_bytes());
        nodes.chain(self.page_keys.iter().copied()).collect()
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

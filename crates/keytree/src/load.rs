//! Opening: exactly the pages that the root leads to, or a clear word on why not.

use std::collections::BTreeSet;

use crate::directory::{Node, PageRef};
use crate::entry::Entry;
use crate::error::{KeyTreeError, KeyTreeErrorKind};
use crate::key::RootKey;
use crate::page::{self, Generation, Opened, PageId};
use crate::page_store::PageStore;
use crate::root::{Root, RootStore};
use crate::tree::directory;

/// A generation, whole.
pub(crate) struct Loaded {
    pub(crate) generation: Generation,
    pub(crate) top: Node,
    /// SHA-256 of the top page.
    pub(crate) directory: [u8; 32],
    pub(crate) accounts: u64,
    /// The first page id that is not in use.
    pub(crate) next_page: u64,
    /// Pages of abandoned commits and of generations before.
    pub(crate) unreachable: Vec<PageRef>,
}

pub(crate) fn load(roots: &dyn RootStore, pages: &dyn PageStore) -> Result<Loaded, KeyTreeError> {
    let listed = pages.list()?;
    let root = match roots.load()? {
        Some(root) => root,
        None if listed.is_empty() => {
            // Generation 0 has no pages, so the root can come first and a crash right after it
            // leaves a tree that opens.
            let root = Root::new(Generation::ZERO, RootKey::generate()?);
            roots.create(&root)?;
            root
        }
        None => return Err(missing_root(listed.len())),
    };
    check_belong_together(root.generation(), &listed)?;

    let mut loader = Loader { pages, reached: BTreeSet::new() };
    let (top, top_page) = if root.generation() == Generation::ZERO {
        (Node::Leaf(Vec::new()), None)
    } else {
        let (key, generation) = (root.key().expose_secret(), root.generation());
        let top = loader.open(key, PageId::TOP, generation, None)?;
        (top, pages.read(PageId::TOP, generation)?)
    };
    let directory = directory(top_page.as_deref());
    let accounts = check_order(&top)?;
    let next_page = loader.reached.iter().map(|(id, _)| id.number()).max().unwrap_or(0) + 1;
    let unreachable = listed.into_iter().filter(|page| !loader.reached.contains(page)).collect();
    Ok(Loaded { generation: root.generation(), top, directory, accounts, next_page, unreachable })
}

/// Puts an empty tree in force after whatever was there. The root in force is replaced, and so erased, as in
/// any commit; if there was none, one is created. What lies in pages is removed when the tree is next opened.
pub(crate) fn begin_anew(
    roots: &dyn RootStore,
    pages: &dyn PageStore,
) -> Result<Generation, KeyTreeError> {
    let in_force = roots.load()?.map(|root| root.generation());
    let listed = pages.list()?.into_iter().map(|(_, generation)| generation);
    // Later than all there was, so that nothing of before is taken for a part of it, and a log of deletions
    // goes on.
    let newest = listed.chain(in_force).max().unwrap_or(Generation::ZERO);
    let root = Root::new(newest.next(), RootKey::generate()?);
    let empty = Node::Leaf(Vec::new());
    let generation = root.generation();
    let top = page::seal(root.key().expose_secret(), PageId::TOP, generation, &empty)?;
    pages.write(&[(PageId::TOP, generation, top)])?;
    match in_force {
        Some(old) => roots.replace(old, &root)?,
        None => roots.create(&root)?,
    }
    Ok(generation)
}

fn missing_root(pages: usize) -> KeyTreeError {
    KeyTreeError::new(
        KeyTreeErrorKind::MissingRoot,
        format!(
            "missing root key: there are {pages} key pages but no root, and bodies cannot be \
             opened any more; put the root back where it was, or begin anew and forget every body \
             stored so far (`oubliette keys begin-anew`)"
        ),
    )
}

/// Tells a root and pages from different times apart by their generations alone.
fn check_belong_together(root: Generation, listed: &[PageRef]) -> Result<(), KeyTreeError> {
    let newest = listed.iter().map(|(_, generation)| *generation).max().unwrap_or(Generation::ZERO);
    let top_is_there = root == Generation::ZERO || listed.contains(&(PageId::TOP, root));
    if newest > root.next() || (newest > root && !top_is_there) {
        // One ahead is an abandoned commit; more than one, or without our own, is another time.
        Err(KeyTreeError::new(
            KeyTreeErrorKind::RootBehind,
            format!(
                "the root key is of generation {root}, the key pages of generation {newest}: the \
                 root comes from a copy and what it opened is gone; put the newest root back, or begin \
                 anew and forget every body stored so far (`oubliette keys begin-anew`)"
            ),
        ))
    } else if !top_is_there && newest < root {
        Err(KeyTreeError::new(
            KeyTreeErrorKind::RootAhead,
            format!(
                "the root key is of generation {root}, the key pages only of generation {newest}: \
                 the catalog was restored from an older backup, whose keys have been erased; put \
                 the newest catalog back, or begin anew and forget every body stored so far \
                 (`oubliette keys begin-anew`)"
            ),
        ))
    } else {
        Ok(())
    }
}

struct Loader<'a> {
    pages: &'a dyn PageStore,
    reached: BTreeSet<PageRef>,
}

impl Loader<'_> {
    /// Opens a page and all below it. Only the top page chooses its level itself; each level below
    /// is one less, so this ends.
    fn open(
        &mut self,
        key: &[u8; 32],
        id: PageId,
        generation: Generation,
        level: Option<u8>,
    ) -> Result<Node, KeyTreeError> {
        let bytes = self.pages.read(id, generation)?.ok_or_else(|| {
            KeyTreeError::damaged(format!(
                "key page {id} of generation {generation} is missing; put back a catalog of this \
                 generation if there is one, or begin anew and forget every body stored so far \
                 (`oubliette keys begin-anew`)"
            ))
        })?;
        let fits = self.reached.insert((id, generation));
        match page::open(key, id, generation, &bytes)? {
            Opened::Leaf(entries) if fits && level.is_none_or(|level| level == 0) => {
                Ok(Node::Leaf(entries))
            }
            Opened::Inner { level: found, children }
                if fits && level.is_none_or(|level| level == found) =>
            {
                let mut opened = Vec::with_capacity(children.len());
                for stub in children {
                    let (id, generation) = (stub.id, stub.generation);
                    let node = self.open(stub.key.as_bytes(), id, generation, Some(found - 1))?;
                    if node.first() != Some(stub.first) {
                        return Err(misplaced(id));
                    }
                    opened.push(stub.with(node));
                }
                Ok(Node::Inner(opened))
            }
            _ => Err(misplaced(id)),
        }
    }
}

/// Checks what every lookup relies on, and counts the accounts. Pages are authentic, so a fault
/// here would be our own.
fn check_order(top: &Node) -> Result<u64, KeyTreeError> {
    let mut accounts = 0;
    let mut in_order = true;
    let mut before: Option<&Entry> = None;
    top.for_each_entry(&mut |entry| {
        let same = before.is_some_and(|before| before.tag == entry.tag);
        in_order &= before.is_none_or(|before| {
            (before.tag, before.subtree.last()) < (entry.tag, entry.subtree.first())
        });
        accounts += u64::from(!same);
        before = Some(entry);
    });
    if in_order { Ok(accounts) } else { Err(misplaced(PageId::TOP)) }
}

fn misplaced(id: PageId) -> KeyTreeError {
    KeyTreeError::damaged(format!(
        "key page {id} is authentic but out of place; this is a bug, please report it"
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::address::AccountTag;
    use crate::directory::Child;
    use crate::entry::Subtree;
    use crate::key::{NodeKey, PageKey};
    use crate::page_store::MemoryPageStore;
    use crate::root::MemoryRootStore;

    const ONE: Generation = Generation::new(1);

    fn entry(tag: u8, prefix: u64, len: u8) -> Entry {
        let subtree = Subtree::new(prefix, len, NodeKey::from_bytes(&[tag; 32])).unwrap();
        Entry { tag: AccountTag::from_bytes([tag; 16]), subtree }
    }

    fn leaf(tags: &[u8]) -> Arc<Node> {
        Arc::new(Node::Leaf(tags.iter().map(|tag| entry(*tag, 0, 0)).collect()))
    }

    fn child(id: u64, node: &Arc<Node>) -> Child {
        let key = PageKey::from_bytes(&[u8::try_from(id).unwrap(); 32]);
        let first = node.first().unwrap();
        Child { first, id: PageId::new(id), generation: ONE, key, node: Arc::clone(node) }
    }

    fn inner(children: Vec<Child>) -> Arc<Node> {
        Arc::new(Node::Inner(children))
    }

    /// What comes of authentic pages: these, each under the key that `child` gives it, and the top page.
    fn loaded(pages: &[(u64, &Arc<Node>)], top: &Node) -> Result<u64, KeyTreeError> {
        let (roots, store) = (MemoryRootStore::default(), MemoryPageStore::default());
        let write = |key: &[u8; 32], id, node: &Node| {
            let page = page::seal(key, id, ONE, node).unwrap();
            store.write(&[(id, ONE, page)]).unwrap();
        };
        for (id, node) in pages {
            write(&[u8::try_from(*id).unwrap(); 32], PageId::new(*id), node);
        }
        write(&[0xff; 32], PageId::TOP, top);
        roots.create(&Root::new(ONE, RootKey::from_bytes(&[0xff; 32]))).unwrap();
        load(&roots, &store).map(|loaded| loaded.accounts)
    }

    fn misplaced(pages: &[(u64, &Arc<Node>)], top: &Node) {
        let error = loaded(pages, top).unwrap_err();
        assert_eq!(error.kind(), KeyTreeErrorKind::Damaged);
        assert!(error.to_string().contains("out of place"), "{error}");
    }

    #[test]
    fn authentic_pages_that_are_out_of_place_are_refused() {
        let (one, other) = (leaf(&[1, 2]), leaf(&[3]));
        let low = inner(vec![child(1, &one), child(2, &other)]);
        let pages = [(1, &one), (2, &other), (3, &low)];
        assert_eq!(loaded(&pages, &low).unwrap(), 3);
        assert_eq!(loaded(&pages, &inner(vec![child(3, &low)])).unwrap(), 3);
        // A page of another level than its parent has it, in either direction.
        misplaced(&[(1, &low), (2, &other)], &inner(vec![child(1, &one), child(2, &other)]));
        misplaced(&[(3, &one)], &inner(vec![child(3, &low)]));
        // One page twice: the second time it is in its own place no more.
        misplaced(&pages, &inner(vec![child(1, &one), child(1, &one)]));
        misplaced(&pages, &inner(vec![child(3, &low), child(3, &low)]));
        // A page that begins elsewhere than its parent has it.
        misplaced(&[(1, &leaf(&[2])), (2, &other)], &low);
    }

    #[test]
    fn entries_that_are_out_of_order_or_overlap_are_refused() {
        let fine = vec![entry(1, 0, 1), entry(1, 1 << 63, 1), entry(2, 0, 64), entry(2, 1, 64)];
        assert_eq!(loaded(&[], &Node::Leaf(fine)).unwrap(), 2);
        for wrong in [
            vec![entry(2, 0, 0), entry(1, 0, 0)],
            vec![entry(1, 1 << 63, 1), entry(1, 0, 1)],
            vec![entry(1, 0, 1), entry(1, 0, 2)],
            vec![entry(1, 7, 64), entry(1, 7, 64)],
            vec![entry(1, 0, 0), entry(1, 0, 0), entry(2, 0, 0)],
        ] {
            misplaced(&[], &Node::Leaf(wrong));
        }
    }
}

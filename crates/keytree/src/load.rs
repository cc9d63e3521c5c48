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

fn missing_root(pages: usize) -> KeyTreeError {
    KeyTreeError::new(
        KeyTreeErrorKind::MissingRoot,
        format!(
            "missing root key: there are {pages} key pages but no root, and bodies cannot be \
             opened any more; put the root back where it was, or remove the key pages to begin \
             anew and forget every body stored so far"
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
                 root comes from a copy and what it opened is gone; put the newest root back"
            ),
        ))
    } else if !top_is_there && newest < root {
        Err(KeyTreeError::new(
            KeyTreeErrorKind::RootAhead,
            format!(
                "the root key is of generation {root}, the key pages only of generation {newest}: \
                 the catalog was restored from an older backup, whose keys have been erased; put \
                 the newest catalog back, or remove the key pages and the root to begin anew and \
                 forget every body stored so far"
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
                "key page {id} of generation {generation} is missing; restore the newest catalog"
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

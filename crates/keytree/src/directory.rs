//! The state as a tree of pages in memory, copied on write.
//!
//! Each generation shares with the one before it whatever did not change. A node is changed in
//! place only while nobody else holds it, so that a commit can fail at any point and the generation
//! in force is untouched.

use std::fmt;
use std::mem;
use std::sync::Arc;

use crate::entry::{Entry, EntryKey};
use crate::error::KeyTreeError;
use crate::key::PageKey;
use crate::page::{self, Generation, INNER_CAPACITY, LEAF_CAPACITY, PageId};

/// A page, opened.
#[derive(Debug)]
pub(crate) enum Node {
    /// Entries in order, subtrees disjoint.
    Leaf(Vec<Entry>),
    /// Children in order, never none.
    Inner(Vec<Child>),
}

/// A page and what its parent knows about it.
pub(crate) struct Child {
    /// The first entry below. Kept exact: entries of different pages then never overlap a border.
    pub(crate) first: EntryKey,
    pub(crate) id: PageId,
    pub(crate) generation: Generation,
    pub(crate) key: PageKey,
    pub(crate) node: Arc<Node>,
}

/// A page as a store names it.
pub(crate) type PageRef = (PageId, Generation);

/// A page as a store is given it.
pub(crate) type SealedPage = (PageId, Generation, Vec<u8>);

impl Node {
    pub(crate) fn level(&self) -> u8 {
        match self {
            Node::Leaf(_) => 0,
            Node::Inner(children) => 1 + children[0].node.level(),
        }
    }

    /// The last entry at or before a key.
    pub(crate) fn at_or_before(&self, key: EntryKey) -> Option<&Entry> {
        match self {
            Node::Leaf(entries) => {
                let after = entries.partition_point(|entry| entry.key() <= key);
                entries[..after].last()
            }
            Node::Inner(children) => {
                let after = children.partition_point(|child| child.first <= key);
                children[..after].last()?.node.at_or_before(key)
            }
        }
    }

    /// The first entry at or after a key.
    pub(crate) fn at_or_after(&self, key: EntryKey) -> Option<&Entry> {
        match self {
            Node::Leaf(entries) => entries.get(entries.partition_point(|entry| entry.key() < key)),
            // It is in the page that the key belongs to, or else it is the first of the next.
            Node::Inner(children) => children[slot(children, key)..]
                .iter()
                .take(2)
                .find_map(|child| child.node.at_or_after(key)),
        }
    }

    /// Calls `visit` for each entry, in order.
    pub(crate) fn for_each_entry<'a>(&'a self, visit: &mut impl FnMut(&'a Entry)) {
        match self {
            Node::Leaf(entries) => entries.iter().for_each(visit),
            Node::Inner(children) => {
                children.iter().for_each(|child| child.node.for_each_entry(visit));
            }
        }
    }

    /// Calls `visit` for each child anywhere below.
    pub(crate) fn for_each_child<'a>(&'a self, visit: &mut impl FnMut(&'a Child)) {
        if let Node::Inner(children) = self {
            for child in children {
                visit(child);
                child.node.for_each_child(visit);
            }
        }
    }

    pub(crate) fn first(&self) -> Option<EntryKey> {
        match self {
            Node::Leaf(entries) => entries.first().map(Entry::key),
            Node::Inner(children) => children.first().map(|child| child.first),
        }
    }

    fn fill(&self) -> (usize, usize) {
        match self {
            Node::Leaf(entries) => (entries.len(), LEAF_CAPACITY),
            Node::Inner(children) => (children.len(), INNER_CAPACITY),
        }
    }

    fn duplicate(&self) -> Self {
        match self {
            Node::Leaf(entries) => Node::Leaf(entries.iter().map(Entry::duplicate).collect()),
            Node::Inner(children) => Node::Inner(children.iter().map(Child::duplicate).collect()),
        }
    }

    /// Cuts the node into equal pieces that fit a page each.
    fn split(&mut self) -> Vec<Node> {
        let (len, capacity) = self.fill();
        let size = len.div_ceil(len.div_ceil(capacity));
        match self {
            Node::Leaf(entries) => chunks(mem::take(entries), size).map(Node::Leaf).collect(),
            Node::Inner(children) => chunks(mem::take(children), size).map(Node::Inner).collect(),
        }
    }

    /// Takes over all that the right neighbour holds.
    fn append(&mut self, right: &mut Node) {
        match (self, right) {
            (Node::Leaf(left), Node::Leaf(right)) => left.append(right),
            (Node::Inner(left), Node::Inner(right)) => left.append(right),
            _ => unreachable!("neighbours are of one level"),
        }
    }
}

impl Child {
    fn duplicate(&self) -> Self {
        Self {
            first: self.first,
            id: self.id,
            generation: self.generation,
            key: self.key.duplicate(),
            node: Arc::clone(&self.node),
        }
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Child({}/{}, from {:?})", self.id, self.generation, self.first)
    }
}

/// The next generation in the making.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) top: Arc<Node>,
    pub(crate) generation: Generation,
    /// The first page id that was never used.
    pub(crate) next_page: u64,
    /// Pages of earlier generations that this one no longer leads to.
    pub(crate) replaced: Vec<PageRef>,
    #[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
    pub(crate) sabotage: Option<crate::sabotage::Sabotage>,
}

impl Draft {
    /// Changes the entries of the page that `at` belongs to, and keeps the tree in shape.
    pub(crate) fn edit(
        &mut self,
        at: EntryKey,
        change: impl FnOnce(&mut Vec<Entry>),
    ) -> Result<(), KeyTreeError> {
        // Taken out, not cloned: a second holder would make each edit copy the page. If this
        // fails, the draft is of no more use anyway.
        let mut top = mem::replace(&mut self.top, Arc::new(Node::Leaf(Vec::new())));
        self.edit_below(&mut top, at, change)?;
        self.top = top;
        self.settle_top()
    }

    /// Seals every page of this generation under keys that are new, the top page under `root_key`.
    pub(crate) fn seal(&mut self, root_key: &[u8; 32]) -> Result<Vec<SealedPage>, KeyTreeError> {
        let mut pages = Vec::new();
        #[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
        let kept = crate::sabotage::kept_page_keys(self);
        seal_below(&mut self.top, self.generation, &mut pages)?;
        #[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
        crate::sabotage::seal_under(kept, &mut self.top, self.generation, &mut pages)?;
        let top = page::seal(root_key, PageId::TOP, self.generation, &self.top)?;
        pages.push((PageId::TOP, self.generation, top));
        Ok(pages)
    }

    fn edit_below(
        &mut self,
        node: &mut Arc<Node>,
        at: EntryKey,
        change: impl FnOnce(&mut Vec<Entry>),
    ) -> Result<(), KeyTreeError> {
        match make_mut(node) {
            Node::Leaf(entries) => {
                change(entries);
                Ok(())
            }
            Node::Inner(children) => {
                let slot = slot(children, at);
                self.touch(&mut children[slot]);
                self.edit_below(&mut children[slot].node, at, change)?;
                self.settle(children, slot)
            }
        }
    }

    /// The page will be written anew, and its old version be removed.
    fn touch(&mut self, child: &mut Child) {
        #[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
        if self.sabotage == Some(crate::sabotage::Sabotage::PageNotRewritten) {
            return;
        }
        if child.generation != self.generation {
            self.replaced.push((child.id, child.generation));
            child.generation = self.generation;
        }
    }

    /// Drops, cuts or merges a child that was changed.
    fn settle(&mut self, children: &mut Vec<Child>, slot: usize) -> Result<(), KeyTreeError> {
        let Some(first) = children[slot].node.first() else {
            children.remove(slot);
            return Ok(());
        };
        children[slot].first = first;
        let (len, capacity) = children[slot].node.fill();
        if len > capacity {
            let pieces = make_mut(&mut children[slot].node).split();
            let mut pieces = pieces.into_iter();
            children[slot].node = Arc::new(pieces.next().expect("more than a page was cut"));
            for (offset, piece) in pieces.enumerate() {
                let child = self.new_child(piece)?;
                children.insert(slot + 1 + offset, child);
            }
        } else if len <= capacity / 4 {
            // A quarter and three quarters: a page that was just cut or merged has far to go
            // before it is merged or cut again.
            let fits = |other: &Child| len + other.node.fill().0 <= capacity * 3 / 4;
            if children.get(slot + 1).is_some_and(fits) {
                self.merge(children, slot);
            } else if slot > 0 && fits(&children[slot - 1]) {
                self.merge(children, slot - 1);
            }
        }
        Ok(())
    }

    fn merge(&mut self, children: &mut Vec<Child>, left: usize) {
        let mut right = children.remove(left + 1);
        self.touch(&mut right);
        self.touch(&mut children[left]);
        make_mut(&mut children[left].node).append(make_mut(&mut right.node));
    }

    fn settle_top(&mut self) -> Result<(), KeyTreeError> {
        let (len, capacity) = self.top.fill();
        if len > capacity {
            let pieces = make_mut(&mut self.top).split();
            let children =
                pieces.into_iter().map(|piece| self.new_child(piece)).collect::<Result<_, _>>()?;
            self.top = Arc::new(Node::Inner(children));
        }
        while let Node::Inner(children) = &*self.top {
            self.top = match children.as_slice() {
                [] => Arc::new(Node::Leaf(Vec::new())),
                [only] => {
                    if only.generation != self.generation {
                        self.replaced.push((only.id, only.generation));
                    }
                    Arc::clone(&only.node)
                }
                _ => break,
            };
        }
        Ok(())
    }

    fn new_child(&mut self, node: Node) -> Result<Child, KeyTreeError> {
        let id = PageId::new(self.next_page);
        self.next_page += 1;
        Ok(Child {
            first: node.first().expect("pieces hold something"),
            id,
            generation: self.generation,
            // Replaced when the page is sealed; until then it is a key like any other.
            key: PageKey::generate()?,
            node: Arc::new(node),
        })
    }
}

fn seal_below(
    node: &mut Arc<Node>,
    generation: Generation,
    pages: &mut Vec<SealedPage>,
) -> Result<(), KeyTreeError> {
    let Node::Inner(children) = make_mut(node) else { return Ok(()) };
    for child in children.iter_mut().filter(|child| child.generation == generation) {
        seal_below(&mut child.node, generation, pages)?;
        child.key = PageKey::generate()?;
        let page = page::seal(child.key.as_bytes(), child.id, generation, &child.node)?;
        pages.push((child.id, generation, page));
    }
    Ok(())
}

/// The child that a key belongs to: the last that begins at or before it, or else the first.
fn slot(children: &[Child], key: EntryKey) -> usize {
    children.partition_point(|child| child.first <= key).saturating_sub(1)
}

/// The node to change: itself if nobody else holds it, otherwise a copy.
fn make_mut(node: &mut Arc<Node>) -> &mut Node {
    if Arc::get_mut(node).is_none() {
        *node = Arc::new(node.duplicate());
    }
    Arc::get_mut(node).expect("it was made unique just now")
}

fn chunks<T>(items: Vec<T>, size: usize) -> impl Iterator<Item = Vec<T>> {
    let mut items = items.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<T> = items.by_ref().take(size).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
}

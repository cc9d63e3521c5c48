//! Key pages: what a piece of the state looks like at rest.
//!
//! ```text
//! page      = version (1) ‖ level (1) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
//! data      = "oubliette/v1/page" ‖ page id (8) ‖ generation (8) ‖ level (1) ‖ version (1)
//! level 0   = count (2) ‖ count × (account tag (16) ‖ prefix (8) ‖ length (1) ‖ node key (32))
//! level n   = count (2) ‖ count × (first tag (16) ‖ first prefix (8) ‖ page id (8) ‖ generation (8) ‖ page key (32))
//! ```
//!
//! Integers are big-endian. AES-256-GCM; a page key seals exactly one page, so that no nonce can
//! meet the same key twice, whatever the generator does.

use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

use crate::address::AccountTag;
use crate::directory::{Child, Node};
use crate::entry::{Entry, EntryKey, Subtree};
use crate::error::{KeyTreeError, KeyTreeErrorKind};
use crate::key::{NodeKey, PageKey};
use crate::stack::{OF_CIPHERS, without_trace};

/// The name of a key page. Page 0 is the top page, the one the root key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId(u64);

impl PageId {
    /// The page that the root key opens.
    pub const TOP: PageId = PageId(0);

    /// The page with this number, as a store kept it.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number to keep. Numbers are given out one by one, so they fit a signed column.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One state of the whole tree; each commit makes the next.
///
/// Generation 0 is the empty tree, which has a root key but no page yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    /// The empty tree.
    pub const ZERO: Generation = Generation(0);

    /// The generation with this number, as a store kept it.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number to keep. It counts commits, so it fits a signed column.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The most entries of a leaf page: 8 KiB.
pub(crate) const LEAF_CAPACITY: usize = (PAGE_TARGET - OVERHEAD) / ENTRY_LEN;
/// The most children of a directory page: 8 KiB.
pub(crate) const INNER_CAPACITY: usize = (PAGE_TARGET - OVERHEAD) / CHILD_LEN;

/// Small enough that a shred rewrites three or four of these, large enough that four levels hold
/// a hundred million entries.
const PAGE_TARGET: usize = 8 * 1024;
const VERSION: u8 = 1;
const HEADER_LEN: usize = 2 + NONCE_LEN;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const COUNT_LEN: usize = 2;
const OVERHEAD: usize = HEADER_LEN + COUNT_LEN + TAG_LEN;
const ENTRY_LEN: usize = 16 + 8 + 1 + 32;
const CHILD_LEN: usize = 16 + 8 + 8 + 8 + 32;

/// The size of a node's page, sealed.
pub(crate) fn sealed_len(node: &Node) -> usize {
    OVERHEAD
        + match node {
            Node::Leaf(entries) => entries.len() * ENTRY_LEN,
            Node::Inner(children) => children.len() * CHILD_LEN,
        }
}

/// Seals a node under a key that has sealed nothing else and never will.
pub(crate) fn seal(
    key: &[u8; 32],
    id: PageId,
    generation: Generation,
    node: &Node,
) -> Result<Vec<u8>, KeyTreeError> {
    let level = node.level();
    // Sized beforehand: a buffer that grows would leave keys behind in the memory it gives back.
    let mut page = Vec::with_capacity(sealed_len(node));
    page.extend([VERSION, level]);
    page.extend([0; NONCE_LEN]);
    getrandom::fill(&mut page[2..HEADER_LEN]).map_err(KeyTreeError::no_randomness)?;
    let nonce = nonce_of(&page);
    encode(node, &mut page);
    let data = associated_data(id, generation, level, VERSION);
    let tag = without_trace::<OF_CIPHERS, _>(|| {
        cipher(key).encrypt_inout_detached(&nonce, &data, (&mut page[HEADER_LEN..]).into())
    })
    .expect("a page is far below the limit of AES-GCM");
    page.extend_from_slice(&tag);
    debug_assert_eq!(page.len(), sealed_len(node));
    Ok(page)
}

/// Opens a page. Children of a directory page come back unloaded.
pub(crate) fn open(
    key: &[u8; 32],
    id: PageId,
    generation: Generation,
    page: &[u8],
) -> Result<Opened, KeyTreeError> {
    let damaged = || {
        KeyTreeError::damaged(format!(
            "key page {id} of generation {generation} does not open under its key; put back a catalog \
             of this generation if there is one, or begin anew and forget every body stored so far \
             (`oubliette keys begin-anew`)"
        ))
    };
    let [version, level, ..] = *page else { return Err(damaged()) };
    if version != VERSION {
        return Err(KeyTreeError::new(
            KeyTreeErrorKind::NewerVersion,
            format!("key page {id} has format {version}, this release reads {VERSION}; upgrade it"),
        ));
    }
    if page.len() < OVERHEAD {
        return Err(damaged());
    }
    let (sealed, tag) = page.split_at(page.len() - TAG_LEN);
    let mut plain = Zeroizing::new(sealed[HEADER_LEN..].to_vec());
    let nonce = nonce_of(page);
    let data = associated_data(id, generation, level, version);
    let tag = tag.try_into().expect("split off at the length of a tag");
    without_trace::<OF_CIPHERS, _>(|| {
        cipher(key).decrypt_inout_detached(&nonce, &data, plain.as_mut_slice().into(), tag)
    })
    .map_err(|_| damaged())?;
    decode(level, &plain).ok_or_else(damaged)
}

/// What a page holds.
#[derive(Debug)]
pub(crate) enum Opened {
    Leaf(Vec<Entry>),
    Inner { level: u8, children: Vec<Stub> },
}

/// A child that is named by its directory page but not loaded yet.
#[derive(Debug)]
pub(crate) struct Stub {
    pub(crate) first: EntryKey,
    pub(crate) id: PageId,
    pub(crate) generation: Generation,
    pub(crate) key: PageKey,
}

impl Stub {
    pub(crate) fn with(self, node: Node) -> Child {
        let Self { first, id, generation, key } = self;
        Child { first, id, generation, key, node: Arc::new(node) }
    }
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(key.into())
}

fn nonce_of(page: &[u8]) -> Nonce<aes_gcm::aead::consts::U12> {
    Nonce::try_from(&page[2..HEADER_LEN]).expect("the header holds a nonce")
}

fn associated_data(id: PageId, generation: Generation, level: u8, version: u8) -> Vec<u8> {
    let mut data = b"oubliette/v1/page".to_vec();
    data.extend(id.0.to_be_bytes());
    data.extend(generation.0.to_be_bytes());
    data.extend([level, version]);
    data
}

fn encode(node: &Node, out: &mut Vec<u8>) {
    let count = |n: usize| u16::try_from(n).expect("pages split long before").to_be_bytes();
    match node {
        Node::Leaf(entries) => {
            out.extend(count(entries.len()));
            for Entry { tag, subtree } in entries {
                out.extend_from_slice(tag.as_bytes());
                out.extend(subtree.first().to_be_bytes());
                out.push(subtree.len());
                out.extend_from_slice(subtree.node().as_bytes());
            }
        }
        Node::Inner(children) => {
            out.extend(count(children.len()));
            for child in children {
                out.extend_from_slice(child.first.tag.as_bytes());
                out.extend(child.first.prefix.to_be_bytes());
                out.extend(child.id.0.to_be_bytes());
                out.extend(child.generation.0.to_be_bytes());
                out.extend_from_slice(child.key.as_bytes());
            }
        }
    }
}

fn decode(level: u8, mut plain: &[u8]) -> Option<Opened> {
    let count = usize::from(u16::from_be_bytes(*take(&mut plain)?));
    let opened = if level == 0 {
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            let tag = AccountTag::from_bytes(*take(&mut plain)?);
            let prefix = u64::from_be_bytes(*take(&mut plain)?);
            let [len] = *take(&mut plain)?;
            let node = NodeKey::from_bytes(take(&mut plain)?);
            entries.push(Entry { tag, subtree: Subtree::new(prefix, len, node)? });
        }
        Opened::Leaf(entries)
    } else {
        let mut children = Vec::with_capacity(count);
        for _ in 0..count {
            let tag = AccountTag::from_bytes(*take(&mut plain)?);
            let first = EntryKey { tag, prefix: u64::from_be_bytes(*take(&mut plain)?) };
            let id = PageId(u64::from_be_bytes(*take(&mut plain)?));
            let generation = Generation(u64::from_be_bytes(*take(&mut plain)?));
            let key = PageKey::from_bytes(take(&mut plain)?);
            children.push(Stub { first, id, generation, key });
        }
        // A directory page always leads somewhere.
        (!children.is_empty()).then_some(Opened::Inner { level, children })?
    };
    plain.is_empty().then_some(opened)
}

/// Takes the next `N` bytes without copying them: some of them are keys.
fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Vec<u8> {
        let subtree = Subtree::whole(NodeKey::from_bytes(&[7; 32]));
        let node = Node::Leaf(vec![Entry { tag: AccountTag::from_bytes([1; 16]), subtree }]);
        seal(&[9; 32], PageId(3), Generation(5), &node).unwrap()
    }

    #[test]
    fn a_page_opens_only_as_itself() {
        let page = page();
        assert!(matches!(
            open(&[9; 32], PageId(3), Generation(5), &page),
            Ok(Opened::Leaf(entries)) if entries[0].subtree.node().as_bytes() == &[7; 32]
        ));
        for (key, id, generation) in [(8, 3, 5), (9, 4, 5), (9, 3, 6)] {
            let error = open(&[key; 32], PageId(id), Generation(generation), &page).unwrap_err();
            assert_eq!(error.kind(), KeyTreeErrorKind::Damaged);
        }
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let page = page();
        for at in 0..page.len() {
            let mut bent = page.clone();
            bent[at] ^= 1;
            assert!(open(&[9; 32], PageId(3), Generation(5), &bent).is_err(), "byte {at}");
            assert!(open(&[9; 32], PageId(3), Generation(5), &page[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_full_page_has_8_kib() {
        assert_eq!((LEAF_CAPACITY, INNER_CAPACITY), (143, 113));
        for (full, each) in [(143, ENTRY_LEN), (113, CHILD_LEN)] {
            assert!(OVERHEAD + full * each <= PAGE_TARGET);
            assert!(OVERHEAD + (full + 1) * each > PAGE_TARGET);
        }
    }

    #[test]
    fn a_newer_format_says_so() {
        let mut page = page();
        page[0] = 2;
        let error = open(&[9; 32], PageId(3), Generation(5), &page).unwrap_err();
        assert_eq!(error.kind(), KeyTreeErrorKind::NewerVersion);
    }

    #[test]
    fn a_page_holds_neither_its_keys_nor_its_tags_in_the_clear() {
        let page = page();
        assert!(!page.windows(8).any(|w| w == [7; 8] || w == [1; 8]));
    }
}

//! Conformance tests for implementations of the two store traits.
//!
//! Each panics, with a message that names the clause of the contract, if the store breaks it.

use crate::address::{AccountTag, Hour, LeafAddress};
use crate::key::RootKey;
use crate::op::{Op, OpOutcome};
use crate::page::{Generation, PageId};
use crate::page_store::PageStore;
use crate::root::{MemoryRootStore, Root, RootStore};
use crate::tree::KeyTree;
use std::sync::Arc;

/// Puts a [`PageStore`] through its contract, first by itself and then under a key tree.
///
/// `open` is called several times and gives the same store each time: empty at the first call, and
/// opened anew (from disk, if it is there) at the later ones, so that what should be durable shows.
///
/// # Panics
///
/// If the store breaks the contract.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use oubliette_keytree::{MemoryPageStore, testing};
///
/// let store = Arc::new(MemoryPageStore::default());
/// testing::page_store_conformance(|| Arc::clone(&store));
/// ```
pub fn page_store_conformance<S: PageStore + 'static>(mut open: impl FnMut() -> S) {
    by_itself(&mut open);
    under_a_tree(&mut open);
}

fn by_itself<S: PageStore>(open: &mut impl FnMut() -> S) {
    let page = |id, generation| (PageId::new(id), Generation::new(generation));
    let sorted = |store: &S| {
        let mut listed = store.list().expect("list works");
        listed.sort();
        listed
    };
    let read = |store: &S, (id, generation)| store.read(id, generation).expect("read works");
    let full = |(id, generation), bytes: &[u8]| (id, generation, bytes.to_vec());

    let store = open();
    assert_eq!(sorted(&store), [], "the store is empty at first");
    assert_eq!(read(&store, page(0, 1)), None, "a page that is not there is none");
    store.write(&[]).expect("writing nothing works");
    store.remove(&[]).expect("removing nothing works");

    let every_byte: Vec<u8> = (0..=255).cycle().take(9000).collect();
    let large = page(1 << 40, 1 << 40);
    store
        .write(&[
            full(page(0, 1), b"top"),
            full(page(7, 1), &every_byte),
            full(large, b"large numbers"),
        ])
        .expect("write works");
    store.write(&[full(page(0, 2), b"next")]).expect("write works");
    let all = [page(0, 1), page(0, 2), page(7, 1), large];
    assert_eq!(sorted(&store), all, "list names every page, generations apart");

    store.write(&[full(page(0, 2), b"again")]).expect("a page may be written again");
    assert_eq!(read(&store, page(0, 2)).as_deref(), Some(&b"again"[..]), "the last write counts");
    assert_eq!(read(&store, page(0, 1)).as_deref(), Some(&b"top"[..]), "others are left alone");
    drop(store);

    let store = open();
    assert_eq!(sorted(&store), all, "pages survive reopening");
    assert_eq!(read(&store, page(7, 1)), Some(every_byte), "bytes survive as they were");
    store.remove(&[page(7, 1), page(8, 8)]).expect("a page that is not there is no failure");
    assert_eq!(read(&store, page(7, 1)), None, "a removed page is gone");
    store.remove(&all).expect("remove works");
    assert_eq!(sorted(&store), [], "everything can be removed");
}

fn under_a_tree<S: PageStore + 'static>(open: &mut impl FnMut() -> S) {
    let roots = Arc::new(MemoryRootStore::default());
    let account = AccountTag::from_bytes([0x5a; 16]);
    let leaf = |sequence| LeafAddress::new(Hour::from_unix_seconds(3_600), 1, sequence);
    let (gone, kept) = (leaf(1).expect("a sequence"), leaf(2).expect("a sequence"));

    let tree = KeyTree::open(Arc::clone(&roots), open()).expect("an empty store opens");
    let derive = |tree: &KeyTree, leaf| {
        let key = tree.derive_leaf(account, leaf).expect("the tree is in order");
        key.map(|key| *key.expose_secret())
    };
    tree.commit(&[Op::CreateAccount(account)]).expect("commit works");
    let key = derive(&tree, kept);
    let outcome = tree.commit(&[Op::PruneLeaf(account, gone)]).expect("commit works");
    assert_eq!(outcome.ops, [OpOutcome::Pruned]);
    drop(tree);

    let store = open();
    let pages = store.list().expect("list works");
    assert!(
        pages.iter().all(|(_, generation)| *generation == outcome.to),
        "a small tree leaves only pages of its last generation behind"
    );
    let tree = KeyTree::open(roots, store).expect("the pages open again");
    assert_eq!(derive(&tree, gone), None, "what was pruned stays pruned");
    assert_eq!(derive(&tree, kept), key, "everything else keeps its key");
}

/// Puts a [`RootStore`] through its contract, as far as it shows from outside.
///
/// `open` is called several times, one store after the other, and gives the same store each time:
/// empty at the first call, opened anew at the later ones.
///
/// # Panics
///
/// If the store breaks the contract.
pub fn root_store_conformance<S: RootStore>(mut open: impl FnMut() -> S) {
    let root =
        |generation, byte| Root::new(Generation::new(generation), RootKey::from_bytes(&[byte; 32]));
    let holds = |store: &S| {
        let root = store.load().expect("load works")?;
        Some((root.generation().number(), *root.key().expose_secret()))
    };

    let store = open();
    assert_eq!(holds(&store), None, "the store is empty at first");
    assert!(store.replace(Generation::ZERO, &root(1, 1)).is_err(), "there is nothing to replace");
    assert_eq!(holds(&store), None, "a replace that failed puts nothing in force");
    store.create(&root(0, 1)).expect("create works");
    assert_eq!(holds(&store), Some((0, [1; 32])), "load gives what was created");
    assert!(store.create(&root(0, 2)).is_err(), "there is one root, created once");
    assert_eq!(holds(&store), Some((0, [1; 32])), "a create that failed changes nothing");
    drop(store);

    let store = open();
    assert_eq!(holds(&store), Some((0, [1; 32])), "the root survives reopening");
    store.replace(Generation::ZERO, &root(1, 3)).expect("replace works");
    assert_eq!(holds(&store), Some((1, [3; 32])), "the new root is in force");
    assert!(store.replace(Generation::ZERO, &root(2, 4)).is_err(), "the caller knows another root");
    assert_eq!(holds(&store), Some((1, [3; 32])), "a replace that failed changes nothing");
    drop(store);

    let store = open();
    assert_eq!(holds(&store), Some((1, [3; 32])), "the new root survives reopening");
    let first = Generation::new(1);
    store.prepare(first, &root(2, 5)).expect("prepare works");
    assert_eq!(holds(&store), Some((1, [3; 32])), "what is prepared is not in force");
    drop(store);
    let store = open();
    assert_eq!(holds(&store), Some((1, [3; 32])), "nor is it after reopening");
    store.prepare(first, &root(2, 6)).expect("prepare works");
    store.replace(first, &root(2, 7)).expect("replace works with another root than was prepared");
    assert_eq!(holds(&store), Some((2, [7; 32])), "what was given to replace is in force");
    let second = Generation::new(2);
    store.prepare(second, &root(3, 8)).expect("prepare works");
    store.replace(second, &root(3, 8)).expect("replace works with what was prepared");
    assert_eq!(holds(&store), Some((3, [8; 32])), "what was prepared is in force");
    drop(store);
    assert_eq!(holds(&open()), Some((3, [8; 32])), "the new root survives reopening");
}

//! Root and pages that do not belong together are told apart, and nothing is destroyed.

use std::sync::Arc;

use super::{account, hour, in_memory, key_of, leaf};
use crate::{
    Generation, KeyTree, KeyTreeErrorKind, MemoryPageStore, MemoryRootStore, Op, PageId, PageStore,
    Root, RootKey, RootStore, testing,
};

type Pages = Arc<MemoryPageStore>;

/// Three generations of several pages, and copies of pages and root after each.
fn a_life() -> (Vec<(Pages, Arc<MemoryRootStore>)>, KeyTree) {
    let (tree, roots, pages) = in_memory();
    let mut copies = vec![(copy(&pages), copy_root(&roots))];
    tree.commit(&(0..300).map(|n| Op::CreateAccount(account(n))).collect::<Vec<_>>()).unwrap();
    copies.push((copy(&pages), copy_root(&roots)));
    for n in 0..2 {
        tree.commit(&[Op::PruneLeaf(account(n), leaf(1, 1, 1))]).unwrap();
        copies.push((copy(&pages), copy_root(&roots)));
    }
    (copies, tree)
}

fn copy(pages: &Pages) -> Pages {
    let copy = MemoryPageStore::default();
    for (id, generation) in pages.list().unwrap() {
        copy.write(&[(id, generation, pages.read(id, generation).unwrap().unwrap())]).unwrap();
    }
    Arc::new(copy)
}

fn copy_root(roots: &MemoryRootStore) -> Arc<MemoryRootStore> {
    let copy = MemoryRootStore::default();
    copy.create(&roots.load().unwrap().unwrap()).unwrap();
    Arc::new(copy)
}

fn fails(roots: &Arc<MemoryRootStore>, pages: &Pages) -> KeyTreeErrorKind {
    let before = pages.list().unwrap();
    let error = KeyTree::open(Arc::clone(roots), Arc::clone(pages)).unwrap_err();
    assert_eq!(pages.list().unwrap(), before, "an open that fails removes nothing");
    assert!(!error.to_string().contains('\n'));
    error.kind()
}

#[test]
fn memory_stores_keep_the_contract() {
    let pages = Arc::new(MemoryPageStore::default());
    testing::page_store_conformance(|| Arc::clone(&pages));
    let roots = Arc::new(MemoryRootStore::default());
    testing::root_store_conformance(|| Arc::clone(&roots));
}

#[test]
fn a_lost_root_is_named() {
    let (life, _) = a_life();
    let no_root = Arc::new(MemoryRootStore::default());
    assert_eq!(fails(&no_root, &life[2].0), KeyTreeErrorKind::MissingRoot);
    assert!(no_root.load().unwrap().is_none(), "no new root is put in the place of a lost one");
    let error = KeyTree::open(no_root, Arc::clone(&life[2].0)).unwrap_err();
    assert!(error.to_string().starts_with("missing root key"), "{error}");
}

#[test]
fn pages_from_an_older_backup_are_named() {
    let (life, _) = a_life();
    for old in 0..3 {
        assert_eq!(fails(&life[3].1, &life[old].0), KeyTreeErrorKind::RootAhead);
    }
}

#[test]
fn a_root_from_an_older_copy_is_named() {
    let (life, _) = a_life();
    for old in 0..3 {
        let kind = fails(&life[old].1, &life[3].0);
        assert_eq!(kind, KeyTreeErrorKind::RootBehind, "root of generation {old}");
    }
}

#[test]
fn whatever_there_is_can_be_begun_anew() {
    let secret = |roots: &MemoryRootStore| {
        roots.load().unwrap().map(|root| (root.generation(), *root.key().expose_secret()))
    };
    for (pages_of, root_of) in [(3, Some(3)), (1, Some(3)), (0, Some(3)), (3, Some(1)), (3, None)] {
        let (life, _) = a_life();
        let lost = Arc::new(MemoryRootStore::default());
        let roots = root_of.map_or(&lost, |of| &life[of].1);
        let pages = &life[pages_of].0;
        let before = secret(roots);
        let begun = KeyTree::begin_anew(roots, pages).unwrap();
        assert!(begun > Generation::new(pages_of.max(root_of.unwrap_or(0)) as u64));
        let after = secret(roots).unwrap();
        assert!(after.0 == begun && before.is_none_or(|before| before.1 != after.1));
        let tree = KeyTree::open(Arc::clone(roots), Arc::clone(pages)).unwrap();
        let status = tree.status().unwrap();
        assert_eq!((status.generation, status.accounts), (begun, 0));
        assert_eq!(pages.list().unwrap(), [(PageId::TOP, begun)], "nothing else is left");
        assert!(!tree.has_account(account(5)).unwrap());
        // It goes on like any other.
        tree.commit(&[Op::CreateAccount(account(5))]).unwrap();
        drop(tree);
        let tree = KeyTree::open(Arc::clone(roots), Arc::clone(pages)).unwrap();
        assert!(tree.has_account(account(5)).unwrap());
    }
}

#[test]
fn a_missing_or_foreign_or_changed_page_is_damage() {
    let (life, _) = a_life();
    let (pages, roots) = &life[3];
    for (id, generation) in pages.list().unwrap() {
        let bytes = pages.read(id, generation).unwrap().unwrap();
        // Of the newest generation there are other pages than the top one, so it is not another time.
        pages.remove(&[(id, generation)]).unwrap();
        assert_eq!(fails(roots, pages), KeyTreeErrorKind::Damaged);
        let mut bent = bytes.clone();
        *bent.last_mut().unwrap() ^= 1;
        pages.write(&[(id, generation, bent)]).unwrap();
        assert_eq!(fails(roots, pages), KeyTreeErrorKind::Damaged);
        pages.write(&[(id, generation, bytes)]).unwrap();
    }
    let foreign = MemoryRootStore::default();
    let generation = roots.load().unwrap().unwrap().generation();
    foreign.create(&Root::new(generation, RootKey::from_bytes(&[1; 32]))).unwrap();
    assert_eq!(fails(&Arc::new(foreign), pages), KeyTreeErrorKind::Damaged);
    KeyTree::open(Arc::clone(roots), Arc::clone(pages)).unwrap();
}

#[test]
fn leftovers_are_swept_and_their_names_used_again() {
    let (life, tree) = a_life();
    let key = key_of(&tree, account(5), leaf(9, 9, 9));
    let (pages, roots) = &life[3];
    let state = pages.list().unwrap();
    let next = Generation::new(roots.load().unwrap().unwrap().generation().number() + 1);
    let waste =
        [(PageId::TOP, Generation::new(1)), (PageId::new(1), next), (PageId::new(77), next)];
    for (id, generation) in waste {
        pages.write(&[(id, generation, b"waste".to_vec())]).unwrap();
    }
    let tree = KeyTree::open(Arc::clone(roots), Arc::clone(pages)).unwrap();
    assert_eq!(pages.list().unwrap(), state);
    tree.commit(&[Op::PruneHoursBefore(account(0), hour(3))]).unwrap();
    drop(tree);
    let tree = KeyTree::open(Arc::clone(roots), Arc::clone(pages)).unwrap();
    assert_eq!(key_of(&tree, account(5), leaf(9, 9, 9)), key);
}

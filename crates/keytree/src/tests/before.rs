//! What is put on record before the root is replaced.

use std::sync::Arc;

use super::{account, in_memory, key_of, leaf};
use crate::{KeyTree, KeyTreeErrorKind, Op, OpOutcome, PageId, PageStore};

#[test]
fn the_record_is_made_while_the_keys_are_still_there() {
    let (tree, roots, pages) = in_memory();
    let (tag, address) = (account(1), leaf(7, 1, 1));
    tree.commit(&[Op::CreateAccount(tag)]).unwrap();
    let before = tree.status().unwrap();
    let ops = [Op::PruneLeaf(tag, address), Op::PruneLeaf(tag, address)];
    let mut told = None;
    tree.commit_with(&ops, |prepared| {
        assert_eq!(prepared.ops, [OpOutcome::Pruned, OpOutcome::AlreadyGone]);
        assert_eq!((prepared.from, prepared.to), (before.generation, before.generation.next()));
        assert_eq!(prepared.directory_from, before.directory);
        assert!(key_of(&tree, tag, address).is_some(), "not replaced yet");
        told = Some(prepared.directory_to);
        Ok(())
    })
    .unwrap();
    let after = tree.status().unwrap();
    assert_eq!(told, Some(after.directory));
    assert_ne!(before.directory, after.directory);
    let top = pages.read(PageId::TOP, after.generation).unwrap();
    assert_eq!(crate::tree::directory(top.as_deref()), after.directory);
    drop(tree);
    let tree = KeyTree::open(Arc::clone(&roots), Arc::clone(&pages)).unwrap();
    assert_eq!(tree.status().unwrap(), after, "the same after opening");
    tree.commit_with(&ops, |_| panic!("there is nothing to do")).unwrap();
}

#[test]
fn without_its_record_nothing_is_forgotten() {
    let (tree, roots, pages) = in_memory();
    let (tag, address) = (account(1), leaf(7, 1, 1));
    tree.commit(&[Op::CreateAccount(tag)]).unwrap();
    let (before, key) = (tree.status().unwrap(), key_of(&tree, tag, address));
    let error = tree
        .commit_with(&[Op::PruneLeaf(tag, address)], |_| Err("the disk is full".into()))
        .unwrap_err();
    assert_eq!(error.kind(), KeyTreeErrorKind::Retry);
    assert_eq!((tree.status().unwrap(), key_of(&tree, tag, address)), (before, key));
    drop(tree);
    let tree = KeyTree::open(Arc::clone(&roots), Arc::clone(&pages)).unwrap();
    assert_eq!((tree.status().unwrap(), key_of(&tree, tag, address)), (before, key));
    tree.commit(&[Op::PruneLeaf(tag, address)]).unwrap();
    assert_eq!(key_of(&tree, tag, address), None);
}

//! What the state weighs, and what a commit writes.

use std::sync::Arc;

use super::{account, hour, in_memory, key_of, leaf};
use crate::{KeyTree, Op, OpOutcome, PageStore};

#[test]
fn a_busy_account_without_single_shreds_stays_small() {
    let (tree, ..) = in_memory();
    let tag = account(1);
    tree.commit(&[Op::CreateAccount(tag)]).unwrap();
    for now in 490_000..490_400 {
        tree.commit(&[Op::PruneHoursBefore(tag, hour(now - 168))]).unwrap();
        let status = tree.status().unwrap();
        assert!(status.entries <= 24 && status.bytes < 4096, "{status:?}");
    }
}

#[test]
fn expiry_forgets_what_single_shreds_have_cost() {
    let (tree, _, pages) = in_memory();
    let tag = account(1);
    tree.commit(&[Op::CreateAccount(tag)]).unwrap();
    let shreds = |n: u32| Op::PruneLeaf(tag, leaf(490_000 + n % 7, 1, n * 1_009));
    tree.commit(&(0..500).map(shreds).collect::<Vec<_>>()).unwrap();
    let full = tree.status().unwrap();
    assert!(full.pages > 10 && full.entries > 1000, "{full:?}");
    let outcome = tree.commit(&[Op::PruneHoursBefore(tag, hour(490_007))]).unwrap();
    assert_eq!(outcome.ops, [OpOutcome::Pruned]);
    let status = tree.status().unwrap();
    assert_eq!((status.pages, pages.list().unwrap().len()), (1, 1), "{status:?}");
    assert!(status.bytes < 4096);
}

#[test]
fn with_many_accounts_a_shred_still_writes_kilobytes() {
    const ACCOUNTS: u16 = 20_000;
    let (tree, roots, pages) = in_memory();
    tree.commit(&(0..ACCOUNTS).map(|n| Op::CreateAccount(account(n))).collect::<Vec<_>>()).unwrap();
    let status = tree.status().unwrap();
    assert_eq!(status.accounts, u64::from(ACCOUNTS));
    assert!(status.pages > 200, "{status:?}");

    // Whatever came before: also when one account has been shredded from again and again.
    for n in 0..200 {
        let op = Op::PruneLeaf(account(7), leaf(490_000, 1, n * 77_777));
        let outcome = tree.commit(&[op]).unwrap();
        assert_eq!(outcome.ops, [OpOutcome::Pruned]);
        assert!(outcome.bytes_written < 64 * 1024, "{outcome:?}");
        assert!(outcome.pages_written <= 8, "{outcome:?}");
    }
    let key = key_of(&tree, account(8), leaf(1, 2, 3));
    drop(tree);
    let tree = KeyTree::open(Arc::clone(&roots), Arc::clone(&pages)).unwrap();
    assert_eq!(tree.status().unwrap().accounts, u64::from(ACCOUNTS));
    assert_eq!(key_of(&tree, account(8), leaf(1, 2, 3)), key);

    // And it shrinks again, through all levels, down to a single page.
    for batch in (0..ACCOUNTS).filter(|n| *n != 8).collect::<Vec<_>>().chunks(2_500) {
        let ops: Vec<_> = batch.iter().map(|n| Op::PruneAccount(account(*n))).collect();
        tree.commit(&ops).unwrap();
        assert_eq!(pages.list().unwrap().len() as u64, tree.status().unwrap().pages);
    }
    let status = tree.status().unwrap();
    assert_eq!((status.accounts, status.entries, status.pages), (1, 1, 1));
    drop(tree);
    let tree = KeyTree::open(roots, pages).unwrap();
    assert_eq!(key_of(&tree, account(8), leaf(1, 2, 3)), key);
}

/// Otherwise each of them would keep a page of its own for the little that is left.
#[test]
fn pages_that_have_become_small_are_put_together() {
    let (tree, _, pages) = in_memory();
    let all: Vec<_> = (0..6_000).map(account).collect();
    tree.commit(&all.iter().map(|tag| Op::CreateAccount(*tag)).collect::<Vec<_>>()).unwrap();
    let before = tree.status().unwrap();
    assert!(before.pages > 40, "{before:?}");
    let left = all.iter().enumerate().filter(|(n, _)| n % 40 != 0);
    tree.commit(&left.map(|(_, tag)| Op::PruneAccount(*tag)).collect::<Vec<_>>()).unwrap();
    let after = tree.status().unwrap();
    assert_eq!((after.accounts, after.entries), (150, 150));
    // Two neighbours hold more than three quarters of a page, or they would be one.
    assert!(after.pages <= 5, "{after:?}");
    assert_eq!(pages.list().unwrap().len() as u64, after.pages);
}

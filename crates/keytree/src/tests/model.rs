//! The tree against a model so simple that it is plainly right: a list of living addresses for
//! each account, and every key derived from the account's first node.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::{account, hour, in_memory, key_of, leaf};
use crate::entry::{Entry, Subtree};
use crate::key::{NodeKey, Side};
use crate::op::covering;
use crate::{AccountTag, Generation, KeyTree, LeafAddress, Op, OpOutcome, PageStore};

#[derive(Clone, Default, Debug)]
pub(super) struct Model {
    accounts: BTreeMap<AccountTag, Account>,
}

#[derive(Clone, Debug)]
struct Account {
    /// The node the account began with; unknown until the tree has told.
    origin: Option<[u8; 32]>,
    /// What lives: intervals, both ends included, in order, never touching.
    living: Vec<(u64, u64)>,
}

impl Model {
    pub(super) fn apply(&mut self, op: &Op) -> OpOutcome {
        let (tag, first, last) = match *op {
            Op::CreateAccount(tag) => {
                if self.accounts.contains_key(&tag) {
                    return OpOutcome::AlreadyExists;
                }
                let living = vec![(0, u64::MAX)];
                self.accounts.insert(tag, Account { origin: None, living });
                return OpOutcome::Created;
            }
            Op::PruneLeaf(tag, leaf) => (tag, leaf.to_bits(), leaf.to_bits()),
            Op::PruneAccount(tag) => (tag, 0, u64::MAX),
            Op::PruneHoursBefore(tag, hour) => {
                if hour.number() == 0 {
                    let known = self.accounts.contains_key(&tag);
                    return if known { OpOutcome::AlreadyGone } else { OpOutcome::NoSuchAccount };
                }
                (tag, 0, (u64::from(hour.number()) << 40) - 1)
            }
        };
        let Some(account) = self.accounts.get_mut(&tag) else { return OpOutcome::NoSuchAccount };
        let before = account.living.clone();
        account.living = before.iter().flat_map(|&(a, b)| without(a, b, first, last)).collect();
        if account.living == before {
            return OpOutcome::AlreadyGone;
        }
        if account.living.is_empty() {
            self.accounts.remove(&tag);
        }
        OpOutcome::Pruned
    }

    /// Remembers the first node of accounts that were just created.
    pub(super) fn learn(&mut self, tree: &KeyTree) {
        for (tag, account) in &mut self.accounts {
            if account.origin.is_none() {
                let top = tree.top();
                let whole = covering(&top, *tag, 0).filter(|subtree| subtree.len() == 0);
                account.origin = whole.map(|subtree| *subtree.node().as_bytes());
            }
        }
    }

    pub(super) fn learned(mut self, tree: &KeyTree) -> Self {
        self.learn(tree);
        self
    }

    /// Whether the tree holds exactly what lives here: every living address under the very node it
    /// had at first, and no node above an address that was pruned.
    pub(super) fn matches(&self, tree: &KeyTree) -> bool {
        let mut living: BTreeMap<AccountTag, Vec<(u64, u64)>> = BTreeMap::new();
        let mut right_nodes = true;
        tree.top().for_each_entry(&mut |Entry { tag, subtree }| {
            let intervals = living.entry(*tag).or_default();
            match intervals.last_mut() {
                Some((_, last)) if last.wrapping_add(1) == subtree.first() => {
                    *last = subtree.last();
                }
                _ => intervals.push((subtree.first(), subtree.last())),
            }
            let origin = self.accounts.get(tag).and_then(|account| account.origin);
            right_nodes &= origin.is_some_and(|o| naive(&o, subtree) == *subtree.node().as_bytes());
        });
        let expected = self.accounts.iter().map(|(tag, account)| (*tag, account.living.clone()));
        right_nodes
            && living == expected.collect()
            && tree.status().unwrap().accounts == self.accounts.len() as u64
    }

    /// Whether a subtree is of the tree that the account has now, and wholly alive.
    pub(super) fn holds(&self, Entry { tag, subtree }: &Entry) -> bool {
        self.accounts.get(tag).is_some_and(|account| {
            let (first, last) = (subtree.first(), subtree.last());
            account.living.iter().any(|&(a, b)| a <= first && last <= b)
                && account.origin.is_some_and(|o| naive(&o, subtree) == *subtree.node().as_bytes())
        })
    }

    fn key(&self, tag: AccountTag, leaf: LeafAddress) -> Option<[u8; 32]> {
        let account = self.accounts.get(&tag)?;
        let address = leaf.to_bits();
        let lives = account.living.iter().any(|(a, b)| (*a..=*b).contains(&address));
        let subtree = Subtree::new(address, 64, NodeKey::from_bytes(&[0; 32])).unwrap();
        lives.then(|| naive(&account.origin.unwrap(), &subtree))
    }
}

/// `a..=b` without `first..=last`.
fn without(a: u64, b: u64, first: u64, last: u64) -> Vec<(u64, u64)> {
    let left = (a < first).then(|| (a, b.min(first.saturating_sub(1))));
    let right = (last < b).then(|| (a.max(last.saturating_add(1)), b));
    if b < first || last < a { vec![(a, b)] } else { left.into_iter().chain(right).collect() }
}

/// All the way down from the account's first node.
fn naive(origin: &[u8; 32], to: &Subtree) -> [u8; 32] {
    let mut node = NodeKey::from_bytes(origin);
    for depth in 0..to.len() {
        let right = (to.first() >> (63 - depth)) & 1 == 1;
        node = node.child(if right { Side::Right } else { Side::Left });
    }
    *node.as_bytes()
}

pub(super) fn a_leaf() -> impl Strategy<Value = LeafAddress> {
    let hour = prop_oneof![0u32..4, Just(100), Just((1 << 24) - 1)];
    let lease = prop_oneof![Just(0u16), Just(1), Just(u16::MAX)];
    let sequence = prop_oneof![0u32..4, Just((1 << 24) - 1), 0u32..1 << 24];
    (hour, lease, sequence).prop_map(|(hour, lease, sequence)| leaf(hour, lease, sequence))
}

/// Few accounts and close addresses, so that operations meet.
pub(super) fn a_prune() -> impl Strategy<Value = Op> {
    let tag = (0u16..3).prop_map(account);
    let hours = prop_oneof![0u32..5, Just(101), Just((1 << 24) - 1)];
    prop_oneof![
        12 => (tag.clone(), a_leaf()).prop_map(|(tag, leaf)| Op::PruneLeaf(tag, leaf)),
        2 => (tag.clone(), hours).prop_map(|(tag, n)| Op::PruneHoursBefore(tag, hour(n))),
        1 => tag.prop_map(Op::PruneAccount),
    ]
}

/// One commit. Accounts are created by themselves, so that the model can learn their first node.
pub(super) fn a_batch() -> impl Strategy<Value = Vec<Op>> {
    prop_oneof![
        1 => prop::collection::vec((0u16..3).prop_map(account).prop_map(Op::CreateAccount), 1..4),
        3 => prop::collection::vec(a_prune(), 0..6),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_history_matches_the_model(
        batches in prop::collection::vec(a_batch(), 1..12),
        probes in prop::collection::vec(a_leaf(), 8),
    ) {
        let (tree, roots, pages) = in_memory();
        let mut model = Model::default();
        for op in [0, 1].map(account).map(Op::CreateAccount) {
            tree.commit(&[op]).unwrap();
            model.apply(&op);
        }
        model.learn(&tree);
        for batch in &batches {
            let expected: Vec<_> = batch.iter().map(|op| model.apply(op)).collect();
            let before = tree.status().unwrap().generation;
            let outcome = tree.commit(batch).unwrap();
            model.learn(&tree);
            prop_assert_eq!(&outcome.ops, &expected);
            let changed = expected.iter().any(|o| matches!(o, OpOutcome::Created | OpOutcome::Pruned));
            prop_assert_eq!(outcome.from, before);
            prop_assert_eq!(outcome.to.number(), before.number() + u64::from(changed));
            prop_assert_eq!(outcome.bytes_written > 0, changed);
        }
        prop_assert!(model.matches(&tree));

        let again = tree.commit(&batches.concat().into_iter().filter(is_prune).collect::<Vec<_>>());
        let again = again.unwrap();
        for batch in &batches {
            batch.iter().filter(|op| is_prune(op)).for_each(|op| { model.apply(op); });
        }
        prop_assert!(model.matches(&tree), "{:?}", again);

        // In the store lies exactly the state in force, and opening it gives the same.
        let status = tree.status().unwrap();
        prop_assert_eq!(pages.list().unwrap().len() as u64, status.pages);
        let sizes = pages.list().unwrap().into_iter()
            .map(|(id, generation)| pages.read(id, generation).unwrap().unwrap().len());
        let sizes: Vec<_> = sizes.collect();
        prop_assert!(sizes.iter().all(|size| *size <= 8192), "{:?}", sizes);
        prop_assert_eq!(sizes.iter().sum::<usize>() as u64, status.bytes);
        drop(tree);
        let tree = KeyTree::open(roots, Arc::clone(&pages)).unwrap();
        prop_assert!(model.matches(&tree));
        prop_assert_eq!(tree.status().unwrap(), status);
        for n in 0..3 {
            prop_assert_eq!(tree.has_account(account(n)).unwrap(), model.accounts.contains_key(&account(n)));
            for probe in &probes {
                prop_assert_eq!(key_of(&tree, account(n), *probe), model.key(account(n), *probe));
            }
        }
    }

    #[test]
    fn a_lease_gives_what_lives_in_order_and_holds_nothing_behind(
        pruned in prop::collection::vec(0u32..40, 0..12),
        also in a_leaf(),
        take in 1usize..40,
    ) {
        let (tree, ..) = in_memory();
        let tag = account(1);
        let mut ops = vec![Op::CreateAccount(tag), Op::PruneLeaf(tag, also)];
        ops.extend(pruned.iter().map(|sequence| Op::PruneLeaf(tag, leaf(2, 1, *sequence))));
        tree.commit(&ops).unwrap();
        let mut lease = tree.lease(tag, hour(2), 1).unwrap().unwrap();
        let gone: HashSet<_> = ops[1..].iter().filter_map(|op| match op {
            Op::PruneLeaf(_, leaf) if (leaf.hour(), leaf.lease()) == (hour(2), 1) => Some(leaf),
            _ => None,
        }).collect();
        prop_assert_eq!(lease.remaining() as usize, (1 << 24) - gone.len(), "up to the last");
        let lives = |sequence: &u32| key_of(&tree, tag, leaf(2, 1, *sequence)).is_some();
        for sequence in (0..1000).filter(lives).take(take) {
            let left = lease.remaining();
            let (address, key) = lease.next().unwrap();
            prop_assert_eq!(address, leaf(2, 1, sequence));
            prop_assert_eq!(Some(*key.expose_secret()), key_of(&tree, tag, address));
            prop_assert!(lease.held().iter().all(|held| held.first() > address.to_bits()));
            prop_assert!(lease.held().iter().all(|held| held.last() < leaf(2, 2, 0).to_bits()));
            prop_assert_eq!(lease.remaining(), left - 1);
        }
    }
}

fn is_prune(op: &Op) -> bool {
    !matches!(op, Op::CreateAccount(_))
}

#[test]
fn a_fresh_tree_is_empty_and_writes_nothing_until_asked() {
    let (tree, _, pages) = in_memory();
    let outcome = tree.commit(&[Op::PruneLeaf(account(1), leaf(1, 1, 1))]).unwrap();
    assert_eq!(outcome.ops, [OpOutcome::NoSuchAccount]);
    assert_eq!((outcome.from, outcome.to), (Generation::ZERO, Generation::ZERO));
    assert_eq!(pages.list().unwrap(), []);
    assert_eq!(tree.status().unwrap().pages, 0);
    assert!(tree.lease(account(1), hour(1), 1).unwrap().is_none());
}

#[test]
fn an_account_created_again_has_another_tree() {
    let (tree, ..) = in_memory();
    let (tag, address) = (account(1), leaf(7, 7, 7));
    tree.commit(&[Op::CreateAccount(tag)]).unwrap();
    let first = key_of(&tree, tag, address).unwrap();
    let outcome = tree.commit(&[Op::PruneAccount(tag), Op::CreateAccount(tag)]).unwrap();
    assert_eq!(outcome.ops, [OpOutcome::Pruned, OpOutcome::Created]);
    assert_ne!(key_of(&tree, tag, address).unwrap(), first);
}

#[test]
fn a_lease_that_is_all_pruned_is_none() {
    let (tree, ..) = in_memory();
    let tag = account(1);
    tree.commit(&[Op::CreateAccount(tag), Op::PruneHoursBefore(tag, hour(10))]).unwrap();
    assert!(tree.lease(tag, hour(9), 3).unwrap().is_none());
    let lease = tree.lease(tag, hour(10), 3).unwrap().unwrap();
    assert_eq!(lease.remaining(), 1 << 24);
    assert_eq!((lease.account(), lease.hour(), lease.number()), (tag, hour(10), 3));
    assert_eq!(format!("{lease:?}"), format!("Lease({tag:?}, 10/3, 16777216 left)"));
}

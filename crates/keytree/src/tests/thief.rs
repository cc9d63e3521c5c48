//! The thief has every page ever written, in whatever crashes, and today's root, and what lies in
//! the memory of the writers. Nothing that was pruned opens.
//!
//! Told twice, by means that share little: a *thief* who tries each key on each page, and a *model*,
//! the graph of which key discloses which others, in which nothing dead may be reachable. The
//! histories are random; `OUBLIETTE_THIEF_HISTORIES` says how many (`cargo xtask thief`).

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::crash::{FAULTS, Fault, World, Written};
use super::model::{Model, a_batch};
use super::{account, hour, key_of};
use crate::page::{self, Opened};
use crate::sabotage::{Loot, Sabotage};
use crate::{
    AccountTag, Generation, Hour, KeyTree, KeyTreeErrorKind, LeafAddress, Lease, Op, PageId,
};

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Op>),
    /// An account is forgotten whole and begins anew, in one commit.
    Reborn(u16),
    /// A writer takes leaves of an hour: under a lease of its own, or the one it has.
    Write {
        of: u16,
        hour: u32,
        leaves: usize,
        anew: bool,
    },
    /// The leaf that was given out so many leaves ago is shredded.
    ShredGiven(usize),
    /// The process ends and starts again.
    Restart,
    /// Something goes wrong at a writing call soon.
    Arm(usize, Fault),
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => a_batch().prop_map(Step::Commit),
        1 => (0u16..3).prop_map(Step::Reborn),
        4 => (0u16..3, 0u32..4, 1usize..6, any::<bool>())
            .prop_map(|(of, hour, leaves, anew)| Step::Write { of, hour, leaves, anew }),
        4 => (0usize..12).prop_map(Step::ShredGiven),
        1 => Just(Step::Restart),
        2 => (0usize..5, prop::sample::select(FAULTS.to_vec())).prop_map(|(n, f)| Step::Arm(n, f)),
    ]
}

/// A leaf that a payload was sealed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Given {
    tag: AccountTag,
    address: LeafAddress,
    key: [u8; 32],
}

/// What goes on, and who remembers what of it.
struct History {
    world: Arc<World>,
    broken: Option<Sabotage>,
    tree: KeyTree,
    model: Model,
    leases: BTreeMap<(AccountTag, Hour), Lease>,
    next_lease: u16,
    given: Vec<Given>,
}

/// Why a history is over: what the thief opened, or that a broken tree no longer opens.
#[derive(Debug)]
enum Over {
    Caught(String),
    DoesNotOpen,
}

impl Over {
    fn is_theft(&self) -> bool {
        match self {
            Self::Caught(what) => !what.is_empty(),
            Self::DoesNotOpen => false,
        }
    }
}

impl History {
    /// So many accounts that the state takes several pages.
    fn begin(broken: Option<Sabotage>) -> Self {
        let world = Arc::new(World::default());
        let tree = world.start_broken(broken).unwrap();
        let mut model = Model::default();
        let all: Vec<_> = (0..300).map(account).map(Op::CreateAccount).collect();
        tree.commit(&all).unwrap();
        for op in &all {
            model.apply(op);
        }
        model.learn(&tree);
        let leases = BTreeMap::new();
        Self { world, broken, tree, model, leases, next_lease: 0, given: Vec::new() }
    }

    fn step(&mut self, step: &Step) -> Result<(), Over> {
        match step {
            Step::Commit(ops) => self.commit(ops)?,
            Step::Reborn(n) => {
                let tag = account(*n);
                self.commit(&[Op::PruneAccount(tag), Op::CreateAccount(tag)])?;
            }
            Step::Write { of, hour: number, leaves, anew } => {
                let (tag, hour) = (account(*of), hour(*number));
                if *anew {
                    self.leases.remove(&(tag, hour));
                }
                if !self.leases.contains_key(&(tag, hour)) {
                    self.next_lease += 1;
                    let lease = self.tree.lease(tag, hour, self.next_lease).unwrap();
                    self.leases.extend(lease.map(|lease| ((tag, hour), lease)));
                }
                if let Some(lease) = self.leases.get_mut(&(tag, hour)) {
                    self.given.extend(lease.take(*leaves).map(|(address, key)| Given {
                        tag,
                        address,
                        key: *key.expose_secret(),
                    }));
                }
            }
            Step::ShredGiven(ago) => {
                let given = self.given.iter().rev().nth(*ago).copied();
                if let Some(Given { tag, address, .. }) = given {
                    self.commit(&[Op::PruneLeaf(tag, address)])?;
                }
            }
            Step::Restart => self.restart()?,
            Step::Arm(after, fault) => self.world.arm(*after, *fault),
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<(), Over> {
        self.leases.clear();
        self.tree = self.world.start_broken(self.broken).map_err(|_| Over::DoesNotOpen)?;
        Ok(())
    }

    /// Commits until it is done, through whatever goes wrong meanwhile.
    fn commit(&mut self, ops: &[Op]) -> Result<(), Over> {
        let mut next = self.model.clone();
        for op in ops {
            next.apply(op);
        }
        loop {
            match self.tree.commit(ops) {
                Ok(_) => break,
                Err(error) if error.kind() == KeyTreeErrorKind::Retry && !self.world.is_dark() => {}
                // It may have been done, and a second time it would make another tree.
                Err(_) => {
                    self.restart()?;
                    if next.clone().learned(&self.tree).matches(&self.tree) {
                        break;
                    }
                }
            }
        }
        self.model = next.learned(&self.tree);
        // As the service does: who writes stops before an account or an hour is erased.
        for op in ops {
            match *op {
                Op::PruneAccount(tag) => self.leases.retain(|(of, _), _| *of != tag),
                Op::PruneHoursBefore(tag, hour) => {
                    self.leases.retain(|(of, at), _| *of != tag || *at >= hour);
                }
                _ => {}
            }
        }
        if self.world.is_dark() { self.restart() } else { Ok(()) }
    }

    fn dead(&self) -> Vec<Given> {
        let lives = |it: &Given| key_of(&self.tree, it.tag, it.address) == Some(it.key);
        self.given.iter().filter(|it| !lives(it)).copied().collect()
    }

    /// What today's root and today's memory lead to must be what lives, no more and no less.
    fn judge(&self) -> Result<(), Over> {
        let ever = self.world.pages_ever();
        let root = self.world.root_in_force();
        let loot = Loot::with_key(&root, &ever);
        for entry in loot.entries() {
            if !self.model.holds(entry) {
                return Err(Over::Caught(format!("today's root opens {entry:?}")));
            }
        }
        let dead = self.dead();
        for Given { tag, address, key } in &dead {
            let stolen = self.leases.values().filter(|lease| lease.account() == *tag);
            for subtree in stolen.flat_map(Lease::stolen) {
                if subtree.covers(address.to_bits())
                    && subtree.leaf(*address).expose_secret() == key
                {
                    return Err(Over::Caught(format!("a lease still leads to {address}")));
                }
            }
        }
        // Not because the thief is clumsy: all that lives is there.
        assert_eq!(loot.entries().len() as u64, self.tree.status().unwrap().entries);
        // And the other way of telling says the same.
        let graph = Graph::of(&ever, &self.world.roots_ever());
        let nodes = |entries: &mut dyn Iterator<Item = [u8; 32]>| entries.collect::<BTreeSet<_>>();
        let stolen = nodes(&mut loot.entries().iter().map(|it| *it.subtree.node().as_bytes()));
        assert_eq!(graph.reachable(root), stolen, "thief and model disagree");
        Ok(())
    }

    /// Had the old roots been kept, everything would open; so what was tried is the right thing.
    fn control(&self) {
        let ever = self.world.pages_ever();
        let mut loot: Vec<_> = Vec::new();
        for (_, root) in self.world.roots_ever() {
            loot.push(Loot::with_key(&root, &ever));
        }
        for Given { tag, address, key } in self.dead() {
            let opened = loot.iter().any(|loot| {
                loot.leaf_keys(tag, address).iter().any(|found| *found.expose_secret() == key)
            });
            assert!(opened, "the control does not open {address}");
        }
        // No key of any time lies in any page in the clear.
        let roots = self.world.roots_ever().into_iter().map(|(_, key)| key);
        let secrets = loot.iter().flat_map(Loot::secrets).chain(roots);
        let starts: BTreeSet<[u8; 8]> = secrets.map(|s| *s.first_chunk().unwrap()).collect();
        for (id, generation, bytes) in &ever {
            let clear = bytes.windows(8).any(|window| starts.contains(window));
            assert!(!clear, "page {id} of {generation} shows a key");
        }
    }
}

fn live_through(steps: &[Step], broken: Option<Sabotage>) -> Result<History, Over> {
    let mut history = History::begin(broken);
    for step in steps {
        history.step(step)?;
        if matches!(step, Step::ShredGiven(_) | Step::Reborn(_) | Step::Commit(_)) {
            history.judge()?;
        }
    }
    history.restart()?;
    history.judge()?;
    Ok(history)
}

/// Which key discloses what, as the protocol means it: a root key opens the top page of its
/// generation, a page key the page of its id and generation, and a page holds the keys it holds.
struct Graph {
    discloses: BTreeMap<[u8; 32], Vec<[u8; 32]>>,
    nodes: BTreeSet<[u8; 32]>,
}

impl Graph {
    fn of(ever: &[Written], roots: &[(Generation, [u8; 32])]) -> Self {
        let mut graph = Self { discloses: BTreeMap::new(), nodes: BTreeSet::new() };
        let mut to_do: Vec<_> = roots.iter().map(|(g, key)| (*key, PageId::TOP, *g)).collect();
        let mut seen = BTreeSet::new();
        while let Some((key, id, generation)) = to_do.pop() {
            if !seen.insert((key, id, generation)) {
                continue;
            }
            let mut found = Vec::new();
            // The same page may have been written twice, by a commit that failed and one that did not.
            for (.., bytes) in ever.iter().filter(|(i, g, _)| (*i, *g) == (id, generation)) {
                match page::open(&key, id, generation, bytes) {
                    Ok(Opened::Leaf(entries)) => {
                        found.extend(entries.iter().map(|it| *it.subtree.node().as_bytes()));
                        graph.nodes.extend(entries.iter().map(|it| *it.subtree.node().as_bytes()));
                    }
                    Ok(Opened::Inner { children, .. }) => {
                        for child in children {
                            found.push(*child.key.as_bytes());
                            to_do.push((*child.key.as_bytes(), child.id, child.generation));
                        }
                    }
                    Err(_) => {}
                }
            }
            graph.discloses.entry(key).or_default().extend(found);
        }
        graph
    }

    fn reachable(&self, from: [u8; 32]) -> BTreeSet<[u8; 32]> {
        let mut reached = BTreeSet::new();
        let mut to_do = vec![from];
        while let Some(key) = to_do.pop() {
            if reached.insert(key) {
                to_do.extend(self.discloses.get(&key).into_iter().flatten());
            }
        }
        reached.intersection(&self.nodes).copied().collect()
    }
}

fn histories(otherwise: u32) -> u32 {
    let asked = std::env::var("OUBLIETTE_THIEF_HISTORIES").ok();
    asked.map_or(otherwise, |text| text.parse().expect("a number of histories"))
}

#[test]
fn nothing_forgotten_opens_in_any_history() {
    let config = Config { cases: histories(250), failure_persistence: None, ..Config::default() };
    let (number, dead) = (Cell::new(0), Cell::new(0));
    let steps = prop::collection::vec(a_step(), 4..24);
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        let history =
            live_through(&steps, None).map_err(|over| TestCaseError::fail(format!("{over:?}")))?;
        number.set(number.get() + 1);
        dead.set(dead.get() + history.dead().len());
        if number.get() % 5 == 0 {
            history.control();
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let (number, dead) = (number.get(), dead.get());
    assert!(dead > number, "histories in which little dies prove little: {dead} in {number}");
}

#[test]
fn whatever_is_broken_is_caught() {
    for broken in Sabotage::ALL {
        let mut runner = TestRunner::deterministic();
        let mut caught = 0;
        for _ in 0..24 {
            let steps = prop::collection::vec(a_step(), 4..24).new_tree(&mut runner).unwrap();
            let over = live_through(&steps.current(), Some(broken)).err();
            caught += u32::from(over.is_some_and(|over| over.is_theft()));
        }
        assert!(caught >= 8, "{broken:?} was caught in {caught} of 24 histories only");
    }
}

//! Whatever fails, and wherever the power goes: the state is one generation or the next, whole.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::model::{Model, a_batch};
use super::{account, hour, leaf};
use crate::sabotage::Sabotage;
use crate::{
    Generation, KeyTree, KeyTreeError, KeyTreeErrorKind, MemoryPageStore, MemoryRootStore, Op,
    PageId, PageStore, Root, RootStore,
};

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// The call fails and does nothing, once.
    FailBefore,
    /// The call does its work and fails all the same, once.
    FailAfter,
    /// The power goes before the call does anything (or half of it, if it need not be atomic).
    PowerBefore,
    /// The power goes when the work is done but before the caller hears of it.
    PowerAfter,
}

pub(super) const FAULTS: [Fault; 4] =
    [Fault::FailBefore, Fault::FailAfter, Fault::PowerBefore, Fault::PowerAfter];

/// Two stores that fail, and a disk that never forgets what it was given to write.
#[derive(Debug, Default)]
pub(super) struct World {
    pages: MemoryPageStore,
    roots: MemoryRootStore,
    fuse: Mutex<Fuse>,
    /// Every page ever handed to the store, whether or not the call came to its end.
    pages_ever: Mutex<Vec<Written>>,
    /// Every root key ever, in force or not: for the control, never for the thief.
    roots_ever: Mutex<Vec<(Generation, [u8; 32])>>,
}

pub(super) type Written = (PageId, Generation, Vec<u8>);

#[derive(Debug, Default)]
struct Fuse {
    /// Writing calls until it blows; `None` once it has.
    left: Option<(usize, Fault)>,
    dark: bool,
}

impl World {
    fn new(after: usize, fault: Fault) -> Arc<Self> {
        let fuse = Mutex::new(Fuse { left: Some((after, fault)), dark: false });
        Arc::new(Self { fuse, ..Self::default() })
    }

    /// Lets something go wrong at a writing call to come.
    pub(super) fn arm(&self, after: usize, fault: Fault) {
        self.fuse.lock().unwrap().left = Some((after, fault));
    }

    pub(super) fn pages_ever(&self) -> Vec<Written> {
        self.pages_ever.lock().unwrap().clone()
    }

    pub(super) fn roots_ever(&self) -> Vec<(Generation, [u8; 32])> {
        self.roots_ever.lock().unwrap().clone()
    }

    /// What the thief gets with all the pages.
    pub(super) fn root_in_force(&self) -> [u8; 32] {
        *self.roots.load().unwrap().unwrap().key().expose_secret()
    }

    /// Runs one writing call, or does to it what the fuse says.
    fn writing(
        &self,
        half: impl FnOnce(),
        whole: impl FnOnce() -> Result<(), KeyTreeError>,
    ) -> Result<(), KeyTreeError> {
        let mut fuse = self.fuse.lock().unwrap();
        if fuse.dark {
            return Err(no_power());
        }
        let fault = match &mut fuse.left {
            Some((0, fault)) => *fault,
            Some((left, _)) => {
                *left -= 1;
                return whole();
            }
            None => return whole(),
        };
        fuse.left = None;
        match fault {
            Fault::FailBefore => {
                return Err(KeyTreeError::new(KeyTreeErrorKind::Retry, "the disk is full"));
            }
            Fault::FailAfter => whole()?,
            Fault::PowerBefore => {
                half();
                fuse.dark = true;
            }
            Fault::PowerAfter => {
                whole()?;
                fuse.dark = true;
            }
        }
        Err(KeyTreeError::new(KeyTreeErrorKind::Storage, "the line went dead"))
    }

    fn reading<T>(
        &self,
        read: impl FnOnce() -> Result<T, KeyTreeError>,
    ) -> Result<T, KeyTreeError> {
        if self.is_dark() { Err(no_power()) } else { read() }
    }

    pub(super) fn is_dark(&self) -> bool {
        self.fuse.lock().unwrap().dark
    }

    fn remember(&self, root: &Root) {
        let root = (root.generation(), *root.key().expose_secret());
        let mut ever = self.roots_ever.lock().unwrap();
        // It is prepared, and then put in force.
        if ever.last() != Some(&root) {
            ever.push(root);
        }
    }

    fn power_on(&self) {
        self.fuse.lock().unwrap().dark = false;
    }

    fn open(self: &Arc<Self>, broken: Option<Sabotage>) -> Result<KeyTree, KeyTreeError> {
        KeyTree::open_sabotaged(Roots(Arc::clone(self)), Pages(Arc::clone(self)), broken)
    }

    /// Opens as often as it takes, like a service that is started again.
    fn start(self: &Arc<Self>) -> KeyTree {
        self.start_broken(None).unwrap()
    }

    pub(super) fn start_broken(
        self: &Arc<Self>,
        broken: Option<Sabotage>,
    ) -> Result<KeyTree, KeyTreeError> {
        self.power_on();
        self.open(broken).or_else(|_| {
            self.power_on();
            self.open(broken)
        })
    }
}

fn no_power() -> KeyTreeError {
    KeyTreeError::new(KeyTreeErrorKind::Storage, "no power")
}

struct Pages(Arc<World>);

impl PageStore for Pages {
    fn write(&self, pages: &[(PageId, Generation, Vec<u8>)]) -> Result<(), KeyTreeError> {
        self.0.pages_ever.lock().unwrap().extend_from_slice(pages);
        self.0.writing(|| {}, || self.0.pages.write(pages))
    }

    fn read(&self, id: PageId, generation: Generation) -> Result<Option<Vec<u8>>, KeyTreeError> {
        self.0.reading(|| self.0.pages.read(id, generation))
    }

    fn list(&self) -> Result<Vec<(PageId, Generation)>, KeyTreeError> {
        self.0.reading(|| self.0.pages.list())
    }

    fn remove(&self, pages: &[(PageId, Generation)]) -> Result<(), KeyTreeError> {
        let half = || self.0.pages.remove(&pages[..pages.len() / 2]).unwrap();
        self.0.writing(half, || self.0.pages.remove(pages))
    }
}

struct Roots(Arc<World>);

impl RootStore for Roots {
    fn load(&self) -> Result<Option<Root>, KeyTreeError> {
        self.0.reading(|| self.0.roots.load())
    }

    fn create(&self, root: &Root) -> Result<(), KeyTreeError> {
        self.0.remember(root);
        self.0.writing(|| {}, || self.0.roots.create(root))
    }

    fn prepare(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        self.0.remember(root);
        self.0.writing(|| {}, || self.0.roots.prepare(old, root))
    }

    fn replace(&self, old: Generation, root: &Root) -> Result<(), KeyTreeError> {
        self.0.remember(root);
        self.0.writing(|| {}, || self.0.roots.replace(old, root))
    }
}

/// Lives through a history with one fault in it, and checks what is left after every step.
fn survive(batches: &[Vec<Op>], after: usize, fault: Fault) {
    let world = World::new(after, fault);
    let mut tree = world.start();
    let mut acknowledged = Model::default();
    for batch in batches {
        let mut next = acknowledged.clone();
        let outcomes: Vec<_> = batch.iter().map(|op| next.apply(op)).collect();
        let mut tries = 0;
        loop {
            tries += 1;
            assert!(tries <= 2, "one fault needs one more try");
            match tree.commit(batch) {
                Ok(outcome) => {
                    next.learn(&tree);
                    // After a crash it may have been done already; then nothing is left to do.
                    assert!(outcome.ops == outcomes || tries == 2);
                    break;
                }
                Err(error) if error.kind() == KeyTreeErrorKind::Retry && !world.is_dark() => {
                    assert!(acknowledged.matches(&tree), "a failed commit leaves no trace");
                }
                Err(error) => {
                    if !world.is_dark() {
                        assert_eq!(error.kind(), KeyTreeErrorKind::Poisoned);
                        assert!(!matches!(fault, Fault::FailBefore), "it may be tried again");
                        assert_all_refuse(&tree);
                    }
                    drop(tree);
                    tree = world.start();
                    next.learn(&tree);
                    assert!(
                        acknowledged.matches(&tree) || next.matches(&tree),
                        "one generation or the next, whole"
                    );
                }
            }
        }
        assert!(next.matches(&tree));
        acknowledged = next;
        if world.is_dark() {
            // The power went while waste was removed, after the acknowledgement.
            drop(tree);
            tree = world.start();
            assert!(acknowledged.matches(&tree), "acknowledged means done");
        }
    }
    drop(tree);
    let tree = world.start();
    assert!(acknowledged.matches(&tree));
    let listed = world.pages.list().unwrap();
    assert_eq!(listed.len() as u64, tree.status().unwrap().pages, "everything else is swept");
}

fn assert_all_refuse(tree: &KeyTree) {
    let (tag, address) = (account(0), leaf(0, 0, 0));
    let kinds = [
        tree.commit(&[]).map(drop),
        tree.derive_leaf(tag, address).map(drop),
        tree.lease(tag, hour(0), 0).map(drop),
        tree.has_account(tag).map(drop),
        tree.status().map(drop),
    ]
    .map(|result| result.unwrap_err());
    for error in kinds {
        assert_eq!(error.kind(), KeyTreeErrorKind::Poisoned);
        assert!(error.to_string().contains("reopen"));
    }
    assert_eq!(format!("{tree:?}"), "KeyTree(poisoned)");
}

/// Big enough for several pages on two levels.
fn a_history() -> Vec<Vec<Op>> {
    let mut batches = vec![(0..300).map(account).map(Op::CreateAccount).collect::<Vec<_>>()];
    for n in 0..3 {
        batches.push(vec![Op::PruneLeaf(account(n), leaf(5, n, 9))]);
        batches.push(vec![
            Op::PruneHoursBefore(account(n), hour(5)),
            Op::PruneAccount(account(99 + n)),
        ]);
    }
    batches.push((50..290).map(account).map(Op::PruneAccount).collect());
    batches
}

#[test]
fn a_fault_at_any_step_leaves_one_generation_or_the_next() {
    let history = a_history();
    // One call to create the root, four for each commit, one more that never comes.
    for after in 0..=4 * history.len() + 1 {
        for fault in FAULTS {
            survive(&history, after, fault);
        }
    }
}

/// A root store that cannot prepare, for one reason or another.
struct CannotPrepare(Arc<MemoryRootStore>, KeyTreeErrorKind);

impl RootStore for CannotPrepare {
    fn load(&self) -> Result<Option<Root>, KeyTreeError> {
        self.0.load()
    }

    fn create(&self, root: &Root) -> Result<(), KeyTreeError> {
        self.0.create(root)
    }

    fn prepare(&self, _: Generation, _: &Root) -> Result<(), KeyTreeError> {
        Err(KeyTreeError::new(self.1, "not now"))
    }

    fn replace(&self, _: Generation, _: &Root) -> Result<(), KeyTreeError> {
        panic!("what could not be prepared is not put in force");
    }
}

#[test]
fn a_root_that_is_not_the_trees_own_any_more_stops_it() {
    for kind in [KeyTreeErrorKind::Retry, KeyTreeErrorKind::Storage, KeyTreeErrorKind::Damaged] {
        let roots = Arc::new(CannotPrepare(Arc::default(), kind));
        let tree = KeyTree::open(roots, MemoryPageStore::default()).unwrap();
        let error = tree.commit(&[Op::CreateAccount(account(0))]).unwrap_err();
        if kind == KeyTreeErrorKind::Retry {
            assert_eq!(error.kind(), kind, "the root is in force still");
            assert!(!tree.has_account(account(0)).unwrap());
        } else {
            assert_eq!(error.kind(), KeyTreeErrorKind::Poisoned);
            assert_all_refuse(&tree);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_fault_anywhere_in_any_history(
        batches in prop::collection::vec(a_batch(), 1..8),
        after in 0usize..32,
        fault in prop::sample::select(FAULTS.to_vec()),
    ) {
        let mut all = vec![vec![Op::CreateAccount(account(0))], vec![Op::CreateAccount(account(1))]];
        all.extend(batches);
        survive(&all, after, fault);
    }
}

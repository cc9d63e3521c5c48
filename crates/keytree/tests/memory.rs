//! After a shred, what was forgotten is not in the memory of the process either.
//!
//! All writable memory is read through `/proc/self/mem` and searched for dead keys. The test itself keeps
//! keys only in disguise, so that it does not find its own copies.

#![cfg(all(target_os = "linux", debug_assertions))]
#![allow(clippy::unwrap_used, reason = "a test that has nothing to unwrap has failed")]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufRead as _;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use oubliette_keytree::sabotage::{Loot, Sabotage};
use oubliette_keytree::{
    AccountTag, FileRootStore, Generation, Hour, KeyTree, KeyTreeError, LeafAddress,
    MemoryPageStore, Op, PageId, PageStore,
};

/// Any byte but zero: what is searched for is not in memory as it is.
const DISGUISE: u8 = 0xa5;

/// A secret in disguise. Eight of its bytes are searched for, anywhere in it: a copy may be cut short.
type Disguised = [u8; 32];

fn disguised(secret: &[u8; 32]) -> Disguised {
    let mut hidden = [0; 32];
    for (to, from) in hidden.iter_mut().zip(secret) {
        *to = from ^ DISGUISE;
    }
    hidden
}

/// How many of the secrets lie in writable memory.
fn found(secrets: &BTreeSet<Disguised>) -> BTreeSet<Disguised> {
    let maps = std::io::BufReader::new(File::open("/proc/self/maps").unwrap());
    let memory = File::open("/proc/self/mem").unwrap();
    let disguise = u64::from_ne_bytes([DISGUISE; 8]);
    let mut starts: Vec<(u64, &Disguised)> = secrets
        .iter()
        // The allocator writes over the first bytes of what it was given back.
        .map(|secret| (u64::from_ne_bytes(*secret[16..].first_chunk().unwrap()), secret))
        .collect();
    starts.sort_unstable();
    let mut buffer = vec![0; 1 << 16];
    let mut found = BTreeSet::new();
    for line in maps.lines() {
        let line = line.unwrap();
        let mut fields = line.split(' ');
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let mut at = u64::from_str_radix(start, 16).unwrap();
        let end = u64::from_str_radix(end, 16).unwrap();
        while at < end {
            let len = usize::try_from((end - at).min(buffer.len() as u64)).unwrap();
            let Ok(read) = memory.read_at(&mut buffer[..len], at) else { break };
            for window in buffer[..read].windows(8) {
                let start = u64::from_ne_bytes(*window.first_chunk().unwrap()) ^ disguise;
                if let Ok(place) = starts.binary_search_by_key(&start, |(start, _)| *start) {
                    found.insert(*starts[place].1);
                }
            }
            buffer[..read].fill(0);
            at += (read as u64).saturating_sub(7).max(1);
            if read < 8 {
                break;
            }
        }
    }
    found
}

/// Pages, and every version there ever was of them.
#[derive(Default)]
struct Pages(MemoryPageStore, Mutex<Vec<(PageId, Generation, Vec<u8>)>>);

impl PageStore for Pages {
    fn write(&self, pages: &[(PageId, Generation, Vec<u8>)]) -> Result<(), KeyTreeError> {
        self.1.lock().unwrap().extend_from_slice(pages);
        self.0.write(pages)
    }

    fn read(&self, id: PageId, generation: Generation) -> Result<Option<Vec<u8>>, KeyTreeError> {
        self.0.read(id, generation)
    }

    fn list(&self) -> Result<Vec<(PageId, Generation)>, KeyTreeError> {
        self.0.list()
    }

    fn remove(&self, pages: &[(PageId, Generation)]) -> Result<(), KeyTreeError> {
        self.0.remove(pages)
    }
}

/// The root key in disguise, and all that it leads to.
fn secrets(root: &Path, pages: &Pages) -> (Disguised, BTreeSet<Disguised>) {
    let mut key = [0; 32];
    let file = File::open(root).unwrap();
    // See the layout in file_root.rs: one of two slots holds it, the other zeros.
    file.read_exact_at(&mut key, 17).unwrap();
    if key == [0; 32] {
        file.read_exact_at(&mut key, (64 << 10) + 17).unwrap();
    }
    let loot = Loot::with_key(&key, &pages.1.lock().unwrap());
    let root = disguised(&key);
    key.fill(0);
    std::hint::black_box(&key);
    let mut all = BTreeSet::new();
    loot.for_each_secret(|secret| {
        all.insert(disguised(secret));
    });
    (root, all)
}

/// Writes over what the thief's own work has left on the stack.
#[inline(never)]
fn forget_own_work() {
    std::hint::black_box(&mut [0_u8; 256 << 10]).fill(0);
}

fn account(n: u16) -> AccountTag {
    let mut tag = [0x11; 16];
    tag[..2].copy_from_slice(&n.wrapping_mul(40_503).to_be_bytes());
    AccountTag::from_bytes(tag)
}

/// Lives through shreds; gives what is dead, and what of it is still in memory.
fn dead_and_found(broken: Option<Sabotage>) -> (BTreeSet<Disguised>, BTreeSet<Disguised>) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.key");
    let pages = Arc::new(Pages::default());
    let store = FileRootStore::open(&root).unwrap();
    let tree = KeyTree::open_sabotaged(store, Arc::clone(&pages), broken).unwrap();
    let all: Vec<_> = (0..300).map(|n| Op::CreateAccount(account(n))).collect();
    tree.commit(&all).unwrap();
    // A writer has given out a leaf; a reader has opened it.
    let hour = Hour::new(490_000).unwrap();
    let mut lease = tree.lease(account(1), hour, 1).unwrap().unwrap();
    let mut above = None;
    lease.visit_node_above(|node| above = Some(disguised(node)));
    let above = above.unwrap();
    let (address, key) = lease.next().unwrap();
    assert_eq!(address, LeafAddress::new(hour, 1, 0).unwrap());
    drop(key);
    let leaf = disguised(tree.derive_leaf(account(1), address).unwrap().unwrap().expose_secret());

    let (old_root, before) = secrets(&root, &pages);
    forget_own_work();
    assert_eq!(found(&before), before, "what lives is found, so the search is no sham");
    tree.commit(&[Op::PruneLeaf(account(1), address)]).unwrap();
    tree.commit(&[Op::PruneAccount(account(2))]).unwrap();
    tree.commit(&[Op::PruneHoursBefore(account(3), hour)]).unwrap();
    // Before the thief works again. Of some it is known that they are dead, of the others it shows then.
    let known = BTreeSet::from([old_root, leaf, above]);
    let in_memory = found(&before.union(&known).copied().collect());
    let (_, after) = secrets(&root, &pages);
    let mut dead: BTreeSet<_> = before.difference(&after).copied().collect();
    dead.extend(known);
    let still = in_memory.intersection(&dead).copied().collect();
    drop((lease, tree));
    (dead, still)
}

#[test]
fn what_is_kept_in_memory_is_noticed() {
    let (_, found) = dead_and_found(Some(Sabotage::LeaseNodeKept));
    assert!(!found.is_empty(), "a lease keeps the node above the leaf it gave out");
}

#[test]
fn nothing_forgotten_is_in_memory() {
    let (dead, found) = dead_and_found(None);
    assert!(dead.len() >= 8, "nodes, page keys, a leaf and a root: {}", dead.len());
    assert!(found.is_empty(), "{} of {} dead keys are in memory", found.len(), dead.len());
}

/// Leaves a secret all over its frame, and says what it was.
#[inline(never)]
fn careless(seed: u8) -> Disguised {
    let byte = |at: u8| at.wrapping_mul(37) ^ seed;
    let mut frame = [[0_u8; 32]; 1 << 10];
    for copy in &mut frame {
        (0..).zip(copy).for_each(|(at, to)| *to = byte(at));
    }
    std::hint::black_box(&frame);
    std::array::from_fn(|at| byte(at as u8) ^ DISGUISE)
}

#[test]
fn what_work_leaves_on_the_stack_is_written_over() {
    const FRAME: usize = 40 << 10;
    let left = careless(0x3c);
    assert_eq!(found(&BTreeSet::from([left])).len(), 1, "it lies there, so the search is no sham");
    let wiped = oubliette_keytree::stack::without_trace::<FRAME, _>(|| careless(0x5e));
    assert!(found(&BTreeSet::from([wiped])).is_empty());
}

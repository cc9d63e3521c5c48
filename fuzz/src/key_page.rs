//! Key pages that are not what was written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use oubliette_keytree::{
    AccountTag, Generation, Hour, KeyTree, KeyTreeError, LeafAddress, MemoryRootStore, Op, PageId,
    PageStore,
};

/// Whatever is done to the pages, no tree opens that gives another key than before, or one that was
/// pruned.
///
/// The first byte chooses the page, the second what is done: it is damaged by the rest of the
/// input, or put in the place of its neighbour.
pub fn key_page(data: &[u8]) {
    static GOOD: OnceLock<GoodTree> = OnceLock::new();
    let good = GOOD.get_or_init(GoodTree::make);
    let &[which, what, ref script @ ..] = data else { return };

    let mut pages = good.pages.clone();
    let places: Vec<_> = pages.keys().copied().collect();
    let place = places[usize::from(which) % places.len()];
    if what % 8 == 0 {
        let next = places[(usize::from(which) + 1) % places.len()];
        let (this, that) = (pages[&place].clone(), pages[&next].clone());
        pages.insert(place, that);
        pages.insert(next, this);
    } else {
        let bytes = super::damage::damage(&pages[&place], script);
        pages.insert(place, bytes);
    }
    let changed = pages != good.pages;
    let store = Pages(Mutex::new(pages));
    match KeyTree::open(Arc::clone(&good.root), store) {
        Ok(tree) => {
            assert!(!changed, "a tree opens on pages that nobody wrote");
            for (account, address, key) in &good.leaves {
                let derived = tree.derive_leaf(*account, *address).expect("an open tree derives");
                assert_eq!(derived.map(|key| *key.expose_secret()), *key);
            }
        }
        Err(error) => {
            super::assert_one_line(&error);
            assert!(changed, "good pages do not open: {error}");
        }
    }
}

/// A tree of some accounts, some of it pruned: its pages and what it derives.
struct GoodTree {
    root: Arc<MemoryRootStore>,
    pages: BTreeMap<(PageId, Generation), Vec<u8>>,
    leaves: Vec<(AccountTag, LeafAddress, Option<[u8; 32]>)>,
}

impl GoodTree {
    fn make() -> Self {
        let root = Arc::new(MemoryRootStore::default());
        let store = Arc::new(Pages(Mutex::default()));
        let tree = KeyTree::open(Arc::clone(&root), Arc::clone(&store)).expect("a first tree");
        let address = |number: u32| {
            let hour = Hour::new(480_000 + number % 5).expect("an hour of this century");
            LeafAddress::new(hour, 1, number).expect("a small sequence")
        };
        let accounts: Vec<_> = (1..=6).map(|byte| AccountTag::from_bytes([byte; 16])).collect();
        let created: Vec<_> = accounts.iter().map(|&account| Op::CreateAccount(account)).collect();
        tree.commit(&created).expect("a commit to memory");
        // Enough of them that the state takes several pages.
        let pruned: Vec<_> = accounts
            .iter()
            .flat_map(|&account| (0..12).map(move |at| Op::PruneLeaf(account, address(3 * at))))
            .chain([Op::PruneAccount(accounts[5])])
            .collect();
        tree.commit(&pruned).expect("a commit to memory");
        let mut leaves = Vec::new();
        for &account in &accounts {
            for number in 0..8 {
                let key = tree.derive_leaf(account, address(number)).expect("an open tree derives");
                leaves.push((account, address(number), key.map(|key| *key.expose_secret())));
            }
        }
        assert!(
            leaves.iter().any(|leaf| leaf.2.is_some())
                && leaves.iter().any(|leaf| leaf.2.is_none())
        );
        drop(tree);
        let pages = store.0.lock().expect("nothing panics with it").clone();
        Self { root, pages, leaves }
    }
}

/// Pages that can be looked at and changed.
struct Pages(Mutex<BTreeMap<(PageId, Generation), Vec<u8>>>);

impl PageStore for Pages {
    fn write(&self, pages: &[(PageId, Generation, Vec<u8>)]) -> Result<(), KeyTreeError> {
        let mut kept = self.0.lock().expect("nothing panics with it");
        kept.extend(pages.iter().map(|(id, at, bytes)| ((*id, *at), bytes.clone())));
        Ok(())
    }

    fn read(&self, id: PageId, generation: Generation) -> Result<Option<Vec<u8>>, KeyTreeError> {
        Ok(self.0.lock().expect("nothing panics with it").get(&(id, generation)).cloned())
    }

    fn list(&self) -> Result<Vec<(PageId, Generation)>, KeyTreeError> {
        Ok(self.0.lock().expect("nothing panics with it").keys().copied().collect())
    }

    fn remove(&self, pages: &[(PageId, Generation)]) -> Result<(), KeyTreeError> {
        self.0.lock().expect("nothing panics with it").retain(|place, _| !pages.contains(place));
        Ok(())
    }
}

//! The key authority of one process.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};
use std::thread::{self, ScopedJoinHandle};

use sha2::{Digest, Sha256};

use crate::address::{AccountTag, Hour, LeafAddress};
use crate::directory::{Draft, Node, PageRef};
use crate::error::{KeyTreeError, KeyTreeErrorKind};
use crate::key::{LeafKey, RootKey};
use crate::lease::Lease;
use crate::load::{self, Loaded};
use crate::op::{self, Applier, CommitOutcome, Op, Prepared};
use crate::page::{self, Generation, PageId};
use crate::page_store::PageStore;
use crate::root::{Root, RootStore};
use crate::stack::{OF_HASHES, without_trace};

/// The key trees of all accounts, in memory and in sealed pages under one root key.
///
/// Reads ([`derive_leaf`](Self::derive_leaf), [`lease`](Self::lease)) take microseconds, run side
/// by side and touch no store. [`commit`](Self::commit) blocks on both stores: call it from a
/// thread that may wait, with many operations at once. Commits run one after the other; reads go
/// on meanwhile and see the generation before until the new one is in force.
///
/// Memory: about 150 bytes an entry. A quiet account is one entry, an account whose hours expire
/// at most 24, and each single leaf that is shredded adds up to 63 until its hour expires.
pub struct KeyTree {
    state: RwLock<State>,
    committer: Mutex<Committer>,
    pages: Box<dyn PageStore>,
    root: Box<dyn RootStore>,
    #[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
    pub(crate) sabotage: Option<crate::sabotage::Sabotage>,
}

/// The size of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The generation in force.
    pub generation: Generation,
    /// SHA-256 of the top page in force: what receipts call the directory.
    pub directory: [u8; 32],
    /// Accounts that have a tree.
    pub accounts: u64,
    /// Living subtrees of all accounts.
    pub entries: u64,
    /// Key pages in force.
    pub pages: u64,
    /// The size of those pages together.
    pub bytes: u64,
}

struct State {
    generation: Generation,
    top: Arc<Node>,
    accounts: u64,
    /// SHA-256 of the top page.
    directory: [u8; 32],
    /// It is not known whether the root leads here or to the next generation.
    poisoned: bool,
}

struct Committer {
    next_page: u64,
    /// Pages that no root leads to and that could not be removed yet.
    garbage: BTreeSet<PageRef>,
}

impl KeyTree {
    /// Opens the trees that the root leads to, or begins with none if there is neither a root nor
    /// a page. Pages that the root does not lead to are removed.
    ///
    /// # Errors
    ///
    /// [`MissingRoot`](KeyTreeErrorKind::MissingRoot), [`RootAhead`](KeyTreeErrorKind::RootAhead)
    /// and [`RootBehind`](KeyTreeErrorKind::RootBehind) if root and pages do not belong together,
    /// [`Damaged`](KeyTreeErrorKind::Damaged) if a page is missing or changed, and whatever the
    /// stores report. Nothing is removed unless every page in force has been opened.
    pub fn open(
        root: impl RootStore + 'static,
        pages: impl PageStore + 'static,
    ) -> Result<Self, KeyTreeError> {
        let Loaded { generation, top, directory, accounts, next_page, unreachable } =
            load::load(&root, &pages)?;
        // What cannot be removed now is removed with the next commit.
        let swept = unreachable.is_empty() || pages.remove(&unreachable).is_ok();
        let garbage = if swept { BTreeSet::new() } else { unreachable.into_iter().collect() };
        Ok(Self {
            state: RwLock::new(State {
                generation,
                top: Arc::new(top),
                accounts,
                directory,
                poisoned: false,
            }),
            committer: Mutex::new(Committer { next_page, garbage }),
            pages: Box::new(pages),
            root: Box::new(root),
            #[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
            sabotage: None,
        })
    }

    /// Forgets everything, of all accounts, and makes a root and pages that belong together out of whatever
    /// is there: of different times, say, or without a root. For when [`open`](Self::open) refuses and what
    /// belongs together cannot be had any more. Says the generation that is in force then.
    ///
    /// If it is cut short all is as it was, or it is done; it may be repeated.
    ///
    /// # Errors
    ///
    /// What the stores report: a root that is damaged has to be taken away first.
    pub fn begin_anew(
        root: &dyn RootStore,
        pages: &dyn PageStore,
    ) -> Result<Generation, KeyTreeError> {
        load::begin_anew(root, pages)
    }

    /// Carries out all operations under one rotation of the root key, in their order. Once this
    /// has returned, what was pruned is forgotten for good, also by whoever holds old pages.
    ///
    /// Either all operations take effect or none. If none has anything to do, nothing is written.
    ///
    /// # Errors
    ///
    /// [`Retry`](KeyTreeErrorKind::Retry) if nothing has changed and the call may be repeated.
    /// [`Poisoned`](KeyTreeErrorKind::Poisoned) if it is not known whether the operations took
    /// effect; the tree then refuses every call, and must be dropped and opened again.
    pub fn commit(&self, ops: &[Op]) -> Result<CommitOutcome, KeyTreeError> {
        self.commit_with(ops, |_| Ok(()))
    }

    /// As [`commit`](Self::commit), and calls `before` when it is settled what will be done, while the key
    /// pages are being written and before the root key is replaced. That is the moment to make durable
    /// what must be on record if, and only if, the commit takes effect: whoever finds that record later
    /// can tell by the generation. The tree still gives the keys of the generation in force. Not called if
    /// there is nothing to do.
    ///
    /// # Errors
    ///
    /// As `commit`; if `before` fails nothing has changed, and its error is the cause.
    pub fn commit_with(
        &self,
        ops: &[Op],
        before: impl FnOnce(&Prepared<'_>) -> Result<(), Box<dyn Error + Send + Sync>>,
    ) -> Result<CommitOutcome, KeyTreeError> {
        let mut committer = self.committer.lock().map_err(|_| poisoned())?;
        let (from, directory_from, mut next) = {
            let state = self.state()?;
            let draft = Draft {
                top: Arc::clone(&state.top),
                generation: state.generation.next(),
                next_page: committer.next_page,
                replaced: Vec::new(),
                #[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
                sabotage: self.sabotage,
            };
            let next = Applier { draft, accounts: state.accounts, changed: false };
            (state.generation, state.directory, next)
        };
        let ops = ops
            .iter()
            .map(|op| without_trace::<OF_HASHES, _>(|| next.apply(op)))
            .collect::<Result<Vec<_>, _>>()?;
        if !next.changed {
            return Ok(CommitOutcome { ops, from, to: from, pages_written: 0, bytes_written: 0 });
        }
        let key = RootKey::generate()?;
        #[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
        let key = crate::sabotage::root_key(self.sabotage, &*self.root, key)?;
        let sealed = next.draft.seal(key.expose_secret())?;
        let to = next.draft.generation;
        let written = sealed.iter().map(|(id, generation, _)| (*id, *generation));

        // From here on the order matters. First all that must be durable before the root goes: the pages of
        // the new generation, its root beside the one in force, and what is to be on record. None of them
        // means anything by itself, so they wait for their disks together. Then the root, then the
        // acknowledgement, and only then does anything of the old generation go.
        let root = Root::new(to, key);
        let directory_to = directory(sealed.last().map(|(.., page)| page.as_slice()));
        let prepared = Prepared { ops: &ops, from, to, directory_from, directory_to };
        let (written_pages, written_root, recorded) = thread::scope(|scope| {
            let pages = scope.spawn(|| self.pages.write(&sealed));
            let root = scope.spawn(|| self.root.prepare(from, &root));
            let recorded = before(&prepared);
            (joined(pages), joined(root), recorded)
        });
        let failed = |what: &'static str, cause: Box<dyn Error + Send + Sync>| {
            KeyTreeError::new(KeyTreeErrorKind::Retry, what).with_source(cause)
        };
        let ready = match (written_pages, written_root, recorded) {
            (Ok(()), Ok(()), Ok(())) => Ok(()),
            (_, Err(cause), _) if cause.kind() != KeyTreeErrorKind::Retry => {
                // Somebody else's root is in force: what is in memory is no longer the state.
                self.poison();
                return Err(poisoned().with_source(cause));
            }
            (Err(cause), ..) => Err(failed(
                "the key pages could not be written; nothing was shredded, try again",
                cause.into(),
            )),
            (_, Err(cause), _) => Err(failed(
                "the root key could not be replaced; nothing was shredded, try again",
                cause.into(),
            )),
            (.., Err(cause)) => Err(failed(
                "what must be on record first could not be; nothing was shredded, try again",
                cause,
            )),
        };
        if let Err(error) = ready {
            committer.garbage.extend(written);
            return Err(error);
        }
        match self.root.replace(from, &root) {
            Ok(()) => {}
            Err(cause) if cause.kind() == KeyTreeErrorKind::Retry => {
                committer.garbage.extend(written);
                return Err(KeyTreeError::new(
                    KeyTreeErrorKind::Retry,
                    "the root key could not be replaced; nothing was shredded, try again",
                )
                .with_source(cause));
            }
            Err(cause) => {
                self.poison();
                return Err(poisoned().with_source(cause));
            }
        }
        let outcome = CommitOutcome {
            ops,
            from,
            to,
            pages_written: sealed.len(),
            bytes_written: sealed.iter().map(|(.., page)| page.len()).sum(),
        };
        {
            let mut state = self.state.write().map_err(|_| poisoned())?;
            // Drops the nodes of the generation before, which wipes what was pruned.
            *state = State {
                generation: to,
                top: next.draft.top,
                accounts: next.accounts,
                directory: directory_to,
                poisoned: false,
            };
        }
        committer.next_page = next.draft.next_page;
        // A page of a commit that failed may have been written again by this one.
        for (id, generation, _) in &sealed {
            committer.garbage.remove(&(*id, *generation));
        }
        committer.garbage.extend(next.draft.replaced);
        if from > Generation::ZERO {
            committer.garbage.insert((PageId::TOP, from));
        }
        // The root has moved on, so these are waste paper. If they cannot be removed now, they are
        // with the next commit or when the tree is opened.
        let garbage: Vec<PageRef> = committer.garbage.iter().copied().collect();
        if self.pages.remove(&garbage).is_ok() {
            committer.garbage.clear();
        }
        Ok(outcome)
    }

    /// The key of one leaf; `None` if it was pruned or the account has no tree.
    ///
    /// Costs up to 64 HMACs, about 15 µs.
    ///
    /// # Errors
    ///
    /// Only [`Poisoned`](KeyTreeErrorKind::Poisoned).
    pub fn derive_leaf(
        &self,
        account: AccountTag,
        address: LeafAddress,
    ) -> Result<Option<LeafKey>, KeyTreeError> {
        let state = self.state()?;
        Ok(op::covering(&state.top, account, address.to_bits())
            .map(|subtree| without_trace::<OF_HASHES, _>(|| subtree.leaf(address))))
    }

    /// The leaves of one hour and lease number; `None` if they are all pruned or the account has
    /// no tree.
    ///
    /// The caller makes sure that a lease number is used once, ever: see [`Lease`].
    ///
    /// # Errors
    ///
    /// Only [`Poisoned`](KeyTreeErrorKind::Poisoned).
    pub fn lease(
        &self,
        account: AccountTag,
        hour: Hour,
        number: u16,
    ) -> Result<Option<Lease>, KeyTreeError> {
        let state = self.state()?;
        let prefix = op::first_of(hour) | (u64::from(number) << 24);
        let living = without_trace::<OF_HASHES, _>(|| {
            op::living(&state.top, account, prefix, Lease::PREFIX_LEN)
        });
        let lease = Lease::new(account, hour, number, living);
        #[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
        let lease = crate::sabotage::lease(self.sabotage, lease);
        Ok(lease)
    }

    /// Whether the account has a tree.
    ///
    /// # Errors
    ///
    /// Only [`Poisoned`](KeyTreeErrorKind::Poisoned).
    pub fn has_account(&self, account: AccountTag) -> Result<bool, KeyTreeError> {
        Ok(op::has_account(&self.state()?.top, account))
    }

    /// The size of the state. Costs a walk over the pages, not over the entries.
    ///
    /// # Errors
    ///
    /// Only [`Poisoned`](KeyTreeErrorKind::Poisoned).
    pub fn status(&self) -> Result<Status, KeyTreeError> {
        let state = self.state()?;
        let mut status = Status {
            generation: state.generation,
            directory: state.directory,
            accounts: state.accounts,
            entries: 0,
            pages: 0,
            bytes: 0,
        };
        if state.generation == Generation::ZERO {
            return Ok(status);
        }
        let mut count = |node: &Node| {
            status.pages += 1;
            status.bytes += page::sealed_len(node) as u64;
            if let Node::Leaf(entries) = node {
                status.entries += entries.len() as u64;
            }
        };
        count(&state.top);
        state.top.for_each_child(&mut |child| count(&child.node));
        Ok(status)
    }

    #[cfg(test)]
    pub(crate) fn top(&self) -> Arc<Node> {
        Arc::clone(&self.state().expect("the tree is not poisoned").top)
    }

    fn state(&self) -> Result<RwLockReadGuard<'_, State>, KeyTreeError> {
        let state = self.state.read().map_err(|_| poisoned())?;
        if state.poisoned { Err(poisoned()) } else { Ok(state) }
    }

    fn poison(&self) {
        // If the lock itself is poisoned, every call fails already.
        if let Ok(mut state) = self.state.write() {
            state.poisoned = true;
        }
    }
}

impl fmt::Debug for KeyTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status() {
            Ok(status) => write!(f, "KeyTree({status:?})"),
            Err(_) => f.write_str("KeyTree(poisoned)"),
        }
    }
}

/// What names a state: the SHA-256 of its top page, or of nothing for generation 0, which has none.
pub(crate) fn directory(top_page: Option<&[u8]>) -> [u8; 32] {
    Sha256::digest(top_page.unwrap_or_default()).into()
}

/// What a thread came to; a panic goes on here.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn poisoned() -> KeyTreeError {
    KeyTreeError::new(
        KeyTreeErrorKind::Poisoned,
        "it is not known whether the last commit took effect; reopen the key tree",
    )
}

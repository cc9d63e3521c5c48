//! One key tree per account: derive, lease, prune, and a root that can be erased.
//!
//! Every payload has a key of its own, and no key is stored: it is derived, by hashing down a
//! binary tree, from the account's secret and the payload's [`LeafAddress`]. What is to be
//! forgotten is *pruned*: the secret above it is replaced by the secrets beside the path, from
//! which everything else still derives and the pruned leaf does not. (This is the tree of
//! Goldreich, Goldwasser and Micali, used as a puncturable function.)
//!
//! The secrets that live are kept in key pages. Each page is sealed under a random key held in the
//! page above it, and the top page under the [root key](RootKey). A commit writes what changed
//! under new keys, all the way up, and then replaces the root key and erases the old one. Pages of
//! earlier times stay behind in logs, backups and worn flash, and nothing opens them any more. So
//! 32 bytes are all that must be erasable, and where they are kept is a [`RootStore`].
//!
//! # The types you need
//!
//! [`KeyTree`] is the authority: [`commit`](KeyTree::commit) changes it by [`Op`]s,
//! [`derive_leaf`](KeyTree::derive_leaf) gives one key to a reader, and [`lease`](KeyTree::lease)
//! gives a [`Lease`] to a writer. It stands on a [`PageStore`] and a [`RootStore`], of which
//! [`FileRootStore`] is the usual one.
//!
//! ```
//! use oubliette_keytree::{AccountTag, Hour, KeyTree, MemoryPageStore, MemoryRootStore, Op, OpOutcome};
//!
//! # fn main() -> Result<(), oubliette_keytree::KeyTreeError> {
//! let tree = KeyTree::open(MemoryRootStore::default(), MemoryPageStore::default())?;
//! let account = AccountTag::from_bytes(*b"0123456789abcdef");
//! tree.commit(&[Op::CreateAccount(account)])?;
//!
//! // A writer takes leaves from a lease …
//! let hour = Hour::from_unix_seconds(1_790_000_000);
//! let mut lease = tree.lease(account, hour, 0)?.expect("nothing of this hour is pruned");
//! let (first, key) = lease.next().expect("a lease has 16 million leaves");
//! let (second, _) = lease.next().expect("a lease has 16 million leaves");
//!
//! // … a reader gets the same key for the same address …
//! let again = tree.derive_leaf(account, first)?.expect("the leaf lives");
//! assert_eq!(again.expose_secret(), key.expose_secret());
//!
//! // … until it is forgotten. The neighbour is not.
//! let outcome = tree.commit(&[Op::PruneLeaf(account, first)])?;
//! assert_eq!(outcome.ops, [OpOutcome::Pruned]);
//! assert!(tree.derive_leaf(account, first)?.is_none());
//! assert!(tree.derive_leaf(account, second)?.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! # Security
//!
//! - **What a prune promises**: once `commit` has returned, nobody who has every byte ever written
//!   to the page store, and the root in force, can derive the pruned leaves. An *old* root opens
//!   the old pages: hence the care about where it is kept, and [`FileRootStore`] says what its
//!   erasure is worth on which medium.
//! - **What it does not**: keys that were handed out are out. A reader's [`LeafKey`] or a writer's
//!   [`Lease`] lives as long as they keep it.
//! - **Losing the root is forgetting everything.** That is policy; there is no recovery, and there
//!   must be none, because it would recover what was shredded too.
//! - **A lease number is used once, ever**; the caller sees to that (see [`Lease`]).
//! - Keys are wiped when they are dropped, so is the [stack] that they were computed on, and they
//!   appear in no `Debug` output and no error. A test searches the process's memory for dead keys after a shred. Whether memory is swapped out or
//!   dumped is for the program to prevent: `oubliette` does, where the system lets it.
//! - Pages are authenticated together with their id and generation. What comes out of a page that
//!   does not check out is an error, never a key.
//!
//! # Cost
//!
//! An account is one entry of 57 bytes however many payloads it has, and at most 24 once hours
//! expire. Pruning a leaf adds at most 63 entries, until its hour expires.
//!
//! A commit rewrites, for each part of the state that its operations touch, one page of at most
//! 8 KiB on each level: three levels for 20,000 accounts, four for millions. Then it waits for one
//! durable write of each store. Collect operations into one commit.
//!
//! As an order of magnitude, from November 2026 on two shared EPYC cores, with a million accounts,
//! the root in a file and the pages in memory: a shred 1.1 ms and 23 KB, a leaf key 14 µs, the next
//! leaf of a lease 0.5 µs, opening 85 ms, 150 bytes of memory for each entry.

mod address;
mod directory;
mod entry;
mod error;
mod file_root;
mod key;
mod lease;
mod load;
mod op;
mod page;
mod page_store;
#[cfg(feature = "pkcs11")]
mod pkcs11_root;
mod root;
#[cfg(any(test, all(feature = "sabotage", debug_assertions)))]
pub mod sabotage;
pub mod stack;
pub mod testing;
#[cfg(unix)]
mod tpm_root;
mod tree;

pub use address::{AccountTag, Hour, LeafAddress};
pub use error::{KeyTreeError, KeyTreeErrorKind};
pub use file_root::FileRootStore;
pub use key::{LeafKey, RootKey};
pub use lease::Lease;
pub use op::{CommitOutcome, Op, OpOutcome, Prepared};
pub use page::{Generation, PageId};
pub use page_store::{MemoryPageStore, PageStore};
#[cfg(feature = "pkcs11")]
pub use pkcs11_root::{Pkcs11RootStore, Pkcs11Settings};
pub use root::{MemoryRootStore, Root, RootStore};
#[cfg(unix)]
pub use tpm_root::TpmRootStore;
pub use tree::{KeyTree, Status};

#[cfg(test)]
mod tests;

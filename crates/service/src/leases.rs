//! Leases: where the addresses and keys of new records come from.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use oubliette_catalog::{AccountId, Catalog};
use oubliette_keytree::{AccountTag, Hour, KeyTree, LeafAddress, LeafKey, Lease};
use tokio::sync::Mutex;

use crate::error::Result;

/// An address and the key that seals what lies there.
pub(crate) type Leaf = (LeafAddress, LeafKey);

/// The leases this process writes under: one number for an hour, shared by all accounts.
///
/// A number is taken from the catalog, which gives it out once, ever. An account whose tree was
/// erased has a new tree, in which old numbers would give old addresses again; so it never goes on
/// under a number that it may have used.
#[derive(Debug)]
pub(crate) struct Leases {
    catalog: Arc<dyn Catalog>,
    tree: Arc<KeyTree>,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    numbers: HashMap<Hour, u16>,
    leases: HashMap<(AccountTag, Hour), Lease>,
    /// Hours that the catalog has noted for expiry. Without that no leaf of them is handed out.
    noted: HashSet<(AccountTag, Hour)>,
    /// Accounts that must not go on under the number of the hour.
    burnt: HashSet<(AccountTag, Hour)>,
}

impl Leases {
    pub(crate) fn new(catalog: Arc<dyn Catalog>, tree: Arc<KeyTree>) -> Self {
        Self { catalog, tree, book: Mutex::default() }
    }

    /// Takes leaves of an hour; `None` if the hour is pruned or the account has no tree.
    ///
    /// The caller holds the account's policy, so that its tree is not erased meanwhile.
    pub(crate) async fn take(
        &self,
        id: &AccountId,
        account: AccountTag,
        hour: Hour,
        count: usize,
    ) -> Result<Option<Vec<Leaf>>> {
        let mut book = self.book.lock().await;
        while !book.noted.contains(&(account, hour)) {
            // Nobody else waits for this: accounts that begin an hour together share a commit.
            drop(book);
            self.catalog.note_hour(id, hour).await?;
            book = self.book.lock().await;
            book.noted.insert((account, hour));
        }
        let mut leaves = Vec::with_capacity(count);
        loop {
            if let Some(lease) = book.leases.get_mut(&(account, hour)) {
                leaves.extend(lease.take(count - leaves.len()));
                if leaves.len() == count {
                    return Ok(Some(leaves));
                }
                // Used up, after 16 million leaves: go on under another number.
                book.leases.remove(&(account, hour));
                book.burnt.insert((account, hour));
            }
            let number = self.number(&mut book, account, hour).await?;
            match self.tree.lease(account, hour, number)? {
                Some(lease) => book.leases.insert((account, hour), lease),
                None => return Ok(None),
            };
        }
    }

    /// Forgets the leases of an account whose tree is being erased.
    pub(crate) async fn drop_account(&self, account: AccountTag) {
        let mut book = self.book.lock().await;
        let hours: Vec<Hour> = book.numbers.keys().copied().collect();
        book.leases.retain(|(tag, _), _| *tag != account);
        book.noted.retain(|(tag, _)| *tag != account);
        book.burnt.extend(hours.into_iter().map(|hour| (account, hour)));
    }

    /// Forgets the leases of hours before this one. Whoever still needs such an hour takes a new
    /// number.
    pub(crate) async fn drop_before(&self, hour: Hour) {
        let mut book = self.book.lock().await;
        book.numbers.retain(|of, _| *of >= hour);
        book.leases.retain(|(_, of), _| *of >= hour);
        book.noted.retain(|(_, of)| *of >= hour);
        book.burnt.retain(|(_, of)| *of >= hour);
    }

    async fn number(&self, book: &mut Book, account: AccountTag, hour: Hour) -> Result<u16> {
        match book.numbers.get(&hour) {
            Some(number) if !book.burnt.contains(&(account, hour)) => Ok(*number),
            _ => {
                let number = self.catalog.next_lease(hour).await?;
                book.numbers.insert(hour, number);
                book.burnt.retain(|(_, of)| *of != hour);
                Ok(number)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use oubliette_catalog::SqliteCatalog;
    use oubliette_keytree::{MemoryPageStore, MemoryRootStore, Op};

    use super::*;

    fn leases(folder: &tempfile::TempDir) -> Leases {
        let catalog = SqliteCatalog::open(folder.path().join("catalog")).unwrap();
        let tree = KeyTree::open(MemoryRootStore::default(), MemoryPageStore::default()).unwrap();
        Leases::new(Arc::new(catalog), Arc::new(tree))
    }

    fn id(tag: AccountTag) -> AccountId {
        AccountId::new(format!("a{}", tag.as_bytes()[0])).unwrap()
    }

    async fn addresses(leases: &Leases, tag: AccountTag, hour: Hour) -> Vec<(u16, u32)> {
        let leaves = leases.take(&id(tag), tag, hour, 2).await.unwrap().unwrap();
        leaves.iter().map(|(address, _)| (address.lease(), address.sequence())).collect()
    }

    #[tokio::test]
    async fn accounts_share_a_number_until_one_of_them_is_erased() {
        let folder = tempfile::tempdir().unwrap();
        let leases = leases(&folder);
        let [a, b] = [1, 2].map(|byte| AccountTag::from_bytes([byte; 16]));
        let hour = Hour::new(500_000).unwrap();
        for tag in [a, b] {
            leases.catalog.create_account(&id(tag), 0).await.unwrap();
        }
        assert!(leases.take(&id(a), a, hour, 1).await.unwrap().is_none(), "no tree yet");
        leases.tree.commit(&[Op::CreateAccount(a), Op::CreateAccount(b)]).unwrap();
        assert_eq!(addresses(&leases, a, hour).await, [(0, 0), (0, 1)]);
        assert_eq!(addresses(&leases, b, hour).await, [(0, 0), (0, 1)]);

        leases.drop_account(a).await;
        leases.tree.commit(&[Op::PruneAccount(a), Op::CreateAccount(a)]).unwrap();
        assert_eq!(addresses(&leases, a, hour).await, [(1, 0), (1, 1)], "no address twice");
        assert_eq!(addresses(&leases, b, hour).await, [(0, 2), (0, 3)], "the other goes on");

        leases.drop_before(Hour::new(500_001).unwrap()).await;
        assert_eq!(addresses(&leases, b, hour).await, [(2, 0), (2, 1)], "a lease is never resumed");
        leases.tree.commit(&[Op::PruneHoursBefore(b, Hour::new(500_001).unwrap())]).unwrap();
        leases.drop_account(b).await;
        assert!(leases.take(&id(b), b, hour, 1).await.unwrap().is_none(), "the hour is pruned");
    }

    #[tokio::test]
    async fn no_leaf_is_handed_out_of_an_hour_that_expiry_does_not_know() {
        let folder = tempfile::tempdir().unwrap();
        let leases = leases(&folder);
        let a = AccountTag::from_bytes([1; 16]);
        let [hour, later] = [500_000, 500_001].map(|hour| Hour::new(hour).unwrap());
        leases.catalog.create_account(&id(a), 0).await.unwrap();
        leases.tree.commit(&[Op::CreateAccount(a)]).unwrap();
        let due = async || leases.catalog.due_hours(Hour::new(600_000).unwrap(), 9).await.unwrap();
        assert_eq!(due().await, []);
        let all = vec![(id(a), 7)];
        addresses(&leases, a, hour).await;
        assert_eq!(due().await, all);
        addresses(&leases, a, hour).await;
        assert_eq!(due().await, all, "once");
        // Expiry has struck it off, and the account's tree was made anew: then it is noted again.
        leases.catalog.strike_hours(vec![(id(a), later)]).await.unwrap();
        leases.drop_account(a).await;
        addresses(&leases, a, hour).await;
        assert_eq!(due().await, all);
        let nobody = AccountId::new("nobody").unwrap();
        let error = leases.take(&nobody, AccountTag::from_bytes([9; 16]), hour, 1).await;
        assert_eq!(error.unwrap_err().kind(), crate::ServiceErrorKind::NotFound);
    }
}

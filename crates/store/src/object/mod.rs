//! Object stores: where segments go, and the contract every implementation keeps.

mod check;
mod files;
mod folder;
mod lifecycle;
mod memory;
mod s3;

use std::fmt::Debug;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::check::{Check, Verdict, check_store};
pub use self::files::FileStore;
pub use self::folder::FolderStore;
pub use self::lifecycle::LifecycleRule;
pub use self::memory::MemoryStore;
pub use self::s3::{S3Settings, S3Store};
use crate::error::StoreError;
use crate::key::ObjectKey;

/// A place for whole segments: a bucket, a folder, or memory in tests.
///
/// # Contract
///
/// What holds for every implementation, and is checked by
/// [`testing::conformance`](crate::testing::conformance):
///
/// - **A put is atomic.** A reader sees the whole object or none. When `put` returns `Ok` the
///   object is as durable as the store can make it and every later call sees it.
/// - **A put may be repeated.** A key is written with one content only, so writing it again, also
///   at the same time, changes nothing. No condition is ever attached: some servers ignore them.
/// - **A lost reply is an error.** After an error of kind `Retry` the operation may have happened
///   or not; the caller repeats it.
/// - **Kinds are exact.** A missing object is `NotFound` and nothing else is.
/// - **Cancellation is safe.** A dropped future leaves the object whole or absent.
/// - Objects that are not segments are neither listed nor touched.
///
/// A wrapper must forward every method.
#[async_trait]
pub trait ObjectStore: Send + Sync + Debug {
    /// Writes an object whole.
    ///
    /// # Errors
    ///
    /// Kinds `Retry`, `Denied`, `Configuration`, and `Full` or `Disk` for local stores.
    async fn put(&self, key: &ObjectKey, body: Bytes) -> Result<(), StoreError>;

    /// Reads bytes `range.start..range.end` of an object, and never fewer.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such object; `Damaged` if the object ends before the range does;
    /// `Invalid` for an empty range; otherwise as [`put`](ObjectStore::put).
    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError>;

    /// The size of an object in bytes.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such object; otherwise as [`put`](ObjectStore::put).
    async fn size(&self, key: &ObjectKey) -> Result<u64, StoreError>;

    /// Lists objects whose key begins with `prefix`, in the order of their keys, beginning after
    /// the key `after`. A page may be short or even empty while [`ObjectPage::next`] is set.
    ///
    /// # Errors
    ///
    /// As [`put`](ObjectStore::put).
    async fn list(&self, prefix: &str, after: Option<&ObjectKey>)
    -> Result<ObjectPage, StoreError>;

    /// Removes an object. Removing one that is not there is no error.
    ///
    /// # Errors
    ///
    /// As [`put`](ObjectStore::put).
    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError>;

    /// Makes sure that these lifecycle rules are in force, replacing ours of the same class.
    ///
    /// Rules of other classes stay, because their objects do. Rules of others stay too, unless
    /// one would remove segments before their time.
    ///
    /// # Errors
    ///
    /// `Configuration` if a rule of someone else would remove segments too early, or if there
    /// are more rules than the store can hold; otherwise as [`put`](ObjectStore::put).
    async fn ensure_lifecycle(&self, rules: &[LifecycleRule]) -> Result<(), StoreError>;

    /// Our lifecycle rules that are in force, by class.
    ///
    /// # Errors
    ///
    /// As [`put`](ObjectStore::put).
    async fn lifecycle(&self) -> Result<Vec<LifecycleRule>, StoreError>;

    /// Removes what the lifecycle rules say is over at this Unix time (seconds), and returns how
    /// many objects that were. Stores that do so by themselves return 0 at once.
    ///
    /// # Errors
    ///
    /// As [`put`](ObjectStore::put).
    async fn sweep(&self, unix_seconds: i64) -> Result<u64, StoreError>;

    /// Tries out what this kind of store may or may not do, on an object that is there; for
    /// [`check_store`]. Local stores have nothing to try.
    async fn capabilities(&self, key: &ObjectKey) -> Vec<Check>;
}

/// One object of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub size: u64,
}

/// One page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectPage {
    /// The objects of this page, in the order of their keys.
    pub objects: Vec<ObjectInfo>,
    /// What to pass as `after` for the next page; `None` when this was the last.
    pub next: Option<ObjectKey>,
}

/// All objects below a prefix, page after page. Memory grows with their number.
///
/// # Errors
///
/// As [`ObjectStore::list`].
pub async fn list_all(
    store: &dyn ObjectStore,
    prefix: &str,
) -> Result<Vec<ObjectInfo>, StoreError> {
    let mut objects = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(prefix, after.as_ref()).await?;
        objects.extend(page.objects);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(objects),
        }
    }
}

/// How many objects a page of a local store holds: what S3 allows, so that paging is tested.
const PAGE: usize = 1000;

/// The length of a range to be read.
fn range_len(range: &Range<u64>) -> Result<u64, StoreError> {
    match range.end.checked_sub(range.start) {
        Some(len @ 1..) => Ok(len),
        _ => Err(StoreError::invalid("an empty range of an object was asked for")),
    }
}

fn missing(key: &ObjectKey) -> StoreError {
    StoreError::new(crate::StoreErrorKind::NotFound, format!("there is no object {key}"))
}

fn too_short(key: &ObjectKey) -> StoreError {
    StoreError::damaged(format!("the object {key} ends before the range that was asked for"))
}

//! Spool, segments and object stores for sealed bodies.
//!
//! A [`Spool`] takes [`SealedBody`](oubliette_seal::SealedBody)s, writes them to a local file,
//! and acknowledges them after an fsync that all waiting appends share. The file is a segment
//! already: once it is large or old enough it gets its index and is uploaded as it is to an
//! [`ObjectStore`], which is a [`FolderStore`] or an [`S3Store`]. A [`Location`] finds a record
//! again with one ranged read, from the spool or from the store. What a crash leaves is found at
//! the next [`Spool::open`] and told in [`Recovered`].
//!
//! This crate never sees plaintext and holds no keys: forgetting is pruning a key, elsewhere. The
//! store's [`LifecycleRule`]s only take out the bin afterwards. `docs/format.md` has every byte
//! of a segment.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use oubliette_store::{
//!     FileStore, FolderStore, LifecycleRule, ObjectStore, RetentionClass, Spool, SpoolLimits,
//! };
//!
//! # use oubliette_keytree::{AccountTag, Hour, LeafAddress, LeafKey};
//! # use oubliette_redact::{CapturedBody, RedactedBody, UnredactedConsent};
//! # use oubliette_seal::{Place, SealedBody, Sealer};
//! # fn sealed_body() -> SealedBody {
//! #     let captured = CapturedBody::new(b"hello".to_vec(), None, None);
//! #     let consent = UnredactedConsent::recorded("audit row 17");
//! #     let body = RedactedBody::dangerously_unredacted(captured, &consent);
//! #     let account = AccountTag::from_bytes([7; 16]);
//! #     let address = LeafAddress::new(Hour::from_unix_seconds(1_793_000_000), 1, 0).unwrap();
//! #     let place = Place { account, address, exchange: b"" };
//! #     Sealer::new().seal(&body, &place, &LeafKey::from_bytes([1; 32])).unwrap()
//! # }
//! # #[tokio::main]
//! # async fn main() -> Result<(), oubliette_store::StoreError> {
//! # let (spool_dir, object_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
//! let store = Arc::new(FolderStore::open(object_dir.path()).await?);
//! let week = RetentionClass::days(7)?;
//! store.ensure_lifecycle(&[LifecycleRule::new(week)]).await?;
//!
//! let clock = Arc::new(|| 1_793_000_000); // Unix seconds; the service has a real one
//! let limits = SpoolLimits::default();
//! let (spool, recovered) = Spool::open(spool_dir.path(), limits, store, clock).await?;
//! assert_eq!(recovered.records().count(), 0);
//!
//! let location = spool.append(sealed_body(), week).await?; // on disk for good
//! let record = spool.read(&location).await?; // sealed, as it was appended
//! assert_eq!(record.len(), location.len as usize);
//!
//! let flushed = spool.close(Duration::from_secs(10)).await?;
//! assert_eq!(flushed.left, 0); // everything is in the object store
//! # Ok(())
//! # }
//! ```
//!
//! # What holds
//!
//! - **Acknowledged means kept.** An append resolves after the file, and for a new file its
//!   folder, has been synced. A file whose write or sync fails is never written or synced again;
//!   its appends fail, what it had acknowledged before is copied to a fresh file.
//! - A spool file goes only after every byte of it has been checked against the SHA-256 of its
//!   trailer, uploaded, read back and compared.
//! - An upload may be repeated at will. No conditional request is made.
//! - A file that is not as it was written is kept in `damaged/` and reported; its whole records go
//!   on under their old places.
//! - When the object store is away the spool fills up to its limit and then refuses.
//!
//! # Untrusted input
//!
//! Object stores and spool files are not believed: lengths are checked before they are used,
//! frames by CRC-32C, indexes and whole segments by their checksums. These find accidents. Whether
//! a record is genuine is known when it is opened, by whoever has its key. Keys of objects are
//! typed and cannot name a path elsewhere.

mod error;
mod fs;
mod key;
mod object;
mod segment;
mod spool;
pub mod testing;

pub use error::{StoreError, StoreErrorKind};
pub use key::{ObjectKey, RetentionClass, SegmentId};
pub use object::{
    Check, FileStore, FolderStore, LifecycleRule, MemoryStore, ObjectInfo, ObjectPage, ObjectStore,
    S3Settings, S3Store, Verdict, check_store, list_all,
};
pub use segment::{
    IndexEntry, Location, SegmentIndex, read_record, read_records, segment_overhead,
};
pub use spool::{
    Appending, Clock, DamagedFile, Flushed, Keeper, Recovered, RecoveredRecord, RecoveredSegment,
    Spool, SpoolLimits, SpoolStatus,
};

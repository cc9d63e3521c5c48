//! Spool, segments and object stores for sealed bodies.
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
    FolderStore, LifecycleRule, MemoryStore, ObjectInfo, ObjectPage, ObjectStore, S3Settings,
    S3Store, list_all,
};
pub use segment::{IndexEntry, Location, SegmentIndex, read_record};
pub use spool::{
    Clock, DamagedFile, Flushed, Recovered, RecoveredRecord, RecoveredSegment, Spool, SpoolLimits,
    SpoolStatus,
};

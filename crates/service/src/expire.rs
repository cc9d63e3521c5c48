//! Forgetting because time is up.

use serde::Serialize;

use crate::shred::GenerationChange;

/// What an expiry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ExpireOutcome {
    /// How many accounts had hours to forget.
    pub accounts: u64,
    /// The generations of the root key before and after.
    pub generation: GenerationChange,
    /// Rows of the catalog that were cleared.
    pub rows: u64,
    /// Objects that the store removed; always 0 for stores that do so by themselves.
    pub objects: u64,
}

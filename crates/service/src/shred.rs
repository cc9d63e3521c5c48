//! Forgetting because someone asked.

use oubliette_keytree::Generation;
use serde::{Serialize, Serializer};

/// What a shred did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ShredOutcome {
    /// How many keys were erased: 0 if all was gone already. A whole tree counts as one.
    pub shredded: u64,
    /// The generations of the root key before and after.
    pub generation: GenerationChange,
}

/// From which generation of the root key to which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GenerationChange {
    /// The generation before.
    #[serde(serialize_with = "number")]
    pub from: Generation,
    /// The generation in force now; the same if there was nothing to erase.
    #[serde(serialize_with = "number")]
    pub to: Generation,
}

fn number<S: Serializer>(generation: &Generation, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(generation.number())
}

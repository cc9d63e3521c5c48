//! Keys as types: not `Clone`, no telling `Debug`, wiped on drop.

use std::fmt;

use zeroize::Zeroizing;

/// The secret of one leaf: 32 bytes from which `seal` derives the payload key and its commitment.
pub struct LeafKey(Zeroizing<[u8; 32]>);

impl LeafKey {
    /// Wraps the bytes of a leaf. Only a tree, a lease or a test vector has a reason to.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key material, for derivation only: it must not be stored, logged or sent.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LeafKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeafKey(..)")
    }
}

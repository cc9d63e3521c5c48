//! Keys as types: not `Clone`, no telling `Debug`, wiped on drop.

use std::fmt;

use hmac::Hmac;
use hmac::digest::{FixedOutput, KeyInit, Update};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::error::KeyTreeError;

/// The secret of one leaf: 32 bytes from which `seal` derives the payload key and its commitment.
pub struct LeafKey(Secret);

impl LeafKey {
    /// Wraps the bytes of a leaf. Only a tree, a lease or a test vector has a reason to.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self(Secret::copy_of(&bytes))
    }

    /// The key material, for derivation only: it must not be stored, logged or sent.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8; 32] {
        &self.0.0
    }
}

impl fmt::Debug for LeafKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeafKey(..)")
    }
}

/// The one secret that must be erasable: it seals the top key page of one generation, and that page only.
pub struct RootKey(Secret);

impl RootKey {
    /// Wraps the bytes of a root key. Only an implementation of [`RootStore`](crate::RootStore)
    /// has a reason to, when it loads what it was given.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy_of(bytes))
    }

    /// The key material. Only a [`RootStore`](crate::RootStore) has a reason to see it: to keep it
    /// where it can be erased again, and nowhere else.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8; 32] {
        &self.0.0
    }

    pub(crate) fn generate() -> Result<Self, KeyTreeError> {
        Secret::generate().map(Self)
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(..)")
    }
}

/// The secret of one inner node, and so of every leaf below it.
pub(crate) struct NodeKey(Secret);

impl NodeKey {
    pub(crate) fn generate() -> Result<Self, KeyTreeError> {
        Secret::generate().map(Self)
    }

    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy_of(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }

    /// A second copy, for the page of the next generation while this one's may still be needed.
    pub(crate) fn duplicate(&self) -> Self {
        Self::from_bytes(self.as_bytes())
    }

    /// One step down: `HMAC-SHA-256(node, "oubliette/v1/child" ‖ side)`.
    pub(crate) fn child(&self, side: Side) -> Self {
        finished(self.keyed(), side)
    }

    /// Both children: what depends on the key alone is done once.
    pub(crate) fn children(&self) -> (Self, Self) {
        let mac = self.keyed();
        (finished(mac.clone(), Side::Left), finished(mac, Side::Right))
    }

    fn keyed(&self) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(b"oubliette/v1/child");
        mac
    }

    /// The node at depth 64 is the leaf key itself.
    pub(crate) fn into_leaf(self) -> LeafKey {
        LeafKey(self.0)
    }
}

fn finished(mut mac: Hmac<Sha256>, side: Side) -> NodeKey {
    mac.update(&[side as u8]);
    let mut child = Secret::zero();
    mac.finalize_into((&mut *child.0).into());
    NodeKey(child)
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeKey(..)")
    }
}

/// Which child of a node: the bit of the address that chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left = 0,
    Right = 1,
}

/// The key of one key page. It seals that page once and is then only used to open it.
pub(crate) struct PageKey(Secret);

impl PageKey {
    pub(crate) fn generate() -> Result<Self, KeyTreeError> {
        Secret::generate().map(Self)
    }

    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy_of(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }

    /// A second copy, for the directory page of the next generation.
    pub(crate) fn duplicate(&self) -> Self {
        Self::from_bytes(self.as_bytes())
    }
}

impl fmt::Debug for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageKey(..)")
    }
}

/// 32 secret bytes on the heap: moving the key (into a vector that grows, say) moves a pointer and
/// leaves no copy behind that nobody would wipe.
struct Secret(Box<[u8; 32]>);

impl Secret {
    fn zero() -> Self {
        Self(Box::new([0; 32]))
    }

    fn copy_of(bytes: &[u8; 32]) -> Self {
        let mut secret = Self::zero();
        secret.0.copy_from_slice(bytes);
        secret
    }

    fn generate() -> Result<Self, KeyTreeError> {
        let mut secret = Self::zero();
        getrandom::fill(&mut secret.0[..]).map_err(KeyTreeError::no_randomness)?;
        Ok(secret)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From an independent implementation, Python's `hmac` module:
    /// `h = lambda k, b: hmac.new(k, b"oubliette/v1/child" + bytes([b]), "sha256").digest()`
    /// over the node 00 01 … 1f.
    #[test]
    fn children_match_an_independent_implementation() {
        let mut bytes = [0u8; 32];
        (0..32u8).for_each(|i| bytes[usize::from(i)] = i);
        let node = NodeKey::from_bytes(&bytes);
        let left = node.child(Side::Left);
        let right = node.child(Side::Right);
        let (one, other) = node.children();
        assert_eq!((one.as_bytes(), other.as_bytes()), (left.as_bytes(), right.as_bytes()));
        assert_eq!(
            hex::encode(left.as_bytes()),
            "9255963bc5d4ea8305ea84d3823c5a2d287aa065b4b8530de33c8da2bec2de24"
        );
        assert_eq!(
            hex::encode(right.as_bytes()),
            "43e2b99ca8c83e5e162960298fbdd181abec89270c2d567ffc2a5d8eeb2c0523"
        );
        assert_eq!(
            hex::encode(right.child(Side::Left).as_bytes()),
            "de74ca647c81b640932fd20ca965b287c8cb063e7ba74fd61d10b340580da16a"
        );
    }

    #[test]
    fn debug_shows_no_key() {
        let bytes = [0xab; 32];
        let shown = format!(
            "{:?} {:?} {:?} {:?}",
            LeafKey::from_bytes(bytes),
            RootKey::from_bytes(&bytes),
            NodeKey::from_bytes(&bytes),
            PageKey::from_bytes(&bytes)
        );
        assert_eq!(shown, "LeafKey(..) RootKey(..) NodeKey(..) PageKey(..)");
    }

    #[test]
    fn generated_keys_differ() {
        let (a, b) = (NodeKey::generate().unwrap(), NodeKey::generate().unwrap());
        assert_ne!(a.as_bytes(), b.as_bytes());
    }
}

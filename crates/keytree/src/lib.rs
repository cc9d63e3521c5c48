//! One key tree per account: derive, lease, prune, and a root that can be erased.

mod address;
mod key;

pub use address::{AccountTag, Hour, LeafAddress};
pub use key::LeafKey;

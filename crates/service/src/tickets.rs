//! Tickets and grants.

use oubliette_catalog::{Parts, Scope};

/// A grant as the owner asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// The id of an agent's API key.
    pub agent: String,
    /// The first moment the grant no longer holds, in Unix milliseconds.
    pub until: i64,
    /// Which exchanges.
    pub scope: Scope,
    /// Which of their bodies.
    pub parts: Parts,
}

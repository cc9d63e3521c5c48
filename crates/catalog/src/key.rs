//! API keys, as hashes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{account::AccountId, error::CatalogError};

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Hands in captures; may be bound to one account.
    Gateway,
    /// Decides for one account: settings, tickets, shredding.
    Owner,
    /// Reads what a grant allows.
    Agent,
    /// Runs the system; reads nothing.
    Operator,
}

/// An API key: everything about it but the key.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    /// Its public part, by which it is found.
    pub id: String,
    /// What it may do.
    pub role: Role,
    /// The account it is bound to: always for an owner, never for an operator.
    pub account: Option<AccountId>,
    /// What people call it; grants and audit rows name agents by it.
    pub name: String,
    /// A keyed hash of its secret part. Comparing it, in constant time, is the caller's business.
    #[serde(skip)]
    pub hash: [u8; 32],
    /// When it was made, in Unix milliseconds.
    pub created_at: i64,
    /// When it was revoked, if it was.
    pub revoked_at: Option<i64>,
}

impl ApiKey {
    pub(crate) fn check(&self) -> Result<(), CatalogError> {
        check_id("an API key's id", &self.id)?;
        check_text("an API key's name", &self.name)?;
        match (self.role, &self.account) {
            (Role::Owner, None) => {
                Err(CatalogError::invalid("an owner's key must name its account"))
            }
            (Role::Operator, Some(_)) => {
                Err(CatalogError::invalid("an operator's key must not name an account"))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .field("role", &self.role)
            .field("account", &self.account)
            .field("name", &self.name)
            .field("created_at", &self.created_at)
            .field("revoked_at", &self.revoked_at)
            .finish_non_exhaustive()
    }
}

/// Ids of keys, tickets, grants and jobs: made by the service, 1 to 64 printable characters.
pub(crate) fn check_id(what: &str, id: &str) -> Result<(), CatalogError> {
    if id.is_empty() || id.len() > 64 || !id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(CatalogError::invalid(format!(
            "{what} has 1 to 64 printable ASCII characters and no spaces"
        )));
    }
    Ok(())
}

/// Names and subjects that people write: one line, not endless.
pub(crate) fn check_text(what: &str, text: &str) -> Result<(), CatalogError> {
    if text.is_empty() || text.len() > 500 || text.chars().any(char::is_control) {
        return Err(CatalogError::invalid(format!("{what} is one line of 1 to 500 bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_json_shows_the_hash() {
        let key = ApiKey {
            id: "k1".into(),
            role: Role::Owner,
            account: Some(AccountId::new("acme").unwrap()),
            name: "console".into(),
            hash: [0xab; 32],
            created_at: 1,
            revoked_at: None,
        };
        for shown in [format!("{key:?}"), serde_json::to_string(&key).unwrap()] {
            assert!(shown.contains("console"));
            assert!(!shown.contains("171") && !shown.contains("abab") && !shown.contains("hash"));
        }
    }
}

//! The names of what is found, of its kind, and of what is done to it.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{DetectError, DetectErrorKind};

/// What was found, by Presidio's names where one exists: `EMAIL_ADDRESS`, `CREDIT_CARD`, `US_SSN`.
///
/// Cheap to clone. Upper-case ASCII letters, digits and `_`, at most 64 of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntityType(Arc<str>);

impl EntityType {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EntityType {
    type Err = DetectError;

    fn from_str(name: &str) -> Result<Self, DetectError> {
        let well_formed = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if well_formed {
            Ok(Self(name.into()))
        } else {
            Err(DetectError::new(
                DetectErrorKind::Syntax,
                "an entity name is 1 to 64 upper-case letters, digits and `_`, like EMAIL_ADDRESS",
            ))
        }
    }
}

impl TryFrom<String> for EntityType {
    type Error = DetectError;

    fn try_from(name: String) -> Result<Self, DetectError> {
        name.parse()
    }
}

impl From<EntityType> for String {
    fn from(entity: EntityType) -> Self {
        entity.0.as_ref().to_owned()
    }
}

impl fmt::Display for EntityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for EntityType {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for EntityType {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The two kinds of things one would rather not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Personal data: it points at a person.
    Pii,
    /// A secret: it opens something.
    Secret,
}

impl Category {
    /// `pii` or `secret`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pii => "pii",
            Self::Secret => "secret",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The operator a rule proposes for its findings. This crate only carries the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OperatorName {
    /// Put a placeholder in its place.
    Replace,
    /// Cover its characters.
    Mask,
    /// Put a keyed hash in its place.
    Hash,
    /// Leave nothing in its place.
    Remove,
    /// Leave it standing: the rule names something that is known to be harmless.
    Keep,
}

impl OperatorName {
    /// The name as rule packs write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Mask => "mask",
            Self::Hash => "hash",
            Self::Remove => "remove",
            Self::Keep => "keep",
        }
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

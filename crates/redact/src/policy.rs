//! What an account wants done, as plain values.

use std::collections::BTreeMap;

use oubliette_detect::{DEFAULT_MIN_SCORE, EntityType, Rule};
use serde::{Deserialize, Serialize};

use crate::operator::{HashKey, Operator};
use crate::report::Format;

/// How bodies are to be read and what is to be done to what is found.
#[derive(Debug)]
pub struct Policy {
    /// How bodies are read; `None` goes by their content type and their looks.
    pub format: Option<Format>,
    /// Findings below this score are left alone.
    pub min_score: f32,
    /// Only these entities, if given. Findings then do not compete with other entities.
    pub entities: Option<Vec<EntityType>>,
    /// What is done to every finding; `None` goes by what each rule says, else
    /// [`Operator::Replace`].
    pub operator: Option<Operator>,
    /// What is done to findings of certain entities, before all else.
    pub operators: BTreeMap<EntityType, Operator>,
    /// What is done to attachments that are not text.
    pub attachments: Attachments,
    /// The key of [`Operator::Hash`] and of attachment digests.
    pub hash_key: HashKey,
    /// No body may be longer than this in bytes, also once decompressed; 4 GiB at most.
    pub max_bytes: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            format: None,
            min_score: DEFAULT_MIN_SCORE,
            entities: None,
            operator: None,
            operators: BTreeMap::new(),
            attachments: Attachments::default(),
            hash_key: HashKey::random(),
            max_bytes: DEFAULT_MAX_BYTES,
        }
    }
}

impl Policy {
    /// The limit in force: readings count in 32 bits.
    pub(crate) fn limit(&self) -> usize {
        self.max_bytes.min(u32::MAX as usize)
    }

    pub(crate) fn operator_for(&self, rule: &Rule) -> Operator {
        self.operators
            .get(rule.entity())
            .copied()
            .or(self.operator)
            .or_else(|| rule.operator().map(Operator::from))
            .unwrap_or_default()
    }
}

/// What is done to attachments: data URLs and base64 that hold no text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Attachments {
    /// Replaced by their media type, size and keyed hash.
    #[default]
    Drop,
    /// Kept as they are, to be sealed with the body.
    Keep,
}

/// 64 MiB: above what any LLM API accepts as one request.
const DEFAULT_MAX_BYTES: usize = 64 << 20;

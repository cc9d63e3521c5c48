//! What an account wants done, as plain values.

use std::collections::BTreeMap;

use oubliette_detect::{DEFAULT_MIN_SCORE, EntityType, Rule};
use serde::{Deserialize, Serialize};

use crate::operator::{HashKey, Operator};
use crate::paths::{PathPattern, Paths, Preset};
use crate::report::Format;
use crate::token::TokenKey;

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
    /// What is done to embeddings and to arrays of tokens.
    pub vectors: Vectors,
    /// What is done to ciphertext and signatures that only their vendor can read.
    pub opaque: Opaque,
    /// What is looked at, left alone and taken out by where it stands.
    pub paths: Paths,
    /// The same for exchanges of one API, in place of `paths`; see
    /// [`Redactor::exchange_of`](crate::Redactor::exchange_of).
    pub apis: BTreeMap<String, Paths>,
    /// The key of [`Operator::Hash`], of [`Operator::Surrogate`] and of attachment digests.
    pub hash_key: HashKey,
    /// The key of [`Operator::Tokenize`].
    pub token_key: TokenKey,
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
            vectors: Vectors::default(),
            opaque: Opaque::default(),
            paths: Paths::default(),
            apis: BTreeMap::new(),
            hash_key: HashKey::random(),
            token_key: TokenKey::random(),
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

/// A policy as somebody writes it down, in JSON. What it leaves out stays as it was.
///
/// ```
/// use oubliette_redact::{BodyPolicy, Policy};
///
/// let written: BodyPolicy = serde_json::from_str(
///     r#"{
///         "preset": "no-instructions",
///         "force": ["metadata.caller", "**.password"],
///         "operators": {"CREDIT_CARD": "mask"},
///         "attachments": "keep_stripped",
///         "apis": {"openai.embeddings": {"preset": "no-content"}}
///     }"#,
/// )?;
/// let mut policy = Policy::default();
/// written.apply_to(&mut policy);
/// assert_eq!(policy.paths.force.len(), 2);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BodyPolicy {
    /// Paths that suit many, to which those that follow are added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// As in [`Paths`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<PathPattern>,
    /// As in [`Paths`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<PathPattern>,
    /// As in [`Paths`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub force: Vec<PathPattern>,
    /// The same for single APIs, by the name that an exchange has for its API, in place of the above.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub apis: BTreeMap<String, WrittenPaths>,
    /// What is done to every finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
    /// What is done to findings of certain entities, before all else.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub operators: BTreeMap<EntityType, Operator>,
    /// What is done to attachments that are not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Attachments>,
    /// What is done to embeddings and tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vectors: Option<Vectors>,
    /// What is done to ciphertext and signatures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Opaque>,
}

/// Paths as somebody writes them down: those of a preset, and more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WrittenPaths {
    /// Paths that suit many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// As in [`Paths`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<PathPattern>,
    /// As in [`Paths`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<PathPattern>,
    /// As in [`Paths`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub force: Vec<PathPattern>,
}

impl WrittenPaths {
    /// The paths of the preset and those beside it.
    #[must_use]
    pub fn paths(&self) -> Paths {
        let mut paths = self.preset.map(Preset::paths).unwrap_or_default();
        paths.include.extend_from_slice(&self.include);
        paths.exclude.extend_from_slice(&self.exclude);
        paths.force.extend_from_slice(&self.force);
        paths
    }
}

impl BodyPolicy {
    /// Puts what is written here in the place of what a policy has.
    pub fn apply_to(&self, policy: &mut Policy) {
        let written = WrittenPaths {
            preset: self.preset,
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            force: self.force.clone(),
        };
        if written != WrittenPaths::default() {
            policy.paths = written.paths();
        }
        policy.apis.extend(self.apis.iter().map(|(api, paths)| (api.clone(), paths.paths())));
        policy.operator = self.operator.or(policy.operator);
        policy.operators.extend(self.operators.iter().map(|(e, o)| (e.clone(), *o)));
        policy.attachments = self.attachments.unwrap_or(policy.attachments);
        policy.vectors = self.vectors.unwrap_or(policy.vectors);
        policy.opaque = self.opaque.unwrap_or(policy.opaque);
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
    /// Kept without their metadata: EXIF, XMP and IPTC, text and comments, tags of sound, the information of
    /// a PDF. Formats in which that cannot be told from the rest are dropped.
    #[serde(rename = "keep_stripped")]
    KeepStripped,
}

/// What is done to numbers that are text in disguise: embeddings, from which text can be made again, and
/// tokens, which are text by another name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Vectors {
    /// An array is left with one string that says what was there; base64 becomes base64 that says so.
    #[default]
    Remove,
    /// Kept as they are.
    Keep,
}

/// What is done to ciphertext and signatures, which are never scanned: `encrypted_content`, `signature`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Opaque {
    /// Kept whole: without them, a conversation cannot be gone on with.
    #[default]
    Keep,
    /// Replaced by their size and keyed hash.
    Drop,
}

/// 64 MiB: above what any LLM API accepts as one request.
const DEFAULT_MAX_BYTES: usize = 64 << 20;

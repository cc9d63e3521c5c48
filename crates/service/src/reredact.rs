//! Redacting again what is stored, under today's rules.

use std::collections::BTreeMap;

use serde::Serialize;

/// Which bodies are to be redacted again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReredactRange {
    /// Only bodies captured from this moment on, in Unix milliseconds.
    pub from: Option<i64>,
    /// Only bodies captured before this moment.
    pub to: Option<i64>,
}

/// How far a re-redaction is. In JSON it is a line of the HTTP API's progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReredactProgress {
    /// The id of the job; empty for a dry run.
    pub job: String,
    /// Bodies looked at, those of an earlier run of the same job included.
    pub done: u64,
    /// Bodies there were when it began.
    pub total: u64,
    /// Bodies whose bytes changed; in a dry run, would change.
    pub changed: u64,
    /// Bodies that could not be opened or redacted. They stay as they are.
    pub failed: u64,
}

/// What a re-redaction did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReredactOutcome {
    /// The last progress.
    #[serde(flatten)]
    pub progress: ReredactProgress,
    /// What the new rules found that the old had left, by rule.
    pub findings: BTreeMap<String, u64>,
    /// The digest of the rule set it was done under.
    pub rule_set: String,
}

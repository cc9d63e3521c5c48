//! Audit rows: who did what, in the order it was done.

use serde::{Deserialize, Serialize};

use crate::account::AccountId;

/// Something worth recording: a read, a grant, a change of settings, a deletion.
///
/// `detail` is for ids and counts; no text of a body goes into it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// When, in Unix milliseconds.
    pub at: i64,
    /// The account concerned, if any; it need not exist, since refusals are recorded too.
    pub account: Option<AccountId>,
    /// Who did it.
    pub actor: String,
    /// What was done, such as `capture.read`.
    pub action: String,
    /// To what, such as the id of an exchange.
    pub subject: String,
    /// The rest.
    #[serde(default)]
    pub detail: serde_json::Value,
}

/// An [`AuditEvent`] in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Its place: rising, from 1, never used again.
    pub seq: u64,
    /// What was recorded.
    #[serde(flatten)]
    pub event: AuditEvent,
}

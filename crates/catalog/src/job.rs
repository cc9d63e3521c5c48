//! Jobs: long work on one account that can be killed and run again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    account::AccountId,
    error::CatalogError,
    key::{check_id, check_text},
    page::Cursor,
};

/// The progress of one re-redaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Whose bodies.
    pub account: AccountId,
    /// The digest of the rule set they are redacted under.
    pub rule_set: String,
    /// Only bodies captured from this moment on, in Unix milliseconds.
    pub from: Option<i64>,
    /// Only bodies captured before this moment.
    pub to: Option<i64>,
    /// How far it is.
    pub state: JobState,
    /// Where the next run goes on: a cursor of [`Catalog::captures`](crate::Catalog::captures).
    pub cursor: Option<Cursor>,
    /// What was done so far, by name.
    pub counts: BTreeMap<String, u64>,
    /// When it was created, in Unix milliseconds.
    pub created_at: i64,
    /// When its progress was last saved.
    pub updated_at: i64,
}

impl Job {
    pub(crate) fn check(&self) -> Result<(), CatalogError> {
        check_id("a job's id", &self.id)?;
        check_text("a job's rule set", &self.rule_set)
    }
}

/// How far a [`Job`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Not finished: under way, or to be taken up again.
    Running,
    /// All done.
    Done,
    /// Given up; the counts say at what.
    Failed,
    /// Stopped because someone asked.
    Cancelled,
}

//! Capturing: from a gateway's envelope to a durable, sealed record and its row.

use oubliette_catalog::{AccountId, Exchange, ExchangeId};
use oubliette_redact::CapturedBody;
use serde::{Deserialize, Serialize};

/// One exchange as a gateway hands it in.
#[derive(Debug)]
pub struct Envelope {
    /// What is known about it: whose it is, its id, its time, and the details.
    pub exchange: Exchange,
    /// The body of the request.
    pub request: Option<CapturedBody>,
    /// The body of the response.
    pub response: Option<CapturedBody>,
}

/// What became of an [`Envelope`]. In JSON it is the answer of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaptureOutcome {
    /// The exchange.
    pub id: ExchangeId,
    /// Whose it is.
    pub account: AccountId,
    /// What became of its bodies.
    pub parts: PartOutcomes,
}

/// What became of the parts that were handed in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PartOutcomes {
    /// The request, if it was handed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<PartOutcome>,
    /// The response, if it was handed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<PartOutcome>,
}

/// What became of one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum PartOutcome {
    /// It is kept: sealed, durable and in the catalog.
    Stored {
        /// How many findings were acted upon.
        findings: u64,
    },
    /// This part was stored before and still is; nothing was stored again.
    Duplicate,
    /// This part was stored before and has been forgotten; it is not taken again.
    Forgotten,
    /// It was not kept.
    Dropped {
        /// Why not.
        reason: DropReason,
    },
}

/// Why a body was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DropReason {
    /// The account has not opted in.
    NotOptedIn,
    /// The body is larger than the account allows, as it came or once decompressed.
    TooLarge,
    /// The `content-encoding` is not one that can be undone.
    UnknownEncoding,
    /// The body is not what its `content-encoding` says.
    DamagedEncoding,
    /// Redaction kept finding more.
    Unsettled,
    /// The redactor gave up: a mistake in it, which must not become a raw body on a disk.
    RedactionFailed,
    /// The account's own rules no longer compile.
    RulesBroken,
    /// The exchange is older than the account's retention.
    Expired,
}

impl DropReason {
    /// All reasons, for metrics that name each.
    pub const ALL: [Self; 8] = [
        Self::NotOptedIn,
        Self::TooLarge,
        Self::UnknownEncoding,
        Self::DamagedEncoding,
        Self::Unsettled,
        Self::RedactionFailed,
        Self::RulesBroken,
        Self::Expired,
    ];

    /// The word for it, as in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotOptedIn => "not_opted_in",
            Self::TooLarge => "too_large",
            Self::UnknownEncoding => "unknown_encoding",
            Self::DamagedEncoding => "damaged_encoding",
            Self::Unsettled => "unsettled",
            Self::RedactionFailed => "redaction_failed",
            Self::RulesBroken => "rules_broken",
            Self::Expired => "expired",
        }
    }
}

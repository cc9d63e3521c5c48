//! The report that travels beside a redacted body: what was found, by rule and count. Never text.

use std::collections::BTreeMap;

use oubliette_detect::Rule;
use serde::{Deserialize, Serialize};

use crate::body::UnredactedConsent;

/// What the redactor did to one body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// How the body was read.
    pub format: Format,
    /// The digest of the rule set, in hex; empty if redaction was off.
    pub rule_set: String,
    /// Findings acted upon, by rule id.
    pub findings: BTreeMap<String, u64>,
    /// Findings acted upon, by entity.
    pub entities: BTreeMap<String, u64>,
    /// Findings acted upon, by path (`messages[*].content`) and rule id; text outside of JSON has the empty
    /// path. Names in paths that may be data are written `*`. The paths beyond the first
    /// [`MAX_PATHS`](Self::MAX_PATHS) are counted under `**`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub paths: BTreeMap<String, BTreeMap<String, u64>>,
    /// Attachments replaced by a description of themselves.
    pub attachments_dropped: u64,
    /// Attachments kept whole.
    #[serde(skip_serializing_if = "is_zero")]
    pub attachments_kept: u64,
    /// Attachments kept without their metadata.
    #[serde(skip_serializing_if = "is_zero")]
    pub attachments_stripped: u64,
    /// Embeddings and arrays of tokens taken out.
    #[serde(skip_serializing_if = "is_zero")]
    pub vectors_removed: u64,
    /// Ciphertexts and signatures replaced by a description of themselves.
    #[serde(skip_serializing_if = "is_zero")]
    pub opaque_dropped: u64,
    /// Values taken out because of where they stood.
    #[serde(skip_serializing_if = "is_zero")]
    pub forced: u64,
    /// The body ended in the middle of a document, a frame or its encoding.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// The body claimed a format it did not keep to and was scanned as text instead.
    pub fell_back: bool,
    /// The `content-encoding` the body came in. It has been undone, unless redaction was off: then
    /// the body is kept as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoded_from: Option<String>,
    /// Set if the account had switched redaction off: the record of that decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unredacted_by: Option<String>,
}

impl Report {
    pub(crate) fn unredacted(consent: &UnredactedConsent, content_encoding: Option<&str>) -> Self {
        Self {
            format: Format::Unread,
            decoded_from: content_encoding.map(str::to_owned),
            unredacted_by: Some(consent.recorded_by().to_owned()),
            ..Self::default()
        }
    }

    /// So many paths are told apart.
    pub const MAX_PATHS: usize = 256;

    /// Counts a finding at a path.
    pub(crate) fn count(&mut self, rule: &Rule, path: &str) {
        *self.findings.entry(rule.id().to_owned()).or_default() += 1;
        *self.entities.entry(rule.entity().as_str().to_owned()).or_default() += 1;
        let told = self.paths.len() < Self::MAX_PATHS || self.paths.contains_key(path);
        let at = self.paths.entry(if told { path } else { "**" }.to_owned()).or_default();
        *at.entry(rule.id().to_owned()).or_default() += 1;
    }

    /// The number of findings acted upon.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.findings.values().sum()
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How a body was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// Plain text, or anything that did not parse as what it claimed to be.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// JSON documents, one a line.
    Ndjson,
    /// Server-sent events.
    Sse,
    /// The binary event stream of AWS.
    EventStream,
    /// The parts of `multipart/form-data`.
    Multipart,
    /// The names and values of `application/x-www-form-urlencoded`.
    Form,
    /// An OTLP export of traces or logs in protobuf.
    Otlp,
    /// Not text: an attachment, replaced by a description of itself.
    Binary,
    /// Not looked at, because the account had switched redaction off.
    Unread,
}

impl Format {
    /// The format a content type names, if it names one of text.
    pub(crate) fn of(content_type: Option<&str>) -> Option<Self> {
        let essence = content_type?.split(';').next()?.trim().to_ascii_lowercase();
        let (_, subtype) = essence.split_once('/')?;
        Some(match subtype {
            "event-stream" => Format::Sse,
            "x-ndjson" | "ndjson" | "jsonl" | "x-jsonlines" | "jsonlines" => Format::Ndjson,
            "json" => Format::Json,
            "vnd.amazon.eventstream" => Format::EventStream,
            "form-data" | "mixed" | "related" if essence.starts_with("multipart/") => {
                Format::Multipart
            }
            "x-www-form-urlencoded" => Format::Form,
            "x-protobuf" | "protobuf" | "vnd.google.protobuf" | "grpc" | "grpc+proto" => {
                Format::Otlp
            }
            _ if subtype.ends_with("+json") => Format::Json,
            // "text/plain" is what servers say that do not know better: go by the looks.
            _ => return None,
        })
    }
}

//! Captures: where the sealed bodies are, and what is still alive of them.

use std::collections::BTreeMap;

use oubliette_keytree::LeafAddress;
use serde::{Deserialize, Serialize};

use crate::{account::AccountId, error::CatalogError, exchange::ExchangeId};

/// Which of an exchange's two bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What was asked.
    Request,
    /// What was answered.
    Response,
}

impl Part {
    /// The word for it, as in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// One or both bodies of an exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parts {
    /// Only the request.
    Request,
    /// Only the response.
    Response,
    /// Both.
    #[default]
    Both,
}

impl Parts {
    /// Whether `part` is among them.
    #[must_use]
    pub const fn contains(self, part: Part) -> bool {
        matches!(
            (self, part),
            (Self::Both, _) | (Self::Request, Part::Request) | (Self::Response, Part::Response)
        )
    }
}

impl From<Part> for Parts {
    fn from(part: Part) -> Self {
        match part {
            Part::Request => Self::Request,
            Part::Response => Self::Response,
        }
    }
}

/// Where a sealed record lies: in a segment, which is an object in the object store or still the
/// spool file that will become one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Location {
    /// The id of the segment.
    pub segment: String,
    /// The key of the segment in the object store.
    pub object: String,
    /// The first byte of the record in the segment.
    pub offset: u64,
    /// The length of the record, which is also what the body takes in storage.
    pub len: u64,
}

/// Whether a capture can still be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaptureState {
    /// It can.
    Stored,
    /// It was forgotten because someone asked.
    Shredded,
    /// It was forgotten because its time was up.
    Expired,
}

/// A sealed body, ready to be entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCapture {
    /// Which body.
    pub part: Part,
    /// The leaf whose key it is sealed under. Its hour is the hour the capture expires by.
    pub address: LeafAddress,
    /// Where the record lies.
    pub location: Location,
    /// When it was captured, in Unix milliseconds.
    pub captured_at: i64,
    /// The retention that was in force when it was captured, and so the segment it lies in.
    pub retention_days: u16,
    /// The body's content type.
    pub content_type: Option<String>,
    /// How the redactor read it, such as `json`.
    pub format: String,
    /// The digest of the rule set it was redacted under; `None` if redaction was off.
    pub rule_set: Option<String>,
    /// How often each rule was acted upon: names and counts, never text.
    pub findings: BTreeMap<String, u64>,
}

/// One body as it stands in the catalog.
///
/// A dead capture keeps its part, address, time and state; the rest is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Whose it is.
    pub account: AccountId,
    /// The exchange it belongs to.
    pub exchange: ExchangeId,
    /// Which body.
    pub part: Part,
    /// The leaf whose key it is sealed under; in JSON sixteen hexadecimal digits.
    #[serde(with = "address_hex")]
    pub address: LeafAddress,
    /// When it was captured, in Unix milliseconds.
    pub captured_at: i64,
    /// The retention that was in force when it was captured.
    pub retention_days: u16,
    /// Whether it can still be opened.
    pub state: CaptureState,
    /// When it was shredded or marked as expired, in Unix milliseconds.
    pub forgotten_at: Option<i64>,
    /// Where the record lies; `None` once it is dead.
    pub location: Option<Location>,
    /// The body's content type.
    pub content_type: Option<String>,
    /// How the redactor read it; empty once it is dead.
    pub format: String,
    /// The digest of the rule set it was redacted under; `None` if redaction was off.
    pub rule_set: Option<String>,
    /// How often each rule was acted upon.
    pub findings: BTreeMap<String, u64>,
}

impl Capture {
    /// Hides what a dead capture must not show, whether or not it has been swept yet.
    pub(crate) fn veiled(mut self) -> Self {
        if self.state != CaptureState::Stored {
            self.location = None;
            self.content_type = None;
            self.format = String::new();
            self.rule_set = None;
            self.findings = BTreeMap::new();
        }
        self
    }
}

/// A body that was redacted anew, to be put in the place of the old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Whose it is.
    pub account: AccountId,
    /// The exchange it belongs to.
    pub exchange: ExchangeId,
    /// The leaf the row must still have for the replacement to take place.
    pub old_address: LeafAddress,
    /// The new record. Its `captured_at` is not used: re-redaction does not make a body younger,
    /// so the new leaf must lie in the same hour as the old one.
    pub new: NewCapture,
}

/// What is alive in one segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LiveSegment {
    /// Captures that can be opened.
    pub captures: u64,
    /// Bytes of their records.
    pub bytes: u64,
}

/// A record that was copied to another segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocation {
    /// Whose it is.
    pub account: AccountId,
    /// The leaf it is sealed under, before and after.
    pub address: LeafAddress,
    /// Where the row must still say that it lies.
    pub from: Location,
    /// Where the copy lies.
    pub to: Location,
}

/// What became of one capture in [`Catalog::insert_batch`](crate::Catalog::insert_batch).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It is in the catalog now.
    Inserted,
    /// There is already one of this part, dead or alive; here it is. If the addresses differ, the
    /// new one is now among the pending shreds.
    Duplicate(Box<Capture>),
    /// It comes too late: the part was shredded before it was entered, or its hour has expired.
    /// Its address is now among the pending shreds.
    Forgotten,
    /// The account does not exist or has been removed. Nothing was entered; the caller drops the
    /// record and counts it.
    NoAccount,
}

/// What became of a [`Replacement`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplaceOutcome {
    /// The new record is in place; the old address is among the pending shreds.
    Replaced,
    /// It was in place already: the reply to an earlier call was lost.
    AlreadyReplaced,
    /// The row no longer has the old address, is dead, or is gone. The new address is among the
    /// pending shreds.
    Lost,
}

impl Replacement {
    pub(crate) fn check(&self) -> Result<(), CatalogError> {
        if self.old_address == self.new.address {
            return Err(CatalogError::invalid(
                "a replacement needs a new address: a leaf seals one payload",
            ));
        }
        if self.old_address.hour() != self.new.address.hour() {
            return Err(CatalogError::invalid(format!(
                "a replacement keeps the hour of capture: {} is not in hour {}",
                self.new.address,
                self.old_address.hour().number()
            )));
        }
        Ok(())
    }
}

/// Addresses as sixteen hexadecimal digits: a JSON number would lose bits in JavaScript.
pub(crate) mod address_hex {
    use oubliette_keytree::LeafAddress;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(
        address: &LeafAddress,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:016x}", address.to_bits()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<LeafAddress, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        match u64::from_str_radix(&text, 16) {
            Ok(bits) if text.len() == 16 => Ok(LeafAddress::from_bits(bits)),
            _ => Err(D::Error::custom("an address has sixteen hexadecimal digits")),
        }
    }
}

//! Exchanges: one request and its response, without their bodies.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    account::AccountId,
    capture::{Capture, CaptureState, NewCapture},
    error::CatalogError,
};

/// The name the gateway gave an exchange: 1 to 200 printable ASCII characters, no spaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExchangeId(String);

impl ExchangeId {
    /// The longest id, in characters.
    pub const MAX_LEN: usize = 200;

    /// Checks an id.
    ///
    /// # Errors
    /// [`Invalid`](crate::CatalogErrorKind::Invalid) if it is empty, too long or not printable.
    pub fn new(id: impl Into<String>) -> Result<Self, CatalogError> {
        let id = id.into();
        if id.is_empty() || id.len() > Self::MAX_LEN || !id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(CatalogError::invalid(
                "an exchange id has 1 to 200 printable ASCII characters and no spaces",
            ));
        }
        Ok(Self(id))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ExchangeId {
    type Err = CatalogError;

    fn from_str(id: &str) -> Result<Self, CatalogError> {
        Self::new(id)
    }
}

impl TryFrom<String> for ExchangeId {
    type Error = CatalogError;

    fn try_from(id: String) -> Result<Self, CatalogError> {
        Self::new(id)
    }
}

impl From<ExchangeId> for String {
    fn from(id: ExchangeId) -> Self {
        id.0
    }
}

/// What is known about one request and its response.
///
/// Once all its captures are dead, only `account`, `id` and `time` are left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Whose traffic it is.
    pub account: AccountId,
    /// The gateway's name for it, unique within the account.
    pub id: ExchangeId,
    /// When it took place, in Unix milliseconds.
    pub time: i64,
    /// The vendor's interface, such as `openai-chat`.
    pub api: Option<String>,
    /// The model that was asked for.
    pub model: Option<String>,
    /// Who answered.
    pub provider: Option<String>,
    /// The HTTP status of the response.
    pub status: Option<u16>,
    /// Tokens in the request.
    pub tokens_in: Option<u64>,
    /// Tokens in the response.
    pub tokens_out: Option<u64>,
    /// From the first byte of the request to the last of the response.
    pub latency_ms: Option<u64>,
    /// The trace it belongs to.
    pub trace_id: Option<String>,
    /// The gateway's cache key, truncated.
    pub cache_key: Option<String>,
    /// A hash of the API key that was used with the gateway.
    pub key_hash: Option<String>,
}

impl Exchange {
    /// An exchange of which only the name and the time are known.
    #[must_use]
    pub fn new(account: AccountId, id: ExchangeId, time: i64) -> Self {
        Self {
            account,
            id,
            time,
            api: None,
            model: None,
            provider: None,
            status: None,
            tokens_in: None,
            tokens_out: None,
            latency_ms: None,
            trace_id: None,
            cache_key: None,
            key_hash: None,
        }
    }
}

/// An exchange to be entered, with the captures of one or both of its parts.
#[derive(Debug, Clone)]
pub struct NewExchange {
    /// What is known about it.
    pub exchange: Exchange,
    /// One or two captures, of different parts.
    pub captures: Vec<NewCapture>,
}

/// An exchange as it stands, with its captures: request first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeRecord {
    /// What is known about it.
    #[serde(flatten)]
    pub exchange: Exchange,
    /// Its captures, dead ones included.
    pub captures: Vec<Capture>,
}

impl ExchangeRecord {
    /// Whether any of its bodies can still be opened.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.captures.iter().any(|capture| capture.state == CaptureState::Stored)
    }

    /// Hides what a dead exchange must not show, whether or not it has been swept yet.
    pub(crate) fn veiled(mut self) -> Self {
        if !self.is_live() {
            let Exchange { account, id, time, .. } = self.exchange;
            self.exchange = Exchange::new(account, id, time);
        }
        self.captures = self.captures.into_iter().map(Capture::veiled).collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchange_ids_are_checked() {
        assert_eq!(ExchangeId::new("req_01/é").ok(), None);
        assert_eq!(ExchangeId::new("").ok(), None);
        assert_eq!(ExchangeId::new("two words").ok(), None);
        assert_eq!(ExchangeId::new("x".repeat(201)).ok(), None);
        assert_eq!(ExchangeId::new("chatcmpl-1{~}").unwrap().as_str(), "chatcmpl-1{~}");
        assert!(serde_json::from_str::<ExchangeId>("\"a\\nb\"").is_err());
    }
}

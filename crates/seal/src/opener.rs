//! Opening: stored bytes → [`OpenedBody`].

use std::fmt;

use oubliette_keytree::{AccountTag, LeafAddress, LeafKey};
use oubliette_redact::{CapturedBody, Report, Wiped};

use crate::frame::Unpacker;
use crate::{Limits, RecordRef, SealError, payload, record};

/// Opens sealed records. Keep one per thread: it holds a decompression context worth reusing.
#[derive(Debug)]
pub struct Opener {
    unpacker: Unpacker,
    limits: Limits,
}

impl Opener {
    /// An opener that unpacks no more than the limits allow.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { unpacker: Unpacker::new(), limits }
    }

    /// Opens one record for the place it is expected to come from.
    ///
    /// The bytes may be anything at all. Place and key commitment are checked first, then the tag;
    /// no plaintext is made before, and none comes back unless all of it was in order.
    ///
    /// # Errors
    /// `Authentication` for a wrong key, account or address and for altered bytes, without saying
    /// which; `Malformed` for bytes that are no record, and for a record whose sealer did not keep
    /// to the format; `UnsupportedVersion` for a newer one; `TooLarge` if it would unpack to more
    /// than the limit.
    pub fn open(
        &mut self,
        record: &[u8],
        expected: &Expected,
        key: &LeafKey,
    ) -> Result<OpenedBody, SealError> {
        let record = RecordRef::parse(record)?;
        let padded = record::decrypt(&record, expected, key)?;
        let dictionary = record.header().dictionary;
        let mut payload = self.unpacker.unpack(&padded, dictionary, self.limits.max_payload_len)?;
        let decoded = payload::decode(&payload)?;
        let exchange = Wiped::from(payload[decoded.exchange].to_vec());
        // Moves the body to the front; what stays behind it is wiped with the whole allocation.
        payload.drain(..decoded.body.start);
        Ok(OpenedBody {
            bytes: payload,
            content_type: decoded.metadata.content_type,
            report: decoded.metadata.report,
            exchange,
        })
    }
}

impl Default for Opener {
    /// An opener with the default [`Limits`].
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

/// Where the caller believes a record comes from: the row of the catalog, not the record's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The account whose body it should be.
    pub account: AccountTag,
    /// The leaf that `key` belongs to.
    pub address: LeafAddress,
}

/// A body that was opened. Wiped when dropped; `Debug` shows neither its text nor its metadata.
pub struct OpenedBody {
    bytes: Wiped,
    content_type: Option<String>,
    report: Report,
    exchange: Wiped,
}

impl OpenedBody {
    /// The body, as it was when it was sealed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The `content-type` the body was captured with, if it had one.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The `content-encoding` that the bytes are still in: a body that was sealed unredacted was
    /// never decoded. `None` for every redacted body.
    #[must_use]
    pub fn content_encoding(&self) -> Option<&str> {
        self.report.unredacted_by.as_ref().and(self.report.decoded_from.as_deref())
    }

    /// What the redactor did before the body was sealed.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The exchange bytes of the service, as they were given to [`Place`](crate::Place).
    #[must_use]
    pub fn exchange(&self) -> &[u8] {
        &self.exchange
    }

    /// Sends the body the whole way again, from redaction on.
    #[must_use]
    pub fn into_captured(mut self) -> CapturedBody {
        let content_encoding = self.content_encoding().map(str::to_owned);
        CapturedBody::new(
            std::mem::take(&mut self.bytes).take(),
            self.content_type.take(),
            content_encoding,
        )
    }
}

impl fmt::Debug for OpenedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedBody")
            .field("len", &self.bytes.len())
            .field("exchange_len", &self.exchange.len())
            .finish_non_exhaustive()
    }
}

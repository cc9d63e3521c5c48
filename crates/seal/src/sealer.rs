//! Sealing: [`RedactedBody`] → [`SealedBody`].

use std::fmt;

use oubliette_keytree::{AccountTag, LeafAddress, LeafKey};
use oubliette_redact::RedactedBody;

use crate::frame::Packer;
use crate::{Limits, RecordHeader, SealError, payload, record};

/// Seals redacted bodies. Keep one per thread: it holds a compression context that is worth reusing.
///
/// Sealing a body of 12 KiB takes tens of microseconds, most of it in zstd, and a few times the
/// body in memory, which is wiped afterwards.
#[derive(Debug)]
pub struct Sealer {
    packer: Packer,
    limits: Limits,
}

impl Sealer {
    /// A sealer with the default [`Limits`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// A sealer that refuses what an [`Opener`](crate::Opener) with the same limits would not open.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        Self { packer: Packer::new(), limits }
    }

    /// Compresses, pads and encrypts a body for its place under the key of its leaf.
    ///
    /// A leaf is for one payload: take another address for the next. The nonce is random.
    ///
    /// # Errors
    /// `TooLarge` if body, exchange bytes and metadata together are over the limit, `Unavailable`
    /// if the operating system gave no random bytes or no memory.
    pub fn seal(
        &mut self,
        body: &RedactedBody,
        place: &Place<'_>,
        key: &LeafKey,
    ) -> Result<SealedBody, SealError> {
        let payload = payload::encode(
            body.content_type(),
            body.report(),
            place.exchange,
            body.bytes(),
            self.limits.max_payload_len,
        )?;
        let packed = self.packer.pack(&payload)?;
        let nonce = record::random_nonce()?;
        let (header, record) = record::encrypt(&packed, place.account, place.address, key, &nonce)?;
        Ok(SealedBody { header, record })
    }
}

impl Default for Sealer {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a body belongs, and what the service wants sealed along with it.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The account whose body it is; stands in the clear.
    pub account: AccountTag,
    /// The leaf whose key seals it; stands in the clear.
    pub address: LeafAddress,
    /// Exchange metadata in whatever form the service likes; goes inside, unread.
    pub exchange: &'a [u8],
}

impl fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("account", &self.account)
            .field("address", &self.address)
            .field("exchange_len", &self.exchange.len())
            .finish()
    }
}

/// A body that was redacted and sealed: the only thing that may be stored.
///
/// Only [`Sealer::seal`] makes one; bytes read back are a [`RecordRef`](crate::RecordRef).
pub struct SealedBody {
    header: RecordHeader,
    record: Vec<u8>,
}

impl SealedBody {
    /// The record, to be written as it is.
    #[must_use]
    pub fn record(&self) -> &[u8] {
        &self.record
    }

    /// The record, for a writer that wants to own it.
    #[must_use]
    pub fn into_record(self) -> Vec<u8> {
        self.record
    }

    /// The clear header of the record.
    #[must_use]
    pub fn header(&self) -> &RecordHeader {
        &self.header
    }

    /// The account whose body it is.
    #[must_use]
    pub fn account(&self) -> AccountTag {
        self.header.account()
    }

    /// The leaf whose key opens it.
    #[must_use]
    pub fn address(&self) -> LeafAddress {
        self.header.address()
    }
}

impl fmt::Debug for SealedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedBody").field("header", &self.header).finish_non_exhaustive()
    }
}

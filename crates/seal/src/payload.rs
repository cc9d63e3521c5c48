//! What is inside: metadata, exchange bytes and body, before compression.

use std::ops::Range;

use crate::SealError;
use oubliette_redact::{Report, Wiped};
use serde::{Deserialize, Serialize};

/// Version of the layout inside, apart from the record's: it is compressed and encrypted with it.
const VERSION: u8 = 1;
/// Version, length of the metadata, length of the exchange bytes.
const PREFIX_LEN: usize = 1 + 4 + 4;

/// What `seal` itself has to say about a body.
#[derive(Serialize)]
struct MetadataRef<'a> {
    content_type: Option<&'a str>,
    report: &'a Report,
}

/// The same, as read back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metadata {
    pub(crate) content_type: Option<String>,
    pub(crate) report: Report,
}

/// A decoded payload: metadata, and where in the payload the two runs of bytes lie.
pub(crate) struct Decoded {
    pub(crate) metadata: Metadata,
    pub(crate) exchange: Range<usize>,
    pub(crate) body: Range<usize>,
}

/// Lays a payload out in one buffer that is never reallocated, so that no stray copy is left.
pub(crate) fn encode(
    content_type: Option<&str>,
    report: &Report,
    exchange: &[u8],
    body: &[u8],
    max_len: usize,
) -> Result<Wiped, SealError> {
    let too_large = || SealError::too_large("the body is larger than the limit for sealing");
    let metadata = Wiped::from(
        serde_json::to_vec(&MetadataRef { content_type, report })
            .expect("a report is strings, numbers and maps with string keys"),
    );
    let len = [metadata.len(), exchange.len(), body.len()]
        .into_iter()
        .try_fold(PREFIX_LEN, usize::checked_add)
        .filter(|&len| len <= max_len)
        .ok_or_else(too_large)?;
    let metadata_len = u32::try_from(metadata.len()).map_err(|_| too_large())?;
    let exchange_len = u32::try_from(exchange.len()).map_err(|_| too_large())?;

    let mut payload = Wiped::with_capacity(len);
    payload.push(VERSION);
    payload.extend_from_slice(&metadata_len.to_be_bytes());
    payload.extend_from_slice(&exchange_len.to_be_bytes());
    payload.extend_from_slice(&metadata);
    payload.extend_from_slice(exchange);
    payload.extend_from_slice(body);
    Ok(payload)
}

/// Reads a payload that was authenticated and decompressed.
pub(crate) fn decode(payload: &[u8]) -> Result<Decoded, SealError> {
    let lengths_lie = || SealError::malformed("the lengths inside the record do not add up");
    let (prefix, rest) = payload.split_first_chunk::<PREFIX_LEN>().ok_or_else(lengths_lie)?;
    let [version, lengths @ ..] = prefix;
    if *version != VERSION {
        return Err(SealError::unsupported(
            "this release does not know the layout inside the record; read it with a newer one",
        ));
    }
    let [m0, m1, m2, m3, e0, e1, e2, e3] = *lengths;
    let metadata_len = u32::from_be_bytes([m0, m1, m2, m3]) as usize;
    let exchange_len = u32::from_be_bytes([e0, e1, e2, e3]) as usize;

    let (metadata, rest) = rest.split_at_checked(metadata_len).ok_or_else(lengths_lie)?;
    if exchange_len > rest.len() {
        return Err(lengths_lie());
    }
    // The cause is left out on purpose: serde_json quotes what it could not read.
    let metadata = serde_json::from_slice(metadata).map_err(|_| {
        SealError::malformed(
            "the metadata inside the record cannot be read; a newer release may have written it",
        )
    })?;
    let exchange = PREFIX_LEN + metadata_len..PREFIX_LEN + metadata_len + exchange_len;
    let body = exchange.end..payload.len();
    Ok(Decoded { metadata, exchange, body })
}

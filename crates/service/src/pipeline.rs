//! Redacting and sealing the bodies of one exchange, on a worker thread.

use oubliette_catalog::Part;
use oubliette_keytree::AccountTag;
use oubliette_redact::{
    CapturedBody, ExchangeRedactor, RedactError, RedactErrorKind, RedactedBody, Report,
};
use oubliette_seal::{Place, SealErrorKind, SealedBody};

use crate::capture::DropReason;
use crate::error::Result;
use crate::leases::Leaf;
use crate::policy::Redaction;
use crate::record::Inside;
use crate::workers::with_sealer;

/// A body that nobody has looked at yet.
pub(crate) struct Raw {
    pub(crate) part: Part,
    pub(crate) body: CapturedBody,
}

/// What became of it.
pub(crate) enum Made {
    Sealed(Box<SealedPart>),
    Dropped(Part, DropReason),
}

/// A sealed body and what its row will say.
pub(crate) struct SealedPart {
    pub(crate) sealed: SealedBody,
    pub(crate) row: Row,
}

/// What a row says of a body, apart from where it lies.
pub(crate) struct Row {
    pub(crate) inside: Inside,
    pub(crate) content_type: Option<String>,
    pub(crate) report: Report,
}

/// Redacts the bodies in the order they are in (the request first: placeholders are numbered by
/// what comes first) and seals each under its leaf. `inside` is the same for all but the part.
///
/// # Errors
/// Only if the operating system gives no random bytes. What cannot be redacted is dropped.
pub(crate) fn redact_and_seal(
    raws: Vec<Raw>,
    leaves: Vec<Leaf>,
    redaction: &Redaction,
    inside: &Inside,
    tag: AccountTag,
) -> Result<Vec<Made>> {
    let mut way = Way::new(redaction, inside.exchange.api.as_deref().unwrap_or_default());
    let mut made = Vec::with_capacity(raws.len());
    for (Raw { part, body }, leaf) in raws.into_iter().zip(leaves) {
        made.push(match way.redact(body) {
            Ok(redacted) => {
                let mut inside = inside.clone();
                inside.part = part;
                inside.redacted_under = way.fingerprint();
                seal(&redacted, inside, leaf, tag)?
            }
            Err(reason) => Made::Dropped(part, reason),
        });
    }
    Ok(made)
}

/// Seals one redacted body.
pub(crate) fn seal(
    body: &RedactedBody,
    inside: Inside,
    (address, key): Leaf,
    account: AccountTag,
) -> Result<Made> {
    let place = Place { account, address, exchange: &inside.to_bytes() };
    match with_sealer(|sealer| sealer.seal(body, &place, &key)) {
        Ok(sealed) => Ok(Made::Sealed(Box::new(SealedPart {
            sealed,
            row: Row {
                inside,
                content_type: body.content_type().map(str::to_owned),
                report: body.report().clone(),
            },
        }))),
        Err(error) if error.kind() == SealErrorKind::TooLarge => {
            Ok(Made::Dropped(inside.part, DropReason::TooLarge))
        }
        Err(error) => Err(error.into()),
    }
}

/// The way the bodies of one exchange go.
enum Way<'a> {
    Redact { exchange: Box<ExchangeRedactor>, fingerprint: &'a str },
    PassOn(&'a oubliette_redact::UnredactedConsent),
    Drop,
}

impl<'a> Way<'a> {
    fn new(redaction: &'a Redaction, api: &str) -> Self {
        match redaction {
            Redaction::On(redacting) => Self::Redact {
                exchange: Box::new(redacting.redactor.exchange_of(api)),
                fingerprint: &redacting.fingerprint,
            },
            Redaction::Off(consent) => Self::PassOn(consent),
            Redaction::Broken => Self::Drop,
        }
    }

    fn redact(&mut self, body: CapturedBody) -> Result<RedactedBody, DropReason> {
        match self {
            Self::Redact { exchange, .. } => {
                exchange.redact(body).map_err(|error| drop_reason(&error))
            }
            Self::PassOn(consent) => Ok(RedactedBody::dangerously_unredacted(body, consent)),
            Self::Drop => Err(DropReason::RulesBroken),
        }
    }

    fn fingerprint(&self) -> Option<String> {
        match self {
            Self::Redact { fingerprint, .. } => Some((*fingerprint).to_owned()),
            Self::PassOn(_) | Self::Drop => None,
        }
    }
}

/// Why a body that cannot be redacted is dropped.
pub(crate) fn drop_reason(error: &RedactError) -> DropReason {
    match error.kind() {
        RedactErrorKind::UnknownEncoding => DropReason::UnknownEncoding,
        RedactErrorKind::DamagedEncoding => DropReason::DamagedEncoding,
        RedactErrorKind::TooLarge { .. } => DropReason::TooLarge,
        RedactErrorKind::Unsettled => DropReason::Unsettled,
        _ => DropReason::RedactionFailed,
    }
}

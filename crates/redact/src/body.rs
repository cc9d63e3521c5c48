//! The way of a body, told in types: [`CapturedBody`] → [`RedactedBody`].
//!
//! A [`RedactedBody`] can be made in two ways only: by a redactor of this crate, or by the loudly
//! named [`RedactedBody::dangerously_unredacted`]. Sealing and storing take nothing else, so
//! forgetting to redact does not compile.

use std::fmt;

use crate::report::Report;
use crate::wiped::Wiped;

/// A body as it came from the gateway: raw, in memory only, never to be written anywhere.
///
/// The bytes are wiped when it is dropped and `Debug` shows nothing but their length.
pub struct CapturedBody {
    bytes: Wiped,
    content_type: Option<String>,
    content_encoding: Option<String>,
}

impl CapturedBody {
    /// Wraps the raw bytes of a body with the HTTP headers that say how to read them.
    #[must_use]
    pub fn new(
        bytes: Vec<u8>,
        content_type: Option<String>,
        content_encoding: Option<String>,
    ) -> Self {
        Self { bytes: Wiped::from(bytes), content_type, content_encoding }
    }

    /// The raw bytes, as they were on the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The `content-type` header, if there was one.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The `content-encoding` header, if there was one.
    #[must_use]
    pub fn content_encoding(&self) -> Option<&str> {
        self.content_encoding.as_deref()
    }
}

impl fmt::Debug for CapturedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapturedBody").field("len", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// A body with the personal data and secrets taken out, and the report of what was done.
///
/// The bytes are in identity encoding: whatever `content-encoding` the captured body had has been
/// undone. They are still an account's own text, so `Debug` does not show them.
pub struct RedactedBody {
    bytes: Wiped,
    content_type: Option<String>,
    report: Report,
}

impl RedactedBody {
    /// Only this crate's redactor calls this.
    pub(crate) fn new(bytes: Vec<u8>, content_type: Option<String>, report: Report) -> Self {
        Self { bytes: Wiped::from(bytes), content_type, report }
    }

    /// Passes a body on **as it is**, for an account that has switched redaction off.
    ///
    /// This is the one bypass. It takes the account's recorded consent, so that a search for this
    /// name finds every place where raw text may go on to be sealed.
    #[must_use]
    pub fn dangerously_unredacted(body: CapturedBody, consent: &UnredactedConsent) -> Self {
        let report = Report::unredacted(consent, body.content_encoding.as_deref());
        Self { bytes: body.bytes, content_type: body.content_type, report }
    }

    /// The redacted bytes, in identity encoding.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The `content-type` of the captured body, if it had one.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// What was found and done: rules and counts, never text.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}

impl fmt::Debug for RedactedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedactedBody")
            .field("len", &self.bytes.len())
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

/// An account's recorded decision to have its bodies stored without redaction.
#[derive(Debug, Clone)]
pub struct UnredactedConsent {
    recorded_by: String,
}

impl UnredactedConsent {
    /// Names the record of the decision: who switched redaction off, or the audit row that says so.
    #[must_use]
    pub fn recorded(recorded_by: impl Into<String>) -> Self {
        Self { recorded_by: recorded_by.into() }
    }

    /// Who or what recorded the decision.
    #[must_use]
    pub fn recorded_by(&self) -> &str {
        &self.recorded_by
    }
}

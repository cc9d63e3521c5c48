//! Why a body could not be redacted. None of these carries anything of the body.

use std::fmt;

/// A body could not be redacted, and so must not go on.
#[derive(Debug)]
pub struct RedactError {
    kind: RedactErrorKind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kept a body from being redacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedactErrorKind {
    /// The `content-encoding` is not one that can be undone.
    UnknownEncoding,
    /// The body is not what its `content-encoding` says.
    DamagedEncoding,
    /// The body, or what it decompresses to, is over the limit in this many bytes.
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Redacting the redacted body kept finding more. Such a body is hostile.
    Unsettled,
}

impl RedactError {
    pub(crate) fn new(kind: RedactErrorKind) -> Self {
        Self { kind, source: None }
    }

    pub(crate) fn damaged(source: std::io::Error) -> Self {
        // The decoders' messages speak of their own state, never of the data.
        Self { kind: RedactErrorKind::DamagedEncoding, source: Some(Box::new(source)) }
    }

    /// What went wrong, for a caller to act upon.
    #[must_use]
    pub fn kind(&self) -> RedactErrorKind {
        self.kind
    }
}

impl fmt::Display for RedactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RedactErrorKind::UnknownEncoding => f.write_str(
                "unknown content-encoding: gzip, deflate, br, zstd and identity are understood",
            ),
            RedactErrorKind::DamagedEncoding => {
                f.write_str("the body is damaged or not in the content-encoding it names")
            }
            RedactErrorKind::TooLarge { limit } => {
                write!(f, "the body is larger than the limit of {limit} bytes once decompressed")
            }
            RedactErrorKind::Unsettled => {
                f.write_str("redacting the body again kept finding more; it was not passed on")
            }
        }
    }
}

impl std::error::Error for RedactError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|s| &**s as _)
    }
}

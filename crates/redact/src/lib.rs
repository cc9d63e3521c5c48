//! Takes personal data and secrets out of LLM bodies and keeps their shape.
//!
//! A [`Redactor`] is a rule set and a [`Policy`]. It turns a [`CapturedBody`], which is raw, into a
//! [`RedactedBody`], which may be sealed and stored, and there is no other way to one but the loudly
//! named [`RedactedBody::dangerously_unredacted`].
//!
//! # Example
//!
//! ```
//! use oubliette_detect::RuleSet;
//! use oubliette_redact::{CapturedBody, Policy, Redactor};
//!
//! let redactor = Redactor::new(RuleSet::standard(), Policy::default());
//! // The bodies of one exchange share the numbers of their placeholders.
//! let mut exchange = redactor.exchange();
//!
//! let request = r#"{"messages":[{"role":"user","content":"I am jo\u0040example.com"}]}"#;
//! let captured = CapturedBody::new(request.into(), Some("application/json".into()), None);
//! let redacted = exchange.redact(captured)?;
//! assert_eq!(
//!     redacted.bytes(),
//!     br#"{"messages":[{"role":"user","content":"I am <EMAIL_ADDRESS_1>"}]}"#
//! );
//!
//! // In a stream, a value may be cut anywhere.
//! let stream = concat!(
//!     "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello jo@exa\"}}]}\n\n",
//!     "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"mple.com!\"}}]}\n\n",
//! );
//! let captured = CapturedBody::new(stream.into(), Some("text/event-stream".into()), None);
//! assert_eq!(
//!     exchange.redact(captured)?.bytes(),
//!     concat!(
//!         "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello <EMAIL_ADDRESS_1>\"}}]}\n\n",
//!         "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"!\"}}]}\n\n",
//!     )
//!     .as_bytes()
//! );
//! # Ok::<(), oubliette_redact::RedactError>(())
//! ```
//!
//! # How a body is read
//!
//! JSON, NDJSON, server-sent events, AWS's binary event streams, OTLP in protobuf (also as gRPC frames it), multipart bodies, forms and plain text, in UTF-8 or UTF-16, by
//! content type and by looks; what claims to be one and is not is read as text. Text is looked for where it is: in string values with their
//! escapes undone, in JSON inside strings, in the text that a stream's deltas join to (per choice,
//! item and tool call), in the tokens of log probabilities, in base64 that holds text, in numbers
//! and in keys. A value found once is taken out everywhere in the exchange, also where nothing
//! beside it gives it away. Base64 that holds no text, and bodies that are not text, are
//! attachments and go by [`Attachments`]; embeddings and tokens go by [`Vectors`], ciphertext by [`Opaque`], and
//! what is to be treated by its path by [`Paths`].
//!
//! Nothing is parsed into a tree and written again: replacements are spliced into the bytes, and
//! everything else stays as it was.
//!
//! # Untrusted input
//!
//! Bodies are hostile until shown otherwise. Any bytes give a result or one of a few errors; depth
//! of nesting, of JSON inside strings and of escapes is bounded, and so is what a compressed body
//! may grow to. No error, report or `Debug` output carries anything of a body.
//!
//! # Cost
//!
//! Detection is most of it, once for every text, and again for those in which something was replaced: they are
//! read until nothing is found. Short texts that stand often are scanned once. Memory is a few times the body. Create one [`Redactor`] per policy, which
//! keeps scanners warm, and one [`ExchangeRedactor`] per exchange. A [`StreamRedactor`] redacts a stream while it passes and
//! holds only what is not decided yet.

mod attachment;
mod body;
mod delta;
mod edit;
mod encoding;
mod error;
mod event_stream;
mod explore;
mod field;
mod form;
mod grpc;
mod hits;
mod json;
mod media;
mod memo;
mod multipart;
mod operator;
mod otlp;
mod paths;
mod policy;
mod pool;
mod pseudonyms;
mod reading;
mod redactor;
mod report;
mod settled;
mod sse;
mod stream;
mod surrogate;
mod token;
mod utf16;
mod wiped;

pub use body::{CapturedBody, RedactedBody, UnredactedConsent};
pub use error::{RedactError, RedactErrorKind};
pub use operator::{HashKey, Operator, UnknownOperator};
pub use paths::{PathError, PathPattern, Paths, Preset};
pub use policy::{Attachments, BodyPolicy, Opaque, Policy, Vectors, WrittenPaths};
pub use redactor::{BodyExplanation, BodyFinding, ExchangeRedactor, Redactor};
pub use report::{Format, Report};
pub use stream::StreamRedactor;
pub use token::TokenKey;
pub use wiped::Wiped;

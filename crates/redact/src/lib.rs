//! Takes personal data and secrets out of LLM bodies and keeps their shape.

mod attachment;
mod body;
mod delta;
mod edit;
mod encoding;
mod error;
mod explore;
mod json;
mod operator;
mod policy;
mod pseudonyms;
mod reading;
mod redactor;
mod report;
mod sse;

pub use body::{CapturedBody, RedactedBody, UnredactedConsent};
pub use error::{RedactError, RedactErrorKind};
pub use operator::{HashKey, Operator, UnknownOperator};
pub use policy::{Attachments, Policy};
pub use redactor::{BodyFinding, ExchangeRedactor, Redactor};
pub use report::{Format, Report};

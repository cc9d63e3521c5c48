//! Takes personal data and secrets out of LLM bodies and keeps their shape.

mod body;
mod report;

pub use body::{CapturedBody, RedactedBody, UnredactedConsent};
pub use report::{Format, Report};

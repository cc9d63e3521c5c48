//! The use cases, on the embedded default in a temporary folder. Time is set by hand.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests: they may fail by panicking")]

mod capturing;
mod forgetting;
mod reading;
mod receipts;
mod redacting_again;
mod starting;
mod support;
mod sweeping;
mod types;

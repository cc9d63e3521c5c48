//! The use cases, on the embedded default in a temporary folder. Time is set by hand.

mod capturing;
mod forgetting;
mod reading;
mod redacting_again;
mod starting;
mod support;
mod types;

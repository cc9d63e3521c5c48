//! Properties that hold for any bytes. Each is a function that panics if it does not hold.
//!
//! The fuzz targets are one line each over these; `tests/fuzz_seeds.rs` of the root package runs
//! them over the committed seeds, without a fuzzer, in every test run.

mod damage;
mod detect;
mod key_page;
mod receipt;
mod record;
mod redact;
mod segment;

pub use detect::{detect_equivalence, kernels, rule_load};
pub use key_page::key_page;
pub use receipt::receipt;
pub use record::record_open;
pub use redact::{redact_body, redact_formats, redact_json, redact_otlp, redact_stream};
pub use segment::segment_recover;

/// What every error of ours promises: one line for the user.
fn assert_one_line(error: &dyn std::error::Error) {
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains(['\n', '\r']), "not one line: {text:?}");
}

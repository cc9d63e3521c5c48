#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oubliette_fuzz::redact_otlp(data));

//! Forgetting to redact does not compile.

#[test]
fn skipping_redaction_or_sealing_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

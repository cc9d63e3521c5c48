//! Redacts one body from standard input: `redact [CONTENT_TYPE] < body`.

use std::io::{Read, Write};

use oubliette_detect::RuleSet;
use oubliette_redact::{CapturedBody, Policy, Redactor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body)?;
    let redactor = Redactor::new(RuleSet::standard(), Policy::default());
    let captured = CapturedBody::new(body, std::env::args().nth(1), std::env::args().nth(2));
    let redacted = redactor.exchange().redact(captured)?;
    std::io::stdout().write_all(redacted.bytes())?;
    eprintln!("{:?}", redacted.report());
    Ok(())
}

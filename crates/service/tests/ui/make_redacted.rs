//! Nobody but the redactor makes a redacted body, except by the door that says what it is.

use oubliette_redact::{CapturedBody, RedactedBody};

fn forgetful(body: CapturedBody) -> RedactedBody {
    RedactedBody::from(body)
}

fn main() {}

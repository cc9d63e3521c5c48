//! A body that was redacted and not sealed cannot be stored.

use oubliette_redact::RedactedBody;
use oubliette_store::{RetentionClass, Spool};

async fn forgetful(spool: &Spool, body: RedactedBody, class: RetentionClass) {
    let _ = spool.append(body, class).await;
}

fn main() {}

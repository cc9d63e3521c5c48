//! Bytes from anywhere cannot be stored.

use oubliette_store::{RetentionClass, Spool};

async fn forgetful(spool: &Spool, body: Vec<u8>, class: RetentionClass) {
    let _ = spool.append(body, class).await;
}

fn main() {}

//! A body as it came from the gateway cannot be sealed: it has to be redacted first.

use oubliette_keytree::LeafKey;
use oubliette_redact::CapturedBody;
use oubliette_seal::{Place, Sealer};

fn forgetful(body: &CapturedBody, place: &Place<'_>, key: &LeafKey) {
    let _ = Sealer::new().seal(body, place, key);
}

fn main() {}

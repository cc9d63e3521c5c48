//! What durability costs beside its lower bound, and what reading, forgetting, recovery and indexes cost.
//!
//! `durable/LENGTH/N` is N clients, each of which seals a body, appends it to the spool, and waits for the
//! answer before it takes the next; `capture/WAY/LENGTH/N` is the same through the whole service.
//! `lower-bound/...` is zstd, AES-GCM, one write and one fsync for N bodies of the same bytes by one thread.
//! After each is printed how long answers took, the processor time of a body with all threads and
//! the kernel counted, what that makes of the bound (*per core*: how many bodies a core-second
//! makes durable, beside how many it would by the bound), and what is stored. The folder is a
//! temporary one: set TMPDIR to the disk that is meant.

mod bound;
mod capturing;
mod forgetting;
mod reading;
mod run;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;

use criterion::{criterion_group, criterion_main};
use oubliette_keytree::{AccountTag, Hour, LeafAddress, LeafKey};
use oubliette_redact::{CapturedBody, RedactedBody, UnredactedConsent};
use oubliette_seal::{Place, SealedBody, Sealer};
use oubliette_store::{Clock, ObjectStore, RetentionClass, Spool, SpoolLimits};

const NOON: i64 = 1_793_448_000;

fn redacted(text: &str) -> RedactedBody {
    let captured = CapturedBody::new(text.as_bytes().to_vec(), None, None);
    RedactedBody::dangerously_unredacted(captured, &UnredactedConsent::recorded("bench"))
}

fn seal(sealer: &mut Sealer, body: &RedactedBody, number: u32) -> SealedBody {
    let account = AccountTag::from_bytes([7; 16]);
    let hour = Hour::from_unix_seconds(NOON);
    let address = LeafAddress::new(hour, 1, number % (1 << 24)).expect("a small sequence");
    let place = Place { account, address, exchange: b"{}" };
    sealer.seal(body, &place, &LeafKey::from_bytes([9; 32])).expect("seals")
}

fn class() -> RetentionClass {
    RetentionClass::days(7).expect("a class")
}

fn limits() -> SpoolLimits {
    SpoolLimits { min_free_bytes: 0, max_bytes: 64 << 30, ..SpoolLimits::default() }
}

fn clock() -> Clock {
    Arc::new(|| NOON)
}

async fn open(dir: &Path, store: Arc<dyn ObjectStore>) -> Spool {
    Spool::open(dir, limits(), store, clock()).await.expect("a fresh folder").0
}

criterion_group!(
    benches,
    capturing::durable,
    capturing::capture,
    capturing::rebuild,
    capturing::restart,
    forgetting::shred,
    reading::reading,
    reading::reading_s3,
    reading::recovery
);
criterion_main!(benches);

//! Compresses and encrypts a redacted body under a key of its own.
//!
//! [`Sealer::seal`] turns an `oubliette_redact::RedactedBody` into a [`SealedBody`]: the only kind
//! of thing that may be stored, and made nowhere else. [`Opener::open`] turns stored bytes back
//! into an [`OpenedBody`], given the key of the leaf and the place the record should come from.
//! [`RecordHeader`] and [`RecordRef`] let a store find its way among records without any key.
//!
//! This crate does no I/O, reads no clock and keeps no keys. `docs/format.md` has every byte of a
//! record.
//!
//! # Example
//!
//! ```
//! use oubliette_keytree::{AccountTag, Hour, LeafAddress, LeafKey};
//! use oubliette_redact::{CapturedBody, RedactedBody, UnredactedConsent};
//! use oubliette_seal::{Expected, Opener, Place, Sealer};
//!
//! // A redactor makes the body; the account's consent to go without one will do here.
//! let captured = CapturedBody::new(b"{\"input\":\"hello\"}".to_vec(), None, None);
//! let consent = UnredactedConsent::recorded("audit row 17");
//! let body = RedactedBody::dangerously_unredacted(captured, &consent);
//!
//! // The key tree hands out the address and its key.
//! let account = AccountTag::from_bytes([7; 16]);
//! let address = LeafAddress::new(Hour::from_unix_seconds(1_793_000_000), 1, 0).unwrap();
//! # let mut leaf = [0; 32];
//! # getrandom::fill(&mut leaf).unwrap();
//! let key = LeafKey::from_bytes(leaf);
//!
//! let place = Place { account, address, exchange: b"model=small" };
//! let sealed = Sealer::new().seal(&body, &place, &key)?;
//!
//! let opened = Opener::default().open(sealed.record(), &Expected { account, address }, &key)?;
//! assert_eq!(opened.bytes(), b"{\"input\":\"hello\"}");
//! assert_eq!(opened.exchange(), b"model=small");
//! # Ok::<(), oubliette_seal::SealError>(())
//! ```
//!
//! What was not redacted cannot be sealed:
//!
//! ```compile_fail,E0308
//! # use oubliette_keytree::LeafKey;
//! # use oubliette_redact::CapturedBody;
//! # use oubliette_seal::{Place, SealError, SealedBody, Sealer};
//! fn forgetful(body: &CapturedBody, place: &Place<'_>, key: &LeafKey) -> Result<SealedBody, SealError> {
//!     Sealer::new().seal(body, place, key)
//! }
//! ```
//!
//! # Untrusted input
//!
//! Stored bytes are untrusted, and every function that takes them takes any bytes whatever. Until
//! the tag has been checked only the fixed-size header has been read, and nothing is decrypted.
//! Afterwards the contents are still not believed: padding, lengths and the compressed frame must
//! be exactly as `seal` would have made them, and unpacking never allocates more than [`Limits`]
//! allow. A wrong key, another account's key, another address and an altered byte are one
//! indistinct [`Authentication`](SealErrorKind::Authentication) error. No error carries any byte of
//! a body, a record or a key.
//!
//! # Keys and nonces
//!
//! Each payload has a leaf of its own, and HKDF-SHA-512 makes the payload key and a commitment to
//! it from the leaf, the account and the address. The commitment stands in the header and is
//! checked first, so a record opens under one key only. The nonce is 96 random bits from the
//! operating system under a key that is used once; it cannot be chosen from outside. Keys and
//! buffers with plaintext are wiped when dropped. What zstd and the hash keep in their own work
//! areas is not: it is overwritten by the next body, and freed unwiped at the end.
//!
//! # Cost
//!
//! Compression is most of it: zstd at level 3 runs at a few hundred megabytes a second, AES-GCM
//! ten times as fast. What each body costs whatever its size, derivation, nonce, metadata and the
//! wiping, is some microseconds, and a body of 12 KiB takes some tens of them. A record is
//! 100 bytes and at most 12% longer than the compressed body. Sealing holds about three times the
//! body in memory, opening about one body and two records. [`Sealer`] and [`Opener`] are `Send`;
//! keep one per thread.

mod aead;
mod dictionary;
mod error;
mod frame;
mod header;
mod keys;
mod limits;
mod opener;
mod padme;
mod payload;
mod record;
mod sealer;
#[cfg(test)]
mod vectors;

pub use error::{SealError, SealErrorKind};
pub use header::{MAX_RECORD_LEN, RecordHeader, RecordRef};
pub use keys::commitment;
pub use limits::Limits;
pub use opener::{Expected, OpenedBody, Opener};
pub use sealer::{Place, SealedBody, Sealer};

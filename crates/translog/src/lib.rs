//! An append-only Merkle log of what was forgotten, signed checkpoints, and receipts that verify offline.
//!
//! A deletion is a claim: "these keys were destroyed, in this order, at this time". The claim is a leaf
//! of a Merkle log (hashed as RFC 6962 has it), the log's head is a [C2SP checkpoint] signed as a
//! [C2SP note], and a [`Receipt`] is the leaf with the proof that it is in the log under a signed head.
//! Whoever holds a receipt and the log's public key can [`verify`] it without asking anybody. Whoever
//! runs the log cannot take the claim back, change its place, or show different logs to different people
//! without two signed heads that contradict each other.
//!
//! What it cannot do: prove that nobody copied a key before it was destroyed. Nothing can.
//!
//! [C2SP checkpoint]: https://c2sp.org/tlog-checkpoint
//! [C2SP note]: https://c2sp.org/signed-note
//!
//! # The types you need
//!
//! [`Log`] is the log of one process, in a folder: [`prepare`](Log::prepare) writes leaves durably,
//! [`commit`](Log::commit) puts them in force, [`inclusion`](Log::inclusion) proves one, and
//! [`tiles`](Log::tiles) gives what is to be published, laid out as [C2SP tiles]. [`Statement`] is what a
//! leaf says, [`Receipt`] what a customer gets.
//!
//! [C2SP tiles]: https://c2sp.org/tlog-tiles
//!
//! ```
//! use oubliette_translog::{Change, Erased, Log, LogKey, Reason, Receipt, Statement, verify};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let seed = [7; 32];
//! let mut log = Log::open(folder.path(), LogKey::from_seed(&seed), 0)?;
//! let account = "00112233445566778899aabbccddeeff";
//! let statement = Statement::new(
//!     Reason::Request,
//!     1_793_000_000_000,
//!     Change { from: 0, to: 1 },
//!     Change { from: "00".repeat(32), to: "11".repeat(32) },
//!     vec![Erased::payloads(account, vec!["22".repeat(32)])],
//! );
//! log.prepare(1, &[statement.to_bytes()])?; // on disk, and not in force
//! let leaves = log.commit(1)?; // the keys are destroyed: in force
//! let receipt = Receipt::new(statement, log.inclusion(leaves.start)?);
//!
//! let text = serde_json::to_vec(&receipt)?;
//! let verified = verify(&text, log.key().verifier_key())?;
//! assert_eq!(verified.statement.count, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # When a leaf counts
//!
//! Leaves are written before the keys go, together with the generation of the root key that will be in
//! force when they have gone. So the root key's replacement decides about both at once: a batch whose
//! generation was never reached is dropped when the log is next opened, and no deletion is ever without
//! its leaf.
//!
//! # Untrusted input
//!
//! Receipts are. [`verify`] reads at most a mebibyte, follows at most 64 hashes, and answers any bytes
//! with an error or with what was proved. The log's own file is checked by CRC-32C against accidents, and
//! by its signed head against being cut back.

mod error;
mod file;
mod key;
mod log;
mod receipt;

pub use error::{LogError, LogErrorKind};
pub use key::LogKey;
pub use log::{Inclusion, Log};
pub use receipt::{
    Change, Erased, Keys, MAX_RECEIPT_BYTES, Reason, Receipt, Statement, Verified, verify,
};

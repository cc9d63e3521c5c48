//! What a leaf says, and what proves that it was said.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use signed_note::{Note, StandardVerifier, Verifier as _, VerifierList};
use tlog_tiles::{Checkpoint, Hash, check_record, record_hash};

use crate::error::LogError;
use crate::log::Inclusion;

/// The claim that keys were destroyed: one leaf of the log.
///
/// It never holds a hash of what was forgotten, only commitments to keys that no longer exist. Each is
/// the commitment that the sealed record carries in the clear, so whoever still has a record can see
/// whether it is meant, and nobody can learn anything from it about what the record held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Always [`Statement::KIND`].
    pub statement: String,
    /// Why.
    pub reason: Reason,
    /// When it was asked for, in Unix milliseconds.
    pub requested_at: i64,
    /// The generations of the root key before and after.
    pub generation: Change<u64>,
    /// SHA-256 of the top page of the key directory before and after, sealed as it is: the page that the
    /// root key opens, and through which everything else is reached.
    pub directory: Change<String>,
    /// Whose keys were destroyed, and which.
    pub erased: Vec<Erased>,
    /// How many keys are named by their commitments. Whole accounts and hours are not counted: how many
    /// payloads they had is not known to the key tree.
    pub count: u64,
}

/// From one value to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change<T> {
    /// Before.
    pub from: T,
    /// After.
    pub to: T,
}

/// Why keys were destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// Somebody who may asked for it.
    Request,
    /// The time of keeping was over.
    Expiry,
    /// The body was redacted again; the new one has a key of its own.
    Reredaction,
    /// The whole account was forgotten.
    Account,
    /// A record that was written and then not kept: a duplicate, or what a crash left.
    Unfinished,
}

/// Some keys of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erased {
    /// The account's pseudonym in hexadecimal: the tag that its sealed records carry.
    pub account: String,
    /// Which of its keys.
    pub keys: Keys,
}

/// Which keys of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// Those with these commitments, in hexadecimal.
    Payloads(Vec<String>),
    /// Every one of an hour before this one, in hours since the Unix epoch.
    HoursBefore(u32),
    /// Every one.
    All,
}

impl Erased {
    /// Single payloads.
    #[must_use]
    pub fn payloads(account: impl Into<String>, commitments: Vec<String>) -> Self {
        Self { account: account.into(), keys: Keys::Payloads(commitments) }
    }

    /// All hours before one.
    #[must_use]
    pub fn hours_before(account: impl Into<String>, hour: u32) -> Self {
        Self { account: account.into(), keys: Keys::HoursBefore(hour) }
    }

    /// Everything.
    #[must_use]
    pub fn all(account: impl Into<String>) -> Self {
        Self { account: account.into(), keys: Keys::All }
    }

    fn named(&self) -> u64 {
        match &self.keys {
            Keys::Payloads(commitments) => commitments.len() as u64,
            Keys::HoursBefore(_) | Keys::All => 0,
        }
    }

    fn is_well_formed(&self) -> bool {
        let commitments = match &self.keys {
            Keys::Payloads(commitments) => commitments.as_slice(),
            Keys::HoursBefore(_) | Keys::All => &[],
        };
        is_hex(&self.account, 16) && commitments.iter().all(|text| is_hex(text, 32))
    }
}

impl Statement {
    /// What a statement calls itself, so that a signed leaf is never taken for something else.
    pub const KIND: &str = "oubliette/v1/shred";

    /// The most keys, hours and accounts in one statement, so that a leaf fits an entry of a tile
    /// (65,535 bytes). More of them make more statements.
    pub const MOST: usize = 500;

    /// Puts a statement together.
    #[must_use]
    pub fn new(
        reason: Reason,
        requested_at: i64,
        generation: Change<u64>,
        directory: Change<String>,
        erased: Vec<Erased>,
    ) -> Self {
        let count = erased.iter().map(Erased::named).sum();
        let statement = Self::KIND.to_owned();
        Self { statement, reason, requested_at, generation, directory, erased, count }
    }

    /// The bytes of the leaf: JSON without white space, fields in their order.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers are JSON")
    }

    fn check(&self) -> Result<(), LogError> {
        let sound = self.statement == Self::KIND
            && self.generation.from < self.generation.to
            && is_hex(&self.directory.from, 32)
            && is_hex(&self.directory.to, 32)
            && !self.erased.is_empty()
            && self.erased.iter().all(Erased::is_well_formed)
            && self.count == self.erased.iter().map(Erased::named).sum::<u64>();
        if sound { Ok(()) } else { Err(LogError::invalid("the receipt contradicts itself")) }
    }
}

/// A statement with the proof that it is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// What is claimed.
    pub shred: Statement,
    /// Where it stands in the log, and under which head.
    pub log: Inclusion,
}

impl Receipt {
    /// Puts a receipt together.
    #[must_use]
    pub fn new(shred: Statement, log: Inclusion) -> Self {
        Self { shred, log }
    }
}

/// What a receipt proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The claim.
    pub statement: Statement,
    /// The name of the log that made it.
    pub origin: String,
    /// The place of the claim in the log.
    pub index: u64,
    /// The size of the log under whose head it was proved.
    pub size: u64,
}

/// Checks a receipt (JSON) against the public key of a log: the key signed a head, and under that head
/// lies the claim, at that place.
///
/// Costs a signature check and a hash for each level of the log.
///
/// # Errors
///
/// [`Invalid`](crate::LogErrorKind::Invalid), with what does not hold.
pub fn verify(receipt: &[u8], verifier_key: &str) -> Result<Verified, LogError> {
    if receipt.len() > MAX_RECEIPT_BYTES {
        return Err(LogError::invalid("the receipt is longer than any receipt"));
    }
    let Receipt { shred, log } = serde_json::from_slice(receipt).map_err(|cause| {
        LogError::invalid("this is no receipt of a release that this one knows").with_source(cause)
    })?;
    shred.check()?;
    let verifier = StandardVerifier::new(verifier_key).map_err(|cause| {
        LogError::invalid("the public key is not one of a signed note: name+id+key")
            .with_source(cause)
    })?;
    let name = verifier.name().to_owned();
    let note = Note::from_bytes(log.checkpoint.as_bytes()).map_err(|cause| {
        LogError::invalid("the checkpoint is no signed note").with_source(cause)
    })?;
    note.verify(&VerifierList::new(vec![Box::new(verifier)])).map_err(|cause| {
        LogError::invalid("the checkpoint is not signed by this public key").with_source(cause)
    })?;
    let checkpoint = Checkpoint::from_bytes(note.text())
        .map_err(|_| LogError::invalid("the signed note is no checkpoint"))?;
    if checkpoint.origin() != name {
        return Err(LogError::invalid("the checkpoint is of another log than the public key"));
    }
    if checkpoint.size() > MOST_LEAVES || log.proof.len() > 64 || log.index >= checkpoint.size() {
        return Err(LogError::invalid("the receipt does not fit the size of its log"));
    }
    let proof = log.proof.iter().map(|text| hash_of(text)).collect::<Option<Vec<_>>>();
    let proof = proof.ok_or_else(|| LogError::invalid("the proof holds what is no hash"))?;
    let leaf = record_hash(&shred.to_bytes());
    check_record(&proof, checkpoint.size(), *checkpoint.hash(), log.index, leaf).map_err(
        |cause| {
            LogError::invalid("the claim is not in the log: what it says was changed, or its proof")
                .with_source(cause)
        },
    )?;
    let (origin, size) = (name, checkpoint.size());
    Ok(Verified { statement: shred, origin, index: log.index, size })
}

/// The longest receipt that is read.
pub const MAX_RECEIPT_BYTES: usize = 1 << 20;

/// More leaves than a log can have: a deletion each nanosecond for three days, and no arithmetic on sizes
/// comes near its limits.
const MOST_LEAVES: u64 = 1 << 48;

fn is_hex(text: &str, bytes: usize) -> bool {
    text.len() == 2 * bytes && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hash_of(text: &str) -> Option<Hash> {
    Some(Hash(STANDARD.decode(text).ok()?.try_into().ok()?))
}

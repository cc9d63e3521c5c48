//! The key that signs the log's heads.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use signed_note::{Note, Signer, StandardSigner, new_ed25519_verifier_key};
use zeroize::Zeroizing;

/// An Ed25519 key and the name of the log it signs.
///
/// The name is `oubliette/` and the first eight bytes of the SHA-256 of the public key, in hexadecimal: it
/// is unique without anybody having to choose it, and tells nothing about who runs the log.
pub struct LogKey {
    signer: StandardSigner,
    verifier_key: String,
}

impl LogKey {
    /// The key of this seed: 32 random bytes that are kept like a password, and for as long as receipts
    /// are to be believed. They open no body.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let public = SigningKey::from_bytes(seed).verifying_key();
        let name = format!("oubliette/{}", hex::encode(&Sha256::digest(public.as_bytes())[..8]));
        let verifier_key = new_ed25519_verifier_key(&name, &public);
        // Go's form of a private key, which is what the signer takes: name, key id, algorithm and seed.
        let id =
            verifier_key.split('+').nth(1).expect("a verifier key has a name, an id and a key");
        let mut tagged = Zeroizing::new([ED25519; 33]);
        tagged[1..].copy_from_slice(seed);
        let encoded = Zeroizing::new(STANDARD.encode(tagged.as_slice()));
        let private = Zeroizing::new(format!("PRIVATE+KEY+{name}+{id}+{}", *encoded));
        let signer = StandardSigner::new(&private).expect("the form of a key, made just now");
        Self { signer, verifier_key }
    }

    /// The public key in the form of signed notes: `name+id+key`. This is what verifiers are given.
    #[must_use]
    pub fn verifier_key(&self) -> &str {
        &self.verifier_key
    }

    /// The name of the log, which begins its checkpoints.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.signer.name()
    }

    /// A text with its signature, as a note.
    pub(crate) fn sign(&self, text: &[u8]) -> String {
        let mut note = Note::new(text, &[]).expect("a checkpoint is well formed");
        note.add_sigs(&[&self.signer]).expect("Ed25519 signs whatever it is given");
        String::from_utf8(note.to_bytes()).expect("a note is text")
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({})", self.origin())
    }
}

/// The algorithm byte of signed notes.
const ED25519: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_name_only_and_the_name_depends_on_the_key() {
        let (one, two) = (LogKey::from_seed(&[1; 32]), LogKey::from_seed(&[2; 32]));
        assert_ne!(one.origin(), two.origin());
        assert_eq!(format!("{one:?}"), format!("LogKey({})", one.origin()));
        assert!(one.verifier_key().starts_with(one.origin()));
        // The public half is one-way: RFC 8032 test vector 1.
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
            .unwrap();
        let key = LogKey::from_seed(&seed.try_into().unwrap());
        let public = STANDARD.decode(key.verifier_key().splitn(3, '+').nth(2).unwrap()).unwrap();
        assert_eq!(
            hex::encode(&public[1..]),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
    }
}

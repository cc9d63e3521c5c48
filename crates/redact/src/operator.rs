//! What is done to a finding.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use oubliette_detect::OperatorName;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What is done to a finding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Operator {
    /// Put a numbered placeholder in its place: `<EMAIL_ADDRESS_1>`. The same value gets the same
    /// number everywhere in one exchange.
    #[default]
    Replace,
    /// Cover letters and digits with `*`, all but the last four digits of a long number.
    Mask,
    /// Put a keyed hash in its place: `<EMAIL_ADDRESS:…>`. The same value gets the same hash under
    /// the same key, across exchanges; without the key it cannot be guessed back.
    Hash,
    /// Put a sealed token in its place: `<EMAIL_ADDRESS~…>`. The same value gets the same token under the same
    /// [`TokenKey`](crate::TokenKey), and whoever has that can turn it back. JSON numbers become `0` and cannot be.
    Tokenize,
    /// Put a value of the same shape in its place that is nobody's: a card number that passes its check, a
    /// phone number kept for fiction. Entities that have none are replaced.
    Surrogate,
    /// Leave nothing in its place.
    Remove,
    /// Leave it standing.
    Keep,
}

impl Operator {
    /// Every operator, for help texts.
    pub const ALL: [Operator; 7] = [
        Self::Replace,
        Self::Mask,
        Self::Hash,
        Self::Tokenize,
        Self::Surrogate,
        Self::Remove,
        Self::Keep,
    ];

    /// The name as settings and rule packs write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Mask => "mask",
            Self::Hash => "hash",
            Self::Tokenize => "tokenize",
            Self::Surrogate => "surrogate",
            Self::Remove => "remove",
            Self::Keep => "keep",
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Operator {
    type Err = UnknownOperator;

    fn from_str(name: &str) -> Result<Self, UnknownOperator> {
        Self::ALL.into_iter().find(|operator| operator.as_str() == name).ok_or(UnknownOperator)
    }
}

impl From<OperatorName> for Operator {
    fn from(name: OperatorName) -> Self {
        match name {
            OperatorName::Mask => Self::Mask,
            OperatorName::Hash => Self::Hash,
            OperatorName::Remove => Self::Remove,
            OperatorName::Keep => Self::Keep,
            // `OperatorName` may grow; what is not known here is at least taken out.
            _ => Self::Replace,
        }
    }
}

/// There is no operator of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownOperator;

impl fmt::Display for UnknownOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "unknown operator: it is replace, mask, hash, tokenize, surrogate, remove or keep",
        )
    }
}

impl std::error::Error for UnknownOperator {}

/// The key of the hash operator and of attachment digests. Each account has its own, so that hashes
/// cannot be compared between accounts.
pub struct HashKey(Zeroizing<[u8; 32]>);

impl HashKey {
    /// Wraps a key derived elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A key from the operating system's generator: hashes under it are comparable only while it
    /// lives.
    ///
    /// # Panics
    ///
    /// If the operating system has no random bytes to give.
    #[must_use]
    pub fn random() -> Self {
        Self(random())
    }

    /// HMAC-SHA-256 over a label and a value.
    pub(crate) fn bytes(&self, label: &str, value: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&*self.0).expect("HMAC takes keys of any length");
        mac.update(b"oubliette/v1/hash\0");
        mac.update(label.as_bytes());
        mac.update(b"\0");
        mac.update(value);
        mac.finalize().into_bytes().into()
    }

    /// 128 bits of HMAC-SHA-256 over a label and a value, written in 32 of the letters g to v: no
    /// digit and no hexadecimal letter, so that no rule takes a hash for a number or a token.
    pub(crate) fn digest(&self, label: &str, value: &[u8]) -> String {
        self.bytes(label, value)[..16]
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(|nibble| char::from(b'g' + nibble))
            .collect()
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(..)")
    }
}

/// 32 bytes from the operating system's generator.
pub(crate) fn random() -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).expect("the operating system gives random bytes");
    bytes
}

/// Covers letters and digits and keeps the punctuation; of a number of twelve digits or more the last
/// four stay: enough to tell two cards apart, too little to use one.
pub(crate) fn mask(value: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(value);
    let characters = text.chars().filter(|c| c.is_alphanumeric()).count();
    let numeric = !text.chars().any(char::is_alphabetic);
    let covered = if numeric && characters >= 12 { characters - 4 } else { characters };
    let mut seen = 0;
    let mut masked = String::with_capacity(text.len());
    for character in text.chars() {
        seen += usize::from(character.is_alphanumeric());
        let cover = character.is_alphanumeric() && seen <= covered;
        masked.push(if cover { '*' } else { character });
    }
    masked.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_keep_the_shape() {
        for (value, masked) in [
            ("4111 1111 1111 1111", "**** **** **** 1111"),
            ("536-90-4399", "***-**-****"),
            ("jo@example.com", "**@*******.***"),
            ("jo.long@example.com", "**.****@*******.***"),
        ] {
            assert_eq!(String::from_utf8(mask(value.as_bytes())).unwrap(), masked);
        }
    }

    #[test]
    fn hashes_are_keyed_labelled_and_stable() {
        let key = HashKey::from_bytes([1; 32]);
        let one = key.digest("EMAIL_ADDRESS", b"a@example.com");
        assert_eq!(one, key.digest("EMAIL_ADDRESS", b"a@example.com"));
        assert_ne!(one, key.digest("US_SSN", b"a@example.com"));
        assert_ne!(one, HashKey::from_bytes([2; 32]).digest("EMAIL_ADDRESS", b"a@example.com"));
        assert!(one.len() == 32 && one.bytes().all(|b| (b'g'..=b'v').contains(&b)));
        assert_eq!(format!("{key:?}"), "HashKey(..)");
    }

    #[test]
    fn names_lead_back() {
        for operator in Operator::ALL {
            assert_eq!(operator.as_str().parse(), Ok(operator));
        }
        assert_eq!("encrypt".parse::<Operator>(), Err(UnknownOperator));
    }
}

//! Values sealed in their own place: tokens that whoever has the key can turn back.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::edit::{Edit, apply};
use crate::event_stream;
use crate::explore::explore;
use crate::grpc;
use crate::operator;
use crate::otlp;
use crate::paths::Paths;
use crate::reading::NodeId;
use crate::report::Format;
use crate::utf16;

/// The key of [`Operator::Tokenize`](crate::Operator::Tokenize). Each account has its own.
///
/// Encryption is deterministic, so that a value has the same token everywhere: the nonce is a keyed hash of entity
/// and value, as in SIV (Rogaway and Shrimpton, *Deterministic authenticated encryption*, 2006), under AES-256-GCM.
/// It tells whether two tokens are the same value, and how long that is, and nothing else.
pub struct TokenKey(Zeroizing<[u8; 32]>);

/// Bytes of the nonce.
const NONCE: usize = 12;

impl TokenKey {
    /// Wraps a key derived elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A key from the operating system's generator: its tokens can be turned back only while it lives.
    ///
    /// # Panics
    ///
    /// If the operating system has no random bytes to give.
    #[must_use]
    pub fn random() -> Self {
        Self(operator::random())
    }

    /// Turns the tokens of a body back into values, where they are this key's: **the result is raw**, and only
    /// for whoever may see it. The body is one that has been redacted, without `content-encoding`; it is
    /// read by its content type and its looks.
    #[must_use]
    pub fn reveal(&self, body: &[u8], content_type: Option<&str>) -> Zeroizing<Vec<u8>> {
        if let Some(message) = grpc::only_message(body, content_type) {
            let revealed = self.reveal(message, Some(grpc::PROTOBUF));
            return Zeroizing::new(grpc::framed(&revealed));
        }
        let utf16 = utf16::detect(body, content_type).map(|utf16| (utf16, utf16.decode(body)));
        let text = utf16.as_ref().map_or(body, |(_, text)| text);
        let explored = explore(text, Format::of(content_type), &Paths::default(), None);
        let reading = &explored.reading;
        let mut edits: BTreeMap<NodeId, Vec<Edit>> = BTreeMap::new();
        for node in reading.texts() {
            for range in find(reading.text(node)) {
                if let Some(value) = self.open(&reading.text(node)[range.clone()]) {
                    let range = range.start - 1..range.end + 1;
                    edits.entry(node).or_default().push(Edit { range, with: value.to_vec() });
                }
            }
        }
        if edits.is_empty() {
            return Zeroizing::new(body.to_vec());
        }
        let edits = reading.edits_of_body(edits);
        let revealed = Zeroizing::new(match explored.format {
            Format::EventStream => event_stream::rebuild(text, &edits),
            Format::Otlp => otlp::rebuild(text, &edits),
            _ => apply(text, &edits),
        });
        match utf16 {
            Some((utf16, _)) => Zeroizing::new(utf16.encode(&revealed)),
            None => revealed,
        }
    }

    /// What stands for a value: `<EMAIL_ADDRESS~…>`, in letters that no rule takes for anything.
    pub(crate) fn seal(&self, entity: &str, value: &[u8]) -> String {
        let nonce = self.nonce(entity, value);
        let payload = Payload { msg: value, aad: entity.as_bytes() };
        let sealed = self.cipher().encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.expect("values are far shorter than 64 GiB");
        let letters: String = nonce
            .iter()
            .chain(&sealed)
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(|nibble| char::from(b'g' + nibble))
            .collect();
        format!("<{entity}~{letters}>")
    }

    /// The value that a token (without its brackets) stands for; `None` if it is none of this key's.
    pub(crate) fn open(&self, token: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let tilde = memchr::memchr(b'~', token)?;
        let entity = std::str::from_utf8(&token[..tilde]).ok()?;
        let nibble = |letter: &u8| letter.checked_sub(b'g').filter(|nibble| *nibble < 16);
        let letters = &token[tilde + 1..];
        let bytes: Vec<u8> = letters
            .chunks_exact(2)
            .map(|pair| Some(nibble(&pair[0])? << 4 | nibble(&pair[1])?))
            .collect::<Option<_>>()?;
        if letters.len() % 2 == 1 || bytes.len() < NONCE {
            return None;
        }
        let (nonce, sealed) = bytes.split_at(NONCE);
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        let payload = Payload { msg: sealed, aad: entity.as_bytes() };
        let value = Zeroizing::new(self.cipher().decrypt(&Nonce::from(nonce), payload).ok()?);
        (self.nonce(entity, &value) == nonce).then_some(value)
    }

    fn cipher(&self) -> Aes256Gcm {
        let key = Zeroizing::new(self.derive(b"oubliette/v1/token/seal", &[]));
        Aes256Gcm::new_from_slice(&*key).expect("32 bytes")
    }

    fn nonce(&self, entity: &str, value: &[u8]) -> [u8; NONCE] {
        let bytes = self.derive(b"oubliette/v1/token/nonce", &[entity.as_bytes(), value]);
        bytes[..NONCE].try_into().expect("a hash is longer")
    }

    fn derive(&self, label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&*self.0)
            .expect("HMAC takes keys of any length");
        mac.update(label);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// Where tokens stand in a text, without their brackets.
pub(crate) fn find(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for open in memchr::memchr_iter(b'<', text) {
        let start = open + 1;
        let entity = text[start..]
            .iter()
            .take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || **b == b'_')
            .count();
        if entity == 0 || text.get(start + entity) != Some(&b'~') {
            continue;
        }
        let letters = start + entity + 1;
        let count = text[letters..].iter().take_while(|b| (b'g'..=b'v').contains(b)).count();
        if text.get(letters + count) == Some(&b'>') {
            found.push(start..letters + count);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_same_for_the_same_and_open_under_their_key_only() {
        let key = TokenKey::from_bytes([1; 32]);
        let token = key.seal("EMAIL_ADDRESS", b"jo@example.com");
        assert_eq!(token, key.seal("EMAIL_ADDRESS", b"jo@example.com"));
        assert_ne!(token, key.seal("EMAIL_ADDRESS", b"Jo@example.com"));
        let text = format!("at {token}, {token} and <EMAIL_ADDRESS_1> <A~> <~g>");
        let found = find(text.as_bytes());
        assert_eq!(found.len(), 3, "an empty one is one, of nobody's");
        let inside = &text.as_bytes()[found[0].clone()];
        assert_eq!(&**key.open(inside).unwrap(), b"jo@example.com");
        assert!(key.open(b"A~").is_none());
        assert!(TokenKey::from_bytes([2; 32]).open(inside).is_none());
        assert_eq!(format!("{key:?}"), "TokenKey(..)");
        // Another entity, a letter changed, one left out: none of them opens.
        assert!(key.open(&[b"X", &inside[5..]].concat()).is_none());
        for at in "EMAIL_ADDRESS~".len()..inside.len() {
            let mut changed = inside.to_vec();
            changed[at] = if changed[at] == b'g' { b'h' } else { b'g' };
            assert!(key.open(&changed).is_none());
            assert!(key.open(&[&inside[..at], &inside[at + 1..]].concat()).is_none());
        }
    }
}

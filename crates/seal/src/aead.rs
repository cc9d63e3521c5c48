//! AES-256-GCM behind two functions, so that a faster implementation can take its place.
//!
//! Whatever stands here must pass the published vectors below and agree with `aes-gcm` on them.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use oubliette_keytree::stack::{OF_CIPHERS, without_trace};

use crate::keys::PayloadKey;

/// Bytes of a nonce: the 96 bits for which GCM is defined without a detour through GHASH.
pub(crate) const NONCE_LEN: usize = 12;
/// Bytes of a tag; shorter ones are not used.
pub(crate) const TAG_LEN: usize = 16;

/// The one way the primitive fails: over-long input when encrypting, a wrong tag when decrypting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AeadError;

/// Encrypts `buffer` where it stands and returns the tag over it and `aad`.
pub(crate) fn encrypt_in_place(
    key: &PayloadKey,
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; TAG_LEN], AeadError> {
    let tag = without_trace::<OF_CIPHERS, _>(|| {
        Aes256Gcm::new(key.expose_secret().into()).encrypt_inout_detached(
            nonce.into(),
            aad,
            buffer.into(),
        )
    });
    Ok(tag.map_err(|_| AeadError)?.into())
}

/// Checks the tag over `buffer` and `aad` and only then decrypts `buffer` where it stands.
///
/// On an error the buffer holds the ciphertext still, never unauthenticated plaintext.
pub(crate) fn decrypt_in_place(
    key: &PayloadKey,
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> Result<(), AeadError> {
    without_trace::<OF_CIPHERS, _>(|| {
        Aes256Gcm::new(key.expose_secret().into()).decrypt_inout_detached(
            nonce.into(),
            aad,
            buffer.into(),
            tag.into(),
        )
    })
    .map_err(|_| AeadError)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        vector: Vec<Vector>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vector {
        name: String,
        key: String,
        nonce: String,
        aad: String,
        plaintext: String,
        ciphertext: String,
        tag: String,
    }

    fn array<const N: usize>(hex: &str) -> [u8; N] {
        hex::decode(hex).unwrap().try_into().unwrap()
    }

    fn vectors() -> Vec<Vector> {
        let file: File = toml::from_str(include_str!("../tests/data/aes_256_gcm.toml")).unwrap();
        assert_eq!(file.vector.len(), 29, "a vector went missing");
        file.vector
    }

    #[test]
    fn agrees_with_the_published_vectors() {
        for vector in vectors() {
            let key = PayloadKey::from_bytes(array(&vector.key));
            let nonce = array(&vector.nonce);
            let aad = hex::decode(&vector.aad).unwrap();
            let mut buffer = hex::decode(&vector.plaintext).unwrap();

            let tag = encrypt_in_place(&key, &nonce, &aad, &mut buffer).unwrap();
            assert_eq!(hex::encode(&buffer), vector.ciphertext, "{}", vector.name);
            assert_eq!(hex::encode(tag), vector.tag, "{}", vector.name);

            decrypt_in_place(&key, &nonce, &aad, &mut buffer, &tag).unwrap();
            assert_eq!(hex::encode(&buffer), vector.plaintext, "{}", vector.name);
        }
    }

    #[test]
    fn refuses_every_flipped_bit_and_leaves_the_ciphertext_alone() {
        for vector in vectors() {
            let key = PayloadKey::from_bytes(array(&vector.key));
            let nonce: [u8; NONCE_LEN] = array(&vector.nonce);
            let aad = hex::decode(&vector.aad).unwrap();
            let ciphertext = hex::decode(&vector.ciphertext).unwrap();
            let tag: [u8; TAG_LEN] = array(&vector.tag);
            let refused = |nonce: &_, aad: &[u8], ciphertext: &[u8], tag: &_| {
                let mut buffer = ciphertext.to_vec();
                let result = decrypt_in_place(&key, nonce, aad, &mut buffer, tag);
                assert_eq!(result, Err(AeadError), "{}", vector.name);
                assert_eq!(buffer, ciphertext, "{}", vector.name);
            };
            let flips = |len: usize| (0..len * 8).map(|bit| (bit / 8, 1_u8 << (bit % 8)));

            for (byte, mask) in flips(TAG_LEN) {
                let mut tag = tag;
                tag[byte] ^= mask;
                refused(&nonce, &aad, &ciphertext, &tag);
            }
            for (byte, mask) in flips(NONCE_LEN) {
                let mut nonce = nonce;
                nonce[byte] ^= mask;
                refused(&nonce, &aad, &ciphertext, &tag);
            }
            for (byte, mask) in flips(aad.len()) {
                let mut aad = aad.clone();
                aad[byte] ^= mask;
                refused(&nonce, &aad, &ciphertext, &tag);
            }
            for (byte, mask) in flips(ciphertext.len()) {
                let mut ciphertext = ciphertext.clone();
                ciphertext[byte] ^= mask;
                refused(&nonce, &aad, &ciphertext, &tag);
            }
        }
    }
}

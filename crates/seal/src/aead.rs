//! AES-256-GCM behind two functions, so that a faster implementation can take its place.
//!
//! Whatever stands here must pass the published vectors below and agree with `aes-gcm` on them.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};

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
    let tag = Aes256Gcm::new(key.expose_secret().into())
        .encrypt_inout_detached(nonce.into(), aad, buffer.into())
        .map_err(|_| AeadError)?;
    Ok(tag.into())
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
    Aes256Gcm::new(key.expose_secret().into())
        .decrypt_inout_detached(nonce.into(), aad, buffer.into(), tag.into())
        .map_err(|_| AeadError)
}

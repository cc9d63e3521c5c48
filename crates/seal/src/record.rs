//! The cryptography of a record: padded plaintext ↔ record bytes.
//!
//! # Nonce rule
//!
//! A leaf key is used for one payload, so its payload key meets one nonce only and no nonce could
//! repeat. The nonce is drawn at random all the same: should a caller break the rule and seal twice
//! under one leaf, two random 96-bit nonces still differ. Nothing counts, nothing is kept, and
//! outside the tests of this crate nobody can choose a nonce.

use oubliette_keytree::{AccountTag, LeafAddress, LeafKey};
use oubliette_redact::Wiped;
use subtle::ConstantTimeEq;

use crate::aead::{self, NONCE_LEN};
use crate::frame::Packed;
use crate::header::{RecordHeader, RecordRef};
use crate::{Expected, SealError, keys};

/// Draws a nonce from the operating system.
pub(crate) fn random_nonce() -> Result<[u8; NONCE_LEN], SealError> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|error| {
        SealError::unavailable("the operating system gave no random bytes", error)
    })?;
    Ok(nonce)
}

/// Encrypts what [`frame`](crate::frame) packed, in a buffer of exactly the record's size.
pub(crate) fn encrypt(
    packed: &Packed,
    account: AccountTag,
    address: LeafAddress,
    leaf: &LeafKey,
    nonce: &[u8; NONCE_LEN],
) -> Result<(RecordHeader, Vec<u8>), SealError> {
    let too_large = || SealError::too_large("the body is larger than a record can hold");
    let (key, commitment) = keys::derive(leaf, account, address);
    let ciphertext_len = u32::try_from(packed.padded.len()).map_err(|_| too_large())?;
    let header = RecordHeader {
        dictionary: packed.dictionary,
        ciphertext_len,
        account,
        address,
        commitment,
    };

    // Plaintext for a moment, so wiped should encryption fail.
    let mut record = Wiped::with_capacity(header.record_len());
    record.extend_from_slice(&header.to_bytes());
    record.extend_from_slice(nonce);
    record.extend_from_slice(&packed.padded);
    let (clear, buffer) = record.split_at_mut(RecordHeader::LEN + NONCE_LEN);
    let tag = aead::encrypt_in_place(&key, nonce, &clear[..RecordHeader::LEN], buffer)
        .map_err(|aead::AeadError| too_large())?;
    record.extend_from_slice(&tag);
    debug_assert_eq!(record.len(), header.record_len());
    Ok((header, record.take()))
}

/// Checks the place, then the commitment, then the tag; decrypts only if all are right.
pub(crate) fn decrypt(
    record: &RecordRef<'_>,
    expected: &Expected,
    leaf: &LeafKey,
) -> Result<Wiped, SealError> {
    let header = record.header();
    // Derived for the place the caller asked for, never for the one the record claims.
    let (key, commitment) = keys::derive(leaf, expected.account, expected.address);
    let same_place = header.account.as_bytes().ct_eq(expected.account.as_bytes())
        & header.address.to_bits().ct_eq(&expected.address.to_bits());
    if !bool::from(same_place & header.commitment.ct_eq(&commitment)) {
        return Err(SealError::authentication());
    }
    let mut buffer = Wiped::from(record.ciphertext().to_vec());
    aead::decrypt_in_place(&key, record.nonce(), record.header_bytes(), &mut buffer, record.tag())
        .map_err(|aead::AeadError| SealError::authentication())?;
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever has a leaf key could seal for one place and write another into the header, with the
    /// commitment and the tag that go with it.
    #[test]
    fn a_header_that_claims_another_place_is_refused_though_all_else_fits() {
        let (account, other) = (AccountTag::from_bytes([1; 16]), AccountTag::from_bytes([2; 16]));
        let (address, later) = (LeafAddress::from_bits(7), LeafAddress::from_bits(8));
        let leaf = LeafKey::from_bytes([3; 32]);
        let (key, commitment) = keys::derive(&leaf, account, address);
        let opens = |claimed: AccountTag, at: LeafAddress| {
            let header = RecordHeader {
                dictionary: crate::dictionary::Dictionary::None,
                ciphertext_len: 0,
                account: claimed,
                address: at,
                commitment,
            };
            let clear = header.to_bytes();
            let nonce = [9; NONCE_LEN];
            let tag = aead::encrypt_in_place(&key, &nonce, &clear, &mut []).unwrap();
            let record = [clear.as_slice(), &nonce, &tag].concat();
            let record = RecordRef::parse(&record).unwrap();
            decrypt(&record, &Expected { account, address }, &leaf).is_ok()
        };
        assert!(opens(account, address));
        assert!(!opens(other, address) && !opens(account, later) && !opens(other, later));
    }
}

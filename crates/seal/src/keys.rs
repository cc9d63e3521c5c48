//! From a leaf of the key tree to the payload key and the commitment to it.

use std::fmt;

use hkdf::Hkdf;
use oubliette_keytree::stack::{OF_CIPHERS, without_trace};
use oubliette_keytree::{AccountTag, LeafAddress, LeafKey};
use sha2::Sha512;
use zeroize::Zeroizing;

/// Bytes of the commitment: half as many bits of binding, which leaves 128.
pub(crate) const COMMITMENT_LEN: usize = 32;

/// Extraction salt: keeps these keys apart from everything else a leaf might one day be used for.
const SALT: &[u8] = b"oubliette/v1/record";
/// Start of the expansion info, with the AEAD by its IANA name as C2SP chunked-encryption has it:
/// the same leaf under another cipher would be another key. A zero byte ends it.
const LABEL: &[u8] = b"oubliette/v1/record/AEAD_AES_256_GCM\0";

/// The key of one payload; wiped when dropped, and `Debug` tells nothing.
///
/// On the heap, so that moving it leaves no copy behind that nobody would wipe.
pub(crate) struct PayloadKey(Box<Zeroizing<[u8; 32]>>);

impl PayloadKey {
    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Box::new(Zeroizing::new(bytes)))
    }

    pub(crate) fn expose_secret(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PayloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayloadKey(..)")
    }
}

/// Derives the payload key and its commitment: `key ‖ commitment = HKDF-SHA-512(leaf, place)`.
///
/// AES-GCM alone does not commit: a ciphertext can be built that opens under two keys. Both halves
/// come from one expansion, as in C2SP chunked-encryption, so a record that carries the commitment
/// opens under the one leaf it was sealed with. Account and address are in the info, so the same
/// leaf bytes at another place give another key.
pub(crate) fn derive(
    leaf: &LeafKey,
    account: AccountTag,
    address: LeafAddress,
) -> (PayloadKey, [u8; COMMITMENT_LEN]) {
    without_trace::<OF_CIPHERS, _>(|| {
        let mut output = Zeroizing::new([0_u8; 64]);
        Hkdf::<Sha512>::new(Some(SALT), leaf.expose_secret())
            .expand_multi_info(
                &[LABEL, account.as_bytes(), &address.to_bits().to_be_bytes()],
                output.as_mut_slice(),
            )
            .expect("64 bytes are one block of SHA-512, of the 255 that HKDF gives");

        let mut key = PayloadKey(Box::new(Zeroizing::new([0; 32])));
        let mut commitment = [0; COMMITMENT_LEN];
        key.0.copy_from_slice(&output[..32]);
        commitment.copy_from_slice(&output[32..]);
        (key, commitment)
    })
}

/// The commitment that a record sealed under this leaf carries in the clear.
///
/// It names the key without telling anything about it, or about what was sealed: a deletion can be
/// proved by it. Costs two HMACs of SHA-512.
#[must_use]
pub fn commitment(leaf: &LeafKey, account: AccountTag, address: LeafAddress) -> [u8; 32] {
    derive(leaf, account, address).1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn derived(leaf: u8, account: u8, address: u64) -> [Vec<u8>; 2] {
        let (key, commitment) = derive(
            &LeafKey::from_bytes([leaf; 32]),
            AccountTag::from_bytes([account; 16]),
            LeafAddress::from_bits(address),
        );
        [key.expose_secret().to_vec(), commitment.to_vec()]
    }

    #[test]
    fn leaf_account_and_address_each_matter() {
        let all = [derived(1, 1, 1), derived(2, 1, 1), derived(1, 2, 1), derived(1, 1, 2)];
        let distinct: BTreeSet<_> = all.iter().flatten().collect();
        assert_eq!(distinct.len(), 8, "no key or commitment occurs twice");
        assert_eq!(derived(1, 1, 1), all[0]);
    }

    #[test]
    fn is_hkdf_as_documented() {
        // Extract and expand written out with HMAC, as in RFC 5869; one block is all that is needed.
        use hkdf::hmac::{Hmac, KeyInit, Mac};
        let mac = |key: &[u8], parts: &[&[u8]]| {
            let mut mac = Hmac::<Sha512>::new_from_slice(key).unwrap();
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes()
        };
        let pseudorandom_key = mac(b"oubliette/v1/record", &[&[1; 32]]);
        let output = mac(
            &pseudorandom_key,
            &[b"oubliette/v1/record/AEAD_AES_256_GCM\0", &[2; 16], &[0, 0, 0, 0, 0, 0, 1, 3], &[1]],
        );
        assert_eq!(derived(1, 2, 0x0103), [output[..32].to_vec(), output[32..].to_vec()]);
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?}", PayloadKey::from_bytes([0x33; 32])), "PayloadKey(..)");
    }
}

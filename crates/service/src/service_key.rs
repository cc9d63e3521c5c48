//! The service key: what API keys, account tags, hash and tokenize operators are keyed with.

use std::fmt;
use std::path::Path;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use oubliette_catalog::AccountId;
use oubliette_keytree::AccountTag;
use oubliette_redact::{HashKey, TokenKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::Result;
use crate::keyfile;

/// Thirty-two random bytes that outlive every generation of the root key.
///
/// They protect names, hashes and tokens, not bodies: whoever has them can link accounts to their tags,
/// guess at hashed values and turn back the tokens of a body that was opened to them, and cannot open any.
/// Without them no account is found in the key tree any more and no API key fits, so they are kept
/// like the root, but never rotated with it.
pub struct ServiceKey {
    api_keys: Zeroizing<[u8; 32]>,
    tags: Zeroizing<[u8; 32]>,
    hashes: Zeroizing<[u8; 32]>,
    tokens: Zeroizing<[u8; 32]>,
}

impl ServiceKey {
    /// Derives what the service needs from the 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let hkdf = Hkdf::<Sha256>::new(Some(SALT), bytes);
        let derive = |label: &str| {
            let mut key = Zeroizing::new([0; 32]);
            hkdf.expand(label.as_bytes(), key.as_mut_slice())
                .expect("32 bytes are one block of SHA-256, of the 255 that HKDF gives");
            key
        };
        Self {
            api_keys: derive("api-keys"),
            tags: derive("account-tags"),
            hashes: derive("hashes"),
            tokens: derive("tokens"),
        }
    }

    /// Reads the key file, which nobody but its owner may read; `None` if there is none.
    ///
    /// # Errors
    /// `Configuration` if it cannot be read, can be read by others, or is not 32 bytes long.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        Ok(keyfile::load(path, "service key")?.map(|bytes| Self::from_bytes(&bytes)))
    }

    /// Makes a new key and keeps it in a file that only its owner may read.
    ///
    /// # Errors
    /// `Configuration` if the file exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        Ok(Self::from_bytes(&*keyfile::create(path, "service key")?))
    }

    /// What stands for an account where names must not.
    #[must_use]
    pub fn account_tag(&self, account: &AccountId) -> AccountTag {
        let mac = self.mac(&self.tags, &[account.as_str().as_bytes()]);
        AccountTag::from_bytes(*mac.first_chunk().expect("a MAC has 32 bytes"))
    }

    /// The key of the account's hash operator.
    pub(crate) fn hash_key(&self, account: &AccountId) -> HashKey {
        HashKey::from_bytes(self.mac(&self.hashes, &[account.as_str().as_bytes()]))
    }

    /// The key of the account's tokenize operator.
    pub(crate) fn token_key(&self, account: &AccountId) -> TokenKey {
        TokenKey::from_bytes(self.mac(&self.tokens, &[account.as_str().as_bytes()]))
    }

    /// What is kept of an API key's secret. The id is in it, so that a hash fits one key only.
    pub(crate) fn api_key_hash(&self, id: &str, secret: &[u8; 32]) -> [u8; 32] {
        self.mac(&self.api_keys, &[id.as_bytes(), b"\0", secret])
    }

    fn mac(&self, key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceKey(..)")
    }
}

/// Extraction salt: keeps these keys apart from everything else the bytes might be used for.
const SALT: &[u8] = b"oubliette/v1/service-key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_derived_depends_on_key_account_and_purpose() {
        let (a, b) = (AccountId::new("a").unwrap(), AccountId::new("b").unwrap());
        let (one, two) = (ServiceKey::from_bytes(&[1; 32]), ServiceKey::from_bytes(&[2; 32]));
        assert_eq!(one.account_tag(&a), ServiceKey::from_bytes(&[1; 32]).account_tag(&a));
        assert_ne!(one.account_tag(&a), one.account_tag(&b));
        assert_ne!(one.account_tag(&a), two.account_tag(&a));
        assert_ne!(one.api_key_hash("k1", &[3; 32]), one.api_key_hash("k2", &[3; 32]));
        assert_ne!(one.api_key_hash("k1", &[3; 32]), two.api_key_hash("k1", &[3; 32]));
        let all = [*one.api_keys, *one.tags, *one.hashes, *one.tokens];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn the_file_is_private_whole_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("service.key");
        assert!(ServiceKey::load(&path).unwrap().is_none());
        let made = ServiceKey::create(&path).unwrap();
        let loaded = ServiceKey::load(&path).unwrap().unwrap();
        let account = AccountId::new("acme").unwrap();
        assert_eq!(made.account_tag(&account), loaded.account_tag(&account));
        assert!(ServiceKey::create(&path).is_err());

        std::fs::write(&path, [1; 31]).unwrap();
        let error = ServiceKey::load(&path).unwrap_err();
        assert!(error.to_string().contains("32 bytes"), "{error}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            let error = ServiceKey::load(&path).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?}", ServiceKey::from_bytes(&[0x33; 32])), "ServiceKey(..)");
    }
}

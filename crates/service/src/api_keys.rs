//! API keys: shown once, kept as keyed hashes.

use std::fmt;

use oubliette_catalog::{AccountId, ApiKey, Role};
use serde_json::json;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::access::Principal;
use crate::error::{Result, ServiceError, ServiceErrorKind};
use crate::oubliette::{Oubliette, new_id};

/// A new API key, with the secret that is shown this once.
pub struct NewApiKey {
    /// Everything about it but the secret.
    pub key: ApiKey,
    presented: Zeroizing<String>,
}

impl NewApiKey {
    /// The key as its holder presents it: `oub_<id>_<secret>`. Nobody can show it again.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.presented
    }
}

impl fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewApiKey").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Oubliette {
    /// Who presents this key. Takes the same time whether the id or the secret is wrong.
    ///
    /// # Errors
    /// `Unauthenticated`, without saying why; `Unavailable` if the catalog does not answer.
    pub async fn authenticate(&self, presented: &str) -> Result<Principal> {
        let inner = self.inner();
        let (id, secret) = parse(presented).ok_or_else(unknown)?;
        let hash = inner.key.api_key_hash(id, &secret);
        let found = inner.catalog.api_key(id).await?;
        let expected = found.as_ref().map_or([0; 32], |key| key.hash);
        let fits = bool::from(hash.ct_eq(&expected));
        match found {
            Some(key) if fits && key.revoked_at.is_none() => Ok(Principal::of(&key)),
            _ => Err(unknown()),
        }
    }

    /// Makes an API key. Its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound` for the account, `Invalid` if role and account do not fit or the
    /// name is not one line of reasonable length.
    pub async fn create_api_key(
        &self,
        by: &Principal,
        role: Role,
        account: Option<AccountId>,
        name: String,
    ) -> Result<NewApiKey> {
        by.must_operate()?;
        let inner = self.inner();
        let id = new_id('k')?;
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice()).map_err(ServiceError::no_randomness)?;
        let key = ApiKey {
            hash: inner.key.api_key_hash(&id, &secret),
            id,
            role,
            account,
            name,
            created_at: inner.now_ms(),
            revoked_at: None,
        };
        let detail = json!({ "role": key.role, "name": key.name });
        inner.record(by, key.account.as_ref(), "api_key.create", &key.id, detail).await?;
        inner.catalog.insert_api_key(key.clone()).await?;
        let digits = Zeroizing::new(hex::encode(secret.as_slice()));
        let presented = Zeroizing::new(format!("{PREFIX}{}_{}", key.id, *digits));
        Ok(NewApiKey { key, presented })
    }

    /// All API keys, revoked ones included.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn api_keys(&self, by: &Principal) -> Result<Vec<ApiKey>> {
        by.must_operate()?;
        Ok(self.inner().catalog.api_keys(None).await?)
    }

    /// Revokes an API key; a second time changes nothing.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn revoke_api_key(&self, by: &Principal, id: &str) -> Result<ApiKey> {
        by.must_operate()?;
        let inner = self.inner();
        let Some(key) = inner.catalog.api_key(id).await? else {
            return Err(ServiceError::not_found("there is no API key with this id"));
        };
        inner.record(by, key.account.as_ref(), "api_key.revoke", id, json!({})).await?;
        Ok(inner.catalog.revoke_api_key(id, inner.now_ms()).await?)
    }
}

/// What every key begins with, so that secret scanners know one when they see it.
const PREFIX: &str = "oub_";

/// The longest id a key can have.
const MOST_ID_BYTES: usize = 64;

fn parse(presented: &str) -> Option<(&str, Zeroizing<[u8; 32]>)> {
    let (id, digits) = presented.strip_prefix(PREFIX)?.split_once('_')?;
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, secret.as_mut_slice()).ok()?;
    (!id.is_empty() && id.len() <= MOST_ID_BYTES).then_some((id, secret))
}

fn unknown() -> ServiceError {
    ServiceError::new(
        ServiceErrorKind::Unauthenticated,
        "this API key is not known, or was revoked: ask an operator for one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_key_is_looked_up() {
        let digits = "0f".repeat(32);
        let good = format!("oub_k1_{digits}");
        assert_eq!(parse(&good).map(|(id, secret)| (id, *secret)), Some(("k1", [15; 32])));
        for bad in [
            "",
            "oub_",
            "oub_k1",
            &digits,
            &format!("oub__{digits}"),
            &format!("k1_{digits}"),
            &format!("{good}00"),
            &good[..good.len() - 1],
            &format!("oub_{}_{digits}", "k".repeat(65)),
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}

//! API keys: shown once, kept as keyed hashes.

use std::fmt;

use oubliette_catalog::ApiKey;
use zeroize::Zeroizing;

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

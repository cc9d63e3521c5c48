//! Accounts and their settings.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::CatalogError;

/// The name of an account: 1 to 128 characters of `[A-Za-z0-9._:@-]`.
///
/// The name outlives the account (as its tombstone and in audit rows), so it should mean nothing
/// outside the system: a tenant number rather than somebody's address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 128;

    /// Checks a name.
    ///
    /// # Errors
    /// [`Invalid`](crate::CatalogErrorKind::Invalid) if it is empty, too long or has other
    /// characters.
    pub fn new(name: impl Into<String>) -> Result<Self, CatalogError> {
        let name = name.into();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:@-".contains(&b);
        if name.is_empty() || name.len() > Self::MAX_LEN || !name.bytes().all(allowed) {
            return Err(CatalogError::invalid(
                "an account id has 1 to 128 characters of A-Z, a-z, 0-9 and . _ : @ -",
            ));
        }
        Ok(Self(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AccountId {
    type Err = CatalogError;

    fn from_str(name: &str) -> Result<Self, CatalogError> {
        Self::new(name)
    }
}

impl TryFrom<String> for AccountId {
    type Error = CatalogError;

    fn try_from(name: String) -> Result<Self, CatalogError> {
        Self::new(name)
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

/// An account with its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub id: AccountId,
    /// When it was created, in Unix milliseconds.
    pub created_at: i64,
    /// When it was removed, if it was: what remains then is this tombstone, with default settings.
    pub removed_at: Option<i64>,
    /// What it wants done with its bodies.
    pub settings: Settings,
}

/// What an account wants done with its bodies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Whether bodies are captured at all. Off until the account opts in.
    pub capture: bool,
    /// Whether bodies are redacted before they are sealed. On unless the account recorded that it
    /// does not want it.
    pub redact: bool,
    /// Who switched redaction off and when; always present while `redact` is false.
    pub redaction_consent: Option<Consent>,
    /// How many days bodies are kept: 1 to 3650.
    pub retention_days: u16,
    /// The largest body that is captured, in bytes before redaction.
    pub max_body_bytes: u64,
    /// The name of the operator for findings whose rule names none; `None` for the built-in default.
    pub operator: Option<String>,
    /// What becomes of attachments.
    pub attachments: Attachments,
    /// The account's own rule pack, as TOML text.
    pub custom_rules: Option<String>,
    /// How bodies are redacted beyond that: by path, by entity, by API; in the redactor's words.
    pub body_policy: Option<serde_json::Value>,
    /// Counts the changes; 0 for settings that were never changed.
    pub version: u64,
    /// When they were last changed, in Unix milliseconds.
    pub updated_at: i64,
    /// Who changed them last; empty if nobody has.
    pub updated_by: String,
}

impl Settings {
    /// How long bodies are kept unless the account says otherwise.
    pub const DEFAULT_RETENTION_DAYS: u16 = 7;
    /// The longest time bodies may be kept: ten years.
    pub const MAX_RETENTION_DAYS: u16 = 3650;
    /// The largest body captured by default: requests with a few images stay below it.
    pub const DEFAULT_MAX_BODY_BYTES: u64 = 10 << 20;
    /// No account may ask for larger bodies than 1 GiB: they are redacted in memory.
    pub const MAX_MAX_BODY_BYTES: u64 = 1 << 30;
    /// The longest rule pack, in bytes: far above any pack written by hand.
    pub const MAX_CUSTOM_RULES_BYTES: usize = 1 << 20;

    /// The longest body policy, in bytes as JSON: far above any written by hand.
    pub const MAX_BODY_POLICY_BYTES: usize = 64 << 10;

    /// The settings of an account that has not changed any.
    #[must_use]
    pub fn new(created_at: i64) -> Self {
        Self {
            capture: false,
            redact: true,
            redaction_consent: None,
            retention_days: Self::DEFAULT_RETENTION_DAYS,
            max_body_bytes: Self::DEFAULT_MAX_BODY_BYTES,
            operator: None,
            attachments: Attachments::Drop,
            custom_rules: None,
            body_policy: None,
            version: 0,
            updated_at: created_at,
            updated_by: String::new(),
        }
    }

    /// These settings after a change: what every implementation stores.
    ///
    /// # Errors
    /// [`Conflict`](crate::CatalogErrorKind::Conflict) if the change expects another version,
    /// [`Invalid`](crate::CatalogErrorKind::Invalid) if a value is out of range.
    pub fn changed(
        &self,
        change: SettingsChange,
        by: &str,
        now: i64,
    ) -> Result<Self, CatalogError> {
        if let Some(expected) = change.expected_version
            && expected != self.version
        {
            return Err(CatalogError::conflict(format!(
                "the settings are at version {}, not {expected}: read them again and repeat the change",
                self.version
            )));
        }
        let mut new = self.clone();
        if let Some(capture) = change.capture {
            new.capture = capture;
        }
        if let Some(redact) = change.redact {
            // A repeated "off" keeps the first record: that is the decision being relied on.
            if redact {
                new.redaction_consent = None;
            } else if self.redact {
                new.redaction_consent = Some(Consent { by: by.to_owned(), at: now });
            }
            new.redact = redact;
        }
        if let Some(days) = change.retention_days {
            new.retention_days = days;
        }
        if let Some(bytes) = change.max_body_bytes {
            new.max_body_bytes = bytes;
        }
        if let Some(operator) = change.operator {
            new.operator = operator;
        }
        if let Some(attachments) = change.attachments {
            new.attachments = attachments;
        }
        if let Some(rules) = change.custom_rules {
            new.custom_rules = rules;
        }
        if let Some(policy) = change.body_policy {
            new.body_policy = policy;
        }
        new.version += 1;
        new.updated_at = now;
        by.clone_into(&mut new.updated_by);
        new.check()?;
        Ok(new)
    }

    fn check(&self) -> Result<(), CatalogError> {
        if !(1..=Self::MAX_RETENTION_DAYS).contains(&self.retention_days) {
            return Err(CatalogError::invalid(format!(
                "retention_days is {}: give 1 to {} days",
                self.retention_days,
                Self::MAX_RETENTION_DAYS
            )));
        }
        if !(1..=Self::MAX_MAX_BODY_BYTES).contains(&self.max_body_bytes) {
            return Err(CatalogError::invalid(format!(
                "max_body_bytes is {}: give 1 to {}, or set capture to false to keep no bodies",
                self.max_body_bytes,
                Self::MAX_MAX_BODY_BYTES
            )));
        }
        if self.operator.as_ref().is_some_and(|name| name.is_empty() || name.len() > 64) {
            return Err(CatalogError::invalid("operator is a name of 1 to 64 characters"));
        }
        if self.body_policy.as_ref().is_some_and(|policy| {
            !policy.is_object() || policy.to_string().len() > Self::MAX_BODY_POLICY_BYTES
        }) {
            return Err(CatalogError::invalid(format!(
                "body_policy is not a JSON object of at most {} bytes",
                Self::MAX_BODY_POLICY_BYTES
            )));
        }
        if self.custom_rules.as_ref().is_some_and(|toml| toml.len() > Self::MAX_CUSTOM_RULES_BYTES)
        {
            return Err(CatalogError::invalid(format!(
                "custom_rules is longer than {} bytes: give a smaller pack",
                Self::MAX_CUSTOM_RULES_BYTES
            )));
        }
        if self.updated_by.is_empty() {
            return Err(CatalogError::invalid("a change of settings must name who made it"));
        }
        Ok(())
    }
}

/// A recorded decision: who made it and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Who decided: the name of an API key, or of a person.
    pub by: String,
    /// When, in Unix milliseconds.
    pub at: i64,
}

/// What becomes of attachments: images, audio, files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Attachments {
    /// Replaced by a description of themselves.
    #[default]
    Drop,
    /// Sealed with the body, as they are.
    Keep,
    /// Sealed with the body, without metadata such as the place a photograph was taken.
    KeepStripped,
}

/// A change of settings: what is absent stays as it is.
///
/// In JSON `"operator": null`, `"custom_rules": null` and `"body_policy": null` remove the value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SettingsChange {
    /// Capture bodies or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<bool>,
    /// Redact bodies or not. `false` is recorded as the consent of whoever makes the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redact: Option<bool>,
    /// Days to keep bodies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u16>,
    /// The largest body to capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_body_bytes: Option<u64>,
    /// The default operator; `Some(None)` goes back to the built-in one.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub operator: Option<Option<String>>,
    /// What becomes of attachments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Attachments>,
    /// The account's own rule pack; `Some(None)` removes it.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub custom_rules: Option<Option<String>>,
    /// How bodies are redacted beyond that; `Some(None)` goes back to the built-in way.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub body_policy: Option<Option<serde_json::Value>>,
    /// Refuse the change unless the settings are at this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
}

/// Keeps `null` apart from an absent field, which serde's `Option` alone does not.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CatalogErrorKind;

    #[test]
    fn account_ids_are_checked_wherever_they_come_from() {
        for good in ["a", "acme-eu.prod:7@x_y", &"z".repeat(128)] {
            assert_eq!(AccountId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "ä", "a/b", "a\n", &"z".repeat(129)] {
            assert_eq!(AccountId::new(bad).unwrap_err().kind(), CatalogErrorKind::Invalid);
            assert!(serde_json::from_value::<AccountId>(bad.into()).is_err());
        }
    }

    #[test]
    fn redaction_can_be_switched_off_only_on_record() {
        let off = SettingsChange { redact: Some(false), ..Default::default() };
        let settings = Settings::new(1).changed(off.clone(), "alice", 2).unwrap();
        assert_eq!(settings.redaction_consent, Some(Consent { by: "alice".into(), at: 2 }));
        let again = settings.changed(off, "bob", 3).unwrap();
        assert_eq!(again.redaction_consent, settings.redaction_consent);
        let on = SettingsChange { redact: Some(true), ..Default::default() };
        assert_eq!(again.changed(on, "bob", 4).unwrap().redaction_consent, None);
    }

    #[test]
    fn null_removes_a_value_and_absence_keeps_it() {
        let change: SettingsChange = serde_json::from_str(r#"{"operator":null}"#).unwrap();
        assert_eq!((change.operator, change.custom_rules), (Some(None), None));
        let misspelt = serde_json::from_str::<SettingsChange>(r#"{"retention":3}"#);
        assert!(misspelt.unwrap_err().to_string().contains("unknown field"));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let settings = Settings::new(0);
        let days = |days| SettingsChange { retention_days: Some(days), ..Default::default() };
        let bytes = |bytes| SettingsChange { max_body_bytes: Some(bytes), ..Default::default() };
        for bad in [days(0), days(3651), bytes(0), bytes((1 << 30) + 1)] {
            let error = settings.changed(bad, "alice", 1).unwrap_err();
            assert_eq!(error.kind(), CatalogErrorKind::Invalid);
        }
        assert_eq!(settings.changed(days(3650), "alice", 1).unwrap().retention_days, 3650);
        assert!(settings.changed(days(3), "", 1).is_err(), "nobody in particular");
    }
}

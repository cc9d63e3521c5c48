//! Accounts, their settings and their audit rows.

use oubliette_catalog::{
    Account, AccountId, AuditRow, Cursor, Order, Page, Settings, SettingsChange,
};
use oubliette_redact::Operator;
use serde_json::{Value, json};

use crate::access::Principal;
use crate::error::{Result, ServiceError};
use crate::oubliette::Oubliette;
use crate::policy::{self, new_tree};

impl Oubliette {
    /// Creates an account, which captures nothing until its owner says so.
    ///
    /// # Errors
    /// `Forbidden`, `Conflict` if there is or was one of this name.
    pub async fn create_account(&self, by: &Principal, account: &AccountId) -> Result<Account> {
        by.must_operate()?;
        let inner = self.inner();
        inner.record(by, Some(account), "account.create", account.as_str(), json!({})).await?;
        let created = inner.catalog.create_account(account, inner.now_ms()).await?;
        let gate = inner.policies.enter(created.clone()).await;
        let ops = new_tree(gate.tag, &created.settings, inner.expiry.at()).to_vec();
        inner.committer.commit(ops).await?;
        Ok(created)
    }

    /// The accounts that are not closed, in the order of their creation.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn accounts(
        &self,
        by: &Principal,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Account>> {
        by.must_operate()?;
        Ok(self.inner().catalog.accounts(cursor, limit).await?)
    }

    /// One account, or what is left of a closed one.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn account(&self, by: &Principal, account: &AccountId) -> Result<Account> {
        by.must_own_or_operate(account)?;
        Ok(self.inner().catalog.account(account).await?)
    }

    /// An account's settings.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn settings(&self, by: &Principal, account: &AccountId) -> Result<Settings> {
        by.must_own_or_operate(account)?;
        let gate = self.inner().policies.gate(account).await?;
        Ok(gate.hold().await?.settings.clone())
    }

    /// Changes settings. They hold when this returns: captures that began under the old ones have
    /// ended, and those that come see the new ones.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `Conflict` if `expected_version` is not the present one, `Invalid`
    /// for a value out of range, an operator that does not exist, or custom rules that do not
    /// compile; the message names the rule.
    pub async fn change_settings(
        &self,
        by: &Principal,
        account: &AccountId,
        change: SettingsChange,
    ) -> Result<Settings> {
        by.must_own(account)?;
        let inner = self.inner();
        let gate = inner.policies.gate(account).await?;
        check(&change)?;
        if let Some(Some(rules)) = &change.custom_rules {
            if rules.len() > Settings::MAX_CUSTOM_RULES_BYTES {
                return Err(ServiceError::invalid(format!(
                    "custom_rules is longer than {} bytes: give a smaller pack",
                    Settings::MAX_CUSTOM_RULES_BYTES
                )));
            }
            inner.policies.compile(rules.clone()).await?;
        }
        let opts_in = change.capture == Some(true);
        if opts_in && let Err(error) = inner.finish_shreds().await {
            tracing::warn!(%error, %account, "keys are still to be erased");
        }

        let mut policy = gate.change().await?;
        if opts_in && inner.awaits_erasure(account).await? {
            return Err(ServiceError::unavailable(
                "the keys of what was shredded before are still to be erased; capture stays off \
                 until they are: try again",
            ));
        }
        let now = inner.now_ms();
        if let Some(policy) = policy.as_ref() {
            // Whether it can be done at all, before the audit says that it is.
            policy.settings.changed(change.clone(), &by.actor(), now)?;
        }
        let subject = account.as_str();
        inner.record(by, Some(account), "settings.change", subject, told(&change)).await?;
        let settings = inner.catalog.change_settings(account, change, &by.actor(), now).await?;
        *policy = Some(inner.policies.policy(account, settings.clone()).await);
        drop(policy);
        inner.wake.notify_one(); // a shorter retention works backwards, a new class needs its rule
        Ok(settings)
    }

    /// What was done with the account, newest first.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn audit(
        &self,
        by: &Principal,
        account: &AccountId,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<AuditRow>> {
        by.must_own_or_operate(account)?;
        Ok(self.inner().catalog.audit(Some(account), Order::Newest, cursor, limit).await?)
    }
}

/// What the catalog cannot judge, because it knows neither operators nor attachments.
fn check(change: &SettingsChange) -> Result<()> {
    if let Some(Some(operator)) = &change.operator {
        operator
            .parse::<Operator>()
            .map_err(|error| ServiceError::invalid(format!("operator: {error}")))?;
    }
    if change.attachments.is_some_and(|setting| policy::attachments(setting).is_none()) {
        return Err(ServiceError::invalid(
            "attachments: this release can drop, keep or keep_stripped",
        ));
    }
    if let Some(Some(written)) = &change.body_policy {
        policy::body_policy(Some(written))?;
    }
    Ok(())
}

/// A change as the audit tells it: rules may hold anything, so only that they changed.
fn told(change: &SettingsChange) -> Value {
    let mut told = serde_json::to_value(change).unwrap_or_default();
    if let Some(rules) = told.get_mut("custom_rules") {
        *rules = match &change.custom_rules {
            Some(Some(text)) => json!({ "bytes": text.len() }),
            _ => Value::Null,
        };
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_does_not_repeat_rules() {
        let change = SettingsChange {
            retention_days: Some(3),
            custom_rules: Some(Some("pattern = 'hunter2'".into())),
            ..SettingsChange::default()
        };
        let told = told(&change).to_string();
        assert_eq!(told, r#"{"custom_rules":{"bytes":19},"retention_days":3}"#);
    }
}

//! What an account wants done with its bodies, ready for use, and the gate that makes it hold.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock as SyncRwLock};

use oubliette_catalog::{Account, AccountId, Attachments, Catalog, Settings};
use oubliette_detect::{Pack, RuleSet};
use oubliette_keytree::{AccountTag, Hour, Op};
use oubliette_redact::{self as redact, Operator, Redactor, UnredactedConsent};
use oubliette_store::RetentionClass;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::error::{Result, ServiceError};
use crate::layout::Options;
use crate::service_key::ServiceKey;
use crate::workers::Workers;

/// The policies of the accounts that have been met.
///
/// One process owns a catalog, so what is here is what holds: every change goes through it.
#[derive(Debug)]
pub(crate) struct Policies {
    catalog: Arc<dyn Catalog>,
    workers: Arc<Workers>,
    key: Arc<ServiceKey>,
    rules: Rules,
    met: SyncRwLock<HashMap<AccountId, Arc<Gate>>>,
    /// The classes of all policies there have been.
    classes: SyncRwLock<HashSet<RetentionClass>>,
}

/// One account, and the lock before its policy.
///
/// A capture holds the policy from the look at the consent until its records are in the catalog;
/// a change of settings and the erasure of the account's tree hold it alone. So switching capture
/// off holds before that call returns, and nothing is under way while a tree is erased.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) id: AccountId,
    pub(crate) tag: AccountTag,
    policy: Arc<RwLock<Option<Policy>>>,
}

/// What is done with the bodies of one account.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) settings: Settings,
    pub(crate) class: RetentionClass,
    pub(crate) redaction: Redaction,
}

/// How bodies become fit to be sealed.
#[derive(Debug, Clone)]
pub(crate) enum Redaction {
    /// By redacting them.
    On(Arc<Redacting>),
    /// Not at all: the account has recorded that it does not want it.
    Off(UnredactedConsent),
    /// They cannot: the account's rules do not compile any more.
    Broken,
}

/// A redactor and what names all that decides its output.
pub(crate) struct Redacting {
    pub(crate) redactor: Redactor,
    pub(crate) fingerprint: String,
}

/// A policy in use. While it is held, it does not change.
pub(crate) type Held = OwnedRwLockReadGuard<Option<Policy>, Policy>;

/// What rule sets are built from.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    packs: Vec<Pack>,
    limits: oubliette_detect::Limits,
    min_score: Option<f32>,
}

impl Policies {
    /// Compiles the rules that are the same for all accounts, too: errors in them end the start.
    pub(crate) async fn new(
        catalog: Arc<dyn Catalog>,
        workers: Arc<Workers>,
        key: Arc<ServiceKey>,
        options: &Options,
    ) -> Result<Self> {
        let rules = Rules {
            packs: options.packs.clone(),
            limits: options.rule_limits.clone(),
            min_score: options.min_score,
        };
        let compiled = {
            let rules = rules.clone();
            workers.run(move || rules.compile(None)).await
        };
        match compiled {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                return Err(ServiceError::configuration(format!("the rule packs: {error}"))
                    .with_source(error));
            }
            Err(_) => return Err(ServiceError::internal("the rule packs could not be compiled")),
        }
        Ok(Self {
            catalog,
            workers,
            key,
            rules,
            met: SyncRwLock::default(),
            classes: SyncRwLock::default(),
        })
    }

    /// The gate of an account that exists.
    pub(crate) async fn gate(&self, account: &AccountId) -> Result<Arc<Gate>> {
        if let Some(gate) = self.met().get(account) {
            return Ok(Arc::clone(gate));
        }
        let found = self.catalog.account(account).await?;
        if found.removed_at.is_some() {
            return Err(closed(account));
        }
        Ok(self.enter(found).await)
    }

    /// Adds an account that was just created or found.
    pub(crate) async fn enter(&self, account: Account) -> Arc<Gate> {
        let policy = self.policy(&account.id, account.settings).await;
        let gate = Gate {
            tag: self.key.account_tag(&account.id),
            id: account.id,
            policy: Arc::new(RwLock::new(Some(policy))),
        };
        let mut met = self.met.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever was first may have changed it already.
        Arc::clone(met.entry(gate.id.clone()).or_insert_with(|| Arc::new(gate)))
    }

    /// Makes settings ready for use. Rules that do not compile make a policy that stores nothing.
    pub(crate) async fn policy(&self, account: &AccountId, settings: Settings) -> Policy {
        let redaction = self.redaction(account, &settings).await;
        let class = RetentionClass::for_retention(settings.retention_days.into())
            .expect("settings keep to a range that every class covers");
        self.classes.write().unwrap_or_else(PoisonError::into_inner).insert(class);
        Policy { settings, class, redaction }
    }

    /// Compiles an account's own rules on top of those for all.
    pub(crate) async fn compile(&self, custom: String) -> Result<RuleSet> {
        let rules = self.rules.clone();
        match self.workers.run(move || rules.compile(Some(&custom))).await {
            Ok(Ok(set)) => Ok(set),
            Ok(Err(error)) => {
                Err(ServiceError::invalid(format!("custom_rules: {error}")).with_source(error))
            }
            Err(_) => Err(ServiceError::invalid("custom_rules could not be compiled")),
        }
    }

    /// The retention classes that may have been written in by this process.
    pub(crate) fn classes(&self) -> Vec<RetentionClass> {
        self.classes.read().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    async fn redaction(&self, account: &AccountId, settings: &Settings) -> Redaction {
        if let (false, Some(consent)) = (settings.redact, &settings.redaction_consent) {
            let record = format!("{} at {}", consent.by, consent.at);
            return Redaction::Off(UnredactedConsent::recorded(record));
        }
        let (rules, custom) = (self.rules.clone(), settings.custom_rules.clone());
        let compiled = self.workers.run(move || rules.compile(custom.as_deref())).await;
        let operator = settings.operator.as_deref().map(str::parse::<Operator>).transpose();
        let written = body_policy(settings.body_policy.as_ref());
        let (Ok(Ok(set)), Ok(operator), Some(attachments), Ok(written)) =
            (compiled, operator, attachments(settings.attachments), written)
        else {
            tracing::error!(%account, "the account's rules or operator cannot be used any more; its bodies are dropped");
            return Redaction::Broken;
        };
        let mut policy = redact::Policy {
            min_score: self.rules.min_score.unwrap_or(redact::Policy::default().min_score),
            operator,
            attachments,
            hash_key: self.key.hash_key(account),
            token_key: self.key.token_key(account),
            max_bytes: usize::try_from(settings.max_body_bytes).unwrap_or(usize::MAX),
            ..redact::Policy::default()
        };
        written.apply_to(&mut policy);
        let fingerprint = fingerprint(&set, &policy);
        let redactor = Redactor::new(set, policy);
        Redaction::On(Arc::new(Redacting { redactor, fingerprint }))
    }

    fn met(&self) -> std::sync::RwLockReadGuard<'_, HashMap<AccountId, Arc<Gate>>> {
        self.met.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    /// The policy, to act by.
    pub(crate) async fn hold(&self) -> Result<Held> {
        let policy = Arc::clone(&self.policy).read_owned().await;
        OwnedRwLockReadGuard::try_map(policy, Option::as_ref).map_err(|_| closed(&self.id))
    }

    /// The policy, to be changed: nobody acts by it meanwhile. `None` puts the account out of use.
    pub(crate) async fn change(&self) -> Result<OwnedRwLockWriteGuard<Option<Policy>>> {
        let policy = Arc::clone(&self.policy).write_owned().await;
        if policy.is_some() { Ok(policy) } else { Err(closed(&self.id)) }
    }
}

impl Policy {
    /// The first hour that is still kept. Every hour that *began* before the window is over, so a
    /// body is never kept longer than the window, and at most an hour less.
    pub(crate) fn first_kept(&self, now_ms: i64) -> Hour {
        first_kept(self.settings.retention_days, now_ms)
    }

    /// Whether something of this time is over.
    pub(crate) fn is_over(&self, time_ms: i64, now_ms: i64) -> bool {
        is_over(time_ms, now_ms, self.settings.retention_days)
    }
}

/// Whether something of this time is over under this retention.
pub(crate) fn is_over(time_ms: i64, now_ms: i64, retention_days: u16) -> bool {
    time_ms < now_ms.saturating_sub(retention_ms(retention_days))
}

/// As [`Policy::first_kept`], for a retention alone.
pub(crate) fn first_kept(retention_days: u16, now_ms: i64) -> Hour {
    first_to_come(now_ms.saturating_sub(retention_ms(retention_days)))
}

/// The first hour that does not begin before now.
pub(crate) fn first_to_come(now_ms: i64) -> Hour {
    Hour::from_unix_seconds(now_ms.saturating_add(MS_PER_HOUR - 1).div_euclid(1000))
}

/// What gives an account its tree. Hours that are over already are pruned in the same commit, so that
/// no later expiry has to turn the root over for hours in which there never was anything.
pub(crate) fn new_tree(tag: AccountTag, settings: &Settings, now_ms: i64) -> [Op; 2] {
    [Op::CreateAccount(tag), Op::PruneHoursBefore(tag, first_kept(settings.retention_days, now_ms))]
}

fn retention_ms(days: u16) -> i64 {
    i64::from(days) * 24 * MS_PER_HOUR
}

const MS_PER_HOUR: i64 = 3_600_000;

impl Rules {
    fn compile(&self, custom: Option<&str>) -> Result<RuleSet, oubliette_detect::DetectError> {
        let mut builder = RuleSet::builder().standard().limits(self.limits.clone());
        for pack in &self.packs {
            builder = builder.pack(pack.clone());
        }
        if let Some(text) = custom {
            builder = builder.pack(Pack::from_toml("custom_rules", text)?);
        }
        builder.build()
    }
}

impl fmt::Debug for Redacting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redacting").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// What of the settings the redactor can do; `None` for what this release cannot.
pub(crate) fn attachments(setting: Attachments) -> Option<redact::Attachments> {
    match setting {
        Attachments::Drop => Some(redact::Attachments::Drop),
        Attachments::Keep => Some(redact::Attachments::Keep),
        Attachments::KeepStripped => Some(redact::Attachments::KeepStripped),
        _ => None,
    }
}

/// An account's body policy; that of one that wrote none is empty.
///
/// # Errors
/// If it is not one; the message names the field, and not what it holds.
pub(crate) fn body_policy(written: Option<&serde_json::Value>) -> Result<redact::BodyPolicy> {
    let Some(written) = written else { return Ok(redact::BodyPolicy::default()) };
    let parse = |value: serde_json::Value| serde_json::from_value::<redact::BodyPolicy>(value).ok();
    parse(written.clone()).ok_or_else(|| {
        let fields = written.as_object().into_iter().flatten();
        let wrong = fields
            .filter(|(name, value)| parse(serde_json::json!({ *name: value })).is_none())
            .map(|(name, _)| name.chars().take(32).collect::<String>())
            .next()
            .unwrap_or_default();
        ServiceError::invalid(format!(
            "body_policy: {wrong:?} is no field of one, or holds what it cannot: see docs/policy.md"
        ))
    })
}

/// Names everything that decides what comes out: rules, policy, and the release of the redactor.
/// A body that was redacted under the same need not be redacted again.
fn fingerprint(rules: &RuleSet, policy: &redact::Policy) -> String {
    let mut hash = Sha256::new();
    hash.update(rules.digest().as_bytes());
    hash.update(policy.min_score.to_be_bytes());
    hash.update(policy.operator.map_or("", Operator::as_str));
    hash.update([0]);
    hash.update(format!("{:?}{:?}{:?}", policy.attachments, policy.vectors, policy.opaque));
    hash.update(format!("{:?}{:?}{:?}", policy.operators, policy.paths, policy.apis));
    hash.update([0]);
    hash.update(env!("CARGO_PKG_VERSION"));
    hex::encode(&hash.finalize()[..16])
}

fn closed(account: &AccountId) -> ServiceError {
    ServiceError::not_found(format!("account {account} has been closed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_over_as_soon_as_its_first_moment_is() {
        let hour = |number: i64| number * MS_PER_HOUR;
        let kept = |now| i64::from(first_kept(1, now).number());
        assert_eq!(kept(hour(1000)), 1000 - 24, "what was captured on the hour is kept to the dot");
        assert_eq!(kept(hour(1000) + 1), 1000 - 23, "a moment later it is over");
        assert_eq!(kept(hour(1001) - 1), 1000 - 23);
        assert_eq!(kept(0), 0, "no hours before the epoch");
    }
}

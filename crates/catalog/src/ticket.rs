//! Tickets and grants: the only way to a body.

use serde::{Deserialize, Serialize};

use crate::{
    account::AccountId,
    capture::{Part, Parts},
    error::CatalogError,
    exchange::ExchangeId,
    key::{check_id, check_text},
};

/// A support case the owner opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its id.
    pub id: String,
    /// Whose case it is.
    pub account: AccountId,
    /// What it is about, in one line.
    pub subject: String,
    /// Who opened it.
    pub opened_by: String,
    /// When, in Unix milliseconds.
    pub opened_at: i64,
    /// When it was closed, if it was. Its grants end with it.
    pub closed_at: Option<i64>,
}

impl Ticket {
    pub(crate) fn check(&self) -> Result<(), CatalogError> {
        check_id("a ticket's id", &self.id)?;
        check_text("a ticket's subject", &self.subject)?;
        check_text("who opened a ticket", &self.opened_by)
    }
}

/// What a ticket lets one agent read, until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id.
    pub id: String,
    /// The ticket it was given for.
    pub ticket: String,
    /// Whose bodies.
    pub account: AccountId,
    /// Who may read them: the name or id of an agent's API key.
    pub agent: String,
    /// Which exchanges.
    pub scope: Scope,
    /// Which of their bodies.
    pub parts: Parts,
    /// Who gave it.
    pub granted_by: String,
    /// The first moment it holds, in Unix milliseconds.
    pub not_before: i64,
    /// The first moment it no longer holds.
    pub until: i64,
    /// When it was revoked, if it was.
    pub revoked_at: Option<i64>,
}

impl Grant {
    /// The most exchanges one grant may list; beyond that a time range says it better.
    pub const MAX_EXCHANGES: usize = 10_000;

    /// Whether the grant holds now.
    #[must_use]
    pub fn is_live(&self, now: i64) -> bool {
        self.revoked_at.is_none() && self.not_before <= now && now < self.until
    }

    /// Whether the grant covers one body, whoever asks and whenever.
    ///
    /// `captured_at` is the capture's own time, from its row.
    #[must_use]
    pub fn covers(&self, exchange: &ExchangeId, part: Part, captured_at: i64) -> bool {
        self.parts.contains(part)
            && match &self.scope {
                Scope::Account => true,
                Scope::Exchanges { ids } => ids.contains(exchange),
                Scope::Time { from, to } => (*from..*to).contains(&captured_at),
            }
    }

    pub(crate) fn check(&self) -> Result<(), CatalogError> {
        check_id("a grant's id", &self.id)?;
        check_text("a grant's agent", &self.agent)?;
        check_text("who gave a grant", &self.granted_by)?;
        if self.until <= self.not_before {
            return Err(CatalogError::invalid("a grant must end after it begins"));
        }
        match &self.scope {
            Scope::Exchanges { ids } if ids.is_empty() || ids.len() > Self::MAX_EXCHANGES => {
                Err(CatalogError::invalid(format!(
                    "a grant lists 1 to {} exchanges; use a time range for more",
                    Self::MAX_EXCHANGES
                )))
            }
            Scope::Time { from, to } if to <= from => {
                Err(CatalogError::invalid("a grant's time range must end after it begins"))
            }
            _ => Ok(()),
        }
    }
}

/// Which exchanges a grant covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Scope {
    /// All of the account's, also those to come.
    Account,
    /// These.
    Exchanges {
        /// Their ids.
        ids: Vec<ExchangeId>,
    },
    /// Those captured in this time, in Unix milliseconds.
    Time {
        /// The first moment.
        from: i64,
        /// The first moment after it.
        to: i64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(scope: Scope, parts: Parts) -> Grant {
        Grant {
            id: "g".into(),
            ticket: "t".into(),
            account: AccountId::new("acme").unwrap(),
            agent: "sam".into(),
            scope,
            parts,
            granted_by: "olga".into(),
            not_before: 10,
            until: 20,
            revoked_at: None,
        }
    }

    #[test]
    fn a_grant_covers_what_it_says_and_no_more() {
        let (a, b) = (ExchangeId::new("a").unwrap(), ExchangeId::new("b").unwrap());
        let listed = grant(Scope::Exchanges { ids: vec![a.clone()] }, Parts::Response);
        assert!(listed.covers(&a, Part::Response, 0));
        assert!(!listed.covers(&a, Part::Request, 0));
        assert!(!listed.covers(&b, Part::Response, 0));
        let timed = grant(Scope::Time { from: 5, to: 7 }, Parts::Both);
        let covered = [4, 5, 6, 7].map(|at| timed.covers(&b, Part::Request, at));
        assert_eq!(covered, [false, true, true, false]);
        assert!(grant(Scope::Account, Parts::Both).covers(&b, Part::Request, i64::MAX));
    }

    #[test]
    fn a_grant_is_live_from_its_beginning_up_to_its_end() {
        let mut grant = grant(Scope::Account, Parts::Both);
        assert_eq!([9, 10, 19, 20].map(|now| grant.is_live(now)), [false, true, true, false]);
        grant.revoked_at = Some(12);
        assert!(!grant.is_live(15));
    }

    #[test]
    fn grants_that_would_surprise_are_refused() {
        assert!(grant(Scope::Account, Parts::Both).check().is_ok());
        assert!(grant(Scope::Exchanges { ids: vec![] }, Parts::Both).check().is_err());
        assert!(grant(Scope::Time { from: 7, to: 7 }, Parts::Both).check().is_err());
        assert!(Grant { until: 10, ..grant(Scope::Account, Parts::Both) }.check().is_err());
        let json = r#"{"kind":"time","from":1,"to":2,"until":3}"#;
        assert!(serde_json::from_str::<Scope>(json).is_err(), "unknown fields");
    }
}

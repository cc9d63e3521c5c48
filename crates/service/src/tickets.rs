//! Tickets and grants: how an owner lets one agent read, and until when.

use oubliette_catalog::{AccountId, Cursor, Grant, Page, Parts, Role, Scope, Ticket};
use serde_json::json;

use crate::access::Principal;
use crate::error::{Result, ServiceError};
use crate::oubliette::{Oubliette, new_id};

/// A grant as the owner asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// The id of an agent's API key.
    pub agent: String,
    /// The first moment the grant no longer holds, in Unix milliseconds.
    pub until: i64,
    /// Which exchanges.
    pub scope: Scope,
    /// Which of their bodies.
    pub parts: Parts,
}

impl Oubliette {
    /// Opens a ticket.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `Invalid` if the subject is not one line of reasonable length.
    pub async fn open_ticket(
        &self,
        by: &Principal,
        account: &AccountId,
        subject: String,
    ) -> Result<Ticket> {
        by.must_own(account)?;
        let inner = self.inner();
        let ticket = Ticket {
            id: new_id('t')?,
            account: account.clone(),
            subject,
            opened_by: by.actor(),
            opened_at: inner.now_ms(),
            closed_at: None,
        };
        inner.record(by, Some(account), "ticket.open", &ticket.id, json!({})).await?;
        inner.catalog.open_ticket(ticket.clone()).await?;
        Ok(ticket)
    }

    /// The account's tickets, newest first.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn tickets(
        &self,
        by: &Principal,
        account: &AccountId,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Ticket>> {
        by.must_own_or_operate(account)?;
        Ok(self.inner().catalog.tickets(account, cursor, limit).await?)
    }

    /// Closes a ticket and revokes its grants; a second time changes nothing.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn close_ticket(
        &self,
        by: &Principal,
        account: &AccountId,
        ticket: &str,
    ) -> Result<Ticket> {
        by.must_own(account)?;
        let inner = self.inner();
        inner.catalog.ticket(account, ticket).await?; // so that the audit names what exists
        inner.record(by, Some(account), "ticket.close", ticket, json!({})).await?;
        Ok(inner.catalog.close_ticket(account, ticket, inner.now_ms()).await?)
    }

    /// Lets an agent read, for an open ticket, what the scope says, from now until the time given.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound` for account and ticket, `Conflict` if the ticket is closed, `Invalid`
    /// if there is no such agent, the time is past, or the scope is empty.
    pub async fn grant(
        &self,
        by: &Principal,
        account: &AccountId,
        ticket: &str,
        grant: NewGrant,
    ) -> Result<Grant> {
        by.must_own(account)?;
        let inner = self.inner();
        let now = inner.now_ms();
        if grant.until <= now {
            return Err(ServiceError::invalid("until: a grant must end in the future"));
        }
        let agent = inner.catalog.api_key(&grant.agent).await?.filter(|key| {
            let fits = key.account.as_ref().is_none_or(|bound| bound == account);
            key.role == Role::Agent && key.revoked_at.is_none() && fits
        });
        let Some(agent) = agent else {
            return Err(ServiceError::invalid(
                "agent: there is no agent's API key with this id; ask an operator for the id",
            ));
        };
        let grant = Grant {
            id: new_id('g')?,
            ticket: ticket.to_owned(),
            account: account.clone(),
            agent: agent.id,
            scope: grant.scope,
            parts: grant.parts,
            granted_by: by.actor(),
            not_before: now,
            until: grant.until,
            revoked_at: None,
        };
        inner.catalog.ticket(account, ticket).await?; // so that the audit names what exists
        let detail = json!({
            "ticket": ticket, "agent": grant.agent, "agent_name": agent.name,
            "until_ms": grant.until, "parts": grant.parts, "scope": scope_told(&grant.scope),
        });
        inner.record(by, Some(account), "grant.give", &grant.id, detail).await?;
        inner.catalog.create_grant(grant.clone()).await?;
        Ok(grant)
    }

    /// The account's grants, dead ones included.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn grants(&self, by: &Principal, account: &AccountId) -> Result<Vec<Grant>> {
        by.must_own_or_operate(account)?;
        Ok(self.inner().catalog.grants(account, None).await?)
    }

    /// Revokes a grant; a second time changes nothing.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn revoke_grant(
        &self,
        by: &Principal,
        account: &AccountId,
        grant: &str,
    ) -> Result<Grant> {
        by.must_own(account)?;
        let inner = self.inner();
        inner.catalog.grant(account, grant).await?; // so that the audit names what exists
        inner.record(by, Some(account), "grant.revoke", grant, json!({})).await?;
        Ok(inner.catalog.revoke_grant(account, grant, inner.now_ms()).await?)
    }
}

/// A scope as the audit tells it: a list of ten thousand ids does not belong in a row.
fn scope_told(scope: &Scope) -> serde_json::Value {
    match scope {
        Scope::Exchanges { ids } if ids.len() > 20 => {
            json!({ "kind": "exchanges", "count": ids.len() })
        }
        other => json!(other),
    }
}

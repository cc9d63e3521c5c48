//! Reading a body back: grant, audit row, key, record, in this order.

use oubliette_catalog::{
    AccountId, Capture, CaptureFilter, CaptureState, CatalogErrorKind, ExchangeId, ExchangeRecord,
    Grant, Page, Part, Role, Scope,
};
use oubliette_seal::{Expected, OpenedBody};
use oubliette_store::StoreErrorKind;
use serde_json::json;
use zeroize::Zeroizing;

use crate::access::Principal;
use crate::error::{Result, ServiceError};
use crate::oubliette::{Inner, Oubliette};
use crate::policy::{Gate, is_over};
use crate::record;
use crate::workers::with_opener;

/// A body that a grant opened to an agent.
#[derive(Debug)]
pub struct ReadBody {
    /// The redacted bytes with their content type and report.
    pub body: OpenedBody,
    /// The id of the grant that was used.
    pub grant: String,
    /// The ticket the grant was given for.
    pub ticket: String,
    /// The capture's row.
    pub capture: Capture,
    /// The body with its tokens turned back into values, if that was asked for.
    revealed: Option<Zeroizing<Vec<u8>>>,
}

impl ReadBody {
    /// What was asked for: the redacted bytes, or those with values in place of tokens.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.revealed.as_ref().map_or(self.body.bytes(), |revealed| revealed)
    }
}

impl Oubliette {
    /// Opens one body to an agent who has a live grant for it. The audit row is durable before the
    /// key is derived; refusals are in the audit too.
    ///
    /// # Errors
    /// `Forbidden` without an agent's API key and a live grant that covers the body, `NotFound` if
    /// a grant would cover it and it was never captured, `Forgotten` if it was shredded or has
    /// expired, `Damaged` or `Unavailable` if the record cannot be had.
    pub async fn read(
        &self,
        by: &Principal,
        account: &AccountId,
        exchange: &ExchangeId,
        part: Part,
    ) -> Result<ReadBody> {
        self.read_as(by, account, exchange, part, "capture.read").await
    }

    /// As [`read`](Self::read), with the tokens of the tokenize operator turned back into the values they stand
    /// for. The audit calls it `capture.reveal`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn reveal(
        &self,
        by: &Principal,
        account: &AccountId,
        exchange: &ExchangeId,
        part: Part,
    ) -> Result<ReadBody> {
        let mut read = self.read_as(by, account, exchange, part, "capture.reveal").await?;
        let inner = self.inner();
        let key = inner.key.token_key(account);
        let body = Zeroizing::new(read.body.bytes().to_vec());
        let content_type = read.body.content_type().map(str::to_owned);
        let revealed =
            inner.workers.run(move || key.reveal(&body, content_type.as_deref())).await.map_err(
                |_| ServiceError::internal("the tokens of a body could not be turned back"),
            )?;
        read.revealed = Some(revealed);
        Ok(read)
    }

    async fn read_as(
        &self,
        by: &Principal,
        account: &AccountId,
        exchange: &ExchangeId,
        part: Part,
        action: &'static str,
    ) -> Result<ReadBody> {
        let inner = self.inner();
        let subject = format!("{exchange}/{}", part.as_str());
        match inner.grant_for(by, account, exchange, part).await {
            Ok((grant, gate, capture)) => {
                let detail = json!({ "grant": grant.id, "ticket": grant.ticket });
                inner.record(by, Some(account), action, subject, detail).await?;
                let body = inner.open_capture(&gate, &capture).await?;
                inner.metrics.count(|counters| counters.reads += 1);
                Ok(ReadBody {
                    body,
                    grant: grant.id,
                    ticket: grant.ticket,
                    capture,
                    revealed: None,
                })
            }
            Err(error) => {
                inner.metrics.count(|counters| counters.reads_refused += 1);
                let detail = json!({ "reason": error.kind().code() });
                inner.record(by, Some(account), "capture.read_refused", subject, detail).await?;
                Err(error)
            }
        }
    }

    /// Lists captures: rows, no bodies.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn captures(
        &self,
        by: &Principal,
        account: &AccountId,
        filter: CaptureFilter,
    ) -> Result<Page<Capture>> {
        by.must_own_or_operate(account)?;
        Ok(self.inner().catalog.captures(account, filter).await?)
    }

    /// One exchange with its captures: rows, no bodies.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn exchange(
        &self,
        by: &Principal,
        account: &AccountId,
        exchange: &ExchangeId,
    ) -> Result<ExchangeRecord> {
        by.must_own_or_operate(account)?;
        Ok(self.inner().catalog.exchange(account, exchange).await?)
    }
}

impl Inner {
    /// A live grant that covers the body, and the body's row if it can still be opened.
    ///
    /// Who has no grant learns nothing, not even whether there is such an account or exchange.
    async fn grant_for(
        &self,
        by: &Principal,
        account: &AccountId,
        exchange: &ExchangeId,
        part: Part,
    ) -> Result<(Grant, std::sync::Arc<Gate>, Capture)> {
        let refused = || {
            ServiceError::forbidden(format!(
                "no live grant lets this API key read the {} of exchange {exchange} of account \
                 {account}: ask the account's owner for one",
                part.as_str()
            ))
        };
        let bound_elsewhere = by.account().is_some_and(|bound| bound != account);
        if by.role() != Role::Agent || bound_elsewhere {
            return Err(refused());
        }
        let now = self.now_ms();
        let grants = match self.catalog.live_grants(by.key_id(), account, now).await {
            Ok(grants) => grants,
            Err(error) if error.kind() == CatalogErrorKind::NotFound => return Err(refused()),
            Err(error) => return Err(error.into()),
        };
        let capture = match self.catalog.capture(account, exchange, part).await {
            Ok(capture) => capture,
            Err(error) if error.kind() == CatalogErrorKind::NotFound => {
                // By the time of capture nobody can tell, so a grant for a time does not count.
                let would_cover = |grant: &Grant| {
                    !matches!(grant.scope, Scope::Time { .. }) && grant.covers(exchange, part, 0)
                };
                return Err(if grants.iter().any(would_cover) { error.into() } else { refused() });
            }
            Err(error) => return Err(error.into()),
        };
        let grant = grants
            .into_iter()
            .find(|grant| grant.covers(exchange, part, capture.captured_at))
            .ok_or_else(refused)?;
        let gate = self.policies.gate(account).await?;
        let policy = gate.hold().await?;
        // Not only what the last expiry got to: what is over is over.
        let over = capture.address.hour() < policy.first_kept(now);
        if over || capture.state != CaptureState::Stored {
            return Err(gone(exchange, part, over || capture.state == CaptureState::Expired));
        }
        drop(policy);
        Ok((grant, gate, capture))
    }

    /// Derives the key, fetches the record and opens it.
    pub(crate) async fn open_capture(&self, gate: &Gate, capture: &Capture) -> Result<OpenedBody> {
        let (exchange, part) = (&capture.exchange, capture.part);
        let location = capture.location.as_ref().ok_or_else(|| gone(exchange, part, false))?;
        let location = record::to_store(location)?;
        let expected = Expected { account: gate.tag, address: capture.address };
        let key = self
            .tree
            .derive_leaf(expected.account, expected.address)?
            .ok_or_else(|| gone(exchange, part, false))?;
        let bytes = self.spool.read(&location).await.map_err(|error| {
            if error.kind() != StoreErrorKind::NotFound {
                return error.into();
            }
            // The store's lifecycle goes by the retention at the time of capture, which may have
            // been shorter than today's.
            if is_over(capture.captured_at, self.now_ms(), capture.retention_days) {
                return gone(exchange, part, true);
            }
            ServiceError::damaged(format!(
                "the segment of the {} of exchange {exchange} is missing before its time: check \
                 the object store",
                part.as_str()
            ))
        })?;
        let opened = self
            .workers
            .run(move || with_opener(|opener| opener.open(&bytes, &expected, &key)))
            .await
            .map_err(|_| ServiceError::internal("a record could not be opened"))?;
        Ok(opened?)
    }
}

fn gone(exchange: &ExchangeId, part: Part, expired: bool) -> ServiceError {
    let why = if expired { "has expired" } else { "was shredded" };
    ServiceError::forgotten(format!("the {} of exchange {exchange} {why}", part.as_str()))
}

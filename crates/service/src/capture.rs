//! Capturing: from a gateway's envelope to a durable, sealed record and its row.

use std::sync::Arc;

use oubliette_catalog::{
    AccountId, CaptureState, CatalogErrorKind, Entry, Exchange, ExchangeId, ExchangeRecord,
    NewCapture, NewExchange, Part,
};
use oubliette_keytree::{Hour, LeafAddress};
use oubliette_redact::CapturedBody;
use oubliette_store::{Appending, RetentionClass, Spool, StoreError, StoreErrorKind};
use serde::{Deserialize, Serialize};

use crate::access::Principal;
use crate::error::{Result, ServiceError, ServiceErrorKind};
use crate::leases::Leaf;
use crate::oubliette::{Inner, Oubliette};
use crate::pipeline::{self, Made, Raw, Row};
use crate::policy::{Gate, Policy, Redaction, new_tree};
use crate::record::Inside;

/// One exchange as a gateway hands it in.
#[derive(Debug)]
pub struct Envelope {
    /// What is known about it: whose it is, its id, its time, and the details.
    pub exchange: Exchange,
    /// The body of the request.
    pub request: Option<CapturedBody>,
    /// The body of the response.
    pub response: Option<CapturedBody>,
}

/// What became of an [`Envelope`]. In JSON it is the answer of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaptureOutcome {
    /// The exchange.
    pub id: ExchangeId,
    /// Whose it is.
    pub account: AccountId,
    /// What became of its bodies.
    pub parts: PartOutcomes,
}

/// What became of the parts that were handed in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PartOutcomes {
    /// The request, if it was handed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<PartOutcome>,
    /// The response, if it was handed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<PartOutcome>,
}

/// What became of one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum PartOutcome {
    /// It is kept: sealed, durable and in the catalog.
    Stored {
        /// How many findings were acted upon.
        findings: u64,
    },
    /// This part was stored before and still is; nothing was stored again.
    Duplicate,
    /// This part was stored before and has been forgotten; it is not taken again.
    Forgotten,
    /// It was not kept.
    Dropped {
        /// Why not.
        reason: DropReason,
    },
}

/// Why a body was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DropReason {
    /// The account has not opted in.
    NotOptedIn,
    /// The body is larger than the account allows, as it came or once decompressed.
    TooLarge,
    /// The `content-encoding` is not one that can be undone.
    UnknownEncoding,
    /// The body is not what its `content-encoding` says.
    DamagedEncoding,
    /// Redaction kept finding more.
    Unsettled,
    /// The redactor gave up: a mistake in it, which must not become a raw body on a disk.
    RedactionFailed,
    /// The account's own rules no longer compile.
    RulesBroken,
    /// The exchange is older than the account's retention.
    Expired,
}

impl DropReason {
    /// All reasons, for metrics that name each.
    pub const ALL: [Self; 8] = [
        Self::NotOptedIn,
        Self::TooLarge,
        Self::UnknownEncoding,
        Self::DamagedEncoding,
        Self::Unsettled,
        Self::RedactionFailed,
        Self::RulesBroken,
        Self::Expired,
    ];

    /// The word for it, as in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotOptedIn => "not_opted_in",
            Self::TooLarge => "too_large",
            Self::UnknownEncoding => "unknown_encoding",
            Self::DamagedEncoding => "damaged_encoding",
            Self::Unsettled => "unsettled",
            Self::RedactionFailed => "redaction_failed",
            Self::RulesBroken => "rules_broken",
            Self::Expired => "expired",
        }
    }
}

impl Oubliette {
    /// Takes in one exchange: each body is redacted, sealed, made durable and entered, or dropped
    /// with a reason. When this returns `Ok`, what it says was stored survives a crash.
    ///
    /// It goes on to its end if the future is dropped, so that no record is left without its row.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound` for the account, `Invalid` for an envelope without bodies or with
    /// details of unreasonable length, `Busy` if the queue is full, `TooLarge` if it could never
    /// take the bodies, `Unavailable` if keys, store or catalog fail. Then nothing was kept.
    pub async fn capture(&self, by: &Principal, envelope: Envelope) -> Result<CaptureOutcome> {
        by.must_capture_for(&envelope.exchange.account)?;
        check(&envelope)?;
        let inner = Arc::clone(self.inner());
        let bytes = envelope.bodies().map(|(_, body)| body.bytes().len()).sum();
        let place = inner.queue.try_reserve(bytes).inspect_err(|error| {
            if error.kind() == ServiceErrorKind::Busy {
                inner.metrics.count(|counters| counters.busy += 1);
            }
        })?;
        let work = async move {
            let outcome = inner.take_in(envelope).await;
            match &outcome {
                Ok(outcome) => outcome.parts.each().for_each(|part| inner.metrics.part(part)),
                Err(error) if error.kind() != ServiceErrorKind::NotFound => {
                    inner.metrics.count(|counters| counters.unavailable += 1);
                    tracing::warn!(%error, "a capture could not be kept");
                }
                Err(_) => {}
            }
            drop(place);
            outcome
        };
        tokio::spawn(work).await.unwrap_or_else(|_| {
            Err(ServiceError::internal("capturing failed; nothing was kept")
                .with_source(std::io::Error::other("a task panicked")))
        })
    }
}

impl Inner {
    /// The way of an envelope. The policy is held from the consent to the row.
    async fn take_in(&self, envelope: Envelope) -> Result<CaptureOutcome> {
        let gate = self.policies.gate(&envelope.exchange.account).await?;
        let policy = gate.hold().await?;
        let mut outcome = CaptureOutcome {
            id: envelope.exchange.id.clone(),
            account: envelope.exchange.account.clone(),
            parts: PartOutcomes::default(),
        };
        let now = self.now_ms();
        let refused = refusal(&policy, &envelope.exchange, now);
        let known = match refused {
            None if !self.recent.is_new(&envelope.exchange, now) => {
                self.known(&envelope.exchange).await?
            }
            _ => None,
        };
        let Envelope { exchange, request, response } = envelope;
        let mut raws = Vec::with_capacity(2);
        for (part, body) in [(Part::Request, request), (Part::Response, response)] {
            let Some(body) = body else { continue };
            let decided = refused
                .map(|reason| PartOutcome::Dropped { reason })
                .or_else(|| too_large(&policy, &body))
                .or_else(|| met_before(known.as_ref(), part));
            match decided {
                Some(decided) => outcome.parts.set(part, decided),
                None => raws.push(Raw { part, body }),
            }
        }
        if raws.is_empty() {
            return Ok(outcome);
        }
        let hour = Hour::from_unix_seconds(now.div_euclid(1000));
        let Some(leaves) = self.leaves(&gate, &policy, hour, raws.len()).await? else {
            // The clock has gone back to hours that are forgotten already.
            for raw in &raws {
                outcome.parts.dropped(raw.part, DropReason::Expired);
            }
            return Ok(outcome);
        };
        self.keep(&gate, &policy, exchange, now, raws, leaves, &mut outcome).await?;
        Ok(outcome)
    }

    /// Redacts, seals, writes and enters.
    #[allow(clippy::too_many_arguments, reason = "one step of one way, split off for its length")]
    async fn keep(
        &self,
        gate: &Gate,
        policy: &Policy,
        exchange: Exchange,
        now: i64,
        raws: Vec<Raw>,
        leaves: Vec<Leaf>,
        outcome: &mut CaptureOutcome,
    ) -> Result<()> {
        let parts: Vec<(Part, usize)> =
            raws.iter().map(|raw| (raw.part, raw.body.bytes().len())).collect();
        let inside = Inside {
            exchange: exchange.clone(),
            part: Part::Request,
            captured_at: now,
            retention_days: policy.settings.retention_days,
            redacted_under: None,
        };
        let (redaction, tag) = (policy.redaction.clone(), gate.tag);
        let (spool, class) = (Arc::clone(&self.spool), policy.class);
        let work = move || {
            let made = pipeline::redact_and_seal(raws, leaves, &redaction, &inside, tag)?;
            // From here, not from the task that waits: that is woken once less.
            Ok::<_, ServiceError>(HandedIn::of(made, &spool, class))
        };
        let Ok(handed_in) = self.workers.run(work).await else {
            for (part, _) in parts {
                outcome.parts.dropped(part, DropReason::RedactionFailed);
            }
            return Ok(());
        };
        let HandedIn { dropped, rows, addresses, appending } = handed_in?;
        for (part, reason) in dropped {
            outcome.parts.dropped(part, reason);
        }
        if rows.is_empty() {
            return Ok(());
        }
        let appended = match appending {
            Ok(appending) => appending.done().await,
            Err(error) => Err(error),
        };
        let locations = match appended {
            Ok(locations) => locations,
            Err(error) => {
                // What does not fit was not written; after any other failure a record may stand in
                // the spool whose gateway is told that nothing was kept.
                if error.kind() != StoreErrorKind::Full {
                    self.abandon(gate.tag, addresses).await;
                }
                return Err(error.into());
            }
        };
        let captures: Vec<NewCapture> = rows
            .iter()
            .zip(&addresses)
            .zip(&locations)
            .map(|((row, address), location)| {
                row.inside.row(*address, location, row.content_type.as_deref(), &row.report)
            })
            .collect();
        let new = NewExchange { exchange, captures };
        let entries = match self.catalog.insert_batch(vec![new], now).await {
            Ok(entries) => entries,
            Err(error) => {
                self.abandon(gate.tag, addresses).await;
                return Err(error.into());
            }
        };
        if !locations.iter().all(|location| self.spool.holds(&location.object_key)) {
            // Uploaded before its row was there: nobody makes that again after a power failure. Should
            // this fail, the gateway is told to try again, and then that it is kept.
            self.catalog.sync().await?;
        }
        for ((row, entry), at) in rows.iter().zip(entries.into_iter().flatten()).zip(&locations) {
            let part = row.inside.part;
            let decided = match entry {
                Entry::Inserted => {
                    self.metrics.findings(&row.report);
                    let raw = parts.iter().find(|(of, _)| *of == part).map_or(0, |(_, len)| *len);
                    self.metrics.count(|counters| {
                        counters.captured_bytes += raw as u64;
                        counters.sealed_bytes += u64::from(at.len);
                    });
                    PartOutcome::Stored { findings: row.report.total() }
                }
                Entry::Duplicate(capture) => again(capture.state),
                Entry::Forgotten => PartOutcome::Forgotten,
                Entry::NoAccount => {
                    self.abandon(gate.tag, addresses).await;
                    return Err(ServiceError::not_found(format!(
                        "there is no account {}",
                        gate.id
                    )));
                }
            };
            if !matches!(decided, PartOutcome::Stored { .. }) {
                // Its address is among the pending shreds now.
                self.wake.notify_one();
            }
            outcome.parts.set(part, decided);
        }
        Ok(())
    }

    /// Leaves for new records. An account that has no tree yet, because a crash came between its
    /// row and its tree, gets one.
    pub(crate) async fn leaves(
        &self,
        gate: &Gate,
        policy: &Policy,
        hour: Hour,
        count: usize,
    ) -> Result<Option<Vec<Leaf>>> {
        let leaves = self.leases.take(&gate.id, gate.tag, hour, count).await?;
        if leaves.is_some() || self.tree.has_account(gate.tag)? {
            return Ok(leaves);
        }
        // Pruning hours leaves an account in the tree, so it never had one.
        let ops = new_tree(gate.tag, &policy.settings, self.expiry.at()).to_vec();
        self.committer.commit(ops).await?;
        self.leases.take(&gate.id, gate.tag, hour, count).await
    }

    async fn known(&self, exchange: &Exchange) -> Result<Option<ExchangeRecord>> {
        match self.catalog.exchange(&exchange.account, &exchange.id).await {
            Ok(record) => Ok(Some(record)),
            Err(error) if error.kind() == CatalogErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Bodies that are on their way to the disk, and those that are not.
struct HandedIn {
    dropped: Vec<(Part, DropReason)>,
    rows: Vec<Row>,
    addresses: Vec<LeafAddress>,
    appending: Result<Appending, StoreError>,
}

impl HandedIn {
    fn of(made: Vec<Made>, spool: &Spool, class: RetentionClass) -> Self {
        let mut dropped = Vec::new();
        let (mut rows, mut addresses) = (Vec::with_capacity(2), Vec::with_capacity(2));
        let mut records = Vec::with_capacity(2);
        for made in made {
            match made {
                Made::Dropped(part, reason) => dropped.push((part, reason)),
                Made::Sealed(part) => {
                    addresses.push(part.sealed.address());
                    rows.push(part.row);
                    records.push((part.sealed, class));
                }
            }
        }
        Self { dropped, rows, addresses, appending: spool.begin_append(records) }
    }
}

impl Envelope {
    fn bodies(&self) -> impl Iterator<Item = (Part, &CapturedBody)> {
        [(Part::Request, &self.request), (Part::Response, &self.response)]
            .into_iter()
            .filter_map(|(part, body)| Some((part, body.as_ref()?)))
    }
}

impl PartOutcomes {
    fn set(&mut self, part: Part, outcome: PartOutcome) {
        match part {
            Part::Request => self.request = Some(outcome),
            Part::Response => self.response = Some(outcome),
        }
    }

    fn dropped(&mut self, part: Part, reason: DropReason) {
        self.set(part, PartOutcome::Dropped { reason });
    }

    fn each(&self) -> impl Iterator<Item = PartOutcome> {
        self.request.into_iter().chain(self.response)
    }
}

/// Details are stored as they come, so they must be of a length that details have.
const MOST_DETAIL_BYTES: usize = 1024;

fn check(envelope: &Envelope) -> Result<()> {
    if envelope.bodies().next().is_none() {
        return Err(ServiceError::invalid("an exchange needs a request, a response or both"));
    }
    let Exchange { api, model, provider, trace_id, cache_key, key_hash, .. } = &envelope.exchange;
    let details = [
        ("api", api),
        ("model", model),
        ("provider", provider),
        ("trace_id", trace_id),
        ("cache_key", cache_key),
        ("key_hash", key_hash),
    ];
    for (name, detail) in details {
        if detail.as_ref().is_some_and(|detail| detail.len() > MOST_DETAIL_BYTES) {
            return Err(ServiceError::invalid(format!(
                "{name} is longer than {MOST_DETAIL_BYTES} bytes: send it shorter, or leave it out"
            )));
        }
    }
    Ok(())
}

/// Why no body of this exchange is taken.
fn refusal(policy: &Policy, exchange: &Exchange, now: i64) -> Option<DropReason> {
    if !policy.settings.capture {
        Some(DropReason::NotOptedIn)
    } else if policy.is_over(exchange.time, now) {
        Some(DropReason::Expired)
    } else if matches!(policy.redaction, Redaction::Broken) {
        Some(DropReason::RulesBroken)
    } else {
        None
    }
}

fn too_large(policy: &Policy, body: &CapturedBody) -> Option<PartOutcome> {
    (body.bytes().len() as u64 > policy.settings.max_body_bytes)
        .then_some(PartOutcome::Dropped { reason: DropReason::TooLarge })
}

fn met_before(known: Option<&ExchangeRecord>, part: Part) -> Option<PartOutcome> {
    let capture = known?.captures.iter().find(|capture| capture.part == part)?;
    Some(again(capture.state))
}

fn again(state: CaptureState) -> PartOutcome {
    match state {
        CaptureState::Stored => PartOutcome::Duplicate,
        CaptureState::Shredded | CaptureState::Expired => PartOutcome::Forgotten,
    }
}

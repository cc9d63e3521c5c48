//! Redacting again what is stored, under today's rules.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, stream};
use oubliette_catalog::{
    AccountId, Capture, CaptureFilter, CaptureState, Cursor, ExchangeId, Job, JobState, MAX_PAGE,
    Order, ReplaceOutcome, Replacement,
};
use oubliette_redact::RedactedBody;
use oubliette_seal::{Expected, OpenedBody};
use oubliette_store::StoreErrorKind;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::access::Principal;
use crate::error::{Result, ServiceError};
use crate::oubliette::{Inner, Oubliette, new_id};
use crate::pipeline::{self, Made};
use crate::policy::{Gate, Held, Redacting, Redaction};
use crate::record::{self, Inside};
use crate::workers::with_opener;

/// Which bodies are to be redacted again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReredactRange {
    /// Only bodies captured from this moment on, in Unix milliseconds.
    pub from: Option<i64>,
    /// Only bodies captured before this moment.
    pub to: Option<i64>,
}

/// How far a re-redaction is. In JSON it is a line of the HTTP API's progress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReredactProgress {
    /// The id of the job; empty for a dry run.
    pub job: String,
    /// Bodies looked at, those of an earlier run of the same job included.
    pub done: u64,
    /// Bodies there were when it began.
    pub total: u64,
    /// Bodies whose bytes changed; in a dry run, would change. Those that a run changed in the
    /// moment before it was killed are done and not counted.
    pub changed: u64,
    /// Bodies that could not be opened or redacted. They stay as they are.
    pub failed: u64,
}

/// What a re-redaction did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReredactOutcome {
    /// The last progress.
    #[serde(flatten)]
    pub progress: ReredactProgress,
    /// What the new rules found that the old had left, by rule.
    pub findings: BTreeMap<String, u64>,
    /// The digest of the rule set it was done under.
    pub rule_set: String,
}

impl Oubliette {
    /// Opens each stored body of an account, redacts it under today's rules and settings, seals what
    /// is new under a new key, puts it in the old one's place, and erases the old key.
    ///
    /// It may be killed at any moment and run again: what is done is not done twice, and each body
    /// is at any time readable in one of its two forms. Expiry goes by the first capture, always.
    /// `progress` is called after every few bodies.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Conflict` if redaction is off, the account's rules are broken or
    /// change on the way, or another run is under way; `Unavailable` if keys, store or catalog fail:
    /// run it again.
    pub async fn reredact(
        &self,
        by: &Principal,
        account: &AccountId,
        range: ReredactRange,
        dry_run: bool,
        mut progress: impl FnMut(&ReredactProgress) + Send,
    ) -> Result<ReredactOutcome> {
        by.must_own_or_operate(account)?;
        let inner = self.inner();
        let gate = inner.policies.gate(account).await?;
        let redacting = redacting(account, &gate.hold().await?.redaction)?;
        let _alone = if dry_run { None } else { Some(inner.under_way.enter(account)?) };
        let detail = json!({ "from_ms": range.from, "to_ms": range.to, "dry_run": dry_run });
        inner.record(by, Some(account), "account.reredact", account.as_str(), detail).await?;

        let rule_set = redacting.redactor.rules().digest().to_string();
        let total = inner.count_stored(account, range).await?;
        let mut job = Progress::begin(inner, account, range, &redacting, dry_run).await?;
        job.now.total = total.max(job.now.done);
        progress(&job.now);
        loop {
            let page = inner.stored(account, range, job.cursor, PAGE).await?;
            let (done, bodies) = (page.items.len() as u64, by_exchange(page.items));
            let mut results = stream::iter(bodies)
                .map(|captures| {
                    let work = Arc::clone(inner).reredact_exchange(
                        Arc::clone(&gate),
                        Arc::clone(&redacting),
                        captures,
                        dry_run,
                    );
                    // A task of its own: nothing may end between a new record and its row.
                    tokio::spawn(work)
                })
                .buffer_unordered(2 * inner.workers.threads());
            while let Some(result) = results.next().await {
                let result = result.map_err(|_| {
                    ServiceError::internal("redacting again failed; run it again")
                })??;
                job.now.changed += result.changed;
                job.now.failed += result.failed;
                record::add_counts(&mut job.findings, &result.findings);
            }
            drop(results);
            job.now.done += done;
            job.now.total = job.now.total.max(job.now.done);
            if !dry_run {
                inner.finish_shreds().await?;
            }
            let more = page.next.is_some();
            job.cursor = page.next.or(job.cursor);
            job.save(inner, more).await?;
            progress(&job.now);
            if !more {
                return Ok(ReredactOutcome { progress: job.now, findings: job.findings, rule_set });
            }
        }
    }
}

/// The accounts whose bodies are being redacted again.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Mutex<HashSet<AccountId>>);

/// One run at a time for an account, until this is dropped.
struct Alone {
    under_way: Arc<UnderWay>,
    account: AccountId,
}

impl UnderWay {
    fn enter(self: &Arc<Self>, account: &AccountId) -> Result<Alone> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !accounts.insert(account.clone()) {
            return Err(ServiceError::conflict(format!(
                "the bodies of account {account} are being redacted again already: wait for it"
            )));
        }
        Ok(Alone { under_way: Arc::clone(self), account: account.clone() })
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let mut accounts = self.under_way.0.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.remove(&self.account);
    }
}

/// How far a run is, and its row if it has one.
struct Progress {
    now: ReredactProgress,
    findings: BTreeMap<String, u64>,
    cursor: Option<Cursor>,
    row: Option<Job>,
}

impl Progress {
    /// Takes up a run that was killed, if it was the same, or begins one.
    async fn begin(
        inner: &Inner,
        account: &AccountId,
        range: ReredactRange,
        redacting: &Redacting,
        dry_run: bool,
    ) -> Result<Self> {
        let mut begun = Self {
            now: ReredactProgress::default(),
            findings: BTreeMap::new(),
            cursor: None,
            row: None,
        };
        if dry_run {
            return Ok(begun);
        }
        let same = |job: &Job| {
            (&job.rule_set, job.from, job.to) == (&redacting.fingerprint, range.from, range.to)
        };
        let running = inner.catalog.jobs(Some(account), Some(JobState::Running)).await?;
        let row = match running.into_iter().find(same) {
            Some(job) => {
                begun.now.done = job.counts.get(DONE).copied().unwrap_or_default();
                begun.now.changed = job.counts.get(CHANGED).copied().unwrap_or_default();
                begun.now.failed = job.counts.get(FAILED).copied().unwrap_or_default();
                begun.findings = job
                    .counts
                    .iter()
                    .filter_map(|(name, count)| {
                        Some((name.strip_prefix(FOUND)?.to_owned(), *count))
                    })
                    .collect();
                begun.cursor = job.cursor;
                job
            }
            None => {
                let now = inner.now_ms();
                let job = Job {
                    id: new_id('j')?,
                    account: account.clone(),
                    rule_set: redacting.fingerprint.clone(),
                    from: range.from,
                    to: range.to,
                    state: JobState::Running,
                    cursor: None,
                    counts: BTreeMap::new(),
                    created_at: now,
                    updated_at: now,
                };
                inner.catalog.create_job(job.clone()).await?;
                job
            }
        };
        begun.now.job.clone_from(&row.id);
        begun.row = Some(row);
        Ok(begun)
    }

    async fn save(&mut self, inner: &Inner, more: bool) -> Result<()> {
        let Some(job) = &mut self.row else { return Ok(()) };
        job.counts =
            [(DONE, self.now.done), (CHANGED, self.now.changed), (FAILED, self.now.failed)]
                .map(|(name, count)| (name.to_owned(), count))
                .into_iter()
                .chain(self.findings.iter().map(|(rule, count)| (format!("{FOUND}{rule}"), *count)))
                .collect();
        job.cursor = self.cursor;
        job.state = if more { JobState::Running } else { JobState::Done };
        job.updated_at = inner.now_ms();
        Ok(inner.catalog.save_job(job.clone()).await?)
    }
}

/// The names of a job's counts.
const DONE: &str = "done";
const CHANGED: &str = "changed";
const FAILED: &str = "failed";
/// Begins the name of a count of findings of one rule.
const FOUND: &str = "found:";

/// So many captures are listed at a time, and their old keys erased in one commit.
const PAGE: u32 = 256;

/// What became of the bodies of one exchange.
#[derive(Default)]
struct Counted {
    changed: u64,
    failed: u64,
    findings: BTreeMap<String, u64>,
}

impl Inner {
    async fn stored(
        &self,
        account: &AccountId,
        range: ReredactRange,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<oubliette_catalog::Page<Capture>> {
        let filter = CaptureFilter {
            from: range.from,
            to: range.to,
            part: None,
            state: Some(CaptureState::Stored),
            order: Order::Oldest,
            cursor,
            limit,
        };
        Ok(self.catalog.captures(account, filter).await?)
    }

    async fn count_stored(&self, account: &AccountId, range: ReredactRange) -> Result<u64> {
        let (mut count, mut cursor) = (0, None);
        loop {
            let page = self.stored(account, range, cursor, MAX_PAGE).await?;
            count += page.items.len() as u64;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(count);
            }
        }
    }

    /// Redacts the bodies of one exchange together, so that they share their placeholders.
    async fn reredact_exchange(
        self: Arc<Self>,
        gate: Arc<Gate>,
        redacting: Arc<Redacting>,
        listed: Vec<Capture>,
        dry_run: bool,
    ) -> Result<Counted> {
        // From here on settings stay as they are and the tree is not erased.
        let policy = gate.hold().await?;
        if self::redacting(&gate.id, &policy.redaction)?.fingerprint != redacting.fingerprint {
            return Err(ServiceError::conflict(
                "the account's rules changed meanwhile: run it again under the new ones",
            ));
        }
        let mut result = Counted::default();
        let mut bodies = Vec::with_capacity(2);
        for capture in listed {
            match self.fetch(&gate, &capture).await? {
                Fetched::Record(bytes, expected, key) => {
                    bodies.push((capture, bytes, expected, key));
                }
                Fetched::Forgotten => {}
                Fetched::Lost => result.failed += 1,
            }
        }
        let count = bodies.len() as u64;
        let again = {
            let redacting = Arc::clone(&redacting);
            self.workers.run(move || {
                let opened = bodies.into_iter().map(|(capture, bytes, expected, key)| {
                    (capture, with_opener(|opener| opener.open(&bytes, &expected, &key)).ok())
                });
                redact_again(opened.collect(), &redacting)
            })
        };
        let Ok(again) = again.await else {
            result.failed += count;
            return Ok(result);
        };
        for again in again {
            match again {
                Again::Same => {}
                Again::Failed => result.failed += 1,
                Again::New(form) => {
                    let NewForm { capture, inside, body, changed } = *form;
                    record::add_counts(&mut result.findings, &body.report().findings);
                    let replaced =
                        dry_run || self.replace(&gate, &policy, capture, inside, body).await?;
                    result.changed += u64::from(changed && replaced);
                }
            }
        }
        Ok(result)
    }

    async fn fetch(&self, gate: &Gate, capture: &Capture) -> Result<Fetched> {
        let Some(location) = &capture.location else { return Ok(Fetched::Forgotten) };
        let Ok(location) = record::to_store(location) else { return Ok(Fetched::Lost) };
        let expected = Expected { account: gate.tag, address: capture.address };
        let Some(key) = self.tree.derive_leaf(expected.account, expected.address)? else {
            return Ok(Fetched::Forgotten);
        };
        match self.spool.read(&location).await {
            Ok(bytes) => Ok(Fetched::Record(bytes, expected, key)),
            Err(error)
                if matches!(error.kind(), StoreErrorKind::NotFound | StoreErrorKind::Damaged) =>
            {
                Ok(Fetched::Lost)
            }
            // The store is away: go on another time rather than leave all the rest behind.
            Err(error) => Err(error.into()),
        }
    }

    /// Seals a new form of a body, writes it, and puts it in the old one's place.
    async fn replace(
        &self,
        gate: &Gate,
        policy: &Held,
        old: Capture,
        inside: Inside,
        body: RedactedBody,
    ) -> Result<bool> {
        let Some(mut leaves) = self.leases.take(&gate.id, gate.tag, old.address.hour(), 1).await?
        else {
            return Ok(false); // forgotten on the way
        };
        let leaf = leaves.pop().expect("one was asked for");
        let (address, tag) = (leaf.0, gate.tag);
        let made = self
            .workers
            .run(move || pipeline::seal(&body, inside, leaf, tag))
            .await
            .map_err(|_| ServiceError::internal("a body could not be sealed again"))??;
        let Made::Sealed(part) = made else { return Ok(false) };
        let location = match self.spool.append(part.sealed, policy.class).await {
            Ok(location) => location,
            Err(error) => {
                if error.kind() != StoreErrorKind::Full {
                    self.abandon(tag, vec![address]).await;
                }
                return Err(error.into());
            }
        };
        let row = part.row;
        let mut new = row.inside.row(address, &location, row.content_type.as_deref(), &row.report);
        // What was taken out before is still out.
        record::add_counts(&mut new.findings, &old.findings);
        let replacement = Replacement {
            account: gate.id.clone(),
            exchange: old.exchange,
            old_address: old.address,
            new,
        };
        match self.catalog.replace_location(replacement, self.now_ms()).await {
            Ok(ReplaceOutcome::Replaced | ReplaceOutcome::AlreadyReplaced) => {
                self.metrics.count(|counters| counters.reredacted += 1);
                Ok(true)
            }
            // It was shredded meanwhile, which wins; the new address is on the list.
            Ok(ReplaceOutcome::Lost) => Ok(false),
            Err(error) => {
                self.abandon(tag, vec![address]).await;
                Err(error.into())
            }
        }
    }
}

enum Fetched {
    Record(bytes::Bytes, Expected, oubliette_keytree::LeafKey),
    Forgotten,
    Lost,
}

/// A body in its new form.
struct NewForm {
    capture: Capture,
    inside: Inside,
    body: RedactedBody,
    changed: bool,
}

/// What redacting again makes of one body.
enum Again {
    Same,
    Failed,
    New(Box<NewForm>),
}

fn redact_again(bodies: Vec<(Capture, Option<OpenedBody>)>, today: &Redacting) -> Vec<Again> {
    let mut opened = Vec::with_capacity(bodies.len());
    let mut again = Vec::with_capacity(bodies.len());
    for (capture, body) in bodies {
        match body.and_then(|body| Some((Inside::from_bytes(body.exchange()).ok()?, body))) {
            Some((inside, body)) => opened.push((capture, inside, body)),
            None => again.push(Again::Failed),
        }
    }
    let is_todays =
        |inside: &Inside| inside.redacted_under.as_deref() == Some(today.fingerprint.as_str());
    if opened.iter().all(|(_, inside, _)| is_todays(inside)) {
        again.extend(opened.iter().map(|_| Again::Same));
        return again;
    }
    let api = opened.first().and_then(|(_, inside, _)| inside.exchange.api.as_deref());
    let mut exchange = today.redactor.exchange_of(api.unwrap_or_default());
    for (capture, mut inside, body) in opened {
        let before = Sha256::digest(body.bytes());
        again.push(match exchange.redact(body.into_captured()) {
            Ok(body) => {
                let changed = Sha256::digest(body.bytes()) != before;
                if !changed && is_todays(&inside) {
                    Again::Same
                } else {
                    inside.redacted_under = Some(today.fingerprint.clone());
                    Again::New(Box::new(NewForm { capture, inside, body, changed }))
                }
            }
            Err(_) => Again::Failed,
        });
    }
    again
}

/// The redactor to redact with, if there is one.
fn redacting(account: &AccountId, redaction: &Redaction) -> Result<Arc<Redacting>> {
    let why = match redaction {
        Redaction::On(redacting) => return Ok(Arc::clone(redacting)),
        Redaction::Off(_) => "redaction is switched off",
        Redaction::Broken => "the custom rules do not compile any more",
    };
    Err(ServiceError::conflict(format!(
        "the bodies of account {account} cannot be redacted again: {why}; change its settings first"
    )))
}

/// The captures of a page, by exchange; the request first, whose placeholders come first.
fn by_exchange(captures: Vec<Capture>) -> Vec<Vec<Capture>> {
    let mut exchanges: Vec<Vec<Capture>> = Vec::new();
    let mut places: HashMap<ExchangeId, usize> = HashMap::new();
    for capture in captures {
        let place = *places.entry(capture.exchange.clone()).or_insert_with(|| {
            exchanges.push(Vec::with_capacity(2));
            exchanges.len() - 1
        });
        exchanges[place].push(capture);
    }
    for parts in &mut exchanges {
        parts.sort_by_key(|capture| capture.part);
    }
    exchanges
}

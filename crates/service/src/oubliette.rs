//! The service itself: one value through which every use case goes.

use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use oubliette_catalog::{AccountId, AuditEvent, Catalog};
use oubliette_keytree::{Hour, KeyTree};
use oubliette_store::{ObjectStore, Spool};
use tokio::sync::Notify;

use crate::access::Principal;
use crate::clock::Clock;
use crate::committer::Committer;
use crate::error::{Result, ServiceError};
use crate::expire::Expiry;
use crate::expiry_clock::ExpiryClock;
use crate::layout::Components;
use crate::leases::Leases;
use crate::metrics::Metrics;
use crate::orphans::Orphans;
use crate::policy::Policies;
use crate::published::Published;
use crate::queue::Queue;
use crate::recent::Recent;
use crate::reredact::UnderWay;
use crate::rows::Rows;
use crate::service_key::ServiceKey;
use crate::sweep::Sweeping;
use crate::workers::Workers;

/// The service. Cheap to clone; every clone is the same service.
///
/// Dropping the last clone without [`close`](Self::close) is like a crash: nothing that was
/// acknowledged is lost.
#[derive(Clone)]
pub struct Oubliette(Arc<Inner>);

/// What [`Oubliette::close`] has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "what is left waits on this disk for the next start"]
pub struct Closed {
    /// Envelopes that were still being worked on when time ran out. They were not acknowledged.
    pub captures: usize,
    /// Segments that are not uploaded yet. They are safe on disk.
    pub segments: usize,
}

impl Oubliette {
    /// Puts the service together, finishes what an earlier life left undone, and starts what runs
    /// in the background. Must be called inside a tokio runtime.
    ///
    /// In this order: keys that were to be erased are erased, records that a crash left without a
    /// row get theirs, then captures are taken.
    ///
    /// # Errors
    /// `Configuration` with the mend if a folder or a rule pack cannot be used, and whatever the
    /// parts report.
    pub async fn start(components: Components) -> Result<Self> {
        let Components {
            catalog,
            tree,
            store,
            log,
            log_store,
            spool_dir,
            spool,
            clock,
            service_key,
            options,
        } = components;
        let log = Arc::new(Mutex::new(log));
        let tree = Arc::new(tree);
        let key = Arc::new(service_key);
        let workers = Arc::new(Workers::start(options.threads)?);
        let policies =
            Policies::new(Arc::clone(&catalog), Arc::clone(&workers), Arc::clone(&key), &options)
                .await?;
        let seconds: oubliette_store::Clock = {
            let clock = Arc::clone(&clock);
            Arc::new(move || clock.now_ms().div_euclid(1000))
        };
        let (rows, entered) = Rows::new(Arc::clone(&catalog));
        let (spool, recovered) =
            Spool::open_for(spool_dir, spool, Arc::clone(&store), seconds, Arc::new(rows)).await?;
        let expiry = {
            let most = i64::try_from(options.most_clock_ahead.as_millis()).unwrap_or(i64::MAX);
            let seen = catalog.expiry_clock().await?;
            Expiry::new(ExpiryClock::new(seen, clock.now_ms(), clock.steady_ms(), most))
        };
        let wake = Arc::new(Notify::new());
        let inner = Arc::new(Inner {
            committer: Committer::start(Arc::clone(&tree), Arc::clone(&catalog), Arc::clone(&log)),
            leases: Leases::new(Arc::clone(&catalog), Arc::clone(&tree)),
            queue: Arc::new(Queue::new(options.queue_captures, options.queue_bytes)),
            metrics: Metrics::default(),
            recent: Recent::since(clock.now_ms()),
            expiry,
            orphans: Orphans::default(),
            under_way: Arc::new(UnderWay::default()),
            sweeping: Sweeping::default(),
            sweep_every: options.sweep_every,
            wake: Arc::clone(&wake),
            published: Published::new(log, log_store),
            catalog,
            tree,
            store,
            spool: Arc::new(spool),
            clock,
            key,
            workers,
            policies,
        });
        inner.finish_shreds().await?;
        inner.recover(&recovered).await?;
        entered.send_replace(true);
        tokio::spawn(in_background(Arc::downgrade(&inner), wake, options.expire_every));
        Ok(Self(inner))
    }

    /// Now, in Unix milliseconds, by the service's clock.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.0.now_ms()
    }

    /// Takes no more captures, finishes those in hand, and brings the spool to the object store,
    /// all within `deadline`. Reading goes on to work.
    ///
    /// # Errors
    /// `Unavailable` if it has been closed before.
    pub async fn close(&self, deadline: Duration) -> Result<Closed> {
        let inner = &self.0;
        let end = tokio::time::Instant::now() + deadline;
        inner.queue.close();
        let captures = inner.queue.emptied(deadline).await;
        let left = end.saturating_duration_since(tokio::time::Instant::now());
        let flushed = inner.spool.close(left).await?;
        let left = end.saturating_duration_since(tokio::time::Instant::now());
        // What is not published now is published by the next start.
        let _ = tokio::time::timeout(left, inner.publish()).await;
        Ok(Closed { captures, segments: flushed.left })
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }
}

impl fmt::Debug for Oubliette {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oubliette")
            .field("catalog", &self.0.catalog)
            .field("spool", &self.0.spool)
            .finish_non_exhaustive()
    }
}

/// What all use cases share.
pub(crate) struct Inner {
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) tree: Arc<KeyTree>,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) spool: Arc<Spool>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) key: Arc<ServiceKey>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) policies: Policies,
    pub(crate) committer: Committer,
    pub(crate) leases: Leases,
    pub(crate) queue: Arc<Queue>,
    pub(crate) metrics: Metrics,
    pub(crate) recent: Recent,
    pub(crate) expiry: Expiry,
    pub(crate) orphans: Orphans,
    pub(crate) published: Published,
    pub(crate) under_way: Arc<UnderWay>,
    pub(crate) sweeping: Sweeping,
    pub(crate) sweep_every: Duration,
    /// Brings the next round in the background forward.
    pub(crate) wake: Arc<Notify>,
}

impl Inner {
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    pub(crate) fn hour(&self) -> Hour {
        Hour::from_unix_seconds(self.now_ms().div_euclid(1000))
    }

    /// Records what is about to be done. Durable when it returns.
    pub(crate) async fn record(
        &self,
        by: &Principal,
        account: Option<&AccountId>,
        action: &str,
        subject: impl Into<String>,
        detail: serde_json::Value,
    ) -> Result<()> {
        let event = self.event(by, account, action, subject, detail);
        self.catalog.append_audit(event).await?;
        Ok(())
    }

    /// What is about to be done, as the audit has it. For calls that append it together with the change.
    pub(crate) fn event(
        &self,
        by: &Principal,
        account: Option<&AccountId>,
        action: &str,
        subject: impl Into<String>,
        detail: serde_json::Value,
    ) -> AuditEvent {
        AuditEvent {
            at: self.now_ms(),
            account: account.cloned(),
            actor: by.actor(),
            action: action.to_owned(),
            subject: subject.into(),
            detail,
        }
    }
}

/// A new id: a letter for what it is of, and 80 random bits. Unguessable, though nothing rests on
/// that.
pub(crate) fn new_id(kind: char) -> Result<String> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).map_err(ServiceError::no_randomness)?;
    Ok(format!("{kind}{}", hex::encode(bytes)))
}

/// What is done every minute, or sooner if woken, for as long as the service lives.
async fn in_background(service: Weak<Inner>, wake: Arc<Notify>, every: Duration) {
    // Held only while it works: the service may be dropped in between, which wakes it too.
    while let Some(inner) = service.upgrade() {
        inner.round().await;
        drop(inner);
        let _ = tokio::time::timeout(every, wake.notified()).await; // either is reason enough
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

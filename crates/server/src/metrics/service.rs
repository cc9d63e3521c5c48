//! The service's own counts, taken once per scrape.

use std::fmt;

use oubliette_service::{DropReason, Status};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

/// How things stood at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) status: Status,
    pub(super) now_ms: i64,
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut to = Encoder(encoder);
        self.captures(&mut to)?;
        self.accesses(&mut to)?;
        self.queue_and_spool(&mut to)?;
        self.forgetting(&mut to)?;
        to.gauge(
            "build_info",
            "The version that runs",
            None,
            &[(&[("version", env!("CARGO_PKG_VERSION"))], 1.0)],
        )
    }
}

impl Snapshot {
    fn captures(&self, to: &mut Encoder<'_>) -> Result<(), fmt::Error> {
        let counters = &self.status.counters;
        let dropped = |reason| counters.dropped.get(&reason).copied().unwrap_or(0);
        let mut outcomes: Vec<([(&str, &str); 2], u64)> = vec![
            ([("outcome", "stored"), ("reason", "")], counters.stored),
            ([("outcome", "duplicate"), ("reason", "")], counters.duplicates),
            ([("outcome", "forgotten"), ("reason", "")], counters.forgotten),
        ];
        // Every reason from the beginning: a rate needs its zero.
        outcomes.extend(DropReason::ALL.into_iter().map(|reason| {
            ([("outcome", "dropped"), ("reason", reason.as_str())], dropped(reason))
        }));
        to.counter("captures", "Bodies handed in, by what became of them", None, &outcomes)?;
        to.counter(
            "envelopes_refused",
            "Envelopes of which nothing was kept, by why",
            None,
            &[
                ([("reason", "busy")], counters.busy),
                ([("reason", "unavailable")], counters.unavailable),
            ],
        )?;
        let bytes = Some(&Unit::Bytes);
        to.counter(
            "captured",
            "Bytes of stored bodies, as they came",
            bytes,
            &[([], counters.captured_bytes)],
        )?;
        to.counter(
            "sealed",
            "Bytes of their sealed records",
            bytes,
            &[([], counters.sealed_bytes)],
        )?;
        // Accounts may name entities of their own; what a scrape shows stays bounded.
        let named = counters.findings.iter().take(MAX_ENTITIES);
        let rest: u64 = counters.findings.values().skip(MAX_ENTITIES).sum();
        let mut findings: Vec<_> =
            named.map(|(entity, count)| ([("entity", entity.as_str())], *count)).collect();
        if rest > 0 {
            findings.push(([("entity", "other")], rest));
        }
        to.counter("findings", "Findings acted upon", None, &findings)
    }

    fn accesses(&self, to: &mut Encoder<'_>) -> Result<(), fmt::Error> {
        let counters = &self.status.counters;
        to.counter(
            "reads",
            "Reads of bodies, by whether a grant opened them",
            None,
            &[
                ([("outcome", "granted")], counters.reads),
                ([("outcome", "refused")], counters.reads_refused),
            ],
        )?;
        to.counter(
            "shredded_keys",
            "Keys erased because someone asked",
            None,
            &[([], counters.shredded)],
        )?;
        to.counter("reredacted", "Bodies redacted again", None, &[([], counters.reredacted)])
    }

    fn queue_and_spool(&self, to: &mut Encoder<'_>) -> Result<(), fmt::Error> {
        let bytes = Some(&Unit::Bytes);
        let Status { queued_captures, queued_bytes, spool, .. } = &self.status;
        to.number("queue_captures", "Envelopes in the queue", None, *queued_captures as f64)?;
        to.number("queue", "Bytes of bodies in the queue", bytes, *queued_bytes as f64)?;
        to.number("spool", "Bytes that the spool holds", bytes, spool.spool_bytes as f64)?;
        to.number("spool_max", "The most bytes it may hold", bytes, spool.max_bytes as f64)?;
        to.number(
            "spool_pending",
            "Bytes in memory that wait to be written to the spool",
            bytes,
            spool.pending_bytes as f64,
        )?;
        to.number(
            "uploading",
            "Bytes of segments that are being uploaded",
            bytes,
            spool.uploading_bytes as f64,
        )?;
        to.counter(
            "store_reads",
            "Reads of records that did not take one request, by why",
            None,
            &[
                ([("outcome", "cached")], spool.cached_reads),
                ([("outcome", "hedged")], spool.hedged_reads),
            ],
        )?;
        to.gauge(
            "spool_segments",
            "Segments on this disk",
            None,
            &[
                (&[("state", "open")], spool.open_segments as f64),
                (&[("state", "waiting")], spool.waiting_segments as f64),
                (&[("state", "set_aside")], spool.set_aside_segments as f64),
            ],
        )?;
        to.number(
            "spool_oldest_waiting",
            "Age of the oldest segment that is not uploaded",
            Some(&Unit::Seconds),
            spool.oldest_waiting_age.unwrap_or_default().as_secs_f64(),
        )?;
        to.counter(
            "uploads",
            "Attempts to upload a segment",
            None,
            &[
                ([("outcome", "done")], spool.uploaded_segments),
                ([("outcome", "failed")], spool.upload_failures),
            ],
        )?;
        let counters = &self.status.counters;
        to.counter(
            "swept_segments",
            "Segments taken out of the object store, by why",
            None,
            &[
                ([("reason", "dead")], counters.swept_segments),
                ([("reason", "compacted")], counters.compacted_segments),
            ],
        )?;
        to.counter(
            "spool_damaged_files",
            "Spool files found damaged and kept aside",
            None,
            &[([], spool.damaged_files)],
        )
    }

    fn forgetting(&self, to: &mut Encoder<'_>) -> Result<(), fmt::Error> {
        let seconds = Some(&Unit::Seconds);
        let usable = if self.status.keys.is_some() { 1.0 } else { 0.0 };
        to.number("keys_usable", "Whether keys can be used: 1 or 0", None, usable)?;
        if let Some(keys) = &self.status.keys {
            let generation = keys.generation.number() as f64;
            to.number("root_generation", "The generation of the root key", None, generation)?;
            to.number("key_accounts", "Accounts that have a key tree", None, keys.accounts as f64)?;
            to.number("key_entries", "Living subtrees of all of them", None, keys.entries as f64)?;
            to.number("key_pages", "Key pages in force", None, keys.pages as f64)?;
            to.number(
                "key_state",
                "Bytes of key pages in force",
                Some(&Unit::Bytes),
                keys.bytes as f64,
            )?;
        }
        if let Some(pending) = self.status.pending_shreds {
            to.number("pending_shreds", "Keys still to be erased", None, pending as f64)?;
        }
        if let Some(at) = self.status.last_expiry {
            to.number(
                "last_expiry_timestamp",
                "When the last expiry ended",
                seconds,
                at as f64 / 1e3,
            )?;
        }
        to.number(
            "clock_ahead",
            "How much further ahead the clock is than expiry believes",
            seconds,
            self.status.clock_ahead_ms.unwrap_or(0) as f64 / 1e3,
        )?;
        to.number("clock_timestamp", "The time of the service", seconds, self.now_ms as f64 / 1e3)
    }
}

/// A [`DescriptorEncoder`] for values that are known already.
struct Encoder<'a>(DescriptorEncoder<'a>);

type Label<'a> = (&'static str, &'a str);

impl Encoder<'_> {
    /// A counter, one row for each set of labels.
    fn counter<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        rows: &[([Label<'_>; N], u64)],
    ) -> Result<(), fmt::Error> {
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Counter)?;
        for (labels, value) in rows {
            let value = ConstCounter::new(*value);
            if N == 0 {
                value.encode(metric)?;
                // A metric without labels has one row.
                return Ok(());
            }
            value.encode(metric.encode_family(labels)?)?;
        }
        Ok(())
    }

    /// A gauge, one row for each set of labels.
    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        rows: &[(&[Label<'_>], f64)],
    ) -> Result<(), fmt::Error> {
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (labels, value) in rows {
            ConstGauge::new(*value).encode(metric.encode_family(labels)?)?;
        }
        Ok(())
    }

    /// A gauge without labels.
    fn number(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: f64,
    ) -> Result<(), fmt::Error> {
        let metric = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        ConstGauge::new(value).encode(metric)
    }
}

/// Several times the entities of the standard rules.
const MAX_ENTITIES: usize = 256;

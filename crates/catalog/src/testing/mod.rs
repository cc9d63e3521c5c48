//! The conformance suite: what every [`Catalog`] must do, whatever database is behind it.
//!
//! Implement [`Bench`] for it and call [`conformance`], which panics at the first clause of the
//! contract that is broken.
#![allow(clippy::unwrap_used, reason = "a conformance suite reports by panicking")]

mod access;
mod accounts;
mod captures;
mod forgetting;
mod records;

use std::{collections::BTreeMap, future::Future, sync::Arc};

use async_trait::async_trait;
use oubliette_keytree::{Hour, LeafAddress};

use crate::{
    account::AccountId,
    audit::AuditEvent,
    capture::{Capture, Entry, Location, NewCapture, Part},
    catalog::Catalog,
    error::{CatalogError, CatalogErrorKind},
    exchange::{Exchange, ExchangeId, NewExchange},
};

/// Where the catalogs to be tested come from.
#[async_trait]
pub trait Bench: Send + Sync {
    /// A catalog with nothing in it.
    async fn fresh(&self) -> Arc<dyn Catalog>;

    /// The same catalog after it was shut down and started again.
    async fn reopen(&self, catalog: Arc<dyn Catalog>) -> Arc<dyn Catalog>;
}

/// Puts a catalog through its contract.
///
/// # Panics
/// If the contract is broken.
pub async fn conformance(bench: &dyn Bench) {
    accounts::all(bench).await;
    captures::all(bench).await;
    forgetting::all(bench).await;
    access::all(bench).await;
    records::all(bench).await;
}

/// A Unix time in milliseconds at the beginning of hour 500,000 (in January 2027).
const NOW: i64 = 500_000 * HOUR_MS;
const HOUR_MS: i64 = 3_600_000;

fn account(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

fn exchange_id(id: &str) -> ExchangeId {
    ExchangeId::new(id).unwrap()
}

fn hour(number: u32) -> Hour {
    Hour::new(number).unwrap()
}

/// A leaf in the hour of [`NOW`].
pub(crate) fn leaf(sequence: u32) -> LeafAddress {
    leaf_in(500_000, sequence)
}

fn leaf_in(number: u32, sequence: u32) -> LeafAddress {
    LeafAddress::new(hour(number), 3, sequence).unwrap()
}

/// A catalog with the account `acme`.
async fn with_acme(bench: &dyn Bench) -> (Arc<dyn Catalog>, AccountId) {
    let catalog = bench.fresh().await;
    let acme = account("acme");
    catalog.create_account(&acme, NOW).await.unwrap();
    (catalog, acme)
}

fn exchange(account: &AccountId, id: &str, time: i64) -> Exchange {
    Exchange {
        api: Some("openai-chat".into()),
        model: Some("gpt".into()),
        provider: Some("openai".into()),
        status: Some(200),
        tokens_in: Some(11),
        latency_ms: Some(1234),
        trace_id: Some("trace-of-the-exchange".into()),
        cache_key: Some("ca5e".into()),
        key_hash: Some("6a51".into()),
        ..Exchange::new(account.clone(), exchange_id(id), time)
    }
}

fn sealed(part: Part, address: LeafAddress, captured_at: i64) -> NewCapture {
    NewCapture {
        part,
        address,
        location: Location {
            segment: "01JSEGMENT".into(),
            object: "r7/2027/01/15/08/01JSEGMENT.seg".into(),
            offset: 4096 * u64::from(address.sequence()),
            len: 1000,
        },
        captured_at,
        retention_days: 7,
        content_type: Some("application/json".into()),
        format: "json".into(),
        rule_set: Some("d1be57".into()),
        findings: BTreeMap::from([("email".to_owned(), 2), ("iban".to_owned(), 1)]),
    }
}

/// Request and response of an exchange at `time`, under the leaves `2n` and `2n + 1` of `hour`.
fn both(account: &AccountId, id: &str, time: i64, n: u32) -> NewExchange {
    let hour = u32::try_from(time / HOUR_MS).unwrap();
    NewExchange {
        exchange: exchange(account, id, time),
        captures: vec![
            sealed(Part::Request, leaf_in(hour, 2 * n), time),
            sealed(Part::Response, leaf_in(hour, 2 * n + 1), time + 5),
        ],
    }
}

pub(crate) fn one(account: &AccountId, id: &str, part: Part, address: LeafAddress) -> NewExchange {
    NewExchange { exchange: exchange(account, id, NOW), captures: vec![sealed(part, address, NOW)] }
}

/// Enters exchanges that must all be new.
async fn enter(catalog: &dyn Catalog, exchanges: Vec<NewExchange>) {
    let entries = catalog.insert_batch(exchanges, NOW).await.unwrap();
    assert!(entries.iter().flatten().all(|entry| *entry == Entry::Inserted), "{entries:?}");
}

/// Whether a live capture has this address.
async fn is_live(catalog: &dyn Catalog, account: &AccountId, address: LeafAddress) -> bool {
    catalog.locations(account, vec![address]).await.unwrap()[0].is_some()
}

/// What a capture must look like once it is dead: nothing is left but its name and its times.
/// Somebody asks for something to be forgotten.
fn asked(at: i64) -> AuditEvent {
    AuditEvent {
        at,
        account: None,
        actor: "olga".into(),
        action: "exchange.shred".into(),
        subject: "asked".into(),
        detail: serde_json::Value::Null,
    }
}

fn assert_bare(capture: &Capture) {
    assert_eq!(capture.location, None);
    assert_eq!(capture.content_type, None);
    assert_eq!(capture.format, "");
    assert_eq!(capture.rule_set, None);
    assert_eq!(capture.findings, BTreeMap::new());
    assert!(capture.forgotten_at.is_some());
}

async fn refused<T: std::fmt::Debug>(
    call: impl Future<Output = Result<T, CatalogError>>,
    kind: CatalogErrorKind,
) {
    let error = call.await.expect_err("the contract asks for an error here");
    assert_eq!(error.kind(), kind, "{error}");
    let message = error.to_string();
    assert!(!message.is_empty() && !message.contains('\n'), "one line: {message:?}");
}

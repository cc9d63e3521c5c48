//! The use cases: capture, read, shred, expire, redact again, tickets, settings.
//!
//! [`Oubliette`] is the whole service without a protocol. [`Oubliette::open`] wires the embedded
//! default (SQLite, a spool, a folder or a bucket, a root key in a file); [`Oubliette::start`] takes
//! [`Components`] of one's own. Every use case takes a [`Principal`] and checks what it may do, so a
//! server in front of it holds no logic, and a command beside it obeys the same rules.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//!
//! use oubliette_service::catalog::{
//!     AccountId, Exchange, ExchangeId, Part, Parts, Role, Scope, SettingsChange,
//! };
//! use oubliette_service::redact::CapturedBody;
//! use oubliette_service::{Envelope, Layout, NewGrant, Options, Oubliette, Principal};
//!
//! # async fn example(folder: &std::path::Path) -> Result<(), oubliette_service::ServiceError> {
//! let layout = Layout::new(folder.join("data"), folder.join("keys"));
//! # let mut layout = layout;
//! # layout.spool.min_free_bytes = 0;
//! let service = Oubliette::open(layout, Options::default()).await?;
//!
//! // Nothing is captured until the account's owner says so.
//! let acme = AccountId::new("acme")?;
//! let operator = Principal::local(Role::Operator, None);
//! let owner = Principal::local(Role::Owner, Some(acme.clone()));
//! service.create_account(&operator, &acme).await?;
//! let opt_in = SettingsChange { capture: Some(true), ..SettingsChange::default() };
//! service.change_settings(&owner, &acme, opt_in).await?;
//!
//! // Redacted in memory, sealed under a key of its own, durable when this returns.
//! let id = ExchangeId::new("ex-1")?;
//! let body = br#"{"input":"write to anna@example.com"}"#.to_vec();
//! let envelope = Envelope {
//!     exchange: Exchange::new(acme.clone(), id.clone(), service.now_ms()),
//!     request: Some(CapturedBody::new(body, Some("application/json".into()), None)),
//!     response: None,
//! };
//! service.capture(&Principal::local(Role::Gateway, None), envelope).await?;
//!
//! // Read by an agent, under a grant the owner gave for a ticket.
//! let key = service.create_api_key(&operator, Role::Agent, None, "sam".into()).await?;
//! let agent = service.authenticate(key.expose_secret()).await?;
//! let ticket = service.open_ticket(&owner, &acme, "an answer was odd".into()).await?;
//! let grant = NewGrant {
//!     agent: agent.key_id().into(),
//!     until: service.now_ms() + 3_600_000,
//!     scope: Scope::Account,
//!     parts: Parts::Both,
//! };
//! service.grant(&owner, &acme, &ticket.id, grant).await?;
//! let read = service.read(&agent, &acme, &id, Part::Request).await?;
//! assert_eq!(read.body.bytes(), br#"{"input":"write to <EMAIL_ADDRESS_1>"}"#);
//!
//! // Forgotten for good.
//! service.shred(&owner, &acme, &id, Parts::Both).await?;
//! assert!(service.read(&agent, &acme, &id, Part::Request).await.is_err());
//! let _ = service.close(Duration::from_secs(10)).await?;
//! # Ok(())
//! # }
//! # let folder = tempfile::tempdir().unwrap();
//! # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
//! # runtime.block_on(example(folder.path())).unwrap();
//! ```
//!
//! # What holds
//!
//! - **Consent.** A capture holds the account's policy from the look at the consent until its rows
//!   are durable, and a change of settings holds it alone. So switching off holds before that call
//!   returns, and a body of an account that has not opted in goes nowhere.
//! - **Privacy fails closed, traffic fails open.** What cannot be redacted is dropped with a
//!   [`DropReason`] and counted. When the queue is full a capture is refused at once.
//! - **Order.** Spool, then row, then answer. Audit row, then key, then body. Audit row, then mark,
//!   then erasure, then answer. Whatever a crash interrupts, [`Oubliette::start`] finishes before it
//!   takes captures.
//! - **Shared waiting.** Captures that come together share an fsync and a transaction, in the spool
//!   and the catalog; shreds that come together share a rotation of the root.
//!
//! # Untrusted input
//!
//! Bodies, encodings and custom rules are; the rooms below bound what they may cost. Redaction and
//! sealing run on threads of their own, and a panic there costs one exchange. Its message is not
//! printed, since it may quote the body; [`Oubliette::start`] sees to that with a panic hook that
//! passes all other panics on. No error and no log line carries a body, a matched text or a key.
//!
//! # One process
//!
//! A root key, a data folder and what is remembered of settings belong to one process. A second one
//! on the same folder is refused.

mod access;
mod accounts;
mod api_keys;
mod capture;
mod clock;
mod committer;
mod error;
mod expire;
mod expiry_clock;
mod keyfile;
mod layout;
mod leases;
mod metrics;
mod orphans;
mod oubliette;
mod pipeline;
mod policy;
mod published;
mod queue;
mod read;
mod rebuild;
mod recent;
mod record;
mod recover;
mod reredact;
mod rows;
mod service_key;
mod shred;
mod sweep;
#[cfg(test)]
mod testing;
mod tickets;
mod workers;

pub use access::Principal;
pub use api_keys::NewApiKey;
pub use capture::{CaptureOutcome, DropReason, Envelope, PartOutcome, PartOutcomes};
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{ServiceError, ServiceErrorKind};
pub use expire::ExpireOutcome;
pub use layout::{BegunAnew, Components, Layout, Options, RootLayout, StoreLayout};
pub use metrics::{Counters, Status};
pub use oubliette::{Closed, Oubliette};
pub use published::KeysVerified;
pub use read::ReadBody;
pub use rebuild::RebuildProgress;
pub use reredact::{ReredactOutcome, ReredactProgress, ReredactRange};
pub use service_key::ServiceKey;
pub use shred::{GenerationChange, ShredOutcome};
pub use sweep::SweepOutcome;
pub use tickets::NewGrant;

/// Accounts, exchanges, captures, tickets and whatever else the use cases take and hand out.
pub use oubliette_catalog as catalog;
pub use oubliette_catalog::Role;
/// Bodies on their way in.
pub use oubliette_redact as redact;
/// Receipts and their verification.
pub use oubliette_translog as translog;

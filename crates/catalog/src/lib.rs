//! The database of accounts, settings, exchanges, captures, tickets, grants, API keys, leases, jobs,
//! key pages and audit rows.
//!
//! Everything goes through one async trait, [`Catalog`]; [`SqliteCatalog`] keeps it in one file, and
//! [`testing::conformance`] says what any other must do. The catalog never sees a body or a bare
//! key: it knows *where* a sealed record lies ([`Location`]), under which *address* its key is
//! derived, and what its owner wants done with it ([`Settings`], off by default).
//!
//! # Example
//!
//! ```
//! use oubliette_catalog::{
//!     AccountId, AuditEvent, Catalog, CaptureFilter, Exchange, ExchangeId, Location, NewCapture, NewExchange,
//!     Part, Parts, SettingsChange, SqliteCatalog,
//! };
//! use oubliette_keytree::{Hour, LeafAddress};
//!
//! # async fn example(folder: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! let catalog = SqliteCatalog::open(folder.join("catalog.db"))?;
//! let now = 1_800_000_000_000; // Unix milliseconds; the catalog reads no clock
//!
//! // An account captures nothing until it says so.
//! let acme = AccountId::new("acme")?;
//! assert!(!catalog.create_account(&acme, now).await?.settings.capture);
//! let opt_in = SettingsChange { capture: Some(true), ..Default::default() };
//! catalog.change_settings(&acme, opt_in, "olga", now).await?;
//!
//! // Enter a body that was sealed and lies in the spool.
//! let hour = Hour::from_unix_seconds(now / 1000);
//! let lease = catalog.next_lease(hour).await?;
//! let id = ExchangeId::new("chatcmpl-1")?;
//! let capture = NewCapture {
//!     part: Part::Request,
//!     address: LeafAddress::new(hour, lease, 0).ok_or("no such leaf")?,
//!     location: Location {
//!         segment: "01K".into(),
//!         object: "r7/2027/01/15/08/01K.seg".into(),
//!         offset: 64,
//!         len: 1200,
//!     },
//!     captured_at: now,
//!     retention_days: 7,
//!     content_type: Some("application/json".into()),
//!     format: "json".into(),
//!     rule_set: Some("5f3a".into()),
//!     findings: [("email".to_owned(), 2)].into(),
//! };
//! let exchange = Exchange::new(acme.clone(), id.clone(), now);
//! catalog.insert_batch(vec![NewExchange { exchange, captures: vec![capture] }], now).await?;
//! assert_eq!(catalog.captures(&acme, CaptureFilter::default()).await?.items.len(), 1);
//!
//! // Forget it: mark, erase the key, complete.
//! let asked = AuditEvent {
//!     at: now,
//!     account: Some(acme.clone()),
//!     actor: "olga".into(),
//!     action: "exchange.shred".into(),
//!     subject: id.to_string(),
//!     detail: serde_json::Value::Null,
//! };
//! let shreds = catalog.mark_shredded(&acme, &id, Parts::Both, asked).await?;
//! // … the key tree prunes each shred's leaf and turns its root over …
//! catalog.complete_shreds(shreds.iter().map(|shred| shred.id).collect()).await?;
//! # Ok(())
//! # }
//! # let folder = tempfile::tempdir()?;
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(example(folder.path()))
//! # .map(|()| drop(folder))
//! # .map_err(|error| std::io::Error::other(error.to_string()))?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What forgetting means here
//!
//! The keys are what is forgotten; the rows only say so. Marking an account as shredded or hours as
//! expired moves one number and costs the same for one row and for ten million: reads compare
//! against it, and [`Catalog::sweep`] clears the rows in its own time. Details of exchanges (model,
//! trace id, key hash) are not under a key: they go out of sight with their last body, out of the
//! file's pages when they are swept, and may stay in old backups, as rows do.
//!
//! # Untrusted input
//!
//! Ids are checked before they are types; settings, tickets, grants and keys before they are stored.
//! Exchange details are stored as the gateway gives them: bound their length where they come in.
//! Values reach SQL as parameters only.

mod account;
mod audit;
mod capture;
mod catalog;
mod error;
mod exchange;
mod job;
mod key;
mod page;
mod shred;
mod sqlite;
pub mod testing;
mod ticket;

pub use account::{Account, AccountId, Attachments, Consent, Settings, SettingsChange};
pub use audit::{AuditEvent, AuditRow};
pub use capture::{
    Capture, CaptureState, Entry, LiveSegment, Location, NewCapture, Part, Parts, Relocation,
    ReplaceOutcome, Replacement,
};
pub use catalog::Catalog;
pub use error::{CatalogError, CatalogErrorKind};
pub use exchange::{Exchange, ExchangeId, ExchangeRecord, NewExchange};
pub use job::{Job, JobState};
pub use key::{ApiKey, Role};
pub use page::{CaptureFilter, Cursor, MAX_PAGE, Order, Page};
pub use shred::{PendingShred, ShredReason, ShredTarget};
pub use sqlite::{SqliteCatalog, SqlitePages};
pub use ticket::{Grant, Scope, Ticket};

//! The database of accounts, settings, exchanges, captures, tickets, grants, API keys, leases, jobs,
//! key pages and audit rows.

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
mod ticket;

pub use account::{Account, AccountId, Attachments, Consent, Settings, SettingsChange};
pub use audit::{AuditEvent, AuditRow};
pub use capture::{
    Capture, CaptureState, Entry, Location, NewCapture, Part, Parts, ReplaceOutcome, Replacement,
};
pub use catalog::Catalog;
pub use error::{CatalogError, CatalogErrorKind};
pub use exchange::{Exchange, ExchangeId, ExchangeRecord, NewExchange};
pub use job::{Job, JobState};
pub use key::{ApiKey, Role};
pub use page::{CaptureFilter, Cursor, MAX_PAGE, Order, Page};
pub use shred::{PendingShred, ShredReason, ShredTarget};
pub use ticket::{Grant, Scope, Ticket};

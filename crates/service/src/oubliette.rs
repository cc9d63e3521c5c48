//! The service itself: one value through which every use case goes.

use std::sync::Arc;
use std::time::Duration;

use oubliette_catalog::{
    Account, AccountId, ApiKey, AuditRow, Capture, CaptureFilter, Cursor, ExchangeId,
    ExchangeRecord, Grant, Page, Part, Parts, Role, Settings, SettingsChange, Ticket,
};

use crate::access::Principal;
use crate::api_keys::NewApiKey;
use crate::capture::{CaptureOutcome, Envelope};
use crate::error::Result;
use crate::expire::ExpireOutcome;
use crate::layout::{Components, Layout, Options};
use crate::metrics::{Counters, Status};
use crate::read::ReadBody;
use crate::reredact::{ReredactOutcome, ReredactProgress, ReredactRange};
use crate::shred::{GenerationChange, ShredOutcome};
use crate::tickets::NewGrant;

/// The service. Cheap to clone; every clone is the same service.
///
/// Dropping the last clone without [`close`](Self::close) is like a crash: nothing that was
/// acknowledged is lost.
#[derive(Debug, Clone)]
pub struct Oubliette(Arc<()>);

/// What [`Oubliette::close`] has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "what is left waits on this disk for the next start"]
pub struct Closed {
    /// Envelopes that were still being worked on when time ran out. They were not acknowledged.
    pub captures: usize,
    /// Segments that are not uploaded yet. They are safe on disk.
    pub segments: usize,
}

#[allow(missing_docs, unused_variables, reason = "signatures first; the bodies follow")]
impl Oubliette {
    pub async fn open(layout: Layout, options: Options) -> Result<Self> { unimplemented!() }
    pub async fn start(components: Components) -> Result<Self> { unimplemented!() }
    pub fn now_ms(&self) -> i64 { unimplemented!() }
    pub async fn close(&self, deadline: Duration) -> Result<Closed> { unimplemented!() }

    pub async fn capture(&self, by: &Principal, envelope: Envelope) -> Result<CaptureOutcome> { unimplemented!() }
    pub async fn captures(&self, by: &Principal, account: &AccountId, filter: CaptureFilter) -> Result<Page<Capture>> { unimplemented!() }
    pub async fn exchange(&self, by: &Principal, account: &AccountId, exchange: &ExchangeId) -> Result<ExchangeRecord> { unimplemented!() }
    pub async fn read(&self, by: &Principal, account: &AccountId, exchange: &ExchangeId, part: Part) -> Result<ReadBody> { unimplemented!() }

    pub async fn shred(&self, by: &Principal, account: &AccountId, exchange: &ExchangeId, parts: Parts) -> Result<ShredOutcome> { unimplemented!() }
    pub async fn shred_account(&self, by: &Principal, account: &AccountId) -> Result<ShredOutcome> { unimplemented!() }
    pub async fn close_account(&self, by: &Principal, account: &AccountId) -> Result<ShredOutcome> { unimplemented!() }
    pub async fn expire(&self, by: &Principal) -> Result<ExpireOutcome> { unimplemented!() }
    pub async fn reredact(&self, by: &Principal, account: &AccountId, range: ReredactRange, dry_run: bool, progress: impl FnMut(&ReredactProgress) + Send) -> Result<ReredactOutcome> { unimplemented!() }

    pub async fn create_account(&self, by: &Principal, account: &AccountId) -> Result<Account> { unimplemented!() }
    pub async fn accounts(&self, by: &Principal, cursor: Option<Cursor>, limit: u32) -> Result<Page<Account>> { unimplemented!() }
    pub async fn account(&self, by: &Principal, account: &AccountId) -> Result<Account> { unimplemented!() }
    pub async fn settings(&self, by: &Principal, account: &AccountId) -> Result<Settings> { unimplemented!() }
    pub async fn change_settings(&self, by: &Principal, account: &AccountId, change: SettingsChange) -> Result<Settings> { unimplemented!() }
    pub async fn audit(&self, by: &Principal, account: &AccountId, cursor: Option<Cursor>, limit: u32) -> Result<Page<AuditRow>> { unimplemented!() }

    pub async fn open_ticket(&self, by: &Principal, account: &AccountId, subject: String) -> Result<Ticket> { unimplemented!() }
    pub async fn tickets(&self, by: &Principal, account: &AccountId, cursor: Option<Cursor>, limit: u32) -> Result<Page<Ticket>> { unimplemented!() }
    pub async fn close_ticket(&self, by: &Principal, account: &AccountId, ticket: &str) -> Result<Ticket> { unimplemented!() }
    pub async fn grant(&self, by: &Principal, account: &AccountId, ticket: &str, grant: NewGrant) -> Result<Grant> { unimplemented!() }
    pub async fn grants(&self, by: &Principal, account: &AccountId) -> Result<Vec<Grant>> { unimplemented!() }
    pub async fn revoke_grant(&self, by: &Principal, account: &AccountId, grant: &str) -> Result<Grant> { unimplemented!() }

    pub async fn authenticate(&self, presented: &str) -> Result<Principal> { unimplemented!() }
    pub async fn create_api_key(&self, by: &Principal, role: Role, account: Option<AccountId>, name: String) -> Result<NewApiKey> { unimplemented!() }
    pub async fn api_keys(&self, by: &Principal) -> Result<Vec<ApiKey>> { unimplemented!() }
    pub async fn revoke_api_key(&self, by: &Principal, id: &str) -> Result<ApiKey> { unimplemented!() }

    pub fn key_status(&self, by: &Principal) -> Result<oubliette_keytree::Status> { unimplemented!() }
    pub async fn rotate_keys(&self, by: &Principal) -> Result<GenerationChange> { unimplemented!() }
    pub async fn status(&self, by: &Principal) -> Result<Status> { unimplemented!() }
    pub async fn ready(&self) -> Result<()> { unimplemented!() }
    pub async fn metrics(&self) -> Status { unimplemented!() }
    pub fn counters(&self) -> Counters { unimplemented!() }
}

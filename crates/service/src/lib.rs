//! The use cases: capture, read, shred, expire, redact again, tickets, settings.

mod access;
mod accounts;
mod api_keys;
mod capture;
mod clock;
mod committer;
mod error;
mod expire;
mod layout;
mod leases;
mod metrics;
mod orphans;
mod oubliette;
mod pipeline;
mod policy;
mod queue;
mod read;
mod record;
mod recover;
mod reredact;
mod service_key;
mod shred;
mod tickets;
mod workers;

pub use access::Principal;
pub use api_keys::NewApiKey;
pub use capture::{CaptureOutcome, DropReason, Envelope, PartOutcome, PartOutcomes};
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{ServiceError, ServiceErrorKind};
pub use expire::ExpireOutcome;
pub use layout::{Components, Layout, Options, StoreLayout};
pub use metrics::{Counters, Status};
pub use oubliette::{Closed, Oubliette};
pub use read::ReadBody;
pub use reredact::{ReredactOutcome, ReredactProgress, ReredactRange};
pub use service_key::ServiceKey;
pub use shred::{GenerationChange, ShredOutcome};
pub use tickets::NewGrant;

/// What the catalog keeps, as the use cases hand it out.
pub use oubliette_catalog as catalog;
/// The way of a body, as the use cases take it in.
pub use oubliette_redact as redact;

//! Reading a body back: grant, audit row, key, record, in this order.

use oubliette_catalog::Capture;
use oubliette_seal::OpenedBody;

/// A body that a grant opened to an agent.
#[derive(Debug)]
pub struct ReadBody {
    /// The redacted bytes with their content type and report.
    pub body: OpenedBody,
    /// The id of the grant that was used.
    pub grant: String,
    /// The ticket the grant was given for.
    pub ticket: String,
    /// The capture's row.
    pub capture: Capture,
}

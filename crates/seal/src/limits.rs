//! How much may go into a record, and how much may come out.

/// Bounds on what is sealed and unpacked. Use the same for both, or some bodies go in for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes inside one record before compression: body, exchange bytes and metadata together.
    ///
    /// This is also the most that opening a record allocates for what it unpacks, however small
    /// the record is.
    pub max_payload_len: usize,
}

impl Default for Limits {
    /// 64 MiB: several times the largest request that the big providers accept.
    fn default() -> Self {
        Self { max_payload_len: 64 << 20 }
    }
}

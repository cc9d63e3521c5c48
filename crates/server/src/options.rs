//! What can be set about the server.

use std::time::Duration;

/// How the server treats requests and connections, whatever they ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerOptions {
    /// The largest capture envelope, in bytes of JSON. Bodies grow by a third in base64.
    pub max_capture_bytes: usize,
    /// The largest other request, in bytes.
    pub max_request_bytes: usize,
    /// The most bytes of all requests together while they are read; beyond, a request is refused as
    /// busy. What they become is bounded by the service's queue.
    pub max_reading_bytes: usize,
    /// How long the body of a request may take to arrive.
    pub read_timeout: Duration,
    /// How long an answer may take to begin. The work is not given up when it runs out, only the
    /// waiting for it.
    pub request_timeout: Duration,
    /// How long the headers of a request may take to arrive, and how long a connection may idle.
    pub header_timeout: Duration,
    /// The most connections at a time; more wait to be accepted.
    pub max_connections: usize,
    /// How long running requests, and then uploads, are waited for when the server stops.
    pub shutdown_timeout: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            // Two bodies of the default 10 MiB, in base64, with escapes: 28 MiB. Twice that.
            max_capture_bytes: 64 << 20,
            // The largest rule pack is 1 MiB, and each of its characters may be escaped.
            max_request_bytes: 8 << 20,
            // Eight of the largest envelopes, thousands of usual ones.
            max_reading_bytes: 512 << 20,
            read_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            // Longer than the usual keep-alive of clients and load balancers, so that they close
            // first and do not send into a connection that is just going away.
            header_timeout: Duration::from_secs(90),
            // Each may hold one envelope in memory; file descriptors usually end at 1024.
            max_connections: 512,
            // Requests first, uploads then: both together end before the 30 seconds after which
            // orchestrators lose patience. What is not uploaded waits in the spool.
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

//! The API as its callers see it: through the router, and through a socket.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute and not their helpers"
)]

mod life;
mod logs;
mod probes;
mod refusals;
mod roles;
mod silence;
mod socket;
mod world;

//! The API as its callers see it: through the router, and through a socket.

mod life;
mod probes;
mod refusals;
mod roles;
mod silence;
mod socket;
mod world;

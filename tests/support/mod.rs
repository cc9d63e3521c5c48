//! The harness of the end-to-end tests: they drive the built binary and real servers, on loopback
//! ports and in folders of their own, and leave nothing running behind.
//!
//! A test file says `mod support;`. The pieces:
//!
//! - [`Finished`] and [`oubliette`]: one run of the binary from start to end.
//! - [`Process`]: a program that runs beside the test, logged to a file, killed on drop.
//! - [`Garage`]: a real S3 server; without one a test skips itself, see [`skip`].
//! - [`FaultyProxy`]: bad weather before that server; [`Mounted`]: a small disk that fills and fails.
//! - [`Sidecar`]: a running `oubliette serve`, and [`Account`]s on it.
//! - [`Http`]: a JSON client.
//! - [`search_tree`]: whether bytes that must not be anywhere are somewhere after all.

#![allow(dead_code, reason = "each test file uses the part of the harness that it needs")]
#![allow(unused_imports, reason = "as above")]
#![allow(clippy::print_stdout, reason = "a test that skips itself says so")]
#![allow(unreachable_pub, reason = "a module of many test crates, none of which has a public API")]

mod command;
mod garage;
mod http;
mod mounted;
mod process;
mod proxy;
mod search;
mod sidecar;
mod wait;

pub use command::{Finished, oubliette, oubliette_with_input};
pub use garage::{Garage, skip};
pub use http::{Http, Reply};
pub use mounted::Mounted;
pub use process::Process;
pub use proxy::{FaultyProxy, Weather};
pub use search::{Hit, assert_nowhere, search_tree};
pub use sidecar::{Account, Sidecar};
pub use wait::{free_port, wait_until};

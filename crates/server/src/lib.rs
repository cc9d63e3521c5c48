//! The HTTP face of Oubliette: the API that `docs/api.md` describes.
//!
//! This crate holds no logic. It authenticates, checks roles, parses, calls the
//! [`Oubliette`](oubliette_service::Oubliette) and turns what comes back into answers.
//!
//! - [`serve()`] answers on a socket until it is told to stop.
//! - [`router()`] is the same without the socket.
//! - [`dangerously_local_router`] asks for no API key, for commands that run beside the data.
//!
//! # Example
//!
//! ```no_run
//! use oubliette_server::{ServerOptions, serve};
//! use oubliette_service::{Layout, Options, Oubliette};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let layout = Layout::new("/var/lib/oubliette", "/etc/oubliette/keys");
//! let oubliette = Oubliette::open(layout, Options::default()).await?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let stop = async {
//!     let _ = tokio::signal::ctrl_c().await;
//! };
//! let left = serve(listener, oubliette, ServerOptions::default(), stop).await?;
//! println!("{} segments wait for the next start", left.segments);
//! # Ok(())
//! # }
//! ```
//!
//! # Untrusted input
//!
//! Everything before the role check: a request's head is bounded by hyper, its body is not read
//! before the key and its role are known to be right, then only up to a limit and for a limited
//! time. Callers with a key are not trusted with memory or time either, and an error never repeats
//! what they sent: whoever reads a gateway's log must not find bodies in it.
//!
//! # Whoever goes away
//!
//! A request that was read to its end is worked on to its end, whether or not its caller is still
//! there: half a shred would be worse than one that nobody waits for. Re-redaction likewise.

mod api_error;
mod app;
mod budget;
mod content;
mod guard;
mod input;
mod metrics;
mod options;
mod route;
mod router;
mod run;
mod running;
mod serve;

pub use options::ServerOptions;
pub use router::{dangerously_local_router, router};
pub use serve::{ServerError, ServerErrorKind, serve};

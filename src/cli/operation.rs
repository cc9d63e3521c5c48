//! Commands on the system itself: `demo`, `serve`, `keys`, `config`.

use clap::{Args, Subcommand};

use super::Shown;

/// Show the whole way of a body, step by step, in a fresh folder
///
/// Starts the sidecar on a loopback port, sends requests, responses and streams through its HTTP
/// tap, and checks each promise: consent, redaction, nothing raw on disk, tickets, shredding. The
/// exit code is 0 only if each step held.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  oubliette demo
  oubliette demo --keep                        leaves the server running to play with")]
pub(crate) struct Demo {
    /// Leave the server running and print its address and keys; Ctrl-C ends it
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Run the sidecar
///
/// Ends on SIGTERM or SIGINT once everything that was acknowledged is safe.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  oubliette serve
  oubliette serve --listen 0.0.0.0:7070 --data-dir /var/lib/oubliette --keys-dir /etc/oubliette/keys
  oubliette serve --set store.kind=s3 --set store.bucket=bodies --set store.region=eu-central-1

A first operator key: oubliette api-key create --role operator --name ops (before it runs).
S3 credentials come from the usual AWS places, never from our configuration.")]
pub(crate) struct Serve {
    /// Address and port [env: OUBLIETTE_LISTEN] [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Show the generation of the root and the size of the key state
    #[command(after_help = "Examples:
  oubliette keys status")]
    Status(Shown),
    /// Replace the root key by a new one
    #[command(after_help = "Examples:
  oubliette keys rotate")]
    Rotate(Shown),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting, its value in force and where that came from
    ///
    /// Also checks them all. Secrets are not shown.
    #[command(after_help = "Examples:
  oubliette config check
  oubliette config check --config /etc/oubliette/oubliette.toml --json")]
    Check(Shown),
}

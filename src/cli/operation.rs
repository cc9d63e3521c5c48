//! Commands on the system itself: `demo`, `serve`, `keys`, `config`.

use std::path::PathBuf;

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
    /// Read the whole log of deletions and check it against its signed and its published head
    ///
    /// Every key page in force is opened when the data folder is, so this covers them too.
    #[command(after_help = "Examples:
  oubliette keys verify")]
    Verify(Shown),
    /// Print the public key that receipts are verified with
    ///
    /// Give it to customers and keep it where whoever runs the service cannot change it: a receipt
    /// proves something to those who know the key from elsewhere.
    #[command(after_help = "Examples:
  oubliette keys export-public > oubliette.pub")]
    ExportPublic(Shown),
    /// Replace the root key by a new one
    #[command(after_help = "Examples:
  oubliette keys rotate")]
    Rotate(Shown),
    /// Forget every body of every account, and keep the rest
    ///
    /// For a root and a catalog that do not belong together any more, as after a backup of the catalog
    /// was put back, or after the root was lost: then nothing starts, and what was stored cannot be
    /// opened by anybody. Accounts, settings, tickets, API keys, audit and log stay. Works on the data
    /// folder, with no server running on it.
    #[command(after_help = "Examples:
  oubliette keys begin-anew --forget-all-bodies --data-dir /var/lib/oubliette --keys-dir /etc/oubliette/keys")]
    BeginAnew {
        /// Yes, all bodies of all accounts, for good
        #[arg(long, required = true)]
        forget_all_bodies: bool,
        #[command(flatten)]
        shown: Shown,
    },
}

/// Check a receipt of a deletion, offline
///
/// Needs nothing but the receipt and the public key of the log (`oubliette keys export-public`). Says
/// what the receipt proves, and what no receipt can.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  oubliette verify receipt.json --key oubliette.pub
  oubliette verify receipt.json --key 'oubliette/12ab…+9f3c…+AbCd…' --json")]
pub(crate) struct Verify {
    /// The receipt, as `shred` gave it; - reads standard input
    pub(crate) receipt: PathBuf,
    /// The log's public key, or a file that holds it
    #[arg(long, value_name = "KEY")]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) shown: Shown,
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

//! Commands on accounts.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Shown;

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Create an account; it captures nothing until it is told to
    #[command(after_help = "Examples:
  oubliette account create acme")]
    Create {
        /// Its name: 1 to 128 of A-Z, a-z, 0-9 and . _ : @ -
        account: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// List all accounts
    #[command(after_help = "Examples:
  oubliette account list --json")]
    List(Shown),
    /// Show an account's settings
    #[command(after_help = "Examples:
  oubliette account show acme")]
    Show {
        /// The account
        account: String,
        #[command(flatten)]
        shown: Shown,
    },
    Set(Box<AccountSet>),
    /// Forget everything of an account and close it
    #[command(after_help = "Examples:
  oubliette account close acme --yes")]
    Close {
        /// The account
        account: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        shown: Shown,
    },
    /// List who did what: reads, grants, changes of settings, deletions
    #[command(after_help = "Examples:
  oubliette account audit acme --limit 20")]
    Audit {
        /// The account
        account: String,
        /// No more than this many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        shown: Shown,
    },
}

/// Change an account's settings
///
/// Switching capture off holds before the command returns. Rules are compiled before they are
/// accepted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  oubliette account set acme --capture on
  oubliette account set acme --retention-days 30 --operator mask
  oubliette account set acme --rules mine.toml")]
pub(crate) struct AccountSet {
    /// The account
    pub(crate) account: String,
    /// Capture bodies
    #[arg(long, value_enum)]
    pub(crate) capture: Option<Switch>,
    /// Redact bodies; off is recorded as the consent of whoever says so
    #[arg(long, value_enum)]
    pub(crate) redact: Option<Switch>,
    /// Days to keep bodies
    #[arg(long, value_name = "DAYS")]
    pub(crate) retention_days: Option<u16>,
    /// The largest body to capture
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_body_bytes: Option<u64>,
    /// What to do to findings: replace, mask, hash, remove or keep; `none` for what each rule says
    #[arg(long)]
    pub(crate) operator: Option<String>,
    /// What becomes of attachments
    #[arg(long, value_enum)]
    pub(crate) attachments: Option<AttachmentsName>,
    /// The account's own rule pack
    #[arg(long, value_name = "FILE", conflicts_with = "no_rules")]
    pub(crate) rules: Option<PathBuf>,
    /// No rule pack of its own
    #[arg(long)]
    pub(crate) no_rules: bool,
    /// How bodies are redacted by path, entity and API: a JSON file, see docs/policy.md; `none` goes back
    /// to the built-in way
    #[arg(long, value_name = "FILE")]
    pub(crate) body_policy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

/// What becomes of attachments.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum AttachmentsName {
    /// Replaced by a description
    Drop,
    /// Sealed with the body
    Keep,
    /// Sealed with the body, without EXIF, XMP, tags and the like
    KeepStripped,
}

impl AttachmentsName {
    /// As the API writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Keep => "keep",
            Self::KeepStripped => "keep_stripped",
        }
    }
}

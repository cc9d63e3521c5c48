//! Commands on captures: `capture`, `captures`, `open`, `shred`, `reredact`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Shown;

/// Send one exchange
///
/// Either an envelope as `POST /v1/captures` takes it, from FILE or standard input, or a request
/// and a response each in a file. Answers what became of each part; one that was dropped for lack
/// of consent is no failure, and its outcome says so.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  oubliette capture envelope.json
  oubliette capture --account acme --id ex-1 --request request.json --response response.json
  oubliette capture --account acme --id ex-2 --api openai.chat --model gpt-5-mini \\
      --request request.json --response stream.sse

Content types go by the files' endings (.json, .ndjson, .sse, .txt), encodings too (.gz, .br, .zst).")]
pub(crate) struct Capture {
    /// An envelope; - or nothing for standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["request", "response"])]
    pub(crate) envelope: Option<PathBuf>,
    /// The request's body
    #[arg(long, value_name = "FILE", requires_all = ["account", "id"])]
    pub(crate) request: Option<PathBuf>,
    /// The response's body
    #[arg(long, value_name = "FILE", requires_all = ["account", "id"])]
    pub(crate) response: Option<PathBuf>,
    /// Whose traffic it is
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// The exchange's id; sending it twice is harmless
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// The API, such as openai.chat
    #[arg(long)]
    pub(crate) api: Option<String>,
    /// The provider, such as openai
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// The model
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The response's HTTP status
    #[arg(long)]
    pub(crate) status: Option<u16>,
    /// The trace id
    #[arg(long)]
    pub(crate) trace_id: Option<String>,
    /// When it happened [default: now]
    #[arg(long, value_name = "MOMENT")]
    pub(crate) time: Option<String>,
    /// The request's content type
    #[arg(long, value_name = "TYPE", requires = "request")]
    pub(crate) request_type: Option<String>,
    /// The response's content type
    #[arg(long, value_name = "TYPE", requires = "response")]
    pub(crate) response_type: Option<String>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// List what is kept of an account, without the bodies
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  oubliette captures acme
  oubliette captures acme --from -1d --part response
  oubliette captures acme --state stored --limit 10000 --json

Moments: 2026-11-20T10:00:00Z, 2026-11-20 (its beginning, UTC), -7d, -30m.")]
pub(crate) struct Captures {
    /// The account
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) time: TimeRange,
    /// Only requests or only responses
    #[arg(long, value_enum)]
    pub(crate) part: Option<PartName>,
    /// Only those in this state
    #[arg(long, value_enum)]
    pub(crate) state: Option<StateName>,
    /// The oldest first
    #[arg(long)]
    pub(crate) oldest: bool,
    /// No more than this many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// A stretch of time.
#[derive(Debug, Args)]
pub(crate) struct TimeRange {
    /// From this moment on
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// Up to, and without, this moment
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
}

/// Read a redacted body under a live grant
///
/// Takes the API key of the agent whom the grant names (--api-key or OUBLIETTE_API_KEY), also on the
/// data folder. The read is in the account's audit before the first byte is out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  OUBLIETTE_API_KEY=oub_… oubliette open acme ex-1 response
  oubliette open acme ex-1 request --report -o request.json")]
pub(crate) struct Open {
    /// The account
    pub(crate) account: String,
    /// The exchange
    pub(crate) exchange: String,
    /// Which of its bodies
    #[arg(value_enum)]
    pub(crate) part: PartName,
    /// Write the body to this file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Turn the tokens of the tokenize operator back into the values they stand for; the audit says so
    #[arg(long)]
    pub(crate) reveal: bool,
    /// Say on standard error which grant was used and what was redacted
    #[arg(long)]
    pub(crate) report: bool,
}

/// Forget one body, one exchange or all of an account, for good
///
/// When it returns, the keys are gone, and no copy of the data can be opened any more. Asks before
/// it does so.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  oubliette shred acme ex-1
  oubliette shred acme ex-1 response --yes
  oubliette shred acme ex-1 --receipt receipt.json
  oubliette shred acme --all                   everything; also switches capture off")]
pub(crate) struct Shred {
    /// The account
    pub(crate) account: String,
    /// The exchange
    #[arg(required_unless_present = "all")]
    pub(crate) exchange: Option<String>,
    /// Only one of its bodies
    #[arg(value_enum)]
    pub(crate) part: Option<PartName>,
    /// Everything captured of this account so far
    #[arg(long, conflicts_with = "exchange")]
    pub(crate) all: bool,
    /// Write the receipt to this file, to be checked with `oubliette verify`
    #[arg(long, value_name = "FILE")]
    pub(crate) receipt: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// Redact stored bodies again under today's rules
///
/// Each body is opened, redacted, sealed under a new key; then its old key is shredded. Safe to
/// stop and to start again. What came out is counted by rule at the end.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  oubliette reredact --account acme --dry-run
  oubliette reredact --account acme --from -2d")]
pub(crate) struct Reredact {
    /// The account
    #[arg(long)]
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) time: TimeRange,
    /// Count what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// One of the two bodies of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PartName {
    Request,
    Response,
}

impl PartName {
    /// As the API writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// What has become of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateName {
    Stored,
    Shredded,
    Expired,
}

impl StateName {
    /// As the API writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Shredded => "shredded",
            Self::Expired => "expired",
        }
    }
}

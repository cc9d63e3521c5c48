//! Commands on who may do what: `ticket` and `api-key`.

use clap::{Args, Subcommand, ValueEnum};

use super::Shown;

#[derive(Debug, Subcommand)]
pub(crate) enum TicketCommand {
    /// Open a ticket for a support case
    #[command(after_help = "Examples:
  oubliette ticket open acme 'replies cut short since Tuesday'")]
    Open {
        /// The account
        account: String,
        /// What it is about, in one line
        subject: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// List an account's tickets
    #[command(after_help = "Examples:
  oubliette ticket list acme")]
    List {
        /// The account
        account: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Close a ticket and end its grants
    #[command(after_help = "Examples:
  oubliette ticket close acme t_41")]
    Close {
        /// The account
        account: String,
        /// The ticket
        ticket: String,
    },
    Grant(GrantArguments),
    /// List an account's grants
    #[command(after_help = "Examples:
  oubliette ticket grants acme --json")]
    Grants {
        /// The account
        account: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// End a grant at once
    #[command(after_help = "Examples:
  oubliette ticket revoke acme g_17")]
    Revoke {
        /// The account
        account: String,
        /// The grant
        grant: String,
    },
}

/// Let one agent read under a ticket until a moment
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  oubliette ticket grant acme t_41 --agent k_7f3a --until 2h --exchange ex-1 --exchange ex-2
  oubliette ticket grant acme t_41 --agent k_7f3a --until 2026-11-21 --from -1d --to 1h
  oubliette ticket grant acme t_41 --agent k_7f3a --until 30m --everything --part response")]
pub(crate) struct GrantArguments {
    /// The account
    pub(crate) account: String,
    /// The ticket
    pub(crate) ticket: String,
    /// The id of the agent's API key
    #[arg(long, value_name = "KEY_ID")]
    pub(crate) agent: String,
    /// The moment at which it ends, or the time from now after which it does
    #[arg(long, value_name = "MOMENT")]
    pub(crate) until: String,
    /// These exchanges; may be repeated
    #[arg(long = "exchange", value_name = "ID")]
    pub(crate) exchanges: Vec<String>,
    /// Exchanges captured from this moment on
    #[arg(
        long,
        value_name = "MOMENT",
        requires = "to",
        conflicts_with = "exchanges",
        allow_hyphen_values = true
    )]
    pub(crate) from: Option<String>,
    /// Exchanges captured before this moment
    #[arg(long, value_name = "MOMENT", requires = "from", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
    /// All of the account's exchanges, also those to come
    #[arg(
        long,
        conflicts_with_all = ["exchanges", "from"],
        required_unless_present_any = ["exchanges", "from"]
    )]
    pub(crate) everything: bool,
    /// Which of their bodies
    #[arg(long, value_enum, default_value_t)]
    pub(crate) part: Parts,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// One or both of the bodies of an exchange.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Parts {
    #[default]
    Both,
    Request,
    Response,
}

impl Parts {
    /// As the API writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApiKeyCommand {
    Create(ApiKeyCreate),
    /// List API keys, without the keys
    #[command(after_help = "Examples:
  oubliette api-key list")]
    List(Shown),
    /// End an API key at once
    #[command(after_help = "Examples:
  oubliette api-key revoke k_7f3a")]
    Revoke {
        /// The key's id
        id: String,
    },
}

/// Make an API key; it is shown once
///
/// The first operator's key is made on the data folder, before the server starts. It can make the
/// others through the server.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  oubliette api-key create --role operator --name ops
  oubliette api-key create --role gateway --name edge-1
  oubliette api-key create --role owner --account acme --name console
  oubliette api-key create --role agent --name sam --json")]
pub(crate) struct ApiKeyCreate {
    /// What it may do
    #[arg(long, value_enum)]
    pub(crate) role: RoleName,
    /// The account it is bound to: always for an owner, perhaps for a gateway or agent
    #[arg(long, required_if_eq("role", "owner"))]
    pub(crate) account: Option<String>,
    /// What people call it; audit rows name it so
    #[arg(long)]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// What an API key may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RoleName {
    /// Sends captures
    Gateway,
    /// Decides for one account
    Owner,
    /// Reads what a grant opens
    Agent,
    /// Runs the system; reads no body
    Operator,
}

impl RoleName {
    /// As the API writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Owner => "owner",
            Self::Agent => "agent",
            Self::Operator => "operator",
        }
    }
}

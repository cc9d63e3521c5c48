//! The command line: what can be said, and how `--help` explains it.

mod access;
mod accounts;
mod bodies;
mod captures;
mod operation;
mod store;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

pub(crate) use access::{ApiKeyCommand, ApiKeyCreate, GrantArguments, TicketCommand};
pub(crate) use accounts::{AccountCommand, AccountSet, AttachmentsName, Switch};
pub(crate) use bodies::{
    BatchArguments, Explained, FormatName, ImportFrom, PackArguments, Redact, RulesCommand, Scan,
};
pub(crate) use captures::{Capture, Captures, Open, Reredact, Shred, TimeRange};
pub(crate) use operation::{ConfigCommand, Demo, KeysCommand, Serve, Verify};
pub(crate) use store::{
    CatalogCommand, SegmentCommand, SegmentInspect, SegmentList, SegmentVerify, StoreCommand,
};

use crate::failure::Failure;
use crate::output::{complain, note};

/// Keeps the bodies of LLM traffic: captured only by consent, redacted before the first write,
/// sealed one key each, read only under a ticket, forgotten for good on demand.
#[derive(Debug, Parser)]
#[command(
    name = "oubliette",
    version,
    max_term_width = 100,
    subcommand_required = true,
    after_help = "Examples:
  oubliette demo                               the whole way of a body in a few seconds
  echo 'mail jo@example.com' | oubliette redact
  oubliette serve                              the sidecar, on 127.0.0.1:7070
  OUBLIETTE_URL=http://127.0.0.1:7070 OUBLIETTE_API_KEY=… oubliette captures acme

Commands about accounts, captures, tickets and keys talk to the server that --url names. Without one
they open the data folder themselves, which works while no server runs on it.

Exit codes: 0 done, 1 it failed or problems were found, 2 wrong command line or configuration."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Global {
    /// The configuration file [env: OUBLIETTE_CONFIG] [default: oubliette.toml here, then
    /// /etc/oubliette/oubliette.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Catalog, spool and objects [env: OUBLIETTE_DATA_DIR]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The root key, outside the data folder [env: OUBLIETTE_KEYS_DIR]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) keys_dir: Option<PathBuf>,
    /// Talk to this server instead of opening the data folder [env: OUBLIETTE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The API key for that server; other users of this machine can see arguments, so prefer the
    /// variable [env: OUBLIETTE_API_KEY]
    #[arg(long, global = true, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// Any setting, as `oubliette config check` names it; may be repeated
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(Demo),
    Serve(Serve),
    Redact(Redact),
    Scan(Scan),
    /// Look after rule packs
    #[command(subcommand)]
    Rules(RulesCommand),
    Capture(Box<Capture>),
    Captures(Captures),
    Open(Open),
    Shred(Shred),
    Expire(Expire),
    Reredact(Reredact),
    Verify(Verify),
    /// Tickets, and the grants that let agents read under them
    #[command(subcommand)]
    Ticket(TicketCommand),
    /// The state of the key tree and its root
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The object store: set up, try out, clear up
    #[command(subcommand)]
    Store(StoreCommand),
    /// Segments: files of many sealed records
    #[command(subcommand)]
    Segment(SegmentCommand),
    /// The catalog, and its way back from the segments
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Accounts and their settings
    #[command(subcommand)]
    Account(AccountCommand),
    /// API keys for gateways, owners, agents and operators
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// The configuration in force
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// How a result is shown.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Shown {
    /// One JSON object a line, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// Forget now what is past its account's retention
///
/// A running server does so by itself. What it costs depends on how many accounts had captures in the hours
/// that are over, not on how many captures.
///
/// A clock that is more than expiry.max_clock_jump ahead of where time was seen last is not believed: nothing
/// is forgotten by it until it is right again, or --accept-clock says that so much time has really passed,
/// because the machine was off, say.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  oubliette expire
  oubliette expire --accept-clock")]
pub(crate) struct Expire {
    /// The clock is right, however far it has jumped
    #[arg(long)]
    pub(crate) accept_clock: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// Reads the command line. What it says itself (help, version, complaints) it has said when it gives
/// an exit code.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Cli, ExitCode> {
    Cli::try_parse_from(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that has seen enough of the help is no failure.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            note(error.render());
            ExitCode::from(2)
        }
        _ => {
            let failure = Failure::usage(one_line(&error.render().to_string()));
            complain(&failure);
            failure.code()
        }
    })
}

/// clap's message and its tips without the usage, which `--help` gives.
fn one_line(rendered: &str) -> String {
    let message = rendered.strip_prefix("error: ").unwrap_or(rendered);
    let end = message.find("\nUsage:").or_else(|| message.find("\nFor more information"));
    let mut text = String::new();
    for line in message[..end.unwrap_or(message.len())].lines().map(str::trim) {
        if !line.is_empty() {
            // What a line ends with a colon announces the next.
            let joint = if text.is_empty() {
                ""
            } else if text.ends_with(':') {
                " "
            } else {
                "; "
            };
            text.push_str(joint);
            text.push_str(line);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_explains_itself_with_examples() {
        fn check(command: &clap::Command) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no description");
            let leaf = command.get_subcommands().next().is_none();
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(!leaf || examples.contains("Example"), "{name} has no examples");
            command.get_subcommands().for_each(check);
        }
        Cli::command().get_subcommands().for_each(check);
    }

    #[test]
    fn complaints_are_one_line() {
        let error = Cli::try_parse_from(["oubliette", "scan", "--formt", "text"]).unwrap_err();
        let line = one_line(&error.render().to_string());
        assert!(line.contains("unexpected argument '--formt'") && !line.contains('\n'), "{line}");
        assert!(line.contains("--format"), "{line}");
        let error = Cli::try_parse_from(["oubliette", "shred"]).unwrap_err();
        let line = one_line(&error.render().to_string());
        assert!(line.contains("not provided: <ACCOUNT>"), "{line}");
    }
}

//! What each command does: from arguments to calls of the crates below, and from answers to output.

mod access;
mod accounts;
mod batch;
mod body;
mod captures;
mod config;
mod explain;
mod import;
mod keys;
mod long_work;
mod redact;
mod reredact;
mod rules;
mod scan;
mod segment;
mod serve;
mod store;
mod try_rules;
mod verify;

use crate::cli::{Cli, Command};
use crate::config::Settings;
use crate::failure::{Failure, Outcome};

/// Runs a command to its end.
pub(crate) fn run(cli: Cli) -> Result<Outcome, Failure> {
    let Cli { global, command } = cli;
    let settings = || Settings::load(&global);
    match command {
        Command::Config(command) => return config::run(&global, &command),
        Command::Demo(arguments) => return crate::demo::run(&arguments),
        Command::Scan(arguments) => scan::run(&settings()?, &arguments)?,
        Command::Redact(arguments) => redact::run(&settings()?, &arguments)?,
        Command::Rules(command) => return rules::run(&settings()?, &command),
        Command::Serve(arguments) => serve::run(&global, arguments)?,
        Command::Capture(arguments) => captures::capture(&settings()?, &arguments)?,
        Command::Captures(arguments) => captures::list(&settings()?, &arguments)?,
        Command::Open(arguments) => captures::open(&settings()?, &arguments)?,
        Command::Shred(arguments) => captures::shred(&settings()?, &arguments)?,
        Command::Expire(arguments) => captures::expire(&settings()?, &arguments)?,
        Command::Verify(arguments) => verify::run(&arguments)?,
        Command::Reredact(arguments) => return reredact::run(&settings()?, &arguments),
        Command::Ticket(command) => access::ticket(&settings()?, &command)?,
        Command::ApiKey(command) => access::api_key(&settings()?, &command)?,
        Command::Store(command) => return store::run(&settings()?, &command),
        Command::Segment(command) => return segment::run(&settings()?, &command),
        Command::Catalog(command) => return store::catalog(&settings()?, &command),
        Command::Keys(command) => keys::run(&settings()?, &command)?,
        Command::Account(command) => accounts::run(&settings()?, &command)?,
    }
    Ok(Outcome::Fine)
}

//! `cargo xtask thief`: the thief test, for as long as one likes.

use crate::process::{self, Outcome, Result};

/// Try the thief on more random histories than the tests have time for.
///
/// The thief has every byte that was ever written and today's root key, and must not open anything
/// that was forgotten. The tests run some hundred histories; this runs as many as you say, with the
/// key tree alone and with the whole service, and with new random choices each time.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cargo xtask thief --histories 20000 --service-histories 1000")]
pub(crate) struct Arguments {
    /// Histories of the key tree: some 60 a second.
    #[arg(long, default_value_t = 10_000)]
    histories: u32,
    /// Histories of the whole service, on real files: some two a second.
    #[arg(long, default_value_t = 500)]
    service_histories: u32,
}

/// Runs the thief tests.
pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut command = process::cargo();
    command.args(["test", "-p", "oubliette-keytree", "-p", "oubliette-service"]);
    command.args(["--lib", "--test", "thief", "--", "thief", "--nocapture"]);
    command.env("OUBLIETTE_THIEF_HISTORIES", arguments.histories.to_string());
    command.env("OUBLIETTE_THIEF_SERVICE_HISTORIES", arguments.service_histories.to_string());
    process::run(command)
}

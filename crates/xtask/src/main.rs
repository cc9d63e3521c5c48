//! The project's chores: `cargo xtask --help`.
//!
//! A chore is here, and not in a shell script, when it has to work the same on every machine and
//! has something worth a test. Nothing but clap and the standard library, so that the first thing
//! a newcomer runs builds in seconds.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "chores talk to a person")]

mod bench;
mod cache;
mod dictionary;
mod fuzz;
mod mutants;
mod prerequisite;
mod process;
mod sdk;
mod server;
mod tally;
mod test;
mod thief;

use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

use crate::process::{Outcome, workspace_root};

/// The chores of this project.
///
/// Everything that is built goes to cargo's target folder. What the tests need from elsewhere
/// (an S3 server, the SDKs of LLM vendors) is installed once into a cache of its own, which `cargo clean` leaves
/// alone: $OUBLIETTE_CACHE, else $XDG_CACHE_HOME/oubliette, else ~/.cache/oubliette.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    Test(test::Arguments),
    /// Run everything that continuous integration runs, by running `.ci/run`.
    ///
    /// It ends with `git diff --exit-code`, so commit first.
    Ci,
    Fuzz(fuzz::Arguments),
    BenchSmoke(bench::Arguments),
    Thief(thief::Arguments),
    Mutants(mutants::Arguments),
    TrainDictionary(dictionary::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().chore {
        Chore::Test(arguments) => test::run(&arguments),
        Chore::Ci => process::run(Command::new(workspace_root().join(".ci").join("run"))),
        Chore::Fuzz(arguments) => fuzz::run(&arguments),
        Chore::BenchSmoke(arguments) => bench::run(&arguments),
        Chore::Thief(arguments) => thief::run(&arguments),
        Chore::Mutants(arguments) => mutants::run(&arguments),
        Chore::TrainDictionary(arguments) => dictionary::run(&arguments),
    };
    match outcome {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        // Whoever failed has said why already.
        Ok(Outcome::Bad) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Arguments;

    #[test]
    fn command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}

//! `oubliette`: the command line, the configuration and the wiring. What it does is done in the
//! crates below; see `oubliette --help`.

mod cli;
mod client;
mod commands;
mod config;
mod demo;
mod failure;
mod hardening;
mod output;
mod rules;
mod wiring;

use std::process::ExitCode;

use failure::Outcome;

fn main() -> ExitCode {
    hardening::keep_memory_private();
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match commands::run(cli) {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Problems) => ExitCode::from(1),
        Err(failure) => {
            if !failure.is_quiet() {
                output::complain(&failure);
            }
            failure.code()
        }
    }
}

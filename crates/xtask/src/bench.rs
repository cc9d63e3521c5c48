//! `cargo xtask bench-smoke`: do the benches still build and give the right answers?

use std::ffi::OsString;

use crate::process::{self, Outcome, Result};

/// Run every bench once, without timing: each asserts its answer before it would time it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only benches whose name contains this.
    filter: Option<OsString>,
}

/// Runs the benches in test mode.
pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut command = process::cargo();
    // Bench targets by glob: `--benches` would also build the unit tests once more, optimised.
    command.args(["bench", "--workspace", "--bench", "*", "--", "--test"]);
    command.args(&arguments.filter);
    process::run(command)
}

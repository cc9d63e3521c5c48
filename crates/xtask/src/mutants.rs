//! `cargo xtask mutants`: whether a test notices when the code that forgets is changed.

use std::process::{Command, Stdio};

use crate::process::{self, Outcome, Result, target_dir, workspace_root};

/// Change the key tree, sealing and the log of deletions in one place at a time, and see whether a test fails.
///
/// What is left out, and why, is said in `.cargo/mutants.toml`; what came of it last in `docs/mutants.md`.
/// Changes that no test noticed are listed, also in `mutants/CRATE/mutants.out/missed.txt` of the target folder,
/// and the command fails.
/// A run takes some hours; name a crate or a file to run a part of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask mutants
  cargo xtask mutants keytree -- --file crates/keytree/src/op.rs
  cargo xtask mutants seal -- --list")]
pub(crate) struct Arguments {
    /// One of the crates; all of them if none is named.
    #[arg(value_parser = CRATES)]
    name: Option<String>,
    /// Passed on to cargo-mutants.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// What forgetting stands on.
const CRATES: [&str; 3] = ["keytree", "seal", "translog"];

/// Runs cargo-mutants, with every feature that brings tests.
pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut is_there = process::cargo();
    is_there.args(["mutants", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !is_there.status().is_ok_and(|status| status.success()) {
        return Err("this needs cargo-mutants: try `cargo install --locked cargo-mutants`".into());
    }
    let mut broken = false;
    for name in CRATES {
        if arguments.name.as_deref().is_none_or(|wanted| wanted == name) {
            broken |= process::run(command(name, &arguments.rest))? == Outcome::Bad;
        }
    }
    Ok(Outcome::from_success(!broken))
}

fn command(name: &str, rest: &[String]) -> Command {
    let mut command = process::cargo();
    command.args(["mutants", "--package", &format!("oubliette-{name}")]);
    command.arg("--output").arg(target_dir().join("mutants").join(name));
    command.arg("--cargo-arg=--lib");
    if workspace_root().join("crates").join(name).join("tests").is_dir() {
        command.arg("--cargo-arg=--test=*");
    }
    if name == "keytree" {
        command.args(["--features", "pkcs11,sabotage"]);
        // More of them find nothing that a few do not, when it is a change that is looked for.
        command.env("OUBLIETTE_THIEF_HISTORIES", "20");
    }
    command.args(rest);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_are_there_and_all_their_tests_are_run() {
        for name in CRATES {
            let folder = workspace_root().join("crates").join(name);
            assert!(folder.join("src/lib.rs").is_file(), "{name}");
            let command = command(name, &["--list".to_owned()]);
            let has_tests = command.get_args().any(|argument| argument == "--cargo-arg=--test=*");
            assert_eq!(has_tests, folder.join("tests").is_dir(), "{name}");
            assert_eq!(command.get_args().last().unwrap(), "--list");
        }
    }
}

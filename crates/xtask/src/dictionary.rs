//! `cargo xtask train-dictionary`: the compression dictionary for small bodies, once more.

use std::fs;
use std::path::PathBuf;

use crate::process::{self, Outcome, Result, workspace_root};

/// Train the dictionary for small bodies from its seed, and say whether it is the one that is shipped.
///
/// The samples are made up, never customers' data. A dictionary that has been released is never
/// replaced: records were sealed with it. Another one takes the next id, in
/// crates/seal/src/dictionary.rs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask train-dictionary
  cargo xtask train-dictionary --out next.zdict")]
pub(crate) struct Arguments {
    /// Where to write it [default: dictionary.zdict in the target folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Trains and compares.
pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let target = process::target_dir();
    let out = arguments.out.clone().unwrap_or_else(|| target.join("dictionary.zdict"));
    fs::create_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    let mut command = process::cargo();
    command
        .args(["run", "--quiet", "--package", "oubliette-seal"])
        .args(["--example", "train_dictionary", "--"])
        .arg(&out);
    if process::run(command)? == Outcome::Bad {
        return Ok(Outcome::Bad);
    }
    let read =
        |path: PathBuf| fs::read(&path).map_err(|error| format!("{}: {error}", path.display()));
    let shipped = read(workspace_root().join(SHIPPED))?;
    if read(out)? == shipped {
        println!("the same, byte by byte, as {SHIPPED}");
        return Ok(Outcome::Good);
    }
    println!("not the same as {SHIPPED}: another seed, other samples or another zstd");
    Ok(Outcome::Bad)
}

const SHIPPED: &str = "crates/seal/dictionaries/1.zdict";

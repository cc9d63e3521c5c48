//! Running other programs, and saying so.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a chore ended when it could be carried out at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Good,
    /// A program that was run reported failure, and has told the user about it.
    Bad,
}

impl Outcome {
    pub(crate) fn from_success(success: bool) -> Self {
        if success { Self::Good } else { Self::Bad }
    }
}

/// A chore's result; the error is one line for the user.
pub(crate) type Result<T, E = String> = std::result::Result<T, E>;

/// The folder of the root `Cargo.toml`.
pub(crate) fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the workspace root")
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        // Cargo reads a relative one against the folder it was started in, which for us is the root.
        Some(folder) if !folder.is_empty() => workspace_root().join(folder),
        _ => workspace_root().join("target"),
    }
}

/// The cargo that runs us, so that a chore never mixes two toolchains.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace_root());
    command
}

/// Shows the command and runs it to its end with our own streams.
pub(crate) fn run(mut command: Command) -> Result<Outcome> {
    announce(&command);
    let status = command.status().map_err(|error| cannot_run(&command, &error))?;
    Ok(Outcome::from_success(status.success()))
}

/// Prints the command as one would type it.
pub(crate) fn announce(command: &Command) {
    eprintln!("$ {}", shown(command));
}

/// The one-line error for a program that did not even start.
pub(crate) fn cannot_run(command: &Command, error: &std::io::Error) -> String {
    format!("cannot run `{}`: {error}", command.get_program().display())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .map(|word| {
            if word.is_empty() || word.contains([' ', '*', '\'', '"']) {
                format!("{word:?}")
            } else {
                word.into_owned()
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{shown, workspace_root};

    #[test]
    fn workspace_root_holds_the_root_manifest() {
        let manifest = std::fs::read_to_string(workspace_root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn shown_commands_can_be_typed() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command.args(["bench", "--bench", "*"]);
        assert_eq!(shown(&command), "cargo bench --bench \"*\"");
    }
}

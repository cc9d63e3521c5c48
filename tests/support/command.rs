//! The built binary, run from start to end.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What a run of the binary left: its exit code and everything it printed.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Panics, with everything that was printed, unless the exit code is 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Panics unless the run failed with this code and a single-line message that holds `part`.
    #[track_caller]
    pub fn fails_with(self, code: i32, part: &str) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert_eq!(self.stderr.trim_end().lines().count(), 1, "not one line: {}", self.stderr);
        assert!(self.stderr.contains(part), "{part:?} is not in: {}", self.stderr);
        self
    }
}

/// The built binary with these arguments and a clean environment: no setting of whoever runs the
/// tests leaks in. Add `.env(…)`, `.current_dir(…)`, then [`Finished`] by `.into()` or spawn it as
/// a [`Process`](super::Process).
pub fn oubliette(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oubliette"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["OUBLIETTE_", "AWS_", "RUST_LOG"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs the command with this on its standard input.
#[track_caller]
pub fn oubliette_with_input(mut command: Command, input: &[u8]) -> Finished {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the built binary starts");
    let mut stdin = child.stdin.take().expect("standard input was asked to be piped");
    std::thread::scope(|scope| {
        // Beside reading the output: either pipe alone would fill up and stop the child.
        scope.spawn(move || {
            // A child that has seen enough may close its end early: its exit code tells.
            let _ = stdin.write_all(input);
        });
        finished(child.wait_with_output().expect("the child can be waited for"))
    })
}

impl From<Command> for Finished {
    #[track_caller]
    fn from(mut command: Command) -> Self {
        finished(command.output().expect("the built binary starts"))
    }
}

fn finished(output: std::process::Output) -> Finished {
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

//! What a command ends with when it does not end well: one line for people, one code for scripts.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// How a command that ran to its end left things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As hoped.
    Fine,
    /// It did what it was asked to, and what it looked at is not in order. It has said so.
    Problems,
}

/// Why a command stopped: one line that names the thing and the mend.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The operation failed.
    Failed,
    /// The command line or the configuration is wrong: nothing was tried.
    Usage,
    /// Whoever read our output has seen enough.
    BrokenPipe,
}

impl Failure {
    /// The operation failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, message: message.into() }
    }

    /// The command line or the configuration is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, message: message.into() }
    }

    /// Says first what was being done.
    pub(crate) fn during(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The exit code: 1 failed, 2 usage or configuration, 0 for a reader that went away.
    pub(crate) fn code(&self) -> ExitCode {
        match self.kind {
            Kind::Failed => ExitCode::from(1),
            Kind::Usage => ExitCode::from(2),
            Kind::BrokenPipe => ExitCode::SUCCESS,
        }
    }

    /// Whether there is anybody to tell.
    pub(crate) fn is_quiet(&self) -> bool {
        self.kind == Kind::BrokenPipe
    }
}

/// One line, whatever went into the message.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.message.lines().map(str::trim).filter(|line| !line.is_empty());
        f.write_str(lines.next().unwrap_or("failed"))?;
        lines.try_for_each(|line| write!(f, "; {line}"))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => {
                Self { kind: Kind::BrokenPipe, message: "nobody reads the output".to_owned() }
            }
            _ => Self::failed(error.to_string()),
        }
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line() {
        let failure = Failure::failed("first\n  second\n\nthird").during("trying");
        assert_eq!(failure.to_string(), "trying: first; second; third");
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(failure.is_quiet());
        assert!(!Failure::from(io::Error::from(io::ErrorKind::NotFound)).is_quiet());
    }
}

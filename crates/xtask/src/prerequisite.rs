//! Programs of the operating system that a chore cannot install itself.

use std::process::{Command, Stdio};

use crate::process::Result;

/// A program that must be there, and how to get it.
#[derive(Debug)]
pub(crate) struct Prerequisite {
    pub(crate) program: &'static str,
    /// The Debian package that has it.
    pub(crate) package: &'static str,
}

pub(crate) const C_COMPILER: Prerequisite =
    Prerequisite { program: "cc", package: "gcc libc6-dev" };
pub(crate) const CXX_COMPILER: Prerequisite = Prerequisite { program: "c++", package: "g++" };
pub(crate) const MAKE: Prerequisite = Prerequisite { program: "make", package: "make" };

pub(crate) const SOFTHSM: Prerequisite =
    Prerequisite { program: "softhsm2-util", package: "softhsm2" };
/// A simulated TPM.
pub(crate) const SWTPM: Prerequisite = Prerequisite { program: "swtpm", package: "swtpm" };
/// Brings the library with which a test moves a server's clock.
pub(crate) const FAKETIME: Prerequisite = Prerequisite { program: "faketime", package: "faketime" };

impl Prerequisite {
    /// Whether the program is there and runs.
    pub(crate) fn is_met(&self) -> bool {
        Command::new(self.program)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

/// Installs what the tests can do without, if that takes no password: as root, by `apt-get`. Says what
/// it does, and what would help where it cannot; the tests that need it skip themselves then.
pub(crate) fn try_to_install(wanted: &Prerequisite) {
    if wanted.is_met() {
        return;
    }
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "--no-install-recommends", wanted.package]);
    crate::process::announce(&install);
    let quiet = install.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if !quiet.status().is_ok_and(|status| status.success()) {
        eprintln!("no {}: try `apt-get install -y {}` as root", wanted.program, wanted.package);
    }
}

/// Checks all of them and names every missing one in a single error, with the command that helps.
pub(crate) fn require(wanted_by: &str, prerequisites: &[&Prerequisite]) -> Result<()> {
    let missing: Vec<_> = prerequisites.iter().filter(|it| !it.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let programs = missing.iter().map(|it| it.program).collect::<Vec<_>>().join(", ");
    let packages = missing.iter().map(|it| it.package).collect::<Vec<_>>().join(" ");
    Err(format!("{wanted_by} needs {programs}: try `apt-get install -y {packages}`"))
}

#[cfg(test)]
mod tests {
    use super::{Prerequisite, require};

    const HERE: Prerequisite = Prerequisite { program: "cargo", package: "cargo" };
    const GONE: Prerequisite =
        Prerequisite { program: "no-such-program-7f3a", package: "lost-package" };

    #[test]
    fn only_what_is_missing_is_named() {
        assert_eq!(require("this", &[&HERE]), Ok(()));
        assert_eq!(
            require("this", &[&HERE, &GONE]),
            Err("this needs no-such-program-7f3a: try `apt-get install -y lost-package`".into()),
        );
    }
}

//! The servers that end-to-end tests run against: one table, one way to install each.
//!
//! A test finds a server by an environment variable that holds the path of its program. Without
//! the variable the test skips itself and says so; see `tests/support`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::Cache;
use crate::prerequisite::{self, C_COMPILER, MAKE, Prerequisite};
use crate::process::{self, Outcome, Result};

/// Everything `cargo xtask test` provides.
pub(crate) const SERVERS: &[Server] = &[
    // A separate process and never linked: Garage is AGPL. It is the one S3 server that builds
    // with cargo alone, runs as one small process and carries out lifecycle rules.
    Server {
        name: "garage",
        version: "2.5.0",
        purpose: "an S3 server",
        cost: "about 12 minutes of CPU time, once",
        variable: "OUBLIETTE_GARAGE",
        program: "bin/garage",
        prerequisites: &[&C_COMPILER, &MAKE],
        install: Install::Cargo { package: "garage" },
    },
];

/// One server: what it is, what it takes and how to get it.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    version: &'static str,
    purpose: &'static str,
    /// What installing costs, so that nobody wonders whether it hangs.
    cost: &'static str,
    /// The environment variable that tells tests where the program is.
    pub(crate) variable: &'static str,
    /// The program, relative to the server's cache entry; `--version` must name the version.
    program: &'static str,
    prerequisites: &'static [&'static Prerequisite],
    install: Install,
}

#[derive(Debug)]
enum Install {
    /// `cargo install`, at exactly our version and with the lock file of its authors.
    Cargo { package: &'static str },
}

impl Server {
    /// The path of the program, after installing it if need be; `None`, with a warning, if this
    /// machine lacks what installing takes. Its tests then skip themselves and are counted so.
    pub(crate) fn provide(&self, cache: &Cache) -> Result<Option<PathBuf>> {
        // Whoever has set the variable has a server of their own.
        if let Some(program) = std::env::var_os(self.variable).filter(|value| !value.is_empty()) {
            eprintln!("{}: {} ({})", self.name, program.display(), self.variable);
            return Ok(Some(program.into()));
        }
        let name = format!("{}-{}", self.name, self.version);
        let runs = |entry: &Path| self.runs(&entry.join(self.program));
        if !runs(&cache.entry(&name)) {
            let wanted_by = format!("installing {} ({})", self.name, self.purpose);
            if let Err(reason) = prerequisite::require(&wanted_by, self.prerequisites) {
                eprintln!("warning: {reason}; the tests against it will be skipped");
                return Ok(None);
            }
        }
        let entry = cache.ensure(&name, runs, |scratch| self.install(scratch, cache))?;
        let program = entry.join(self.program);
        eprintln!("{} {}: {}", self.name, self.version, program.display());
        Ok(Some(program))
    }

    fn install(&self, scratch: &Path, cache: &Cache) -> Result<()> {
        eprintln!(
            "installing {} {}, {}, for the tests: {}; it will be kept in {}",
            self.name,
            self.version,
            self.purpose,
            self.cost,
            cache.entry("").display(),
        );
        match self.install {
            Install::Cargo { package } => {
                let build = scratch.join("build");
                let mut command = process::cargo();
                command
                    // Not in the workspace: its settings are ours, not the server's.
                    .current_dir(scratch)
                    .args(["install", package, "--version", self.version, "--locked", "--quiet"])
                    .arg("--root")
                    .arg(scratch)
                    .arg("--target-dir")
                    .arg(&build)
                    .stdin(Stdio::null());
                if process::run(command)? == Outcome::Bad {
                    return Err(format!(
                        "cannot install {} {}: see above",
                        self.name, self.version
                    ));
                }
                // Gigabytes that nobody needs again.
                std::fs::remove_dir_all(&build)
                    .map_err(|error| format!("{}: {error}", build.display()))
            }
        }
    }

    /// Whether the program is there, runs and is the version we want.
    fn runs(&self, program: &Path) -> bool {
        Command::new(program)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|out| says_version(&String::from_utf8_lossy(&out.stdout), self.version))
    }
}

/// Whether one word of the output is the version: `garage cargo:2.5.0 [features: …]`.
fn says_version(output: &str, version: &str) -> bool {
    output
        .split(|it: char| it.is_whitespace() || it == ':')
        .any(|word| word.strip_prefix('v').unwrap_or(word) == version)
}

#[cfg(test)]
mod tests {
    use super::says_version;

    #[test]
    fn version_is_compared_whole() {
        assert!(says_version("garage cargo:2.5.0 [features: k2v, lmdb]", "2.5.0"));
        assert!(says_version("thing v1.2\n", "1.2"));
        assert!(!says_version("garage cargo:2.5.01", "2.5.0"));
        assert!(!says_version("", "2.5.0"));
    }
}

//! The vendors' SDKs, which must read what comes out of the redactor: fetched by the package managers of their
//! languages into the cache.
//!
//! A test finds them by an environment variable that holds the folder of the packages. Without it the
//! test skips itself and says so.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::Cache;
use crate::prerequisite::{self, Prerequisite};
use crate::process::{self, Outcome, Result};

const PIP: Prerequisite = Prerequisite { program: "pip", package: "python3-pip" };
const PYTHON: Prerequisite = Prerequisite { program: "python3", package: "python3" };
const NPM: Prerequisite = Prerequisite { program: "npm", package: "npm" };
const NODE: Prerequisite = Prerequisite { program: "node", package: "nodejs" };

/// Everything `cargo xtask test` provides.
pub(crate) const SDKS: &[Sdk] = &[
    Sdk {
        name: "python-sdks",
        variable: "OUBLIETTE_PYTHON_SDKS",
        prerequisites: &[&PYTHON, &PIP],
        packages: &["openai==3.57.0", "anthropic==2.14.0"],
        install: &["pip", "install", "--quiet", "--disable-pip-version-check", "--target"],
        check: &["python3", "-c", "import openai, anthropic"],
        path_variable: "PYTHONPATH",
        folder: "",
    },
    Sdk {
        name: "node-sdks",
        variable: "OUBLIETTE_NODE_SDKS",
        prerequisites: &[&NODE, &NPM],
        packages: &["openai@7.57.0", "@anthropic-ai/sdk@1.14.0"],
        install: &["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix"],
        check: &["node", "-e", "require('openai'), require('@anthropic-ai/sdk')"],
        path_variable: "NODE_PATH",
        folder: "node_modules",
    },
];

/// The packages of one language.
#[derive(Debug)]
pub(crate) struct Sdk {
    name: &'static str,
    /// The environment variable that tells tests where the packages are.
    pub(crate) variable: &'static str,
    prerequisites: &'static [&'static Prerequisite],
    /// With their versions, as the package manager writes them.
    packages: &'static [&'static str],
    /// The folder and the packages follow.
    install: &'static [&'static str],
    check: &'static [&'static str],
    /// The variable by which the language finds packages.
    path_variable: &'static str,
    /// Where in the folder they are.
    folder: &'static str,
}

impl Sdk {
    /// The folder of the packages, after fetching them if need be; `None`, with a warning, if this machine
    /// cannot: tests with them then skip themselves and are counted so.
    pub(crate) fn provide(&self, cache: &Cache) -> Result<Option<PathBuf>> {
        if let Some(folder) = std::env::var_os(self.variable).filter(|value| !value.is_empty()) {
            eprintln!("{}: {} ({})", self.name, Path::new(&folder).display(), self.variable);
            return Ok(Some(folder.into()));
        }
        let digits = |text: &&str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let versions: Vec<String> = self.packages.iter().map(digits).collect();
        let name = format!("{}-{}", self.name, versions.join("-"));
        let works = |entry: &Path| self.works(&entry.join(self.folder));
        if !works(&cache.entry(&name)) {
            let wanted_by = format!("fetching {}", self.packages.join(", "));
            if let Err(reason) = prerequisite::require(&wanted_by, self.prerequisites) {
                eprintln!("warning: {reason}; the tests with them will be skipped");
                return Ok(None);
            }
        }
        match cache.ensure(&name, works, |scratch| self.fetch(scratch, cache)) {
            Ok(entry) => {
                let folder = entry.join(self.folder);
                eprintln!("{}: {}", self.name, folder.display());
                Ok(Some(folder))
            }
            // No network is no reason to run no tests.
            Err(reason) => {
                eprintln!("warning: {reason}; the tests with them will be skipped");
                Ok(None)
            }
        }
    }

    fn fetch(&self, scratch: &Path, cache: &Cache) -> Result<()> {
        eprintln!(
            "fetching {} for the tests; some 50 MB, once; they will be kept in {}",
            self.packages.join(", "),
            cache.entry("").display(),
        );
        let mut command = Command::new(self.install[0]);
        command.args(&self.install[1..]).arg(scratch).args(self.packages).stdin(Stdio::null());
        match process::run(command)? {
            Outcome::Bad => Err(format!("cannot fetch {}: see above", self.packages.join(", "))),
            _ => Ok(()),
        }
    }

    fn works(&self, folder: &Path) -> bool {
        folder.is_dir()
            && Command::new(self.check[0])
                .args(&self.check[1..])
                .env(self.path_variable, folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
    }
}

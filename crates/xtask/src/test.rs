//! `cargo xtask test`: everything the tests need, then all the tests.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::Cache;
use crate::prerequisite::{self, C_COMPILER, FAKETIME, SOFTHSM, SWTPM};
use crate::process::{self, Outcome, Result};
use crate::sdk::SDKS;
use crate::server::SERVERS;
use crate::tally::{Tally, TallyStream};

/// A test that finds no server appends one line to the file that this names; see `tests/support`.
const SKIPPED_VARIABLE: &str = "OUBLIETTE_SKIPPED";

/// Install what the tests need, then build and run all of them, doc tests too.
///
/// Servers are installed once into the cache (see `cargo xtask --help`) and started by the tests
/// themselves on loopback ports. The SDKs of LLM vendors, which must read redacted bodies, are fetched
/// by pip and npm into the same cache. A software security module (SoftHSM), a simulated TPM (swtpm) and
/// libfaketime come from the distribution, if this is Debian or like it and you are root. A program of your own is taken instead
/// if its variable is set: OUBLIETTE_GARAGE=/path/to/garage.
///
/// The last line is `N passed, N failed, N skipped`, over all test binaries. A test that was
/// ignored or had no server to run against counts as skipped, and not as passed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask test                          all of it
  cargo xtask test -- tally                 only tests with `tally` in their name
  cargo xtask test --no-servers -- --nocapture")]
pub(crate) struct Arguments {
    /// Install and use no servers and no SDKs; the tests that need them skip themselves.
    #[arg(long)]
    no_servers: bool,
    /// Passed on to the test binaries: filters and options of libtest.
    #[arg(last = true)]
    rest: Vec<OsString>,
}

/// Runs the tests.
pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    prerequisite::require("building oubliette", &[&C_COMPILER])?;
    let mut command = process::cargo();
    // All of them, even if one fails: the counts at the end are about everything.
    command.args(["test", "--workspace", "--no-fail-fast"]);
    // Loads a library when it is used and needs none to build, so it is tested wherever there is one.
    command.args(["--features", "oubliette/pkcs11"]);
    if !arguments.rest.is_empty() {
        command.arg("--").args(&arguments.rest);
    }
    provide_servers(&mut command, arguments.no_servers)?;
    if !arguments.no_servers {
        prerequisite::try_to_install(&SOFTHSM);
        prerequisite::try_to_install(&SWTPM);
        prerequisite::try_to_install(&FAKETIME);
    }
    let skipped_file = SkippedFile::create()?;
    command.env(SKIPPED_VARIABLE, skipped_file.path());

    let (outcome, mut tally) = run_counting(command)?;
    let skipped = skipped_file.lines();
    tally.move_to_skipped(skipped.len() as u64);
    for line in skipped {
        eprintln!("skipped: {line}");
    }
    if outcome == Outcome::Bad && tally.failed == 0 {
        eprintln!("error: cargo test failed outside any test: see above");
    }
    println!("{tally}");
    Ok(outcome)
}

fn provide_servers(command: &mut Command, no_servers: bool) -> Result<()> {
    if no_servers {
        eprintln!("no servers, no SDKs (--no-servers): tests that need one will skip themselves");
        for server in SERVERS {
            command.env_remove(server.variable);
        }
        for sdk in SDKS {
            command.env_remove(sdk.variable);
        }
        return Ok(());
    }
    let cache = Cache::of_this_user()?;
    for server in SERVERS {
        match server.provide(&cache)? {
            Some(program) => command.env(server.variable, program),
            None => command.env_remove(server.variable),
        };
    }
    for sdk in SDKS {
        match sdk.provide(&cache)? {
            Some(folder) => command.env(sdk.variable, folder),
            None => command.env_remove(sdk.variable),
        };
    }
    Ok(())
}

/// Runs the command with its standard output going to ours as it comes, and tallies it.
fn run_counting(mut command: Command) -> Result<(Outcome, Tally)> {
    process::announce(&command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| process::cannot_run(&command, &error))?;
    let mut from = child.stdout.take().expect("standard output was asked to be piped");
    let mut tally = TallyStream::default();
    let mut chunk = [0; 8192];
    let mut copy = || -> io::Result<()> {
        loop {
            let length = match from.read(&mut chunk) {
                Ok(0) => return io::stdout().flush(),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            tally.push(&chunk[..length]);
            let mut to = io::stdout().lock();
            to.write_all(&chunk[..length])?;
            to.flush()?;
        }
    };
    let copied = copy();
    let status = child.wait().map_err(|error| format!("waiting for cargo test: {error}"))?;
    copied.map_err(|error| format!("passing on the output of cargo test: {error}"))?;
    Ok((Outcome::from_success(status.success()), tally.finish()))
}

/// The file in which tests note that they were skipped; removed on drop.
struct SkippedFile(PathBuf);

impl SkippedFile {
    fn create() -> Result<Self> {
        let folder = process::target_dir();
        let path = folder.join(format!("skipped-tests-{}.txt", std::process::id()));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&path, ""))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for SkippedFile {
    fn drop(&mut self) {
        // A file of a few bytes in the target folder: nothing is lost if it stays.
        let _ = fs::remove_file(&self.0);
    }
}

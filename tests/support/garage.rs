//! Garage: a real S3 server, one node on loopback.
//!
//! What it is and is not good for: path-style addressing, region `garage`; lifecycle expiry by
//! days and prefix really happens; conditional PUT is ignored; deleted bytes stay on its disk for
//! ten minutes and more.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::process::Process;
use super::wait::free_port;

/// The variable that `cargo xtask test` sets to the path of the program.
const PROGRAM_VARIABLE: &str = "OUBLIETTE_GARAGE";

/// The file in which `cargo xtask test` counts the tests that were skipped.
const SKIPPED_VARIABLE: &str = "OUBLIETTE_SKIPPED";

/// Ready within a second on an idle machine; the rest is for a busy one.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running Garage with one empty bucket, in a folder of its own; gone when dropped.
#[derive(Debug)]
pub struct Garage {
    /// `None` only while it is stopped.
    process: Option<Process>,
    program: PathBuf,
    port: u16,
    folder: TempDir,
}

impl Garage {
    /// The name of the bucket that is there from the start.
    pub const BUCKET: &str = "bodies";
    /// The region to sign for.
    pub const REGION: &str = "garage";
    /// A key that may do everything in the bucket. Of no value: the server lives as long as a test.
    pub const ACCESS_KEY: &str = "GK0123456789abcdef01234567";
    /// The secret that belongs to [`ACCESS_KEY`](Self::ACCESS_KEY).
    pub const SECRET_KEY: &str = "5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f";

    /// Whether there is a program to start.
    pub fn is_installed() -> bool {
        std::env::var_os(PROGRAM_VARIABLE).is_some()
    }

    /// Starts a server; `None`, after saying so, if there is no program. The test then returns:
    ///
    /// ```ignore
    /// let Some(garage) = Garage::start() else { return };
    /// ```
    pub fn start() -> Option<Self> {
        let Some(program) = std::env::var_os(PROGRAM_VARIABLE) else {
            skip("no Garage: OUBLIETTE_GARAGE is not set, `cargo xtask test` sets it");
            return None;
        };
        let folder = TempDir::with_prefix("oubliette-garage-").expect("a temporary folder");
        let mut garage = Self { process: None, program: program.into(), port: free_port(), folder };
        garage.write_configuration();
        garage.run();
        Some(garage)
    }

    /// The URL of its S3 endpoint.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What an AWS client reads from its environment, for the [`Command`] of a child.
    #[must_use]
    pub fn credentials() -> [(&'static str, &'static str); 3] {
        [
            ("AWS_ACCESS_KEY_ID", Self::ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", Self::SECRET_KEY),
            ("AWS_REGION", Self::REGION),
        ]
    }

    /// Everything it keeps, data and metadata, for [`search_tree`](super::search_tree). Objects
    /// lie there uncompressed: what is in an object can be found by its bytes.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("kept")
    }

    /// The folder with data, metadata and log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Takes it away, as if the network were down: connections are refused.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Brings it back on the same port with the same data, if it is stopped.
    pub fn restart(&mut self) {
        if self.process.is_none() {
            self.run();
        }
    }

    /// Freezes it: connections open and hang.
    pub fn pause(&self) {
        self.process.iter().for_each(Process::pause);
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&self) {
        self.process.iter().for_each(Process::resume);
    }

    /// libfaketime, which moves the clock of a program that is started with it.
    pub fn other_clock() -> Option<PathBuf> {
        // Where Debian and its kin have it, by architecture.
        let by_architecture = fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
        let library = |folder: PathBuf| folder.join("faketime/libfaketime.so.1");
        by_architecture.map(|entry| library(entry.path())).find(|path| path.exists())
    }

    /// Runs it some days from now until it has gone through its lifecycle rules, and stops it. It
    /// must be stopped.
    pub fn live_through_lifecycle_after(&mut self, days: u32) {
        let library = Self::other_clock().expect("asked for before");
        let before = self.passes();
        self.run_with(&[
            ("LD_PRELOAD", library.to_string_lossy().into_owned()),
            ("FAKETIME", format!("+{days}d")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
        ]);
        super::wait::wait_until("a pass through the lifecycle rules", READY_WITHIN, || {
            (self.passes() > before).then_some(())
        });
        self.stop();
    }

    /// How often it has gone through its lifecycle rules.
    fn passes(&self) -> usize {
        let log = fs::read_to_string(self.folder.path().join("garage.log")).unwrap_or_default();
        log.matches("ifecycle worker finished").count()
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("garage.toml")
    }

    fn write_configuration(&self) {
        let kept = self.data_dir();
        fs::create_dir(&kept).expect("a new folder");
        let text = format!(
            r#"
                metadata_dir = "{kept}/meta"
                data_dir = "{kept}/data"
                db_engine = "lmdb"
                replication_factor = 1
                # Otherwise a search for raw bytes on its disk would find nothing, ever.
                compression_level = "none"
                rpc_bind_addr = "127.0.0.1:{rpc}"
                rpc_public_addr = "127.0.0.1:{rpc}"
                rpc_secret = "{secret}"
                [s3_api]
                api_bind_addr = "127.0.0.1:{s3}"
                s3_region = "{region}"
            "#,
            kept = kept.display(),
            rpc = free_port(),
            s3 = self.port,
            secret = Self::SECRET_KEY,
            region = Self::REGION,
        );
        fs::write(self.configuration(), text).expect("the configuration can be written");
    }

    fn run(&mut self) {
        self.run_with(&[]);
    }

    fn run_with(&mut self, environment: &[(&str, String)]) {
        let mut command = Command::new(&self.program);
        command
            .arg("-c")
            .arg(self.configuration())
            .args(["server", "--single-node", "--default-bucket"])
            .env("GARAGE_DEFAULT_ACCESS_KEY", Self::ACCESS_KEY)
            .env("GARAGE_DEFAULT_SECRET_KEY", Self::SECRET_KEY)
            .env("GARAGE_DEFAULT_BUCKET", Self::BUCKET)
            .envs(environment.iter().map(|(name, value)| (name, value)));
        let mut process = Process::start(command, self.folder.path().join("garage.log"));
        // It makes key and bucket before it listens.
        process.wait_until_ready(READY_WITHIN, |_| {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()
        });
        self.process = Some(process);
    }
}

/// Notes that the calling test has nothing to run against; call it once, then return.
///
/// `cargo xtask test` counts such a test as skipped, and not as passed.
pub fn skip(reason: &str) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test");
    println!("skipped: {test}: {reason}");
    if let Some(path) = std::env::var_os(SKIPPED_VARIABLE) {
        let mut file = File::options().append(true).open(path).expect("the list of skipped tests");
        // One write, so that lines of tests that run at once do not mix.
        file.write_all(format!("{test}: {reason}\n").as_bytes()).expect("the list can be written");
    }
}

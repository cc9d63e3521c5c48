//! `cargo xtask fuzz`: the fuzz targets on the stable toolchain, without cargo-fuzz.
//!
//! Coverage comes from LLVM's own pass, which stable rustc can switch on; only the sanitizers need
//! nightly. They look for memory errors, which only the scanner's vector kernels could make; what
//! our targets look for is broken promises, by assertion. `cargo +nightly fuzz run <target>` works
//! on the same folder for those who want both.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::prerequisite::{self, C_COMPILER, CXX_COMPILER};
use crate::process::{self, Outcome, Result, target_dir, workspace_root};

/// Fuzz one target, or all of them one after the other.
///
/// Seeds are read from `fuzz/corpus/TARGET`; what the fuzzer learns is kept in the target folder
/// and used again next time. An input that breaks a property is written to
/// `fuzz/artifacts/TARGET`; minimise it, then commit it as a seed: `cargo xtask test` replays
/// every seed without the fuzzer.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long to fuzz each target.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Only list the targets.
    #[arg(long)]
    list: bool,
    /// The target; all of them if none is named.
    target: Option<String>,
    /// Passed on to libFuzzer, for example `-- -minimize_crash=1 FILE`.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// What `cargo fuzz` passes to rustc, less the sanitizers.
const RUSTFLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    // One unit a crate: the pass may otherwise leave undefined symbols behind.
    "-Ccodegen-units=1",
];

/// A hang is a finding too: no input of a few kilobytes may take this long, in seconds.
const TIMEOUT: u32 = 10;

/// Memory that doubles is a finding as well; in MiB.
const MEMORY_LIMIT: u32 = 2048;

/// Builds the targets and fuzzes them.
pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut targets = targets()?;
    if arguments.list {
        targets.iter().for_each(|target| println!("{target}"));
        return Ok(Outcome::Good);
    }
    if let Some(wanted) = &arguments.target {
        if !targets.contains(wanted) {
            return Err(format!("no fuzz target {wanted}: there are {}", targets.join(", ")));
        }
        targets.retain(|target| target == wanted);
    }
    prerequisite::require("libFuzzer", &[&C_COMPILER, &CXX_COMPILER])?;
    let host = host_triple()?;
    let build_dir = target_dir().join("fuzz");
    if build(&build_dir, &host, arguments.target.as_deref())? == Outcome::Bad {
        return Ok(Outcome::Bad);
    }
    let mut broken = Vec::new();
    for target in &targets {
        let program = build_dir.join(&host).join("release").join(target);
        if fuzz(target, &program, &build_dir, arguments)? == Outcome::Bad {
            broken.push(target.as_str());
        }
    }
    if !broken.is_empty() {
        return Err(format!("broken: {} (inputs are in fuzz/artifacts)", broken.join(", ")));
    }
    eprintln!("{} fuzz target(s), {} s each, nothing broken", targets.len(), arguments.seconds);
    Ok(Outcome::Good)
}

/// The names of the targets: one file each.
fn targets() -> Result<Vec<String>> {
    let folder = workspace_root().join("fuzz/fuzz_targets");
    let items = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<_> = items
        .filter_map(|item| Some(item.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

fn build(build_dir: &Path, host: &str, target: Option<&str>) -> Result<Outcome> {
    let mut command = process::cargo();
    command
        .current_dir(workspace_root().join("fuzz"))
        .args(["build", "--release", "--quiet"])
        // Naming the target keeps the flags away from build scripts and procedural macros.
        .args(["--target", host])
        .arg("--target-dir")
        .arg(build_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"));
    match target {
        Some(target) => command.args(["--bin", target]),
        None => command.arg("--bins"),
    };
    process::run(command)
}

fn fuzz(target: &str, program: &Path, build_dir: &Path, arguments: &Arguments) -> Result<Outcome> {
    let fuzz_dir = workspace_root().join("fuzz");
    let seeds = fuzz_dir.join("corpus").join(target);
    let artifacts = fuzz_dir.join("artifacts").join(target);
    // libFuzzer writes what it learns to the first corpus folder; the seeds stay as committed.
    let learnt = build_dir.join("corpus").join(target);
    for folder in [&artifacts, &learnt] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut command = Command::new(program);
    command
        .current_dir(&fuzz_dir)
        .arg(format!("-max_total_time={}", arguments.seconds))
        .arg(format!("-timeout={TIMEOUT}"))
        .arg(format!("-rss_limit_mb={MEMORY_LIMIT}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-print_final_stats=1", "-verbosity=0", "-print_funcs=0"])
        .stdin(Stdio::null());
    if arguments.rest.is_empty() {
        command.arg(&learnt);
        if seeds.is_dir() {
            command.arg(&seeds);
        }
    } else {
        command.args(&arguments.rest);
    }
    process::run(command)
}

/// The triple that this toolchain builds for by default.
fn host_triple() -> Result<String> {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(program);
    command.current_dir(workspace_root()).args(["--version", "--verbose"]);
    let output = command.output().map_err(|error| process::cannot_run(&command, &error))?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| "rustc --version --verbose names no host".to_owned())
}

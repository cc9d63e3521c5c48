//! Configuration and `rules check` through the built binary.

#![allow(clippy::unwrap_used, reason = "a test that has nothing to unwrap has failed")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Finished, oubliette};
use tempfile::TempDir;

/// A command in a folder of its own, so that no `oubliette.toml` is found by chance.
fn here(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = oubliette(arguments);
    command.current_dir(folder.path());
    command
}

fn setting(command: Command, name: &str) -> (String, String) {
    let run = Finished::from(command).ok();
    let rows = run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let row = rows.into_iter().find(|row| row["setting"] == name).unwrap();
    let text = |field: &str| row[field].as_str().unwrap_or("-").to_owned();
    (text("value"), text("from"))
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = TempDir::new().unwrap();
    let check = ["config", "check", "--json"];
    let log = |command| setting(command, "log.level");
    let pair = |value: &str, from: &str| (value.to_owned(), from.to_owned());
    assert_eq!(log(here(&folder, &check)), pair("info", "default"));

    fs::write(folder.path().join("oubliette.toml"), "[log]\nlevel = \"warn\"\n").unwrap();
    assert_eq!(log(here(&folder, &check)), pair("warn", "oubliette.toml:2"));

    let mut command = here(&folder, &check);
    command.env("OUBLIETTE_LOG_LEVEL", "debug");
    assert_eq!(log(command), pair("debug", "OUBLIETTE_LOG_LEVEL"));

    let with_flag = ["config", "check", "--json", "--set", "log.level=error"];
    let mut command = here(&folder, &with_flag);
    command.env("OUBLIETTE_LOG_LEVEL", "debug");
    assert_eq!(log(command), pair("error", "--set"));
}

#[test]
fn the_file_is_the_one_that_is_named_and_its_paths_start_beside_it() {
    let folder = TempDir::new().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    for (path, name) in [(&one, "first"), (&other, "second")] {
        fs::create_dir(path).unwrap();
        fs::write(path.join("o.toml"), format!("data_dir = \"{name}\"\n")).unwrap();
    }
    let data = |path: &Path, name: &str| path.join(name).display().to_string();
    let mut command = here(&folder, &["config", "check", "--json"]);
    command.env("OUBLIETTE_CONFIG", one.join("o.toml"));
    assert_eq!(setting(command, "data_dir").0, data(&one, "first"));

    let file = other.join("o.toml");
    let mut command =
        here(&folder, &["config", "check", "--json", "--config", file.to_str().unwrap()]);
    command.env("OUBLIETTE_CONFIG", one.join("o.toml"));
    assert_eq!(setting(command, "data_dir").0, data(&other, "second"));
}

#[test]
fn secrets_are_not_shown() {
    let folder = TempDir::new().unwrap();
    let mut command = here(&folder, &["config", "check"]);
    command.env("OUBLIETTE_API_KEY", "oub_abc_topsecret");
    let run = Finished::from(command).ok();
    assert!(run.stdout.contains("(set, not shown)") && run.stdout.contains("OUBLIETTE_API_KEY"));
    assert!(!run.stdout.contains("topsecret") && !run.stderr.contains("topsecret"));
}

#[test]
fn a_variable_that_is_no_setting_is_pointed_out() {
    let folder = TempDir::new().unwrap();
    let mut command = here(&folder, &["config", "check"]);
    command.env("OUBLIETTE_DATADIR", "x");
    let run = Finished::from(command).ok();
    assert!(run.stderr.contains("OUBLIETTE_DATADIR is no setting (is OUBLIETTE_DATA_DIR meant?)"));
}

#[test]
fn wrong_configuration_is_named_in_one_line() {
    for (file, message) in [
        ("listen = \"127.0.0.1:7070\nx = 1", "oubliette.toml:1: "),
        ("[store\n", "oubliette.toml:1: "),
        ("\ndata_dri = \"x\"", "oubliette.toml:2: data_dri is no setting: is data_dir meant?"),
        ("[store]\nkind = \"s3\"\nbucked = \"b\"", "oubliette.toml:3: store.bucked is no setting"),
        ("listen = 7070", "listen \"7070\" (oubliette.toml:1) is wrong: not an address"),
        ("[store]\nkind = \"s3\"", "store.bucket is not set"),
        ("[spool]\nmax_bytes = \"plenty\"", "spool.max_bytes \"plenty\" (oubliette.toml:2)"),
        ("data_dir = \"d\"\nkeys_dir = \"d/keys\"", "lies inside data_dir"),
        ("data_dir = \"d\"\nkeys_dir = \"k/../d\"", "lies inside data_dir"),
        ("[store]\npath = \"o\"\n[store.more]\nx = 1", "oubliette.toml:3: store.more"),
    ] {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("oubliette.toml"), file).unwrap();
        for arguments in [&["scan", "x"][..], &["config", "check"], &["serve"]] {
            let mut command = here(&folder, arguments);
            command.env("OUBLIETTE_API_KEY", "x");
            let run = Finished::from(command);
            assert_eq!(run.code, Some(2), "{file}: {run:?}");
            let last = run.stderr.lines().last().unwrap_or_default();
            assert!(last.starts_with("oubliette: ") && last.contains(message), "{file}: {last}");
        }
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing was made: {left:?}");
    }
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let folder = TempDir::new().unwrap();
    Finished::from(here(&folder, &["config", "check", "--config", "gone.toml"]))
        .fails_with(2, "configuration gone.toml cannot be read");
    let wrong = ["scan", "--set", "lisen=x"];
    Finished::from(here(&folder, &wrong)).fails_with(2, "lisen is no setting: is listen meant?");
}

#[test]
fn the_standard_rules_hold() {
    let run = Finished::from(oubliette(["rules", "check"])).ok();
    let summary = run.stdout.lines().last().unwrap();
    assert!(summary.contains(": 0 errors"), "{}", run.stdout);
}

#[test]
fn rules_check_names_source_line_rule_and_mend() {
    const RULE: &str = "pack = \"p\"\n\n[[rule]]\nid = \"p.badge\"\nentity = \"BADGE\"\n\
        category = \"pii\"\ndescription = \"Badge\"\npattern = 'BADGE-[0-9]{6}'\nscore = 0.9\n\
        examples = [\"[[BADGE-123456]]\"]\nnegative_examples = [\"BADGE-12345\"]\n";
    for (from, to, message) in [
        ("", "", ""),
        ("score =", "skore =", "mine.toml:9: rule p.badge: unknown field `skore`"),
        ("[0-9]{6}'", "[0-9]{6'", "mine.toml:8: rule p.badge: pattern"),
        ("BADGE-[0-9]{6}'", "(BADGE)?'", "rule p.badge: pattern"),
        ("[[BADGE-123456]]", "[[BADGE-12345]]", "mine.toml:3: rule p.badge: example 1 marks"),
        ("\"BADGE-12345\"", "\"BADGE-1234567\"", "rule p.badge: negative example 1 is matched"),
        ("pack =", "pack", "mine.toml:1: "),
        ("p.badge", "global.email", "the id stands already in global.toml"),
    ] {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("mine.toml"), RULE.replacen(from, to, 1)).unwrap();
        let run = Finished::from(here(&folder, &["rules", "check", "--pack", "mine.toml"]));
        assert_eq!(run.code, Some(i32::from(!message.is_empty())), "{message}: {run:?}");
        assert!(run.stdout.contains(message), "{message}: {}", run.stdout);
        let errors = if message.is_empty() { ": 0 errors" } else { ": 1 error," };
        assert!(run.stdout.lines().last().unwrap().contains(errors), "{}", run.stdout);
    }
}

#[test]
fn help_is_help_and_no_command_is_a_question() {
    for arguments in [&["--help"][..], &["scan", "-h"], &["account", "set", "--help"]] {
        let run = Finished::from(oubliette(arguments)).ok();
        assert!(run.stdout.contains("Usage: oubliette") && run.stderr.is_empty());
    }
    let version = Finished::from(oubliette(["--version"])).ok().stdout;
    assert_eq!(version.trim(), concat!("oubliette ", env!("CARGO_PKG_VERSION")));
    let run = Finished::from(oubliette([""; 0]));
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("Usage: oubliette"));
    Finished::from(oubliette(["fly"])).fails_with(2, "unrecognized subcommand 'fly'");
}

/// The root key in a simulated TPM, chosen by configuration alone.
#[cfg(unix)]
#[test]
fn a_root_in_a_tpm_by_configuration() {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::create_dir(place("tpm")).unwrap();
    let started = Command::new("swtpm")
        .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
        .args(["--tpmstate", &format!("dir={}", place("tpm").display())])
        .args(["--server", &format!("type=unixio,path={}", place("socket").display())])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    let Ok(mut tpm) = started else {
        support::skip("no swtpm: apt-get install -y swtpm");
        return;
    };
    for _ in 0..500 {
        if place("socket").exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    fs::write(place("oubliette.toml"), "[root]\nkind = \"tpm\"\ndevice = \"socket\"\n").unwrap();
    Finished::from(here(&folder, &["account", "create", "acme"])).ok();
    let generation = || {
        let told = Finished::from(here(&folder, &["keys", "status", "--json"])).ok().stdout;
        let told: Value = serde_json::from_str(&told).unwrap();
        told["generation"].as_u64().unwrap()
    };
    let before = generation();
    Finished::from(here(&folder, &["keys", "rotate"])).ok();
    assert_eq!(generation(), before + 1);
    assert!(
        place("oubliette-keys/root.tpm").exists() && !place("oubliette-keys/root.key").exists()
    );
    // Another kind of root is not taken for it, and says that one is missing.
    fs::remove_file(place("oubliette.toml")).unwrap();
    let other = Finished::from(here(&folder, &["keys", "status"]));
    other.fails_with(2, "missing root key");
    tpm.kill().unwrap();
    tpm.wait().unwrap();
}

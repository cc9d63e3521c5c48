//! The root key somewhere else than in a file, by configuration: the built binary on a security module
//! (SoftHSM) and on a TPM (swtpm).

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that has nothing to unwrap has failed")]

#[path = "../crates/keytree/tests/support/softhsm.rs"]
mod softhsm;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Account, Finished, Process, Sidecar, oubliette, skip, wait_until};
use tempfile::TempDir;

/// Captures two exchanges, forgets one, and goes through a crash, an orderly end and the commands that
/// look at keys. Gives the server, stopped.
fn lives_on(root_file: &str, settings: &[&str], variables: &[(&str, &str)]) -> (Sidecar, Account) {
    let mut sidecar = Sidecar::start(settings, variables);
    let acme = sidecar.account("acme");
    acme.grant_everything();
    acme.capture("kept", r#"{"input":"stays"}"#, "");
    acme.capture("gone", r#"{"input":"goes"}"#, "");
    assert!(sidecar.keys_dir().join(root_file).is_file());
    assert!(!sidecar.keys_dir().join("root.key").exists(), "no root in a file beside it");

    let shred = acme.owner.delete(&acme.path("/exchanges/gone")).expect_status(200).json();
    let change = |of: &Value| (of["from"].as_u64().unwrap(), of["to"].as_u64().unwrap());
    let (from, to) = change(&shred["generation"]);
    assert_eq!(change(&shred["receipt"]["shred"]["generation"]), (from, to));
    assert!(from < to);
    holds(&acme);
    sidecar.kill();
    sidecar.restart();
    holds(&acme);
    let rotated = sidecar.operator().post("/v1/keys/rotate", &json!({})).expect_status(200).json();
    let (from, rotated) = change(&rotated["generation"]);
    assert_eq!(from, to);
    sidecar.stop();

    let status = sidecar.run(["keys", "status", "--json"]).ok();
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["generation"].as_u64(), Some(rotated), "{status}");
    sidecar.run(["keys", "verify"]).ok();
    sidecar.run(["keys", "rotate"]).ok();
    (sidecar, acme)
}

/// What was kept is read, and what was shredded is not.
fn holds(account: &Account) {
    let kept = account.read("kept", "request");
    assert_eq!(kept.status, 200);
    assert!(String::from_utf8(kept.bytes).unwrap().contains("stays"));
    account.read("gone", "request").expect_status(410);
}

/// Serving on this root is refused.
fn refuses(sidecar: &Sidecar, settings: &[&str], variables: &[(&str, &str)]) -> Finished {
    let mut serve = oubliette(["serve", "--listen", "127.0.0.1:0"]);
    serve.arg("--data-dir").arg(sidecar.data_dir()).arg("--keys-dir").arg(sidecar.keys_dir());
    for setting in settings {
        serve.args(["--set", setting]);
    }
    serve.envs(variables.iter().copied());
    serve.into()
}

#[test]
fn the_root_in_a_tpm() {
    let folder = TempDir::new().unwrap();
    let Some(tpm) = swtpm(folder.path()) else { return };
    let device = format!("root.device={}", folder.path().join("socket").display());
    let settings = ["root.kind=tpm", &device];
    let (mut sidecar, acme) = lives_on("root.tpm", &settings, &[]);

    // Without the chip there is no root, and nothing is begun anew.
    tpm.kill();
    refuses(&sidecar, &settings, &[]).fails_with(1, "check that it is there");
    let tpm = swtpm(folder.path()).unwrap();
    sidecar.restart();
    sidecar.stop();
    // A file that says nothing of a chip is no root either.
    refuses(&sidecar, &[], &[]).fails_with(2, "missing root key");

    // The chip is lost, and with it all bodies; the rest goes on with another.
    drop(tpm);
    fs::remove_dir_all(folder.path().join("tpm")).unwrap();
    let _tpm = swtpm(folder.path()).unwrap();
    refuses(&sidecar, &settings, &[]).fails_with(2, "missing root key");
    sidecar.run(["keys", "begin-anew"]).fails_with(2, "--forget-all-bodies");
    let begun = sidecar.run(["keys", "begin-anew", "--forget-all-bodies", "--json"]).ok();
    let begun: Value = serde_json::from_str(&begun.stdout).unwrap();
    assert_eq!(begun["accounts"], 1);
    sidecar.restart();
    let in_use = sidecar.run(["keys", "begin-anew", "--forget-all-bodies"]);
    in_use.fails_with(1, "in use by another process");
    acme.read("kept", "request").expect_status(410);
    acme.capture("later", r#"{"input":"stays"}"#, "");
    acme.read("later", "request").expect_status(200);
    sidecar.operator().get("/v1/keys/verify").expect_status(200);
    sidecar.stop();
}

fn swtpm(folder: &Path) -> Option<Process> {
    let there = Command::new("swtpm").arg("--version").output();
    if there.is_err() {
        skip("no swtpm (`apt-get install -y swtpm`)");
        return None;
    }
    let (state, socket) = (folder.join("tpm"), folder.join("socket"));
    fs::create_dir_all(&state).unwrap();
    let _ = fs::remove_file(&socket);
    let mut start = Command::new("swtpm");
    start.args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"]);
    start.arg("--tpmstate").arg(format!("dir={}", state.display()));
    start.arg("--server").arg(format!("type=unixio,path={}", socket.display()));
    let process = Process::start(start, folder.join("tpm.log"));
    wait_until("a simulated TPM", Duration::from_secs(10), || socket.exists().then_some(()));
    Some(process)
}

#[test]
fn the_root_in_a_security_module() {
    let folder = TempDir::new().unwrap();
    let Some(module) = softhsm::module() else {
        skip("no SoftHSM (`apt-get install -y softhsm2`)");
        return;
    };
    let conf = softhsm::configure(folder.path());
    softhsm::make_token(&module, &conf, "bodies", "1234");
    let pin = folder.path().join("pin");
    fs::write(&pin, "1234\n").unwrap();
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o600)).unwrap();
    let settings = [
        "root.kind=pkcs11".to_owned(),
        "root.token=bodies".to_owned(),
        format!("root.module={}", module.display()),
        format!("root.pin_file={}", pin.display()),
    ];
    let settings = settings.each_ref().map(String::as_str);
    let variables = [("SOFTHSM2_CONF", conf.to_str().unwrap())];
    if cfg!(not(feature = "pkcs11")) {
        let mut serve = oubliette(["serve", "--listen", "127.0.0.1:0"]);
        serve.current_dir(folder.path());
        for setting in settings {
            serve.args(["--set", setting]);
        }
        Finished::from(serve).fails_with(2, "build it with `--features pkcs11`");
        return;
    }
    let (mut sidecar, _) = lives_on("root.pkcs11", &settings, &variables);

    // A backup of the file is worth nothing once the root has moved on, and says so.
    let file = sidecar.keys_dir().join("root.pkcs11");
    let backup = fs::read(&file).unwrap();
    sidecar.run(["keys", "rotate"]).ok();
    let newest = fs::read(&file).unwrap();
    fs::write(&file, backup).unwrap();
    refuses(&sidecar, &settings, &variables).fails_with(1, "its wrapping key is gone");
    fs::write(&file, newest).unwrap();
    // Nor is the PIN of somebody else.
    fs::write(&pin, "9999\n").unwrap();
    let wrong = refuses(&sidecar, &settings, &variables).fails_with(1, "PIN");
    assert!(!wrong.stderr.contains("9999"));
    fs::write(&pin, "1234\n").unwrap();
    sidecar.restart();
    sidecar.stop();
}

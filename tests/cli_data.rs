//! The commands on accounts, captures, tickets and keys, on the data folder and through a server.

#![allow(clippy::unwrap_used, reason = "a test that has nothing to unwrap has failed")]

mod support;

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::{Finished, Process, assert_nowhere, free_port, oubliette};
use tempfile::TempDir;

const EMAIL: &str = "jo.moss@example.com";
const CARD: &str = "4242 4242 4242 4242";

/// A folder with a request and a response in it; commands run there.
struct Here {
    folder: TempDir,
    /// The server to talk to, and the operator's key for it.
    server: Option<(String, String)>,
}

impl Here {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let request = format!(r#"{{"messages":[{{"role":"user","content":"I am {EMAIL}"}}]}}"#);
        fs::write(folder.path().join("request.json"), request).unwrap();
        let event = |text: &str| {
            format!(
                "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
            )
        };
        let stream = [event("Card 4242 42"), event("42 4242 42"), event("42, order BK-204518")];
        fs::write(folder.path().join("response.sse"), stream.concat()).unwrap();
        Self { folder, server: None }
    }

    fn command(&self, arguments: &[&str], key: Option<&str>) -> Command {
        let mut command = oubliette(arguments);
        command.current_dir(self.folder.path());
        if let Some((url, operator)) = &self.server {
            command.env("OUBLIETTE_URL", url).env("OUBLIETTE_API_KEY", operator);
        }
        if let Some(key) = key {
            command.env("OUBLIETTE_API_KEY", key);
        }
        command
    }

    /// Runs a command, perhaps with the API key of someone.
    fn run(&self, arguments: &[&str], key: Option<&str>) -> Finished {
        self.command(arguments, key).into()
    }

    /// What a command prints, as JSON: one value for each line.
    fn json(&self, arguments: &[&str], key: Option<&str>) -> Vec<Value> {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let out = self.run(&arguments, key).ok().stdout;
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Makes a key: its id and itself.
    fn make_key(&self, arguments: &[&str]) -> (String, String) {
        let all: Vec<&str> = ["api-key", "create"].iter().chain(arguments).copied().collect();
        let made = &self.json(&all, None)[0];
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        (text("id"), text("key"))
    }
}

/// The story of an account; the keys are `None` where the data folder itself is the authority.
fn story(here: &Here, gateway: Option<&str>, owner: Option<&str>, agent: (&str, &str)) {
    let (agent_id, agent) = (agent.0, Some(agent.1));
    let capture = [
        "capture",
        "--account",
        "acme",
        "--id",
        "ex/1?a",
        "--request",
        "request.json",
        "--response",
        "response.sse",
    ];
    let outcome = &here.json(&capture, gateway)[0];
    assert_eq!(outcome["parts"]["request"]["reason"], "not_opted_in", "{outcome}");

    here.run(&["account", "set", "acme", "--capture", "on"], owner).ok();
    let outcome = &here.json(&capture, gateway)[0];
    assert_eq!(outcome["parts"]["request"]["outcome"], "stored", "{outcome}");
    assert_eq!(outcome["parts"]["response"]["findings"], 1, "{outcome}");
    let rows = here.json(&["captures", "acme", "--limit", "10"], owner);
    assert_eq!(rows.len(), 2);
    assert_eq!(here.json(&["captures", "acme", "--part", "request"], owner).len(), 1);
    assert_eq!(here.json(&["captures", "acme", "--to", "-1h"], owner).len(), 0);
    let table = here.run(&["captures", "acme"], owner).ok().stdout;
    assert!(table.starts_with("EXCHANGE") && table.contains("global.email=1"), "{table}");

    let open = |part: &str| here.run(&["open", "acme", "ex/1?a", part], agent);
    open("request").fails_with(1, "no live grant");
    let ticket = &here.json(&["ticket", "open", "acme", "a case"], owner)[0];
    let ticket = ticket["id"].as_str().unwrap();
    let granted = ["ticket", "grant", "acme", ticket, "--agent", agent_id, "--until", "1h"];
    let granted: Vec<&str> = granted.into_iter().chain(["--exchange", "ex/1?a"]).collect();
    let grant = here.json(&granted, owner)[0]["id"].as_str().unwrap().to_owned();
    let request = open("request").ok().stdout;
    assert_eq!(request, r#"{"messages":[{"role":"user","content":"I am <EMAIL_ADDRESS_1>"}]}"#);
    assert!(open("response").ok().stdout.contains("BK-204518"));

    let rules = here.folder.path().join("rules.toml");
    fs::write(&rules, RULES).unwrap();
    here.run(&["account", "set", "acme", "--rules", "rules.toml"], owner).ok();
    let dry = here.run(&["reredact", "--account", "acme", "--dry-run"], owner).ok().stdout;
    assert!(dry.starts_with("2 of 2 bodies looked at, 1 would change, 0 failed"), "{dry}");
    assert!(open("response").ok().stdout.contains("BK-204518"));
    let done = here.run(&["reredact", "--account", "acme"], owner).ok().stdout;
    assert!(done.contains("1 changed") && done.contains("acme.booking"), "{done}");
    let response = open("response").ok().stdout;
    assert!(response.contains("<BOOKING_1>") && !response.contains("BK-204518"), "{response}");

    let shred = ["shred", "acme", "ex/1?a", "request"];
    here.run(&shred, owner).fails_with(2, "needs --yes");
    let shred: Vec<&str> =
        shred.into_iter().chain(["--yes", "--receipt", "receipt.json"]).collect();
    assert_eq!(here.json(&shred, owner)[0]["shredded"], 1);
    receipt_holds(here);
    open("request").fails_with(1, "shredded");
    assert_eq!(open("response").ok().stdout, response, "its neighbour");
    assert_eq!(here.json(&["captures", "acme", "--state", "shredded"], owner).len(), 1);

    here.run(&["ticket", "revoke", "acme", &grant], owner).ok();
    open("response").fails_with(1, "no live grant");
    let audit = here.json(&["account", "audit", "acme"], owner);
    let actions: Vec<&str> = audit.iter().map(|row| row["action"].as_str().unwrap()).collect();
    for action in ["capture.read", "capture.read_refused", "exchange.shred", "grant.revoke"] {
        assert!(actions.contains(&action), "{action} is not in {actions:?}");
    }
    let all = here.json(&["shred", "acme", "--all", "--yes"], owner);
    assert!(all[0]["shredded"].as_u64().unwrap() > 0, "{all:?}");
    assert_eq!(here.json(&["captures", "acme", "--state", "stored"], owner).len(), 0);
}

/// Offline: neither a server nor a data folder is asked, only the key that was exported before.
fn receipt_holds(here: &Here) {
    let key = here.run(&["keys", "export-public"], None).ok().stdout;
    let place = |name: &str| here.folder.path().join(name);
    fs::write(place("log.pub"), &key).unwrap();
    let verify = |receipt: &str, key: &str| {
        let mut command = oubliette(["verify", receipt, "--key", key]);
        command.current_dir(here.folder.path());
        Finished::from(command)
    };
    let told = verify("receipt.json", "log.pub").ok().stdout;
    assert!(told.contains("The receipt holds: leaf") && told.contains(": 1 key, by"), "{told}");
    assert!(told.contains("is meant if it carries one of these commitments.\n"), "{told}");
    assert!(told.contains("Does not prove: that nobody had copied the root key"), "{told}");
    verify("receipt.json", key.trim()).ok();
    let text = fs::read_to_string(place("receipt.json")).unwrap();
    for word in [EMAIL, CARD, "acme", "ex/1", "BK-204518"] {
        assert!(!text.contains(word), "{word} is in the receipt");
    }
    fs::write(place("spoilt.json"), text.replace("\"request\"", "\"expiry\"")).unwrap();
    verify("spoilt.json", "log.pub").fails_with(1, "does not hold: the claim is not in the log");
    verify("receipt.json", "missing.pub").fails_with(2, "no key, and no file");
    verify("missing.json", "log.pub").fails_with(1, "missing.json cannot be read");
    let verified = &here.json(&["keys", "verify"], None)[0];
    assert!(verified["log_size"].as_u64().unwrap() > 0, "{verified}");
    let told = here.run(&["keys", "verify"], None).ok().stdout;
    assert!(!told.contains('\u{fffd}') && told.contains("\n  \u{2014} oubliette/"), "{told}");
}

const RULES: &str = r#"
pack = "acme"
[[rule]]
id = "acme.booking"
entity = "BOOKING"
category = "pii"
description = "Booking number"
pattern = 'BK-[0-9]{6}'
boundary = "word"
score = 0.9
examples = ["[[BK-204518]]"]
negative_examples = ["BK-20"]
"#;

fn assert_nothing_raw(here: &Here) {
    let place = |name: &str| here.folder.path().join(name);
    let (data, keys, log) = (place("oubliette-data"), place("oubliette-keys"), place("log"));
    assert!(data.join("catalog.sqlite").exists());
    assert_nowhere(&[&data, &keys, &log], &[EMAIL, CARD]);
}

#[test]
fn an_account_lives_on_the_data_folder() {
    let here = Here::new();
    here.run(&["captures", "acme"], None).fails_with(2, "there is no data folder");
    assert!(!here.folder.path().join("oubliette-data").exists(), "looking made nothing");
    here.run(&["account", "create", "acme"], None).ok();
    here.run(&["captures", "nobody"], None).fails_with(1, "nobody");
    here.run(&["open", "acme", "ex/1?a", "request"], None).fails_with(2, "OUBLIETTE_API_KEY");
    let (id, key) = here.make_key(&["--role", "agent", "--name", "sam"]);
    story(&here, None, None, (&id, &key));
    assert_nothing_raw(&here);

    let status = &here.json(&["keys", "status"], None)[0];
    let rotated = &here.json(&["keys", "rotate"], None)[0];
    // Each command is a process, and each process forgets what is over by now. If an hour ends here,
    // that is a generation of its own.
    let generation = |value: &Value| value.as_u64().unwrap();
    let [from, to] = ["from", "to"].map(|end| generation(&rotated["generation"][end]));
    assert!(from >= generation(&status["generation"]), "{status} {rotated}");
    assert_eq!(to, from + 1, "{rotated}");
    here.json(&["expire"], None);
    here.run(&["api-key", "revoke", &id], None).ok();
    here.run(&["open", "acme", "ex/1?a", "response"], Some(&key)).fails_with(1, "no valid API key");
}

#[test]
fn an_account_lives_on_a_server() {
    let mut here = Here::new();
    let (_, operator) = here.make_key(&["--role", "operator", "--name", "ops"]);
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let serve = here.command(&["serve", "--listen", &listen], None);
    let mut server = Process::start(serve, here.folder.path().join("log"));
    server.wait_until_ready(Duration::from_secs(30), |it| {
        it.log().contains("listening").then_some(())
    });
    here.run(&["account", "list"], None).fails_with(1, "pass its --url");
    here.run(&["serve", "--listen", &listen], None).fails_with(1, "give another --listen");

    here.server = Some((format!("http://{listen}"), operator));
    here.run(&["account", "create", "acme"], None).ok();
    let (_, gateway) = here.make_key(&["--role", "gateway", "--name", "edge"]);
    let (_, owner) = here.make_key(&["--role", "owner", "--account", "acme", "--name", "olga"]);
    let (id, agent) = here.make_key(&["--role", "agent", "--name", "sam"]);
    story(&here, Some(&gateway), Some(&owner), (&id, &agent));
    here.run(&["captures", "acme"], Some("oub_x_y")).fails_with(1, "no valid API key");
    here.run(&["captures", "acme"], Some(&agent)).fails_with(1, "role owner or operator");

    let status = server.stop(Duration::from_secs(30));
    assert_eq!(status.code(), Some(0), "SIGTERM ends it in good order");
    assert_nothing_raw(&here);
    here.run(&["account", "list"], None).fails_with(1, "cannot be reached");
}

#[test]
fn the_demo_holds() {
    let folder = TempDir::new().unwrap();
    let mut command = oubliette(["demo"]);
    command.current_dir(folder.path()).env("TMPDIR", folder.path());
    let run = Finished::from(command).ok();
    assert!(run.stdout.contains("11 of 11 steps held"), "{}", run.stdout);
    assert!(!run.stdout.contains("FAIL"), "{}", run.stdout);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "it cleans up after itself: {left:?}");
}

//! `rules import`, `rules test`, lists and `scan --explain` through the built binary.

#![allow(clippy::unwrap_used, reason = "a test that has nothing to unwrap has failed")]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::{Finished, oubliette, oubliette_with_input};
use tempfile::TempDir;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

const GITLEAKS: &str = r#"
[[rules]]
id = "acme-token"
description = "Acme token"
regex = '''\bacme_([a-z0-9]{12})\b'''
keywords = ["acme_"]
[[rules]]
id = "acme-file"
path = '''\.acme$'''
[[rules]]
id = "acme-bad"
regex = '''HUSHHUSH(['''
"#;

#[test]
fn rules_of_gitleaks_become_a_pack_that_finds() {
    let folder = Folder::new();
    let theirs = folder.file("gitleaks.toml", GITLEAKS);
    let run = Finished::from(oubliette(["rules", "import", "--from", "gitleaks", &theirs])).ok();
    let notes: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(notes[0], "acme-token: carried over");
    assert!(notes[1].starts_with("acme-file: refused: it is about paths"), "{notes:?}");
    assert!(notes[2].starts_with("acme-bad: refused: "), "{notes:?}");
    assert_eq!(notes[3], "1 rule carried over, 2 refused");
    assert!(!run.stderr.contains("HUSH") && !run.stdout.contains("HUSH"));

    let pack = folder.file("own.toml", "");
    Finished::from(oubliette(["rules", "import", "--from", "gitleaks", &theirs, "-o", &pack])).ok();
    assert_eq!(fs::read_to_string(&pack).unwrap(), run.stdout);
    let command = oubliette(["redact", "--pack", &pack]);
    let redacted = oubliette_with_input(command, b"use acme_k3j9x0q2w8e7 now\n").ok().stdout;
    assert_eq!(redacted, "use acme_<ACME_TOKEN_1> now\n");
}

#[test]
fn recognizers_of_presidio_come_as_yaml_and_as_json() {
    let folder = Folder::new();
    let yaml =
        "recognizers:\n- name: Titan\n  supported_entity: PROJECT\n  deny_list: [Titan, Atlas]\n";
    let json =
        json!([{"name": "Titan", "supported_entity": "PROJECT", "deny_list": ["Titan", "Atlas"]}]);
    let theirs = [folder.file("titan.yaml", yaml), folder.file("titan.json", &json.to_string())];
    for file in theirs {
        let run = Finished::from(oubliette(["rules", "import", "--from", "presidio", &file])).ok();
        let pack = folder.file("pack.toml", &run.stdout);
        let command = oubliette(["redact", "--pack", &pack]);
        let redacted = oubliette_with_input(command, b"titan, Titanic and Atlas\n").ok().stdout;
        assert_eq!(redacted, "<PROJECT_1>, Titanic and <PROJECT_2>\n");
    }
}

#[test]
fn an_import_of_nothing_fails() {
    let folder = Folder::new();
    let none = folder.file("none.toml", "[[rules]]\nid = 'a'\npath = 'b'\n");
    let run = Finished::from(oubliette(["rules", "import", "--from", "gitleaks", &none]));
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr.contains("a: refused") && run.stderr.contains("0 rules carried over, 1 refused")
    );
    let broken = folder.file("broken.yaml", "a: [HUSH");
    let run = Finished::from(oubliette(["rules", "import", "--from", "presidio", &broken]));
    assert!(!run.stderr.contains("HUSH"));
    run.fails_with(1, "not YAML");
    for (arguments, message) in [
        (&["rules", "import", "x.toml"][..], "--from"),
        (&["rules", "import", "--from", "trufflehog", "x"], "invalid value 'trufflehog'"),
        (&["rules", "test", "x.txt"], "--pack"),
    ] {
        Finished::from(oubliette(arguments)).fails_with(2, message);
    }
}

const PACK: &str = r#"
pack = "acme"
[[rule]]
id = "acme.badge"
entity = "BADGE"
category = "pii"
description = "Badge"
pattern = 'ACME-[0-9]{6}'
boundary = "word"
score = 0.9
allow = ["ACME-000000"]
[[rule]]
id = "acme.number"
entity = "BADGE"
category = "pii"
description = "Number"
pattern = '[0-9]{6}'
score = 0.3
context = ["badge"]
[[rule]]
id = "acme.anything"
entity = "ANYTHING"
category = "pii"
description = "Too much"
pattern = '[a-z ]+'
score = 0.5
[[rule]]
id = "acme.project"
entity = "PROJECT"
category = "pii"
description = "Project"
terms = ["titan"]
score = 0.9
[[allow]]
entities = ["EMAIL_ADDRESS"]
terms = ["help@acme.com"]
[[allow]]
rules = ["global.email", "acme.badge"]
terms = ["nobody@acme.com"]
"#;

#[test]
fn rules_are_tried_on_samples_without_a_word_of_them() {
    let folder = Folder::new();
    let pack = folder.file("acme.toml", PACK);
    let text = folder.file("a.txt", "badge ACME-204518 and ACME-000000\n");
    let rows: String =
        (0..20).map(|n| json!({"id": n, "text": "wholly lower case"}).to_string() + "\n").collect();
    let rows = folder.file("b.ndjson", &rows);
    let arguments = ["rules", "test", "--pack", &pack, &text, &rows, "--rounds", "1"];
    let run = Finished::from(oubliette(arguments.iter().chain(&["--json"]))).ok();
    let tried = lines(&run.stdout);
    let find = |id: &str| tried.iter().find(|row| row["rule"] == id).unwrap();
    let badge = find("acme.badge");
    assert_eq!((&badge["finds"], &badge["samples"]), (&json!(1), &json!(1)));
    assert_eq!(badge["shapes"], json!(["AAAA-999999 ×1"]));
    assert_eq!(badge["anchor"], "starts with \"acme-\"");
    assert!(badge["ns_per_kib"].is_u64() && badge["warnings"] == json!([]));
    assert_eq!(find("acme.number")["finds"], 2, "not hidden by the badge");
    assert_eq!(find("acme.anything")["warnings"], json!(["over-broad"]));
    assert_eq!(find("acme.project")["warnings"], json!(["finds nothing"]));
    assert!(!run.stdout.contains("204518") && !run.stdout.contains("lower"));

    let table = Finished::from(oubliette(arguments)).ok();
    assert!(table.stdout.starts_with("RULE") && table.stderr.contains("21 samples"));
    assert!(table.stderr.contains("measurement of this machine"));
}

#[test]
fn lists_hold_in_the_binary() {
    let folder = Folder::new();
    let pack = folder.file("acme.toml", &PACK.replace("[a-z ]+", "zzzz[a-z]+"));
    let text = b"help@acme.com and jo.moss@acme.com about titan, ACME-000000\n";
    let redacted = oubliette_with_input(oubliette(["redact", "--pack", &pack]), text).ok().stdout;
    assert_eq!(redacted, "help@acme.com and <EMAIL_ADDRESS_1> about <PROJECT_1>, ACME-000000\n");
}

#[test]
fn explain_names_reasons_and_never_the_text() {
    let explain = |arguments: &[&str], text: &str| {
        let command = oubliette(["scan"].iter().chain(arguments));
        let run = oubliette_with_input(command, text.as_bytes()).ok();
        assert!(!run.stdout.contains("4111") && !run.stdout.contains("jo.moss"), "{}", run.stdout);
        lines(&run.stdout)
    };
    let all =
        explain(&["--explain"], r#"{"card":"4111 1111 1111 1111","to":"jo.moss@example.com"}"#);
    let found: Vec<&Value> = all.iter().filter(|line| line["outcome"] == "found").collect();
    let entities: Vec<&Value> = found.iter().map(|line| &line["entity"]).collect();
    assert_eq!(entities, ["CREDIT_CARD", "EMAIL_ADDRESS"]);
    assert_eq!((&found[0]["start"], &found[0]["end"]), (&json!(9), &json!(28)));
    assert_eq!(found[0]["validator"]["verdict"], "valid");

    let wrong = explain(&["--explain", "--format", "text"], "card 4111 1111 1111 1112");
    let card = wrong.iter().find(|line| line["entity"] == "CREDIT_CARD").unwrap();
    assert_eq!(
        (&card["outcome"], &card["validator"]["verdict"]),
        (&json!("invalid"), &json!("invalid"))
    );
    let more = explain(&["--explain=all", "--format", "text"], "card 4111 1111 1111 1112");
    assert!(more.len() >= wrong.len());

    Finished::from(oubliette(["scan", "--explain", "--batch"])).fails_with(2, "--batch");
    Finished::from(oubliette(["scan", "--explain=some"])).fails_with(2, "invalid value 'some'");
}

//! The harness itself: a search that misses what is there would make every other test worthless.

mod support;

use std::fs;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::json;
use support::{Process, assert_nowhere, search_tree};
use tempfile::TempDir;

const SECRET: &str = "zoë/\"Quux\"\\4012-8888";

#[test]
fn search_sees_through_every_disguise() {
    let text = format!("lead {SECRET} tail");
    let folder = TempDir::new().unwrap();
    let hex = |bytes: &str| bytes.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let json_text = json!({ "text": text }).to_string();
    let mut cases = vec![
        ("raw bytes", text.clone()),
        ("hex", hex(&text)),
        ("hex", hex(&text).to_uppercase()),
        ("JSON", json_text.clone()),
        ("JSON", json_text.replace('/', "\\/")),
        ("JSON, ASCII only", json_text.replace('ë', "\\u00eb")),
        ("JSON in JSON", json!({ "arguments": json_text }).to_string()),
        ("percent-encoding", "?q=zo%C3%AB%2F%22Quux%22%5C4012-8888&r=1".to_owned()),
    ];
    for before in ["", "x", "xy", "xyz"] {
        cases.push(("base64", STANDARD.encode(format!("{before}{text}"))));
        cases.push(("base64url", URL_SAFE.encode(format!("{before}{SECRET}>>??>>"))));
    }
    for (form, content) in cases {
        let file = folder.path().join("a/b");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &content).unwrap();
        let hits = search_tree(folder.path(), &["something else", SECRET]);
        let named = hits.iter().any(|hit| hit.needle == 1 && hit.file == file);
        assert!(named, "not found as {form} in {content}");
    }
}

#[test]
fn search_finds_names_and_places_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("clean"), [0; 4096]).unwrap();
    assert_nowhere(&[folder.path(), &folder.path().join("gone")], &["needle"]);

    fs::write(folder.path().join("of-needle-1"), "a needle, a needle").unwrap();
    let hits = search_tree(folder.path(), &["needle"]);
    assert_eq!(hits.iter().map(|hit| hit.offset).collect::<Vec<_>>(), [None, Some(2), Some(12)]);
    assert_eq!(hits.iter().map(|hit| hit.form).collect::<Vec<_>>(), ["raw bytes"; 3]);
}

#[test]
#[should_panic(expected = "1 raw value(s) found")]
fn assert_nowhere_can_fail() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("log"), "user=needle").unwrap();
    assert_nowhere(&[folder.path()], &["needle"]);
}

#[test]
#[should_panic(expected = "too short")]
fn meaningless_needle_is_refused() {
    search_tree(TempDir::new().unwrap().path(), &["42"]);
}

#[test]
fn process_is_logged_stopped_and_killed_on_drop() {
    let folder = TempDir::new().unwrap();
    let start = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start(command, folder.path().join("log"))
    };
    let seconds = Duration::from_secs(20);

    let mut polite =
        start("trap 'echo bye; exit 7' TERM; echo ready >&2; while :; do sleep 0.01; done");
    polite.wait_until_ready(seconds, |it| it.log().contains("ready").then_some(()));
    assert_eq!(polite.stop(seconds).code(), Some(7));

    let mut frozen = start("while :; do echo tick; sleep 0.01; done");
    assert!(frozen.log().contains("bye"), "a second run appends to the log");
    frozen.wait_until_ready(seconds, |it| it.log().contains("tick").then_some(()));
    frozen.pause();
    let proc_entry = std::path::PathBuf::from(format!("/proc/{}", frozen.id()));
    assert!(proc_entry.exists());
    drop(frozen);
    assert!(!proc_entry.exists(), "a paused process is killed too");
}

//! The commands on the object store and its segments, and the catalog's way back from them.

#![allow(clippy::unwrap_used, reason = "a test that has nothing to unwrap has failed")]

mod support;

use std::fs;

use serde_json::Value;
use support::{Finished, assert_nowhere, oubliette};
use tempfile::TempDir;

const EMAIL: &str = "jo.moss@example.com";

struct Here(TempDir);

impl Here {
    /// A data folder with three captures in one uploaded segment.
    fn with_captures() -> Self {
        let here = Self(TempDir::new().unwrap());
        let request = format!(r#"{{"messages":[{{"role":"user","content":"I am {EMAIL}"}}]}}"#);
        fs::write(here.0.path().join("request.json"), request).unwrap();
        here.run(&["account", "create", "acme"]).ok();
        here.run(&["account", "set", "acme", "--capture", "on"]).ok();
        for id in ["ex-1", "ex-2", "ex-3"] {
            let capture = ["capture", "--account", "acme", "--id", id, "--request", "request.json"];
            here.run(&capture).ok();
        }
        here
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        let mut command = oubliette(arguments);
        command.current_dir(self.0.path());
        command.into()
    }

    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let out = self.run(&arguments).stdout;
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn segments_are_listed_inspected_and_verified() {
    let here = Here::with_captures();
    let listed = here.json(&["segment", "list"]);
    assert_eq!(listed.len(), 3, "each command closes its own: {listed:?}");
    let key = listed[0]["segment"].as_str().unwrap();
    assert_eq!(here.json(&["segment", "list", "--prefix", "r30/"]).len(), 0);

    let shown = &here.json(&["segment", "inspect", key])[0];
    assert_eq!((shown["records"].as_u64(), shown["accounts"].as_u64()), (Some(1), Some(1)));
    assert_eq!(shown["retention_days"], 7);
    assert_eq!(shown["bytes"], listed[0]["bytes"]);
    let file = format!("oubliette-data/objects/{key}");
    let records = here.json(&["segment", "inspect", &file, "--records"]);
    assert_eq!(records[0]["offset"], 36);
    assert_eq!(records[0]["address"].as_str().unwrap().len(), 16);

    let all = here.run(&["segment", "verify"]).ok();
    assert!(all.stderr.contains("3 segments are as they were written, 0 are not"), "{all:?}");
    let path = here.0.path().join(&file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[60] ^= 1;
    fs::write(&path, bytes).unwrap();
    let bad = here.run(&["segment", "verify"]);
    assert_eq!(bad.code, Some(1));
    assert!(bad.stdout.contains(key) && bad.stdout.contains("checksum"), "{bad:?}");
    let one = here.run(&["segment", "verify", key]);
    assert_eq!(one.code, Some(1));
    let good = listed[1]["segment"].as_str().unwrap();
    assert_eq!(here.json(&["segment", "verify", good])[0]["verdict"], "good");

    let nothing = here.run(&["segment", "inspect", "r7/nothing"]);
    assert_eq!(nothing.code, Some(2));
    assert!(nothing.stderr.contains("neither the key of a segment"), "{nothing:?}");
    let missing = "r7/2026/10/31/12/01M68X9EG00000000000000001.seg";
    let missing = here.run(&["segment", "inspect", missing]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("there is no object"), "{missing:?}");
}

#[test]
fn a_store_is_set_up_tried_out_and_swept() {
    let here = Here::with_captures();
    let unready = here.run(&["store", "check"]);
    assert_eq!(unready.code, Some(1), "{unready:?}");
    assert!(unready.stdout.contains("oubliette store init"), "{unready:?}");
    let ready = here.run(&["store", "init"]).ok();
    assert!(ready.stderr.contains("bodies can be kept"), "{ready:?}");
    here.run(&["store", "check"]).ok();
    let checks = here.json(&["store", "check"]);
    assert!(checks.iter().all(|check| check["verdict"] == "good"), "{checks:?}");
    assert_eq!(here.json(&["segment", "list"]).len(), 3, "nothing is left behind");

    here.run(&["shred", "acme", "ex-1", "--yes"]).ok();
    let swept = here.json(&["store", "sweep"]);
    let last = swept.last().unwrap();
    assert_eq!((last["segments"].as_u64(), last["deleted"].as_u64()), (Some(3), Some(1)));
    assert_eq!(here.json(&["segment", "list"]).len(), 2);
}

#[test]
fn the_catalog_is_rebuilt_by_one_command() {
    let here = Here::with_captures();
    here.run(&["shred", "acme", "ex-2", "--yes"]).ok();
    let before = here.json(&["captures", "acme"]);
    let catalog = here.0.path().join("oubliette-data/catalog.sqlite");
    let hours = || {
        let catalog = rusqlite::Connection::open(&catalog).unwrap();
        let count = "SELECT count(*) FROM active_hours WHERE due > hour";
        catalog.query_row(count, (), |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_ne!(hours(), 0, "what was captured a moment ago");
    let open = rusqlite::Connection::open(&catalog).unwrap();
    for table in ["captures", "exchanges", "active_hours", "accounts"] {
        open.execute(&format!("DELETE FROM {table}"), ()).unwrap();
    }
    drop(open);
    assert_ne!(here.run(&["captures", "acme"]).code, Some(0));

    let steps = here.json(&["catalog", "rebuild"]);
    let last = steps.last().unwrap();
    let count = |name: &str| last[name].as_u64().unwrap();
    assert_eq!((count("total"), count("done"), count("entered")), (3, 3, 2), "{last}");
    assert_eq!((count("forgotten"), count("accounts"), count("unreadable")), (1, 1, 0), "{last}");
    assert_ne!(hours(), 0, "expiry comes by for what was entered again");
    let after = here.json(&["captures", "acme"]);
    let of = |rows: &[Value], id: &str| rows.iter().find(|row| row["exchange"] == id).cloned();
    for id in ["ex-1", "ex-3"] {
        assert_eq!(of(&after, id), of(&before, id), "{id}");
        assert!(of(&after, id).is_some());
    }
    assert!(of(&after, "ex-2").is_none(), "what was shredded stays gone");
    let settings = &here.json(&["account", "show", "acme"])[0];
    assert_eq!((&settings["capture"], &settings["updated_by"]), (&false.into(), &"rebuild".into()));

    let again = here.run(&["catalog", "rebuild"]).ok();
    assert!(again.stdout.contains("known") && !again.stdout.contains("finished"), "{again:?}");
    assert_nowhere(&[&here.0.path().join("oubliette-data")], &[EMAIL.as_bytes()]);
}

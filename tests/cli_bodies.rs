//! `scan` and `redact` through the built binary.

#![allow(clippy::unwrap_used, reason = "a test that has nothing to unwrap has failed")]

mod support;

use std::fs;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use support::{Finished, oubliette, oubliette_with_input};
use tempfile::TempDir;

fn scan(arguments: &[&str], input: &[u8]) -> Vec<Value> {
    let command = oubliette(["scan"].iter().chain(arguments));
    lines(&oubliette_with_input(command, input).ok().stdout)
}

fn redact(arguments: &[&str], input: &[u8]) -> String {
    let command = oubliette(["redact"].iter().chain(arguments));
    oubliette_with_input(command, input).ok().stdout
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn scan_names_rule_place_and_score_and_never_the_text() {
    let text = "write to jo.moss@example.com\n";
    for arguments in [&[][..], &["-"], &["--format", "text"], &["--format", "text", "-"]] {
        let command = oubliette(["scan"].iter().chain(arguments));
        let run = oubliette_with_input(command, text.as_bytes()).ok();
        assert_eq!(
            lines(&run.stdout),
            [json!({
                "rule": "global.email", "entity": "EMAIL_ADDRESS", "category": "pii",
                "start": 9, "end": 28, "score": 0.95,
            })]
        );
        assert!(!run.stdout.contains("moss") && run.stderr.is_empty());
    }
    assert!(scan(&["--min-score", "0.99"], text.as_bytes()).is_empty());
}

#[test]
fn scan_sees_through_escapes_and_streams() {
    // The JSON escape is six bytes of the input for one character of the value.
    let body = br#"{"to":"jo.moss\u0040example.com"}"#;
    let found = scan(&["--format", "json"], body);
    assert_eq!((&found[0]["start"], &found[0]["end"]), (&json!(7), &json!(31)));
    assert!(scan(&["--format", "text"], br#"{"to":"jo.moss\u0040 example"}"#).is_empty());

    let event = |text: &str| {
        let event = json!({"choices": [{"index": 0, "delta": {"content": text}}]});
        format!("data: {event}\n\n")
    };
    let stream = ["jo.mo", "ss@exa", "mple.com "].map(event).concat();
    let found = scan(&["--content-type", "text/event-stream"], stream.as_bytes());
    let pieces: Vec<_> = found
        .iter()
        .map(|f| {
            let at = |name: &str| usize::try_from(f[name].as_u64().unwrap()).unwrap();
            &stream[at("start")..at("end")]
        })
        .collect();
    assert_eq!(pieces, ["jo.mo", "ss@exa", "mple.com"]);
}

#[test]
fn redact_keeps_the_shape_and_undoes_encodings() {
    let body = br#"{"a":"jo.moss@example.com","n":[1,"jo.moss\u0040example.com"]}"#;
    let redacted = redact(&[], body);
    assert_eq!(redacted, r#"{"a":"<EMAIL_ADDRESS_1>","n":[1,"<EMAIL_ADDRESS_1>"]}"#);
    assert_eq!(redact(&[], redacted.as_bytes()), redacted);

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("body.json.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(body).unwrap();
    fs::write(&file, gzip.finish().unwrap()).unwrap();
    let arguments = ["redact", "--encoding", "gzip", file.to_str().unwrap()];
    assert_eq!(Finished::from(oubliette(arguments)).ok().stdout, redacted);
}

#[test]
fn operators_are_chosen_for_all_and_for_one_entity() {
    let text = b"jo.moss@example.com paid with 4111 1111 1111 1111\n";
    assert_eq!(
        redact(&["--operator", "mask", "--operator", "EMAIL_ADDRESS=remove"], text),
        " paid with **** **** **** 1111\n"
    );
    assert_eq!(redact(&["--operator", "keep"], text).as_bytes(), text);
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("key");
    fs::write(&key, "07".repeat(32)).unwrap();
    let hashed = || redact(&["--operator", "hash", "--hash-key", key.to_str().unwrap()], text);
    assert_eq!(hashed(), hashed());
    assert!(!hashed().contains("moss") && hashed().contains("<EMAIL_ADDRESS:"));
    assert_ne!(redact(&["--operator", "hash"], text), redact(&["--operator", "hash"], text));
}

#[test]
fn a_pack_of_ones_own_finds_in_addition() {
    let folder = TempDir::new().unwrap();
    let pack = folder.path().join("acme.toml");
    fs::write(&pack, PACK).unwrap();
    let text = b"badge ACME-204518 of jo.moss@example.com\n";
    let redacted = redact(&["--pack", pack.to_str().unwrap()], text);
    assert_eq!(redacted, "badge <ACME_BADGE_1> of <EMAIL_ADDRESS_1>\n");
    let setting = format!("rules_dir={}", folder.path().display());
    assert_eq!(redact(&["--set", &setting], text), redacted);
}

const PACK: &str = r#"
pack = "acme"
[[rule]]
id = "acme.badge"
entity = "ACME_BADGE"
category = "pii"
description = "Acme staff badge"
pattern = 'ACME-[0-9]{6}'
boundary = "word"
score = 0.9
examples = ["badge [[ACME-204518]]"]
negative_examples = ["ACME-2045180"]
"#;

fn rows() -> String {
    let encoded = STANDARD.encode(r#"{"to":"jo.moss\u0040example.com"}"#);
    let rows = [
        json!({"id": "a", "text": "jo.moss@example.com"}),
        json!({"id": 2, "body_b64": encoded, "content_type": "application/json"}),
        json!({"id": "c", "text": "jo.moss@example.com", "entities": ["US_SSN", "NO_SUCH"], "min_score": 0}),
        json!({"id": "d", "text": ""}),
        json!({"id": "e", "text": "jo.moss@example.com", "min_score": 0.99}),
    ];
    rows.map(|row| format!("{row}\n")).concat()
}

#[test]
fn batch_answers_in_order_whatever_the_number_of_threads() {
    let many = rows().repeat(200);
    for threads in ["1", "2", "7"] {
        let answers = scan(&["--batch", "--threads", threads], many.as_bytes());
        assert_eq!(answers.len(), 1000);
        for five in answers.chunks(5) {
            let ids: Vec<_> = five.iter().map(|answer| &answer["id"]).collect();
            assert_eq!(ids, [&json!("a"), &json!(2), &json!("c"), &json!("d"), &json!("e")]);
            let counts = five.iter().map(|answer| answer["findings"].as_array().unwrap().len());
            assert_eq!(counts.collect::<Vec<_>>(), [1, 1, 0, 0, 0]);
            assert_eq!((&five[1]["findings"][0]["start"], five[0].get("text")), (&json!(7), None));
        }
    }
}

#[test]
fn batch_redacts_text_to_text_and_base64_to_base64() {
    let command = oubliette(["redact", "--batch"]);
    let answers = lines(&oubliette_with_input(command, rows().as_bytes()).ok().stdout);
    assert_eq!(answers[0]["text"], "<EMAIL_ADDRESS_1>");
    assert_eq!(answers[0]["findings"][0]["end"], 19);
    let body = STANDARD.decode(answers[1]["body_b64"].as_str().unwrap()).unwrap();
    assert_eq!(body, br#"{"to":"<EMAIL_ADDRESS_1>"}"#);
    assert_eq!(answers[2]["text"], "jo.moss@example.com", "only what the row asks for");
    assert_eq!(answers[4]["text"], "jo.moss@example.com", "only from the row's score on");
}

#[test]
fn stats_count_what_was_done() {
    let command = oubliette(["scan", "--batch", "--stats", "--format", "text"]);
    let run = oubliette_with_input(command, rows().as_bytes()).ok();
    let stats = lines(&run.stderr);
    let [stats] = &stats[..] else { panic!("one line: {}", run.stderr) };
    assert_eq!(stats["bodies"], 5);
    assert_eq!(stats["bytes"], 19 * 3 + r#"{"to":"jo.moss\u0040example.com"}"#.len());
    assert!(stats["seconds"].as_f64().unwrap() > 0.0 && stats["mb_per_s"].is_number());
    // One row asks for another entity and one for a higher score; in the one that is JSON, read as text here,
    // the escape is undone all the same.
    assert_eq!(stats["findings"], json!({"EMAIL_ADDRESS": 2}));
}

#[test]
fn a_bad_row_stops_the_batch_and_is_named_without_its_text() {
    for (row, message) in [
        ("{\"id\":1,\"text\":\"SECRET\"", "line 2: not JSON"),
        ("{\"id\":1,\"txt\":\"SECRET\"}", "line 2: not a row like"),
        ("{\"text\":\"SECRET\"}", "line 2: not a row like"),
        ("{\"id\":1}", "line 2: a row has either text or body_b64"),
        ("{\"id\":1,\"text\":\"SECRET\",\"body_b64\":\"\"}", "line 2: a row has either"),
        ("{\"id\":1,\"body_b64\":\"SECRET!\"}", "line 2: body_b64 is not base64"),
        ("{\"id\":1,\"text\":\"x\",\"min_score\":2}", "line 2: min_score is not from 0 to 1"),
        ("{\"id\":1,\"text\":\"x\",\"entities\":[\"e mail\"]}", "line 2: entities: an entity name"),
        ("{\"id\":1,\"body_b64\":\"AAAA\",\"encoding\":\"gzip\"}", "line 2: the body is damaged"),
        (
            "{\"id\":1,\"body_b64\":\"AAAA\",\"encoding\":\"lzma\"}",
            "line 2: unknown content-encoding",
        ),
    ] {
        let input = format!("{{\"id\":0,\"text\":\"fine\"}}\n{row}\n{{\"id\":2,\"text\":\"x\"}}\n");
        for name in ["scan", "redact"] {
            let run = oubliette_with_input(oubliette([name, "--batch"]), input.as_bytes());
            assert_eq!(lines(&run.stdout).len(), 1, "what stood before it has been answered");
            let run = run.fails_with(1, message);
            assert!(!run.stderr.contains("SECRET"), "{}", run.stderr);
        }
    }
}

#[test]
fn bad_arguments_and_inputs_are_named_in_one_line() {
    let folder = TempDir::new().unwrap();
    let broken = folder.path().join("broken.toml");
    fs::write(&broken, PACK.replace("pattern", "patern")).unwrap();
    let broken = broken.to_str().unwrap();
    for (arguments, code, message) in [
        (&["scan", "no-such-file"][..], 1, "no-such-file cannot be read"),
        (&["scan", "--batch", "no-such-file"], 1, "no-such-file cannot be read"),
        (&["scan", "--formt", "text"], 2, "unexpected argument '--formt'"),
        (&["scan", "--format", "xml"], 2, "invalid value 'xml' for '--format"),
        (&["scan", "--min-score", "7"], 2, "not from 0 to 1"),
        (&["scan", "--threads", "2"], 2, "--batch"),
        (&["scan", "--pack", "no-such.toml"], 2, "rule pack no-such.toml cannot be read"),
        (&["scan", "--pack", broken], 2, "broken.toml:8: rule acme.badge: unknown field `patern`"),
        (&["redact", "--operator", "encrypt"], 2, "--operator encrypt: unknown operator"),
        (&["redact", "--operator", "e=mask"], 2, "an entity name is"),
        (&["redact", "--hash-key", "no-such-key"], 2, "--hash-key no-such-key"),
        (&["redact", "--hash-key", broken], 2, "32 bytes in hex"),
        (&["redact", "--encoding", "gzip", broken], 1, "damaged"),
        (&["redact", "--set", "rules_dir=no-such"], 2, "rules_dir no-such cannot be read"),
    ] {
        Finished::from(oubliette(arguments)).fails_with(code, message);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("many");
    fs::write(&file, "jo.moss@example.com ".repeat(50_000)).unwrap();
    let mut command = oubliette(["scan", "--format", "text", file.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("EMAIL_ADDRESS"));
    let run = child.wait_with_output().unwrap();
    assert_eq!((run.status.code(), run.stderr), (Some(0), Vec::new()));
}

#[test]
fn redact_goes_by_a_policy_reports_and_turns_tokens_back() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let body = r#"{"note":"so","a":"jo.moss@example.com","b":"jo.moss@example.com"}"#;
    let policy = file("policy.json", r#"{"force":["note"],"exclude":["b"]}"#);
    let key = file("key", &"5a".repeat(32));
    let command = oubliette(["redact", "--policy", &policy, "--report"]);
    let run = oubliette_with_input(command, body.as_bytes()).ok();
    let left = r#"{"note":"<REDACTED>","a":"<EMAIL_ADDRESS_1>","b":"jo.moss@example.com"}"#;
    assert_eq!(run.stdout, left);
    let report: Value = serde_json::from_str(&run.stderr).unwrap();
    assert_eq!(
        (&report["forced"], &report["paths"]),
        (&json!(1), &json!({"a": {"global.email": 1}}))
    );
    assert!(!run.stderr.contains("moss"));

    let tokens = redact(&["--operator", "tokenize", "--token-key", &key], body.as_bytes());
    assert!(!tokens.contains("moss"), "{tokens}");
    assert_eq!(redact(&["--reveal", "--token-key", &key], tokens.as_bytes()), body);
    let other = file("other", &"5b".repeat(32));
    assert_eq!(redact(&["--reveal", "--token-key", &other], tokens.as_bytes()), tokens);

    let wrong = file("wrong.json", r#"{"forse":["note"]}"#);
    Finished::from(oubliette(["redact", "--policy", &wrong])).fails_with(2, "forse");
    Finished::from(oubliette(["redact", "--token-key", &policy])).fails_with(2, "32 bytes");
}

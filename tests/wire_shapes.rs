//! Real wire shapes of LLM APIs, where a checkout of them stands beside the project: what rules can
//! find is gone from each, in every form it was there, and the format is what it was.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests are tests, though the lint does not know it"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{oubliette, oubliette_with_input, skip};

/// Files, and beside them what they hold.
fn samples() -> Option<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("shared/bodies");
    let expected = fs::read(folder.join("EXPECTED.json")).ok()?;
    Some((folder, serde_json::from_slice(&expected).expect("EXPECTED.json is JSON")))
}

/// Whether a value is one that rules decide: names and street addresses take more.
fn is_for_rules(value: &str) -> bool {
    value.contains(|c: char| c.is_ascii_digit() || c == '@') && !value.contains(',')
}

/// Every text in a document: keys, strings and numbers, and those of JSON inside strings.
fn texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(map) => map.iter().for_each(|(key, item)| {
            out.push(key.clone());
            texts(item, out);
        }),
        Value::String(text) => {
            out.push(text.clone());
            if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                texts(&inner, out);
            }
        }
        other => out.push(other.to_string()),
    }
}

/// The documents of a body, all of which must parse.
fn documents(name: &str, body: &str) -> Vec<Value> {
    let parse = |text: &str| serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
    if name.ends_with(".sse") {
        let data = body.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
        data.filter(|data| *data != "[DONE]").map(parse).collect()
    } else if name.ends_with(".ndjson") || name.ends_with(".jsonl") {
        body.lines().filter(|line| !line.trim().is_empty()).map(parse).collect()
    } else {
        vec![parse(body)]
    }
}

/// The names of all fields, in order: what must not change.
fn fields(value: &Value, out: &mut Vec<String>) {
    match value {
        // Bytes of a token: as many as the token has.
        Value::Array(items) if items.iter().all(Value::is_u64) => out.push("numbers".into()),
        Value::Array(items) => items.iter().for_each(|item| fields(item, out)),
        Value::Object(map) => map.iter().for_each(|(key, item)| {
            out.push(key.clone());
            // Alternatives of a token that is gone are gone too.
            if key != "top_logprobs" {
                fields(item, out);
            }
        }),
        other => out.push(match other {
            Value::String(_) => "string".into(),
            Value::Number(_) => "number".into(),
            _ => other.to_string(),
        }),
    }
}

#[test]
fn values_go_and_formats_stay() {
    let Some((folder, expected)) = samples() else {
        return skip("no sample bodies beside the project");
    };
    let mut seen = 0;
    for (name, about) in expected.as_object().unwrap() {
        let text = [".json", ".ndjson", ".jsonl", ".sse"].iter().any(|end| name.ends_with(end));
        if !text {
            continue;
        }
        seen += 1;
        let body = fs::read(folder.join(name)).unwrap();
        let redacted = oubliette_with_input(oubliette(["redact"]), &body).ok().stdout;
        let again = oubliette_with_input(oubliette(["redact"]), redacted.as_bytes()).ok().stdout;
        assert_eq!(again, redacted, "{name}: redacting twice is redacting once");

        let before = documents(name, std::str::from_utf8(&body).unwrap());
        let after = documents(name, &redacted);
        let shape = |documents: &[Value]| {
            let mut out = Vec::new();
            documents.iter().for_each(|document| fields(document, &mut out));
            out
        };
        assert_eq!(shape(&after), shape(&before), "{name}");

        let mut found = vec![redacted.clone()];
        after.iter().for_each(|document| texts(document, &mut found));
        // Whatever a stream's deltas join to is in here, between what else they carry.
        let joined: String = after
            .iter()
            .flat_map(|document| {
                let mut out = Vec::new();
                texts(document, &mut out);
                out
            })
            .filter(|text| !text.is_empty())
            .collect();
        found.push(joined);
        for value in about["pii"].as_array().unwrap() {
            let value = value.as_str().unwrap();
            if is_for_rules(value) {
                let bare = value.replace(' ', "");
                let left = found.iter().find(|text| text.contains(value) || text.contains(&bare));
                assert!(left.is_none(), "{name}: a listed value is left");
            }
        }
        if let (Some(text), Some(last)) =
            (about["accumulated_text"].as_str(), text_of(name, &after))
        {
            assert_eq!(kept_words(text), kept_words(&last), "{name}: the words around values stay");
        }
    }
    assert!(seen > 15, "only {seen} samples");
}

/// What the text deltas of a stream join to, for the APIs whose SDKs do so.
fn text_of(name: &str, events: &[Value]) -> Option<String> {
    let pointer = match name {
        "openai_chat/stream_text.sse" => "/choices/0/delta/content",
        "anthropic/stream.sse" => "/delta/text",
        "bedrock/converse_stream.jsonl" => "/contentBlockDelta/delta/text",
        _ => return None,
    };
    Some(events.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect())
}

/// The words of a text that hold neither digits nor signs of an address or a placeholder.
fn kept_words(text: &str) -> Vec<&str> {
    text.split_whitespace()
        .map(|word| word.trim_matches([',', ';', '.']))
        .filter(|word| !word.contains(|c: char| c.is_ascii_digit() || "@<>+".contains(c)))
        .collect()
}

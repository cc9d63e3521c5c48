//! Commands on captures: sending, listing, reading, forgetting.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oubliette_service::{Clock as _, SystemClock};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::body::read_input;
use crate::cli::{Capture, Captures, Expire, Open, Shred, TimeRange};
use crate::client::{Caller, escaped, path, with_client};
use crate::config::{Settings, moment};
use crate::failure::Failure;
use crate::output::{Column, Listing, Output, confirm, describe, note};

/// Sends an exchange.
pub(super) fn capture(settings: &Settings, arguments: &Capture) -> Result<(), Failure> {
    let envelope = envelope(arguments)?;
    let outcome = with_client(settings, async |client| {
        client.json(Caller::Gateway, Method::POST, "/v1/captures", Some(&envelope)).await
    })?;
    if arguments.shown.json {
        return describe(&outcome, true);
    }
    let mut listing = Listing::new(OUTCOME, false);
    for (part, result) in outcome["parts"].as_object().into_iter().flatten() {
        let mut row = result.clone();
        row["part"] = json!(part);
        listing.row(&row)?;
    }
    listing.done()
}

const OUTCOME: &[Column] =
    &[("PART", "/part"), ("OUTCOME", "/outcome"), ("FINDINGS", "/findings"), ("REASON", "/reason")];

fn envelope(arguments: &Capture) -> Result<Value, Failure> {
    if arguments.request.is_none() && arguments.response.is_none() {
        let bytes = read_input(arguments.envelope.as_deref())?;
        // serde's message may repeat a value.
        return serde_json::from_slice(&bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Failure::failed(format!("the envelope is not JSON at line {line}, column {column}"))
        });
    }
    let mut envelope = Map::new();
    for (name, value) in [
        ("id", &arguments.id),
        ("account", &arguments.account),
        ("api", &arguments.api),
        ("provider", &arguments.provider),
        ("model", &arguments.model),
        ("trace_id", &arguments.trace_id),
    ] {
        if let Some(value) = value {
            envelope.insert(name.to_owned(), json!(value));
        }
    }
    if let Some(status) = arguments.status {
        envelope.insert("status".to_owned(), json!(status));
    }
    if let Some(time) = &arguments.time {
        envelope.insert("time".to_owned(), json!(at("--time", time)?));
    }
    for (name, file, content_type) in [
        ("request", &arguments.request, &arguments.request_type),
        ("response", &arguments.response, &arguments.response_type),
    ] {
        if let Some(file) = file {
            envelope.insert(name.to_owned(), body(file, content_type.as_deref())?);
        }
    }
    Ok(Value::Object(envelope))
}

/// A file as a part of an envelope, with what its name says about it.
fn body(file: &Path, content_type: Option<&str>) -> Result<Value, Failure> {
    let ending = |path: &Path| path.extension().and_then(OsStr::to_str).unwrap_or("").to_owned();
    let encoding = match ending(file).as_str() {
        "gz" => Some("gzip"),
        "br" => Some("br"),
        "zst" => Some("zstd"),
        _ => None,
    };
    let inner = if encoding.is_some() { ending(&file.with_extension("")) } else { ending(file) };
    let by_name = match inner.as_str() {
        "json" => Some("application/json"),
        "ndjson" | "jsonl" => Some("application/x-ndjson"),
        "sse" => Some("text/event-stream"),
        "txt" => Some("text/plain"),
        _ => None,
    };
    let mut part = json!({"body_b64": STANDARD.encode(read_input(Some(file))?)});
    for (name, value) in [("content_type", content_type.or(by_name)), ("encoding", encoding)] {
        if let Some(value) = value {
            part[name] = json!(value);
        }
    }
    Ok(part)
}

/// Lists captures.
pub(super) fn list(settings: &Settings, arguments: &Captures) -> Result<(), Failure> {
    let mut query = vec![format!("order={}", if arguments.oldest { "oldest" } else { "newest" })];
    let (from, to) = range(&arguments.time)?;
    for (name, value) in [
        ("from", from),
        ("to", to),
        ("part", arguments.part.map(|part| part.as_str().to_owned())),
        ("state", arguments.state.map(|state| state.as_str().to_owned())),
    ] {
        query.extend(value.map(|value| format!("{name}={}", escaped(&value))));
    }
    let path =
        format!("{}?{}", path(["v1", "accounts", &arguments.account, "captures"]), query.join("&"));
    let mut listing = Listing::new(CAPTURES, arguments.shown.json);
    with_client(settings, async |client| {
        let limit = arguments.limit;
        client.pages(Caller::Operator, &path, "captures", limit, |row| listing.row(row)).await
    })?;
    listing.done()
}

const CAPTURES: &[Column] = &[
    ("EXCHANGE", "/exchange"),
    ("PART", "/part"),
    ("STATE", "/state"),
    ("CAPTURED", "/captured_at"),
    ("FORMAT", "/format"),
    ("SEALED", "/sealed_bytes"),
    ("FINDINGS", "/findings"),
];

/// Reads a body.
pub(super) fn open(settings: &Settings, arguments: &Open) -> Result<(), Failure> {
    if settings.api_key.is_none() {
        return Err(Failure::usage(
            "open takes an agent's API key that a live grant names: set OUBLIETTE_API_KEY",
        ));
    }
    let Open { account, exchange, part, .. } = arguments;
    let mut path = path(["v1", "accounts", account, "exchanges", exchange, part.as_str(), "body"]);
    if arguments.reveal {
        path.push_str("?reveal=true");
    }
    with_client(settings, async |client| {
        let reply = client.send(Caller::Agent, Method::GET, &path, None).await?;
        if arguments.report {
            note(format_args!("grant: {}", reply.header("oubliette-grant").unwrap_or("-")));
            note(format_args!("report: {}", reply.header("oubliette-report").unwrap_or("-")));
        }
        let bytes = reply.bytes().await?;
        match &arguments.output {
            Some(file) => write_new(file, &bytes),
            None => {
                let mut out = Output::new();
                out.bytes(&bytes)?;
                out.done()
            }
        }
    })
}

/// Writes a file that only its owner may read.
fn write_new(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(file).and_then(|mut file| file.write_all(bytes));
    written
        .map_err(|error| Failure::failed(format!("{} cannot be written: {error}", file.display())))
}

/// Forgets.
pub(super) fn shred(settings: &Settings, arguments: &Shred) -> Result<(), Failure> {
    let Shred { account, exchange, part, .. } = arguments;
    let (method, path, what) = match (exchange, part) {
        (None, _) => (
            Method::POST,
            path(["v1", "accounts", account, "shred"]),
            format!("shredding everything of account {account}"),
        ),
        (Some(exchange), None) => (
            Method::DELETE,
            path(["v1", "accounts", account, "exchanges", exchange]),
            format!("shredding exchange {exchange} of account {account}"),
        ),
        (Some(exchange), Some(part)) => (
            Method::DELETE,
            path(["v1", "accounts", account, "exchanges", exchange, part.as_str()]),
            format!("shredding the {} of exchange {exchange} of account {account}", part.as_str()),
        ),
    };
    confirm(&what, arguments.yes)?;
    let outcome = with_client(settings, async |client| {
        client.json(Caller::Owner(account), method, &path, None).await
    })?;
    if let Some(file) = &arguments.receipt {
        match &outcome["receipt"] {
            Value::Null => note("there is no receipt: what was to be forgotten was gone already"),
            receipt => write_new(file, format!("{receipt:#}\n").as_bytes())?,
        }
    }
    if arguments.shown.json {
        return describe(&outcome, true);
    }
    // Of the receipt, a person wants its place in the log; the whole is in the file.
    let leaf = outcome.pointer("/receipt/log/index").cloned().unwrap_or_default();
    let (shredded, generation) = (&outcome["shredded"], &outcome["generation"]);
    describe(&json!({ "shredded": shredded, "generation": generation, "log_leaf": leaf }), false)
}

/// Forgets what is due.
pub(super) fn expire(settings: &Settings, arguments: &Expire) -> Result<(), Failure> {
    let wanted = json!({ "accept_clock": arguments.accept_clock });
    let outcome = with_client(settings, async |client| {
        client.json(Caller::Operator, Method::POST, "/v1/expire", Some(&wanted)).await
    })?;
    if outcome["clock_ahead_seconds"].as_u64().is_some_and(|seconds| seconds > 0) {
        note(
            "the machine's clock is further ahead than can be believed, and expiry does not follow it: set it \
             right, or say --accept-clock if so much time has really passed",
        );
    }
    describe(&outcome, arguments.shown.json)
}

/// A stretch of time as the API takes it.
pub(super) fn range(time: &TimeRange) -> Result<(Option<String>, Option<String>), Failure> {
    let from = time.from.as_deref().map(|text| at("--from", text)).transpose()?;
    let to = time.to.as_deref().map(|text| at("--to", text)).transpose()?;
    Ok((from, to))
}

/// A moment as the API takes it.
pub(super) fn at(flag: &str, text: &str) -> Result<String, Failure> {
    let now = jiff::Timestamp::from_millisecond(SystemClock.now_ms())
        .map_err(|_| Failure::failed("the machine's clock is out of range"))?;
    let moment = moment(text, now);
    moment.map(|at| at.to_string()).map_err(|why| Failure::usage(format!("{flag} {text:?}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_types_and_encodings() {
        let folder = tempfile::tempdir().unwrap();
        let part = |name: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, "x").unwrap();
            let part = body(&file, None).unwrap();
            assert_eq!(part["body_b64"], "eA==");
            (
                part["content_type"].as_str().map(str::to_owned),
                part["encoding"].as_str() == Some("gzip"),
            )
        };
        let typed = |name: &str| Some(name.to_owned());
        assert_eq!(part("a.json"), (typed("application/json"), false));
        assert_eq!(part("a.b.json.gz"), (typed("application/json"), true));
        assert_eq!(part("a.sse"), (typed("text/event-stream"), false));
        assert_eq!(part("a"), (None, false));
        assert_eq!(part("a.gz"), (None, true));
    }
}

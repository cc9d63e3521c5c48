//! An error never repeats what was sent: whoever reads a gateway's log must not find bodies there.

use axum::{body::Body, http::Method};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::world::{Answer, World, b64, envelope};

/// What must not come back: a name, a number, a key. Not fit for an id, so no id may carry it.
const SECRET: &str = "Jane Roe, +1 212 555 0147, sk-live-9AbCdEf";
const TRACES: [&str; 5] = ["Jane", "Roe", "0147", "9AbC", "live"];

fn assert_silent(answer: &Answer, sent: &str) {
    let shown = format!("{:?} {}", answer.headers, answer.text());
    for trace in TRACES {
        assert!(!shown.contains(trace), "{trace} came back: {shown}\nfor {sent}");
    }
    let encoded = b64(SECRET);
    assert!(!shown.contains(&encoded[..12]), "base64 came back: {shown}");
}

#[tokio::test]
async fn whatever_is_sent_and_wherever() {
    let world = World::opted_in().await;
    let World { gateway, owner, operator, .. } = &world;
    let mut sent = Vec::new();
    for field in [
        "id",
        "account",
        "time",
        "key_hash",
        "trace_id",
        "cache_key",
        "api",
        "provider",
        "model",
        "status",
        "tokens_in",
        "tokens_out",
        "latency_ms",
        "request",
        "response",
        "colour",
        SECRET,
    ] {
        for value in values() {
            let mut envelope = envelope("ex-1", "{}", None);
            envelope[field] = value;
            // Else it is a good envelope with a detail, and an answer of 200.
            envelope["zz"] = json!(1);
            sent.push((Method::POST, "/v1/captures", gateway, envelope));
        }
    }
    for field in ["content_type", "encoding", "body_b64", SECRET] {
        for value in values() {
            let mut envelope = envelope("ex-1", "{}", None);
            envelope["request"][field] = value;
            envelope["zz"] = json!(1);
            sent.push((Method::POST, "/v1/captures", gateway, envelope));
        }
    }
    for value in values() {
        for field in
            ["capture", "retention_days", "operator", "attachments", "custom_rules", SECRET]
        {
            let change = json!({ field: value });
            sent.push((Method::PATCH, "/v1/accounts/acme/settings", owner, change));
        }
        for field in ["subject", SECRET] {
            let ticket = json!({ field: value, "zz": 1 });
            sent.push((Method::POST, "/v1/accounts/acme/tickets", owner, ticket));
        }
        for field in ["agent", "until", "scope", "parts", SECRET] {
            let mut grant = json!({"agent": "k", "until": "2999-01-01T00:00:00Z", "scope": {"kind": "account"}});
            grant[field] = value.clone();
            sent.push((Method::POST, "/v1/accounts/acme/tickets/t0/grants", owner, grant));
        }
        for field in ["from", "to", "dry_run", SECRET] {
            sent.push((
                Method::POST,
                "/v1/accounts/acme/reredact",
                owner,
                json!({ field: value, "zz": 1 }),
            ));
        }
        sent.push((Method::POST, "/v1/accounts", operator, json!({"id": value})));
        for field in ["role", "account", SECRET] {
            let mut key = json!({"role": "agent", "name": "k"});
            key[field] = value.clone();
            if key.get("zz").is_none() {
                key["zz"] = json!(1);
            }
            sent.push((Method::POST, "/v1/api-keys", operator, key));
        }
        sent.push((Method::POST, "/v1/expire", operator, value));
    }
    for (method, path, key, body) in sent {
        let answer = world.send(method, path, Some(key), Body::from(body.to_string())).await;
        assert!(answer.status.is_client_error(), "{path} {body}: {}", answer.text());
        assert_silent(&answer, &body.to_string());
    }
    // In the query, in the path, in the key, as the whole body.
    let escaped = "Jane%20Roe,%200147%20sk-live-9AbCdEf";
    for name in ["from", "part", "limit", "cursor", escaped] {
        let path = format!("/v1/accounts/acme/captures?{name}={escaped}");
        let answer = world.get(&path, owner).await;
        answer.refused(400, "invalid");
        assert_silent(&answer, &path);
    }
    for path in
        [format!("/v1/{escaped}"), format!("/v1/accounts/{escaped}"), format!("/{escaped}%ff")]
    {
        let answer = world.get(&path, operator).await;
        assert!(answer.status.is_client_error());
        assert_silent(&answer, &path);
    }
    let answer = world.get("/v1/status", SECRET).await;
    answer.refused(401, "unauthenticated");
    assert_silent(&answer, "the key");
}

/// The secret in every shape of JSON.
fn values() -> Vec<Value> {
    let mut key_inside = json!({"kind": SECRET});
    key_inside[SECRET] = json!(SECRET);
    vec![
        json!(SECRET),
        json!([SECRET, [SECRET]]),
        json!({"kind": SECRET}),
        key_inside,
        json!(format!("{}!", b64(SECRET))),
        json!(format!("`, expected {SECRET}")),
        json!(format!("oubliette: {SECRET}")),
        json!(format!("pack = \"{SECRET}\"\n[[rule]]\nid = {SECRET}\npattern = '({SECRET}'")),
    ]
}

#[test]
fn however_an_envelope_is_damaged() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let mut good = envelope("ex-1", SECRET, Some(SECRET));
    good["model"] = json!(SECRET);
    good["request"]["content_type"] = json!(SECRET);
    let good = good.to_string();
    let damage = (0..good.len(), 0..good.len(), any::<u8>(), 0..3_u8);
    // Each case is an HTTP request; a few hundred reach every kind of error.
    TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() })
        .run(&damage, |(at, other, byte, kind)| {
            let mut bytes = good.clone().into_bytes();
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                _ => drop(bytes.drain(at.min(other)..at.max(other))),
            }
            let sent = String::from_utf8_lossy(&bytes).into_owned();
            let body = Body::from(bytes);
            let answer = runtime.block_on(world.send(
                Method::POST,
                "/v1/captures",
                Some(&world.gateway),
                body,
            ));
            prop_assert!(answer.status.as_u16() < 500, "{}", answer.text());
            if answer.status != 200 {
                assert_silent(&answer, &sent);
            }
            Ok(())
        })
        .unwrap();
}

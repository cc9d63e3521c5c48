//! What is asked without a key, and addresses that lead nowhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use axum::{
    body::Body,
    http::{Method, header},
};
use serde_json::json;

use crate::world::{Answer, World, envelope};

async fn open(world: &World, path: &str) -> Answer {
    world.send(Method::GET, path, None, Body::empty()).await
}

#[tokio::test]
async fn alive_and_ready_until_it_is_closed() {
    let world = World::new().await;
    open(&world, "/healthz").await.expect(200);
    open(&world, "/readyz").await.expect(200);
    let _ = world.oubliette.close(Duration::from_secs(10)).await.unwrap();
    open(&world, "/healthz").await.expect(200);
    let why = open(&world, "/readyz").await.refused(503, "unavailable");
    assert!(why.contains("shutting down"), "{why}");
    let sent = world.post("/v1/captures", &world.gateway, envelope("ex-1", "{}", None)).await;
    sent.refused(503, "unavailable");
}

#[tokio::test]
async fn metrics_count_what_happened_and_name_nobody() {
    let world = World::opted_in().await;
    let World { gateway, owner, agent, .. } = &world;
    let prompt = r#"{"prompt":"to jane.roe@example.com and max@example.com"}"#;
    for _ in 0..2 {
        world.post("/v1/captures", gateway, envelope("ex-1", prompt, None)).await.expect(200);
    }
    let other = json!({"id": "ex-2", "account": "other", "request": {"body_b64": "e30="}});
    world.post("/v1/captures", gateway, other).await.expect(200);
    let body = "/v1/accounts/acme/exchanges/ex-1/request/body";
    world.get(body, agent).await.refused(403, "forbidden");
    world.delete("/v1/accounts/acme/exchanges/ex-1", owner).await.expect(200);
    world.post("/v1/expire", &world.operator, json!({})).await.expect(200);
    world.send(Method::try_from("BREW").unwrap(), "/tea", None, Body::empty()).await;

    let answer = open(&world, "/metrics").await;
    assert_eq!(answer.status, 200);
    let content_type = answer.headers[header::CONTENT_TYPE].to_str().unwrap();
    assert!(content_type.starts_with("application/openmetrics-text"), "{content_type}");
    let text = answer.text();
    let samples = parse(&text);
    for (sample, value) in [
        (r#"oubliette_captures_total{outcome="stored",reason=""}"#, 1.0),
        (r#"oubliette_captures_total{outcome="duplicate",reason=""}"#, 1.0),
        (r#"oubliette_captures_total{outcome="dropped",reason="not_opted_in"}"#, 1.0),
        (r#"oubliette_captures_total{outcome="dropped",reason="too_large"}"#, 0.0),
        (r#"oubliette_envelopes_refused_total{reason="busy"}"#, 0.0),
        (r#"oubliette_findings_total{entity="EMAIL_ADDRESS"}"#, 2.0),
        (r#"oubliette_reads_total{outcome="refused"}"#, 1.0),
        (r#"oubliette_captured_bytes_total"#, prompt.len() as f64),
        (r#"oubliette_shredded_keys_total"#, 1.0),
        (r#"oubliette_keys_usable"#, 1.0),
        (r#"oubliette_pending_shreds"#, 0.0),
        (r#"oubliette_queue_bytes"#, 0.0),
        (r#"oubliette_http_requests_total{method="POST",route="/v1/captures",status="200"}"#, 3.0),
        (r#"oubliette_http_requests_total{method="other",route="unknown",status="404"}"#, 1.0),
        (r#"oubliette_http_request_duration_seconds_count{route="/v1/captures"}"#, 3.0),
    ] {
        assert_eq!(samples.get(sample), Some(&value), "{sample}\n{text}");
    }
    // What is documented is there, and what is there is documented.
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let documented: BTreeSet<_> = include_str!("../../../../docs/api.md")
        .split(|c| !is_name(c))
        .filter(|word| word.starts_with("oubliette_"))
        .collect();
    let shown: BTreeSet<_> = samples
        .keys()
        .map(|sample| sample.split('{').next().unwrap())
        .map(|name| ["_bucket", "_count", "_sum"].iter().fold(name, |n, s| n.trim_end_matches(s)))
        .collect();
    assert_eq!(shown, documented);
    let version = format!("oubliette_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(samples.get(&*version), Some(&1.0), "{text}");
    for name in ["acme", "ex-1", "BREW", "/tea"] {
        assert!(!text.contains(name), "{name}: {text}");
    }
}

/// A strict reader of OpenMetrics text: every sample after the description of its family, no family
/// or sample twice, `# EOF` at the end.
fn parse(text: &str) -> BTreeMap<&str, f64> {
    let mut samples = BTreeMap::new();
    let mut families = BTreeMap::new();
    let mut current = "";
    let body = text.strip_suffix("# EOF\n").expect("ends with # EOF");
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(families.insert(name, kind).is_none(), "{name} is described twice");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            current = name;
            continue;
        }
        if let Some(rest) = line.strip_prefix("# ") {
            assert!(rest.starts_with("HELP ") || rest.starts_with("UNIT "), "{line}");
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
        let name = sample.split('{').next().unwrap();
        let suffix = name.strip_prefix(current).unwrap_or_else(|| panic!("{line} in {current}"));
        let suffixes: &[&str] = match families[current] {
            "counter" => &["_total"],
            "histogram" => &["_sum", "_count", "_bucket"],
            _ => &[""],
        };
        assert!(suffixes.contains(&suffix), "{line} in {current}");
        let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        assert!(name.starts_with("oubliette_") && name.bytes().all(valid), "{name}");
        let value: f64 = value.parse().expect("a number");
        assert!(samples.insert(sample, value).is_none(), "{sample} is there twice");
    }
    samples
}

#[tokio::test]
async fn addresses_that_lead_nowhere() {
    let world = World::new().await;
    for path in ["/", "/v1", "/v2/captures", "/v1/captures/", "/v1/accounts/acme/exchanges"] {
        open(&world, path).await.refused(404, "not_found");
    }
    for (method, path, allowed) in [
        (Method::GET, "/v1/captures", "POST"),
        (Method::PUT, "/v1/accounts/acme/settings", "GET,HEAD,PATCH"),
        (Method::POST, "/metrics", "GET,HEAD"),
    ] {
        let answer = world.send(method, path, Some(&world.operator), Body::empty()).await;
        answer.refused(405, "method_not_allowed");
        let mut allow: Vec<_> =
            answer.headers[header::ALLOW].to_str().unwrap().split(',').collect();
        allow.sort_unstable();
        assert_eq!(allow.join(","), allowed, "{path}");
    }
}

//! The main job through the built binary, on the folder store and on a real S3 server.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests are tests, though the lint does not know it"
)]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{Account, Garage, Sidecar, assert_nowhere, search_tree, wait_until};

/// What must never be anywhere once it was sent.
const VALUES: [&str; 6] = [
    "ines.duarte@example.net",
    "4000 0566 5566 5556",
    "+351 912 345 678",
    "PT50 0002 0123 1234 5678 9015 4",
    "198.51.100.61",
    "sk-ant-api03-Zz9Yy8Xx7Ww6Vv5Uu4Tt3Ss2Rr1Qq0PpOoNnMmLlKkJjIiHhGgFfEeDdCcBbAa9988776655443322_1-AAAAAA",
];

/// A request with values in prose, behind escapes, in a tool call's arguments and in a number.
fn request() -> String {
    let arguments = json!({ "iban": VALUES[3], "card": 4_000_056_655_665_556_u64 }).to_string();
    json!({ "model": "gpt-5-mini", "user": VALUES[0], "messages": [
        { "role": "user", "content": format!("I am {} and my number is {}.", VALUES[0], VALUES[2]) },
        { "role": "assistant", "content": null, "tool_calls": [
            { "id": "call_1", "type": "function", "function": { "name": "look_up", "arguments": arguments } } ] },
        { "role": "tool", "tool_call_id": "call_1", "content": format!("key {}\n{}", VALUES[5], VALUES[4]) },
    ] })
    .to_string()
    .replace('@', "\\u0040")
}

/// A stream whose deltas cut the values.
fn response() -> String {
    let text = format!("Dear customer, {} is yours, and so is {}. Done.", VALUES[0], VALUES[1]);
    let mut stream = String::new();
    for piece in text.as_bytes().chunks(7) {
        let piece = std::str::from_utf8(piece).unwrap();
        let event = json!({ "choices": [{ "index": 0, "delta": { "content": piece }, "finish_reason": null }] });
        stream.push_str(&format!("data: {event}\n\n"));
    }
    stream + "data: [DONE]\n\n"
}

/// What the deltas of a stream join to.
fn joined(stream: &str) -> String {
    stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: ")?.parse::<Value>().ok())
        .map(|event| event["choices"][0]["delta"]["content"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_whole_way_on_the_folder_store() {
    let mut sidecar = Sidecar::start(&[], &[]);
    let account = whole_way(&mut sidecar);
    sidecar.stop();
    assert_nowhere(&[sidecar.folder()], &VALUES);
    // The control: the search would see what is not sealed, such as the name of the account.
    assert!(!search_tree(sidecar.folder(), &[&account.id]).is_empty());
}

#[test]
fn the_whole_way_on_s3() {
    let Some(garage) = Garage::start() else { return };
    let endpoint = format!("store.endpoint={}", garage.endpoint());
    let bucket = format!("store.bucket={}", Garage::BUCKET);
    let region = format!("store.region={}", Garage::REGION);
    let settings = ["store.kind=s3", &endpoint, &bucket, &region, "spool.max_age=1s"];
    let mut sidecar = Sidecar::start(&settings, &Garage::credentials());
    whole_way(&mut sidecar);
    sidecar.stop();
    assert_nowhere(&[sidecar.folder(), garage.folder()], &VALUES);
    // The control: sealed records are in the bucket, and are recognisable as such.
    assert!(!search_tree(&garage.data_dir(), &["OUBR\x01"]).is_empty());
}

#[test]
fn a_day_without_the_object_store_loses_nothing() {
    let Some(mut garage) = Garage::start() else { return };
    let endpoint = format!("store.endpoint={}", garage.endpoint());
    let bucket = format!("store.bucket={}", Garage::BUCKET);
    let region = format!("store.region={}", Garage::REGION);
    let settings = ["store.kind=s3", &endpoint, &bucket, &region, "spool.max_age=1s"];
    let mut sidecar = Sidecar::start(&settings, &Garage::credentials());
    let account = sidecar.account("acme");
    account.grant_everything();
    account.capture("before", &request(), "");
    garage.stop();
    account.capture("during", &request(), &response());
    assert!(account.read("during", "response").is_success());
    // Also across a restart while it is away.
    sidecar.stop();
    sidecar.restart();
    assert!(account.read("during", "response").is_success());
    garage.restart();
    wait_until("the upload of what waited", Duration::from_secs(60), || {
        let status = sidecar.operator().get("/v1/status").expect_status(200).json();
        (status["spool"]["waiting_segments"] == 0 && status["spool"]["open_segments"] == 0)
            .then_some(())
    });
    for exchange in ["before", "during"] {
        assert!(account.read(exchange, "request").is_success(), "{exchange}");
    }
}

/// Everything an account goes through.
fn whole_way(sidecar: &mut Sidecar) -> Account {
    // Without consent nothing is kept.
    let account = sidecar.account("customer-acme");
    account.set(&json!({ "capture": false }));
    let refused = account.gateway.post("/v1/captures", &account.envelope("ex-0", &request(), ""));
    assert_eq!(refused.expect_status(200).json()["parts"]["request"]["reason"], "not_opted_in");
    account.set(&json!({ "capture": true }));

    for exchange in ["ex-1", "ex-2", "ex-3"] {
        account.capture(exchange, &request(), &response());
    }
    let again = account.gateway.post("/v1/captures", &account.envelope("ex-1", "{}", ""));
    assert_eq!(again.expect_status(200).json()["parts"]["request"]["outcome"], "duplicate");
    let listed = account.owner.get(&account.path("/captures")).expect_status(200).json();
    assert_eq!(listed["captures"].as_array().unwrap().len(), 6);

    // Nobody reads without a grant: not the agent, not the owner, not the operator.
    let body = account.path("/exchanges/ex-1/response/body");
    for client in [&account.agent, &account.owner, &account.gateway, &sidecar.operator()] {
        client.get(&body).expect_status(403);
    }
    account.grant_everything();
    let read = account.read("ex-1", "response").expect_status(200).text();
    assert_eq!(
        joined(&read),
        "Dear customer, <EMAIL_ADDRESS_1> is yours, and so is <CREDIT_CARD_1>. Done."
    );
    let request: Value = account.read("ex-1", "request").expect_status(200).json();
    assert_eq!(request["user"], "<EMAIL_ADDRESS_1>");
    let arguments = &request["messages"][1]["tool_calls"][0]["function"]["arguments"];
    let arguments: Value = serde_json::from_str(arguments.as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({ "iban": "<IBAN_CODE_1>", "card": 0 }));
    let audit = account.owner.get(&account.path("/audit")).expect_status(200).text();
    assert!(audit.contains(&account.agent_id), "{audit}");

    // Forgetting one leaves its neighbours; it stays forgotten over a restart.
    let shred =
        account.owner.delete(&account.path("/exchanges/ex-2/response")).expect_status(200).json();
    assert_eq!(shred["shredded"], 1);
    assert!(shred["generation"]["to"].as_u64() > shred["generation"]["from"].as_u64());
    account.read("ex-2", "response").expect_status(410);
    account.read("ex-2", "request").expect_status(200);
    sidecar.stop();
    sidecar.restart();
    account.read("ex-2", "response").expect_status(410);
    account.read("ex-3", "response").expect_status(200);

    // A stricter rule takes out what the standard ones leave.
    let pack = r#"
        pack = "acme"
        description = "Words of our own"
        [[rule]]
        id = "acme.greeting"
        entity = "GREETING"
        category = "pii"
        description = "How we begin letters"
        pattern = 'Dear customer'
        score = 0.9
        examples = ["[[Dear customer]], hello"]
        negative_examples = ["Dear friend"]
    "#;
    account.set(&json!({ "custom_rules": pack }));
    let progress =
        account.owner.post(&account.path("/reredact"), &json!({})).expect_status(200).text();
    let last: Value = serde_json::from_str(progress.lines().last().unwrap()).unwrap();
    assert_eq!(last["finished"], true, "{progress}");
    assert_eq!(last["failed"], 0, "{progress}");
    let read = account.read("ex-3", "response").expect_status(200).text();
    assert!(joined(&read).starts_with("<GREETING_1>, <EMAIL_ADDRESS_1>"), "{read}");
    account.read("ex-2", "response").expect_status(410);

    // All of the account, at once.
    account.owner.post(&account.path("/shred"), &json!({})).expect_status(200);
    for exchange in ["ex-1", "ex-2", "ex-3"] {
        account.read(exchange, "request").expect_status(410);
    }
    let metrics = sidecar.anonymous().get("/metrics").expect_status(200).text();
    assert!(metrics.contains("oubliette_captures_total"), "{metrics}");
    account
}

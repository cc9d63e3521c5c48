//! The whole life of a body through the API.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use oubliette_server::{ServerOptions, dangerously_local_router};
use oubliette_service::{
    Principal,
    catalog::{AccountId, Role},
};
use serde_json::{Value, json};

use crate::world::{World, answer, envelope};

const PROMPT: &str = r#"{"model":"gpt-5-mini","messages":[{"role":"user","content":"write to jane.roe@example.com"}]}"#;
const REPLY: &str = r#"{"choices":[{"message":{"role":"assistant","content":"done"}}]}"#;
const BODY: &str = "/v1/accounts/acme/exchanges/ex-1/request/body";

#[tokio::test]
async fn from_the_account_to_the_shred() {
    let world = World::new().await;
    let World { gateway, owner, agent, agent_id, operator, .. } = &world;

    // An account and its keys, made through the API.
    let created = world.post("/v1/accounts", operator, json!({"id": "globex"})).await.expect(201);
    assert_eq!(created["settings"]["capture"], false);
    assert_eq!(created["settings"]["retention_days"], 7);
    let key = json!({"role": "owner", "account": "globex", "name": "console"});
    let key = world.post("/v1/api-keys", operator, key).await.expect(201);
    let globex_owner = key["key"].as_str().unwrap();
    world.get("/v1/accounts/globex", globex_owner).await.expect(200);

    // Not opted in: dropped, and nothing to be seen.
    let sent = world.post("/v1/captures", gateway, envelope("ex-1", PROMPT, Some(REPLY))).await;
    let not_opted_in = json!({"outcome": "dropped", "reason": "not_opted_in"});
    assert_eq!(
        sent.expect(200),
        json!({"id": "ex-1", "account": "acme",
               "parts": {"request": not_opted_in, "response": not_opted_in}})
    );
    let listed = world.get("/v1/accounts/acme/captures", owner).await.expect(200);
    assert_eq!(listed, json!({"captures": [], "next": null}));

    // Opted in: stored, and a repeat is harmless.
    let settings = world
        .patch("/v1/accounts/acme/settings", owner, json!({"capture": true, "expected_version": 0}))
        .await
        .expect(200);
    assert_eq!((&settings["capture"], &settings["version"]), (&json!(true), &json!(1)));
    for outcome in ["stored", "duplicate"] {
        let sent = world.post("/v1/captures", gateway, envelope("ex-1", PROMPT, Some(REPLY))).await;
        let parts = &sent.expect(200)["parts"];
        assert_eq!(parts["request"]["outcome"], outcome);
        assert_eq!(parts["response"]["outcome"], outcome);
    }
    world.post("/v1/captures", gateway, envelope("ex-2", PROMPT, None)).await.expect(200);

    // Listed, page by page, without a body.
    let first = world
        .get("/v1/accounts/acme/captures?order=oldest&part=request&state=stored&limit=1", owner)
        .await
        .expect(200);
    let capture = &first["captures"][0];
    assert_eq!(capture["exchange"], "ex-1");
    assert_eq!(capture["content_type"], "application/json");
    assert_eq!(capture["format"], "json");
    assert_eq!(capture["address"].as_str().unwrap().len(), 16);
    assert!(capture["sealed_bytes"].as_u64().unwrap() > 0);
    assert!(capture["captured_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(capture["findings"].as_object().unwrap().values().next(), Some(&json!(1)));
    let next = first["next"].as_str().unwrap();
    let path = format!("/v1/accounts/acme/captures?order=oldest&part=request&cursor={next}");
    let rest = world.get(&path, operator).await.expect(200);
    assert_eq!(rest["captures"].as_array().unwrap().len(), 1);
    assert_eq!(rest["captures"][0]["exchange"], "ex-2");
    assert_eq!(rest["next"], Value::Null);
    let exchange = world.get("/v1/accounts/acme/exchanges/ex-1", owner).await.expect(200);
    assert_eq!(exchange["model"], "gpt-5-mini");
    assert_eq!(exchange["captures"].as_array().unwrap().len(), 2);

    // Nobody reads without a grant.
    world.get(BODY, agent).await.refused(403, "forbidden");
    let ticket = json!({"subject": "answers are cut off"});
    let ticket = world.post("/v1/accounts/acme/tickets", owner, ticket).await.expect(201);
    let ticket = ticket["id"].as_str().unwrap();
    let grants = format!("/v1/accounts/acme/tickets/{ticket}/grants");
    let grant = json!({
        "agent": agent_id, "until": "2999-01-01T00:00:00Z",
        "scope": {"kind": "exchanges", "ids": ["ex-1"]}, "parts": "request",
    });
    let grant = world.post(&grants, owner, grant).await.expect(201);
    let grant_id = grant["id"].as_str().unwrap();
    assert_eq!(grant["scope"], json!({"kind": "exchanges", "ids": ["ex-1"]}));
    assert_eq!(grant["until"], "2999-01-01T00:00:00.000Z");

    // With one, the redacted body, and only that body.
    let read = world.get(BODY, agent).await;
    assert_eq!(read.status, 200, "{}", read.text());
    assert!(!read.text().contains("jane.roe"), "{}", read.text());
    let body: Value = serde_json::from_slice(&read.bytes).unwrap();
    assert_eq!(body["messages"][0]["content"], "write to <EMAIL_ADDRESS_1>");
    assert_eq!(read.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(read.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(read.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(read.headers[header::CONTENT_DISPOSITION], "attachment");
    assert_eq!(read.headers["oubliette-grant"], grant_id);
    assert_eq!(read.headers["oubliette-ticket"], ticket);
    let report: Value =
        serde_json::from_slice(read.headers["oubliette-report"].as_bytes()).unwrap();
    assert_eq!(report["entities"]["EMAIL_ADDRESS"], 1);
    for other in ["ex-1/response", "ex-2/request"] {
        let path = format!("/v1/accounts/acme/exchanges/{other}/body");
        world.get(&path, agent).await.refused(403, "forbidden");
    }

    // The owner sees it, newest first.
    let audit = world.get("/v1/accounts/acme/audit?limit=1000", owner).await.expect(200);
    let rows = audit["audit"].as_array().unwrap();
    let read = rows.iter().find(|row| row["action"] == "capture.read").unwrap();
    assert_eq!(read["subject"], "ex-1/request");
    assert_eq!(read["detail"]["grant"], grant_id);
    assert!(rows.iter().any(|row| row["action"] == "capture.read_refused"));
    assert!(rows[0]["seq"].as_u64() > rows[1]["seq"].as_u64());

    // Shredded: gone, for a grant too, and a repeat says so.
    let exchange = "/v1/accounts/acme/exchanges/ex-1";
    let shred = world.delete(exchange, owner).await.expect(200);
    assert_eq!(shred["shredded"], 2);
    assert!(shred["generation"]["to"].as_u64() > shred["generation"]["from"].as_u64());
    world.get(BODY, agent).await.refused(410, "forgotten");
    assert_eq!(world.delete(exchange, owner).await.expect(200)["shredded"], 0);
    let again = world.post("/v1/captures", gateway, envelope("ex-1", PROMPT, None)).await;
    assert_eq!(again.expect(200)["parts"]["request"]["outcome"], "forgotten");
    let part = "/v1/accounts/acme/exchanges/ex-2/request";
    assert_eq!(world.delete(part, owner).await.expect(200)["shredded"], 1);

    // Switched off: nothing more.
    world.patch("/v1/accounts/acme/settings", owner, json!({"capture": false})).await.expect(200);
    let sent = world.post("/v1/captures", gateway, envelope("ex-3", PROMPT, None)).await;
    assert_eq!(sent.expect(200)["parts"]["request"], not_opted_in);
}

#[tokio::test]
async fn grants_end_with_their_ticket_and_when_revoked() {
    let world = World::opted_in().await;
    let World { gateway, owner, agent, agent_id, .. } = &world;
    world.post("/v1/captures", gateway, envelope("ex-1", PROMPT, None)).await.expect(200);
    let grant = async || {
        let ticket = json!({"subject": "case"});
        let ticket = world.post("/v1/accounts/acme/tickets", owner, ticket).await.expect(201);
        let ticket = ticket["id"].as_str().unwrap().to_owned();
        let grants = format!("/v1/accounts/acme/tickets/{ticket}/grants");
        let scope =
            json!({"kind": "time", "from": "2020-01-01T00:00:00Z", "to": "2999-01-01T00:00:00Z"});
        let grant = json!({"agent": agent_id, "until": "2999-01-01T00:00:00Z", "scope": scope});
        let grant = world.post(&grants, owner, grant).await.expect(201);
        assert_eq!(grant["parts"], "both");
        assert_eq!(world.get(BODY, agent).await.status, 200);
        (ticket, grant["id"].as_str().unwrap().to_owned())
    };
    let (_, id) = grant().await;
    let revoked = world.delete(&format!("/v1/accounts/acme/grants/{id}"), owner).await.expect(200);
    assert!(revoked["revoked_at"].is_string());
    world.get(BODY, agent).await.refused(403, "forbidden");

    let (ticket, _) = grant().await;
    let close = format!("/v1/accounts/acme/tickets/{ticket}/close");
    assert!(world.post(&close, owner, json!({})).await.expect(200)["closed_at"].is_string());
    world.get(BODY, agent).await.refused(403, "forbidden");
    let grants = world.get("/v1/accounts/acme/grants", owner).await.expect(200);
    assert_eq!(grants["grants"].as_array().unwrap().len(), 2);
    let tickets = world.get("/v1/accounts/acme/tickets?limit=1", owner).await.expect(200);
    assert_eq!(tickets["tickets"].as_array().unwrap().len(), 1);
    assert!(tickets["next"].is_string());
}

#[tokio::test]
async fn redacting_again_streams_its_progress() {
    let world = World::opted_in().await;
    let World { gateway, owner, .. } = &world;
    for n in 0..3 {
        let prompt = format!(r#"{{"prompt":"Badge 77{n} of jane.roe@example.com"}}"#);
        let envelope = envelope(&format!("ex-{n}"), &prompt, None);
        world.post("/v1/captures", gateway, envelope).await.expect(200);
    }
    let rules = r#"
        pack = "acme"
        description = "rules of acme"
        [[rule]]
        id = "acme.badge"
        entity = "BADGE"
        category = "pii"
        description = "badge numbers"
        pattern = 'Badge [0-9]{3}'
        score = 0.9
        examples = ["[[Badge 123]]"]
        negative_examples = ["Badge x"]
    "#;
    let settings = json!({"custom_rules": rules});
    world.patch("/v1/accounts/acme/settings", owner, settings).await.expect(200);

    for (dry_run, changed) in [(true, 3), (false, 3), (false, 0)] {
        let run = json!({"dry_run": dry_run, "from": "2020-01-01T00:00:00Z"});
        let run = world.post("/v1/accounts/acme/reredact", owner, run).await;
        assert_eq!(run.status, 200, "{}", run.text());
        assert_eq!(run.headers[header::CONTENT_TYPE], "application/x-ndjson");
        let text = run.text();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (last, progress) = lines.split_last().unwrap();
        assert!(progress.iter().all(|line| line.get("finished").is_none()), "{text}");
        assert!(!progress.is_empty(), "{text}");
        assert_eq!(last["finished"], true, "{text}");
        assert_eq!((&last["done"], &last["total"]), (&json!(3), &json!(3)), "{text}");
        assert_eq!((&last["changed"], &last["failed"]), (&json!(changed), &json!(0)), "{text}");
        assert_eq!(
            last["findings"]["acme.badge"],
            if changed == 0 { Value::Null } else { json!(3) }
        );
    }

    // What fails before it begins is an error like any other.
    world.patch("/v1/accounts/acme/settings", owner, json!({"redact": false})).await.expect(200);
    let run = world.post("/v1/accounts/acme/reredact", owner, json!({})).await;
    run.refused(409, "conflict");
}

#[tokio::test]
async fn accounts_are_shredded_and_closed() {
    let world = World::opted_in().await;
    let World { gateway, owner, operator, .. } = &world;
    world.post("/v1/captures", gateway, envelope("ex-1", PROMPT, Some(REPLY))).await.expect(200);
    let shred = world.post("/v1/accounts/acme/shred", owner, json!({})).await.expect(200);
    assert!(shred["shredded"].as_u64().unwrap() > 0);
    let settings = world.get("/v1/accounts/acme/settings", operator).await.expect(200);
    assert_eq!(settings["capture"], false);
    world.delete("/v1/accounts/acme", owner).await.expect(200);
    let closed = world.get("/v1/accounts/acme", operator).await.expect(200);
    assert!(closed["removed_at"].is_string());
    let listed = world.get("/v1/accounts", operator).await.expect(200);
    assert_eq!(listed["accounts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn operators_look_after_keys_and_state() {
    let world = World::opted_in().await;
    let World { gateway, operator, agent, agent_id, .. } = &world;
    world.post("/v1/captures", gateway, envelope("ex-1", PROMPT, None)).await.expect(200);
    let before = world.get("/v1/keys/status", operator).await.expect(200);
    assert_eq!(before["accounts"], 2);
    let rotated = world.post("/v1/keys/rotate", operator, json!({})).await.expect(200);
    // What runs in the background may have turned the root over meanwhile.
    let (from, to) = (&rotated["generation"]["from"], &rotated["generation"]["to"]);
    assert!(from.as_u64() >= before["generation"].as_u64() && to.as_u64() > from.as_u64());
    let expired = world.post("/v1/expire", operator, json!({})).await.expect(200);
    assert_eq!(expired["accounts"], 0, "{expired}");
    let status = world.get("/v1/status", operator).await.expect(200);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["queue"], json!({"captures": 0, "bytes": 0}));
    assert!(status["keys"]["generation"].as_u64() >= to.as_u64(), "{status}");
    assert!(status["spool"]["bytes"].as_u64().unwrap() > 0, "{status}");
    assert!(status["last_expiry"].is_string(), "{status}");

    // Keys: listed without their secret, revoked at once.
    let keys = world.get("/v1/api-keys", operator).await;
    let listed = keys.expect(200);
    assert_eq!(listed["api_keys"].as_array().unwrap().len(), 5);
    assert!(!keys.text().contains(agent.rsplit('_').next().unwrap()));
    assert!(listed["api_keys"].as_array().unwrap().iter().all(|key| key.get("key").is_none()));
    world.delete(&format!("/v1/api-keys/{agent_id}"), operator).await.expect(200);
    world.get(BODY, agent).await.refused(401, "unauthenticated");

    // No operator makes another through the API.
    let key = json!({"role": "operator", "name": "second"});
    world.post("/v1/api-keys", operator, key).await.refused(403, "forbidden");
}

#[tokio::test]
async fn beside_the_data_no_key_is_asked_for_and_still_no_body_is_read() {
    let world = World::opted_in().await;
    let World { gateway, owner, agent, agent_id, .. } = &world;
    world.post("/v1/captures", gateway, envelope("ex-1", PROMPT, None)).await.expect(200);
    let local = |role, account: Option<&str>| {
        let account = account.map(|id| AccountId::new(id).unwrap());
        let caller = Principal::local(role, account);
        dangerously_local_router(world.oubliette.clone(), ServerOptions::default(), caller)
    };
    let request = |method: Method, path: &str, body: &str| {
        Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap()
    };
    let operator = local(Role::Operator, None);
    answer(&operator, request(Method::GET, "/v1/accounts", "")).await.expect(200);
    let key = r#"{"role":"operator","name":"ops"}"#;
    answer(&operator, request(Method::POST, "/v1/api-keys", key)).await.expect(201);
    let acme = local(Role::Owner, Some("acme"));
    answer(&acme, request(Method::GET, "/v1/accounts/acme/settings", "")).await.expect(200);
    let other = answer(&acme, request(Method::GET, "/v1/accounts/other/settings", "")).await;
    other.refused(403, "forbidden");

    // Neither as operator nor as owner nor as an agent that no grant names.
    for router in [&operator, &acme, &local(Role::Agent, None)] {
        answer(router, request(Method::GET, BODY, "")).await.refused(403, "forbidden");
    }
    // A key that is shown counts, for better and for worse.
    let ticket = json!({"subject": "case"});
    let ticket = world.post("/v1/accounts/acme/tickets", owner, ticket).await.expect(201);
    let grants = format!("/v1/accounts/acme/tickets/{}/grants", ticket["id"].as_str().unwrap());
    let grant =
        json!({"agent": agent_id, "until": "2999-01-01T00:00:00Z", "scope": {"kind": "account"}});
    world.post(&grants, owner, grant).await.expect(201);
    let with = |key: &str| {
        let mut request = request(Method::GET, BODY, "");
        let value = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, value);
        request
    };
    assert_eq!(answer(&operator, with(agent)).await.status, 200);
    answer(&operator, with("oub_k1_wrong")).await.refused(401, "unauthenticated");
}

//! Wrong requests: the answer names what is wrong.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use oubliette_server::ServerOptions;
use serde_json::{Value, json};

use crate::world::{World, b64, envelope};

/// A good envelope with one change.
fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut envelope = envelope("ex-1", "{}", None);
    change(&mut envelope);
    envelope.to_string()
}

#[tokio::test]
async fn envelopes() {
    let world = World::opted_in().await;
    let long = "x".repeat(513);
    let cases: Vec<(String, u16, &str)> = vec![
        (String::new(), 400, "the request has no body: send a JSON object"),
        ("{\"id\": \"ex-1\",".into(), 400, "the request is not JSON: EOF while parsing"),
        ("{\"id\": \"ex-1\" \"account\"}".into(), 400, "expected `,` or `}` at line 1 column"),
        ("[]".into(), 400, "the request: expected"),
        ("\"text\"".into(), 400, "the request: expected an object"),
        (changed(|_| ()) + "{}", 400, "the request is not JSON: trailing characters"),
        (changed(|e| e["colour"] = json!("red")), 400, "unknown field colour at line 1 column"),
        (changed(|e| e["request"]["bodyb"] = json!(1)), 400, "unknown field bodyb in request"),
        (changed(|e| drop(e.as_object_mut().unwrap().remove("id"))), 400, "id is missing"),
        (
            changed(|e| drop(e.as_object_mut().unwrap().remove("account"))),
            400,
            "account is missing",
        ),
        (changed(|e| e["request"] = json!({})), 400, "request.body_b64 is missing"),
        (
            changed(|e| drop(e.as_object_mut().unwrap().remove("request"))),
            400,
            "request and response are missing: give at least one",
        ),
        (
            changed(|e| e["request"]["body_b64"] = json!("QUJD$EVG")),
            400,
            "request.body_b64: not base64 in the standard alphabet: wrong character at 4",
        ),
        (
            changed(|e| e["request"]["body_b64"] = json!(["QUJD"])),
            400,
            "request.body_b64: expected a string of base64",
        ),
        (changed(|e| e["id"] = json!("two words")), 400, "id: an exchange id has 1 to 200"),
        (changed(|e| e["id"] = json!(7)), 400, "id: expected a string"),
        (changed(|e| e["account"] = json!("a/b")), 400, "account: an account id has 1 to 128"),
        (changed(|e| e["account"] = json!("nobody")), 404, "nobody"),
        (
            changed(|e| e["time"] = json!("yesterday")),
            400,
            "time: expected a time as in 2026-11-20T10:00:00Z",
        ),
        (
            changed(|e| e["time"] = json!(1_763_632_800_000_u64)),
            400,
            "time: expected a time as in 2026-11-20T10:00:00Z",
        ),
        (
            changed(|e| e["status"] = json!(70_000)),
            400,
            "status: expected a whole number from 0 to 65535",
        ),
        (
            changed(|e| e["status"] = json!("200")),
            400,
            "status: expected a whole number from 0 to 65535",
        ),
        (changed(|e| e["tokens_in"] = json!(-1)), 400, "tokens_in: expected a whole number"),
        (
            changed(|e| e["model"] = json!("a\nb")),
            400,
            "model: expected one line of at most 512 bytes",
        ),
        (
            changed(|e| e["trace_id"] = json!(long)),
            400,
            "trace_id: expected one line of at most 512 bytes",
        ),
        (changed(|_| ()).replacen('{', "{\"id\":\"ex-0\",", 1), 400, "id is there twice"),
    ];
    for (body, status, says) in cases {
        let answer = world
            .send(Method::POST, "/v1/captures", Some(&world.gateway), Body::from(body.clone()))
            .await;
        let code = if status == 404 { "not_found" } else { "invalid" };
        let message = answer.refused(status, code);
        assert!(message.contains(says), "{body}\n says: {message}\n not: {says}");
    }
    // Nothing of all that was kept.
    let listed = world.get("/v1/accounts/acme/captures", &world.owner).await.expect(200);
    assert_eq!(listed["captures"], json!([]));
}

#[tokio::test]
async fn bytes_that_are_no_text_and_bodies_that_are_compressed() {
    let world = World::opted_in().await;
    let post = |body: &[u8], encoding: Option<&str>| {
        let mut request = Request::post("/v1/captures")
            .header(header::AUTHORIZATION, format!("Bearer {}", world.gateway));
        if let Some(encoding) = encoding {
            request = request.header(header::CONTENT_ENCODING, encoding);
        }
        request.body(Body::from(body.to_vec())).unwrap()
    };
    let message = world.request(post(b"{\"id\": \"\xff\"}", None)).await.refused(400, "invalid");
    assert!(message.contains("not JSON: invalid unicode"), "{message}");
    let message = world.request(post(b"\x1f\x8b", Some("gzip"))).await.refused(400, "invalid");
    assert!(message.contains("content-encoding"), "{message}");
    let good = changed(|_| ());
    let answer = world.request(post(good.as_bytes(), Some("identity"))).await;
    assert_eq!(answer.expect(200)["parts"]["request"]["outcome"], "stored");
}

#[tokio::test]
async fn requests_that_are_too_large() {
    let mut options = ServerOptions::default();
    options.max_capture_bytes = 1000;
    options.max_request_bytes = 100;
    let world = World::with(options).await;
    let fits = changed(|e| e["request"]["body_b64"] = json!(b64("x".repeat(300))));
    let larger = changed(|e| e["request"]["body_b64"] = json!(b64("x".repeat(600))));
    assert!(fits.len() <= 1000 && larger.len() > 1000);
    let post = async |path: &str, key: &str, body: &str, announced: bool| {
        let mut request =
            Request::post(path).header(header::AUTHORIZATION, format!("Bearer {key}"));
        if announced {
            request = request.header(header::CONTENT_LENGTH, body.len());
        }
        let chunks: Vec<_> =
            body.as_bytes().chunks(64).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect();
        let body = Body::from_stream(futures::stream::iter(chunks));
        world.request(request.body(body).unwrap()).await
    };
    for announced in [true, false] {
        post("/v1/captures", &world.gateway, &fits, announced).await.expect(200);
        let message = post("/v1/captures", &world.gateway, &larger, announced)
            .await
            .refused(413, "too_large");
        assert!(message.contains("larger than 1000 bytes"), "{message}");
        let account = json!({"id": "a".repeat(100)}).to_string();
        let answer = post("/v1/accounts", &world.operator, &account, announced).await;
        assert!(answer.refused(413, "too_large").contains("larger than 100 bytes"));
    }
}

#[tokio::test]
async fn more_than_fits_into_memory_at_a_time_is_busy() {
    let mut options = ServerOptions::default();
    options.max_capture_bytes = 64 << 10;
    options.max_request_bytes = 1 << 10;
    options.max_reading_bytes = 64 << 10;
    let world = World::with(options).await;
    // Announces all of it and sends nothing for now.
    let (send, sent) = tokio::sync::oneshot::channel::<()>();
    let good = changed(|_| ());
    let padded = format!("{good}{}", " ".repeat((64 << 10) - good.len()));
    let slow = Body::from_stream(futures::stream::once(async move {
        sent.await.unwrap();
        Ok::<_, std::io::Error>(padded)
    }));
    let slow = Request::post("/v1/captures")
        .header(header::AUTHORIZATION, format!("Bearer {}", world.gateway))
        .header(header::CONTENT_LENGTH, 64 << 10)
        .body(slow)
        .unwrap();
    let other = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let sent = Body::from(good.clone());
        let busy = world.send(Method::POST, "/v1/captures", Some(&world.gateway), sent).await;
        busy.refused(429, "busy");
        send.send(()).unwrap();
    };
    let (slow, ()) = tokio::join!(world.request(slow), other);
    slow.expect(200);
    let sent = Body::from(good.clone());
    world.send(Method::POST, "/v1/captures", Some(&world.gateway), sent).await.expect(200);
}

#[tokio::test]
async fn a_body_larger_than_the_account_takes_is_dropped_and_not_an_error() {
    let world = World::opted_in().await;
    let settings = json!({"max_body_bytes": 10});
    world.patch("/v1/accounts/acme/settings", &world.owner, settings).await.expect(200);
    let sent = world.post("/v1/captures", &world.gateway, envelope("ex-1", &"x".repeat(11), None));
    assert_eq!(
        sent.await.expect(200)["parts"]["request"],
        json!({"outcome": "dropped", "reason": "too_large"})
    );
}

#[tokio::test]
async fn queries() {
    let world = World::new().await;
    for (query, says) in [
        ("limit=0", "limit: expected at least 1"),
        ("limit=many", "limit: expected a whole number"),
        ("cursor=here", "cursor: expected what next was"),
        ("part=both", "part: expected request or response"),
        ("state=gone", "state: expected stored or shredded or expired"),
        ("order=up", "order: expected newest or oldest"),
        ("from=yesterday", "from: expected a time as in"),
        ("to=2026-11-20", "to: expected a time as in"),
        ("colour=red", "unknown query parameter colour"),
        ("limit=1&limit=2", "limit is there twice"),
    ] {
        let path = format!("/v1/accounts/acme/captures?{query}");
        let message = world.get(&path, &world.owner).await.refused(400, "invalid");
        assert!(message.contains(says), "{query}: {message}");
    }
    for path in ["/v1/accounts/acme/tickets?colour=red", "/v1/accounts/acme/audit?limit=x"] {
        world.get(path, &world.owner).await.refused(400, "invalid");
    }
    for query in ["", "?", "?part=&state=&limit=1000000", "?from=2026-11-20T11:00:00%2B01:00"] {
        let path = format!("/v1/accounts/acme/captures{query}");
        world.get(&path, &world.owner).await.expect(200);
    }
}

#[tokio::test]
async fn settings_tickets_and_grants() {
    let world = World::new().await;
    let World { owner, operator, agent_id, .. } = &world;
    let ticket = json!({"subject": "case"});
    let ticket = world.post("/v1/accounts/acme/tickets", owner, ticket).await.expect(201);
    let grants = format!("/v1/accounts/acme/tickets/{}/grants", ticket["id"].as_str().unwrap());
    let settings = "/v1/accounts/acme/settings";
    let grant =
        |scope: Value| json!({"agent": agent_id, "until": "2999-01-01T00:00:00Z", "scope": scope});
    let until =
        |until: &str| json!({"agent": agent_id, "until": until, "scope": {"kind": "account"}});
    let cases = [
        ("PATCH", settings, json!({"capture": "yes"}), 400, "capture: expected true or false"),
        ("PATCH", settings, json!({"retention_days": 0}), 400, "retention_days is 0"),
        ("PATCH", settings, json!({"retention": 3}), 400, "unknown field retention"),
        (
            "PATCH",
            settings,
            json!({"attachments": "burn"}),
            400,
            "attachments: expected one of drop",
        ),
        ("PATCH", settings, json!({"operator": "shout"}), 400, "operator"),
        ("PATCH", settings, json!({"custom_rules": "pack = "}), 400, ""),
        ("PATCH", settings, json!({"capture": true, "expected_version": 9}), 409, "version"),
        ("POST", "/v1/accounts", json!({"id": "acme"}), 409, "acme"),
        ("POST", "/v1/accounts", json!({"id": ""}), 400, "id: an account id has"),
        ("POST", "/v1/accounts", json!({}), 400, "id is missing"),
        (
            "POST",
            "/v1/api-keys",
            json!({"role": "king", "name": "k"}),
            400,
            "role: expected one of gateway, owner",
        ),
        ("POST", "/v1/api-keys", json!({"role": "owner", "name": "k"}), 400, "account"),
        ("POST", "/v1/api-keys", json!({"role": "agent", "name": ""}), 400, "name"),
        (
            "POST",
            "/v1/api-keys",
            json!({"role": "owner", "name": "k", "account": "nobody"}),
            404,
            "nobody",
        ),
        (
            "POST",
            "/v1/accounts/acme/tickets",
            json!({"subject": "a\nb"}),
            400,
            "subject: expected one line",
        ),
        ("POST", &grants, until("2020-01-01T00:00:00Z"), 400, "until"),
        ("POST", &grants, until("tomorrow"), 400, "until: expected a time"),
        (
            "POST",
            &grants,
            grant(json!({"kind": "all"})),
            400,
            "scope.kind: expected one of account",
        ),
        (
            "POST",
            &grants,
            grant(json!({"kind": "account", "ids": ["a"]})),
            400,
            "scope: kind account stands alone",
        ),
        ("POST", &grants, grant(json!({"kind": "exchanges"})), 400, "exchanges takes ids"),
        (
            "POST",
            &grants,
            grant(json!({"kind": "exchanges", "ids": ["a", "b c"]})),
            400,
            "scope.ids[1]: an exchange id has",
        ),
        (
            "POST",
            &grants,
            grant(json!({"kind": "time", "from": "2026-11-20T10:00:00Z"})),
            400,
            "time takes from and to",
        ),
        (
            "POST",
            &grants,
            json!({"agent": "nobody", "until": "2999-01-01T00:00:00Z", "scope": {"kind": "account"}}),
            400,
            "agent",
        ),
        ("POST", "/v1/accounts/acme/tickets/t0/grants", grant(json!({"kind": "account"})), 404, ""),
        ("POST", "/v1/accounts/acme/tickets/t0/close", json!({}), 404, ""),
        ("POST", "/v1/accounts/acme/shred", json!({"dry_run": true}), 400, "unknown field dry_run"),
        ("POST", "/v1/accounts/acme/reredact", json!({"dry": true}), 400, "unknown field dry"),
        (
            "POST",
            "/v1/accounts/acme/reredact",
            json!({"from": "now"}),
            400,
            "from: expected a time",
        ),
        ("DELETE", "/v1/accounts/acme/grants/g0", Value::Null, 404, ""),
        (
            "DELETE",
            "/v1/accounts/acme/exchanges/ex-1/both",
            Value::Null,
            400,
            "a part is request or response",
        ),
        (
            "DELETE",
            "/v1/accounts/acme/exchanges/two%20words",
            Value::Null,
            400,
            "an exchange id has",
        ),
        ("GET", "/v1/accounts/acme/exchanges/ex-1", Value::Null, 404, "ex-1"),
    ];
    for (method, path, body, status, says) in cases {
        let key = if path.starts_with("/v1/accounts/") { owner } else { operator };
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let method = Method::try_from(method).unwrap();
        let answer = world.send(method.clone(), path, Some(key), Body::from(text)).await;
        let code = match status {
            404 => "not_found",
            409 => "conflict",
            _ => "invalid",
        };
        let message = answer.refused(status, code);
        assert!(message.contains(says), "{method} {path} {body}\n says: {message}\n not: {says}");
    }
    // Operators have no account; theirs are paths of others.
    for path in
        ["/v1/accounts/nobody", "/v1/accounts/nobody/settings", "/v1/accounts/nobody/captures"]
    {
        world.get(path, operator).await.refused(404, "not_found");
    }
    world.get("/v1/accounts/a%20b", operator).await.refused(400, "invalid");
    world.get("/v1/accounts/%ff", operator).await.refused(400, "invalid");
    world.delete("/v1/api-keys/k0", operator).await.refused(404, "not_found");
}

#[tokio::test]
async fn ids_may_hold_what_paths_may_not() {
    let world = World::opted_in().await;
    let sent = world.post("/v1/captures", &world.gateway, envelope("a/b?c#d%e", "{}", None)).await;
    assert_eq!(sent.expect(200)["parts"]["request"]["outcome"], "stored");
    let path = "/v1/accounts/acme/exchanges/a%2Fb%3Fc%23d%25e";
    assert_eq!(world.get(path, &world.owner).await.expect(200)["id"], "a/b?c#d%e");
}

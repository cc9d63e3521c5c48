//! Every route against every role: who may not is told so before anything is read.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};

use crate::world::World;

/// The API: method, path, who may. Routes that close things come last.
const ROUTES: &[(&str, &str, &[&str])] = &[
    ("POST", "/v1/captures", &["gateway"]),
    ("GET", "/v1/accounts/acme/captures", &["owner", "operator"]),
    ("GET", "/v1/accounts/acme/exchanges/ex-1", &["owner", "operator"]),
    ("GET", "/v1/accounts/acme/exchanges/ex-1/request/body", &["agent"]),
    ("DELETE", "/v1/accounts/acme/exchanges/ex-1", &["owner"]),
    ("DELETE", "/v1/accounts/acme/exchanges/ex-1/response", &["owner"]),
    ("GET", "/v1/accounts", &["operator"]),
    ("POST", "/v1/accounts", &["operator"]),
    ("GET", "/v1/accounts/acme", &["owner", "operator"]),
    ("GET", "/v1/accounts/acme/settings", &["owner", "operator"]),
    ("PATCH", "/v1/accounts/acme/settings", &["owner"]),
    ("POST", "/v1/accounts/acme/reredact", &["owner", "operator"]),
    ("GET", "/v1/accounts/acme/audit", &["owner", "operator"]),
    ("GET", "/v1/accounts/acme/tickets", &["owner"]),
    ("POST", "/v1/accounts/acme/tickets", &["owner"]),
    ("POST", "/v1/accounts/acme/tickets/t1/close", &["owner"]),
    ("POST", "/v1/accounts/acme/tickets/t1/grants", &["owner"]),
    ("GET", "/v1/accounts/acme/grants", &["owner"]),
    ("DELETE", "/v1/accounts/acme/grants/g1", &["owner"]),
    ("GET", "/v1/api-keys", &["operator"]),
    ("POST", "/v1/api-keys", &["operator"]),
    ("DELETE", "/v1/api-keys/k1", &["operator"]),
    ("POST", "/v1/expire", &["operator"]),
    ("POST", "/v1/store/sweep", &["operator"]),
    ("POST", "/v1/catalog/rebuild", &["operator"]),
    ("GET", "/v1/keys/status", &["operator"]),
    ("POST", "/v1/keys/rotate", &["operator"]),
    ("GET", "/v1/status", &["operator"]),
    ("POST", "/v1/accounts/acme/shred", &["owner"]),
    ("DELETE", "/v1/accounts/acme", &["owner", "operator"]),
];

/// What only the gate says, in contrast to a read that wants a grant.
const WRONG_ROLE: &str = "this takes an API key of role";

/// A body that is never finished: who reads it before the role is checked waits for ever.
fn endless() -> Body {
    Body::from_stream(futures::stream::pending::<Result<String, std::io::Error>>())
}

#[tokio::test]
async fn the_wrong_role_is_refused_before_the_body_is_read() {
    let world = World::new().await;
    let keys = keys(&world);
    for (method, path, allowed) in ROUTES {
        let method = Method::try_from(*method).unwrap();
        for (role, key) in keys.iter().filter(|(role, _)| !allowed.contains(role)) {
            let answer = world.send(method.clone(), path, Some(key), endless()).await;
            let message = answer.refused(403, "forbidden");
            assert!(message.starts_with(WRONG_ROLE), "{method} {path} as {role}: {message}");
            assert!(message.ends_with(&format!("of role {role}")), "{message}");
        }
    }
}

#[tokio::test]
async fn no_key_and_a_wrong_key_look_the_same() {
    let world = World::new().await;
    let revoked = {
        let keys = world.get("/v1/api-keys", &world.operator).await.expect(200);
        // `stranger` is an owner too, of the other account.
        let owner = keys["api_keys"].as_array().unwrap().iter();
        let owner = owner.filter(|key| key["role"] == "owner" && key["account"] == "acme");
        let [owner] = &owner.collect::<Vec<_>>()[..] else { panic!("{keys}") };
        let id = owner["id"].as_str().unwrap();
        world.delete(&format!("/v1/api-keys/{id}"), &world.operator).await.expect(200);
        world.owner.clone()
    };
    let other_secret = format!("{}{}", &world.agent[..world.agent.len() - 1], "0");
    let other_secret =
        if other_secret == world.agent { format!("{other_secret}1") } else { other_secret };
    let mut messages = std::collections::BTreeSet::new();
    for (method, path, _) in ROUTES {
        let method = Method::try_from(*method).unwrap();
        for key in [None, Some("oub_nobody_00"), Some(&*revoked), Some(&*other_secret), Some("é")]
        {
            let answer = world.send(method.clone(), path, key, endless()).await;
            messages.insert(answer.refused(401, "unauthenticated"));
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
    assert_eq!(messages.len(), 1, "{messages:?}");
}

#[tokio::test]
async fn an_owner_of_another_account_learns_nothing() {
    let world = World::new().await;
    for (method, path, allowed) in ROUTES {
        if !allowed.contains(&"owner") {
            continue;
        }
        let method = Method::try_from(*method).unwrap();
        let [there, not_there] = [(*path).to_owned(), path.replace("acme", "nobody")];
        let key = Some(&*world.stranger);
        let there = world.send(method.clone(), &there, key, endless()).await;
        let not_there = world.send(method.clone(), &not_there, key, endless()).await;
        there.refused(403, "forbidden");
        assert_eq!(there.text(), not_there.text(), "{method} {path}");
    }
}

#[tokio::test]
async fn the_right_role_gets_through() {
    let world = World::new().await;
    let keys = keys(&world);
    for (method, path, allowed) in ROUTES {
        let method = Method::try_from(*method).unwrap();
        for (role, key) in keys.iter().filter(|(role, _)| allowed.contains(role)) {
            let body = if method == Method::POST { "{}" } else { "" };
            let answer = world.send(method.clone(), path, Some(key), Body::from(body)).await;
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path} as {role}");
            assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert!(answer.status.as_u16() < 500, "{method} {path}: {}", answer.text());
            assert!(!answer.text().contains(WRONG_ROLE), "{method} {path} as {role}");
        }
    }
}

#[tokio::test]
async fn a_gateway_bound_to_an_account_captures_for_no_other() {
    let world = World::opted_in().await;
    let key = serde_json::json!({"role": "gateway", "account": "other", "name": "edge"});
    let key = world.post("/v1/api-keys", &world.operator, key).await.expect(201);
    let key = key["key"].as_str().unwrap();
    let envelope = crate::world::envelope("ex-1", "{}", None);
    world.post("/v1/captures", key, envelope).await.refused(403, "forbidden");
}

fn keys(world: &World) -> [(&'static str, &str); 4] {
    [
        ("gateway", &world.gateway),
        ("owner", &world.owner),
        ("agent", &world.agent),
        ("operator", &world.operator),
    ]
}

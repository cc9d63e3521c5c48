//! A service in a fresh folder, an account, a key of each role, and a client without a socket.

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use oubliette_server::{ServerOptions, router};
use oubliette_service::{
    Layout, Options, Oubliette, Principal,
    catalog::{AccountId, Role},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

/// The service and everything one needs to talk to it.
pub(crate) struct World {
    pub(crate) oubliette: Oubliette,
    pub(crate) router: Router,
    pub(crate) gateway: String,
    pub(crate) owner: String,
    pub(crate) stranger: String,
    pub(crate) agent: String,
    pub(crate) agent_id: String,
    pub(crate) operator: String,
    _folder: TempDir,
}

impl World {
    /// Accounts `acme` and `other`; `acme` has not opted in.
    pub(crate) async fn new() -> Self {
        Self::with(ServerOptions::default()).await
    }

    pub(crate) async fn with(options: ServerOptions) -> Self {
        crate::logs::collect();
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("data"), folder.path().join("keys"));
        let oubliette =
            Oubliette::open(layout, Options { threads: 1, ..Options::default() }).await.unwrap();
        let local = Principal::local(Role::Operator, None);
        let [acme, other] = ["acme", "other"].map(|id| AccountId::new(id).unwrap());
        oubliette.create_account(&local, &acme).await.unwrap();
        oubliette.create_account(&local, &other).await.unwrap();
        let key = async |role, account: Option<&AccountId>| {
            let name = format!("{role:?}");
            let key = oubliette.create_api_key(&local, role, account.cloned(), name).await.unwrap();
            (key.expose_secret().to_owned(), key.key.id.clone())
        };
        let (agent, agent_id) = key(Role::Agent, None).await;
        Self {
            router: router(oubliette.clone(), options),
            gateway: key(Role::Gateway, None).await.0,
            owner: key(Role::Owner, Some(&acme)).await.0,
            stranger: key(Role::Owner, Some(&other)).await.0,
            agent,
            agent_id,
            operator: key(Role::Operator, None).await.0,
            oubliette,
            _folder: folder,
        }
    }

    /// The same with `acme` opted in.
    pub(crate) async fn opted_in() -> Self {
        let world = Self::new().await;
        let settings = json!({"capture": true});
        world.patch("/v1/accounts/acme/settings", &world.owner, settings).await.expect(200);
        world
    }

    pub(crate) async fn get(&self, path: &str, key: &str) -> Answer {
        self.send(Method::GET, path, Some(key), Body::empty()).await
    }

    pub(crate) async fn delete(&self, path: &str, key: &str) -> Answer {
        self.send(Method::DELETE, path, Some(key), Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, json: Value) -> Answer {
        self.send(Method::POST, path, Some(key), Body::from(json.to_string())).await
    }

    pub(crate) async fn patch(&self, path: &str, key: &str, json: Value) -> Answer {
        self.send(Method::PATCH, path, Some(key), Body::from(json.to_string())).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Body,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        self.request(request.body(body).unwrap()).await
    }

    pub(crate) async fn request(&self, request: Request<Body>) -> Answer {
        answer(&self.router, request).await
    }
}

/// Sends one request to a router.
pub(crate) async fn answer(router: &Router, request: Request<Body>) -> Answer {
    let what = format!("{} {}", request.method(), request.uri());
    let response = router.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    Answer { what, status: head.status, headers: head.headers, bytes }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    what: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answer {
    /// The JSON of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The message of an error that must have this status and code.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> String {
        let json = self.expect(status);
        assert_eq!(json["error"]["code"], code, "{}: {json}", self.what);
        assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(self.headers[header::CACHE_CONTROL], "no-store");
        let message = json["error"]["message"].as_str().unwrap().to_owned();
        assert!(!message.is_empty() && !message.contains('\n'), "one line: {message}");
        message
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// An envelope of `acme` with these bodies as JSON.
pub(crate) fn envelope(id: &str, request: &str, response: Option<&str>) -> Value {
    let body = |text: &str| json!({"content_type": "application/json", "body_b64": b64(text)});
    let mut envelope = json!({
        "id": id, "account": "acme", "api": "openai.chat", "provider": "openai",
        "model": "gpt-5-mini", "status": 200, "tokens_in": 12, "tokens_out": 34,
        "latency_ms": 800, "key_hash": "kh", "trace_id": "tr", "cache_key": "ck",
        "request": body(request),
    });
    if let Some(response) = response {
        envelope["response"] = body(response);
    }
    envelope
}

pub(crate) fn b64(text: impl AsRef<[u8]>) -> String {
    STANDARD.encode(text)
}

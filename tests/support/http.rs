//! A JSON client: blocking, so that a test reads from top to bottom.

use std::time::Duration;

use reqwest::blocking::{Client, Response};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Longer than anything a test asks for, and short enough to see a hang.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one server, with one API key or none.
#[derive(Clone)]
pub struct Http {
    base: String,
    api_key: Option<String>,
    client: Client,
}

impl Http {
    /// A client for the server at `base` (`http://127.0.0.1:8080`), without an API key.
    pub fn new(base: impl Into<String>) -> Self {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .no_proxy()
            .build()
            .expect("a client without TLS settings can be built");
        Self { base: base.into(), api_key: None, client }
    }

    /// The same server asked with this API key (`Authorization: Bearer …`).
    pub fn with_key(&self, api_key: impl Into<String>) -> Self {
        Self { api_key: Some(api_key.into()), ..self.clone() }
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).expect("the server answers")
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, Some(body)).expect("the server answers")
    }

    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::PUT, path, Some(body)).expect("the server answers")
    }

    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::PATCH, path, Some(body)).expect("the server answers")
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None).expect("the server answers")
    }

    /// Any request; an error if there was no answer, as when the server was just killed.
    pub fn send(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<Reply> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.api_key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Reply::read(request.send()?)
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub bytes: Vec<u8>,
}

impl Reply {
    fn read(response: Response) -> reqwest::Result<Self> {
        let status = response.status().as_u16();
        Ok(Self { status, bytes: response.bytes()?.to_vec() })
    }

    /// The body as text, whatever it is.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// Panics, with the body, unless this is the status.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Whether the status is one of the 200s.
    pub fn is_success(&self) -> bool {
        StatusCode::from_u16(self.status).is_ok_and(|status| status.is_success())
    }
}

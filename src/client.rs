//! One way to the API for all commands: over HTTP to a server, or in this process on the data folder.
//!
//! Either way the same requests go to the same routes; what a command does cannot differ between
//! them. In the process nobody asks for an API key, since whoever holds both folders has everything
//! that a key could give: each request says in which role it comes. Reading a body is the exception,
//! see [`Caller::Agent`].

use std::error::Error;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use oubliette_server::{ServerOptions, dangerously_local_router};
use oubliette_service::catalog::{AccountId, Role};
use oubliette_service::{Oubliette, Principal};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::config::Settings;
use crate::failure::{Failure, chain};
use crate::wiring;

/// In which role a request comes, where no API key says so.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caller<'a> {
    /// Whoever runs the system.
    Operator,
    /// The owner of this account.
    Owner(&'a str),
    /// A gateway.
    Gateway,
    /// An agent. There is no reading without an API key that a grant names, not even here.
    Agent,
}

/// A client of the API.
pub(crate) struct Client {
    way: Way,
    api_key: Option<String>,
}

enum Way {
    Http { client: reqwest::Client, base: String },
    Local(Oubliette),
}

impl Client {
    /// A client for the server at an address.
    pub(crate) fn http(base: &str, api_key: Option<&str>) -> Result<Self, Failure> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|error| Failure::failed(chain(&error)).during("HTTP client"))?;
        let api_key = api_key.map(str::to_owned);
        Ok(Self { way: Way::Http { client, base: base.to_owned() }, api_key })
    }

    /// Makes a request. An answer that is no success is a failure with the server's own words.
    pub(crate) async fn send(
        &self,
        caller: Caller<'_>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Failure> {
        let reply = self.ask(caller, method, path, body).await?;
        if reply.status.is_success() {
            return Ok(reply);
        }
        let status = reply.status;
        let bytes = reply.bytes().await?;
        let error: Option<Value> = serde_json::from_slice(&bytes).ok();
        let message = error.as_ref().and_then(|error| error.pointer("/error/message"));
        Err(Failure::failed(match message.and_then(Value::as_str) {
            Some(message) => message.to_owned(),
            None => format!("{status} and no explanation: is the URL that of an oubliette?"),
        }))
    }

    /// Makes a request and gives the answer, whatever it is.
    pub(crate) async fn ask(
        &self,
        caller: Caller<'_>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Failure> {
        let body = body.map(ToString::to_string);
        match &self.way {
            Way::Http { client, base } => {
                let mut request = client.request(method, format!("{base}{path}"));
                if let Some(key) = &self.api_key {
                    request = request.bearer_auth(key);
                }
                if let Some(body) = body {
                    request = request.header(CONTENT_TYPE, "application/json").body(body);
                }
                let response = request.send().await.map_err(|error| unreachable(base, &error))?;
                Ok(Reply {
                    status: response.status(),
                    headers: response.headers().clone(),
                    body: response.bytes_stream().map(|part| part.map_err(broken_off)).boxed(),
                })
            }
            Way::Local(oubliette) => {
                let mut request = axum::http::Request::builder().method(method).uri(path);
                if let (Caller::Agent, Some(key)) = (caller, &self.api_key) {
                    request = request.header(AUTHORIZATION, format!("Bearer {key}"));
                }
                let request = match body {
                    Some(body) => {
                        request.header(CONTENT_TYPE, "application/json").body(Body::from(body))
                    }
                    None => request.body(Body::empty()),
                };
                let request = request.map_err(|error| Failure::usage(chain(&error)))?;
                let router = dangerously_local_router(
                    oubliette.clone(),
                    // Nobody to defend against, and all the time it takes.
                    wiring::patient(ServerOptions::default()),
                    principal(caller)?,
                );
                let response = match router.oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                };
                let (parts, body) = response.into_parts();
                Ok(Reply {
                    status: parts.status,
                    headers: parts.headers,
                    body: body.into_data_stream().map(|part| part.map_err(broken_off)).boxed(),
                })
            }
        }
    }

    /// As [`send`](Self::send), for an answer in JSON.
    pub(crate) async fn json(
        &self,
        caller: Caller<'_>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.send(caller, method, path, body).await?.json().await
    }

    /// Goes through the pages of a list, up to a number of rows.
    ///
    /// `path` may hold a query; `rows` is the field of an answer that holds the page's rows.
    pub(crate) async fn pages(
        &self,
        caller: Caller<'_>,
        path: &str,
        rows: &str,
        limit: usize,
        mut each: impl FnMut(&Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut left = limit;
        let mut cursor: Option<String> = None;
        while left > 0 {
            let mut query = format!("limit={}", left.min(PAGE));
            if let Some(cursor) = &cursor {
                query.push_str(&format!("&cursor={}", escaped(cursor)));
            }
            let joint = if path.contains('?') { '&' } else { '?' };
            let path = format!("{path}{joint}{query}");
            let page = self.json(caller, Method::GET, &path, None).await?;
            let items = page[rows].as_array().map(Vec::as_slice).unwrap_or_default();
            items.iter().take(left).try_for_each(&mut each)?;
            left = left.saturating_sub(items.len());
            cursor = page["next"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// Does something with a client, for as long as it takes. On the data folder it is closed properly
/// whatever came of it.
pub(crate) fn with_client<T>(
    settings: &Settings,
    work: impl AsyncFnOnce(&Client) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if settings.url.is_none() && !settings.data_dir.is_dir() {
        // A wrong folder would otherwise look like an empty one.
        return Err(Failure::usage(format!(
            "there is no data folder {}: give --data-dir, or the --url of a server (`oubliette \
             account create` makes a new one)",
            settings.data_dir.display()
        )));
    }
    with_client_at_first(settings, work)
}

/// As [`with_client`], for what may come first of all: a data folder that is not there is made.
pub(crate) fn with_client_at_first<T>(
    settings: &Settings,
    work: impl AsyncFnOnce(&Client) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let runtime = wiring::runtime()?;
    let api_key = settings.api_key.as_ref().map(|key| key.expose().to_owned());
    if let Some(url) = &settings.url {
        let client = Client::http(url, api_key.as_deref())?;
        return runtime.block_on(work(&client));
    }
    runtime.block_on(async {
        let oubliette = wiring::open(settings).await.map_err(|failure| {
            if !failure.to_string().contains(wiring::IN_USE) {
                return failure;
            }
            Failure::failed(format!(
                "data folder {} {}: if it is a server, pass its --url (or OUBLIETTE_URL) and an \
                 API key",
                settings.data_dir.display(),
                wiring::IN_USE
            ))
        })?;
        let client = Client { way: Way::Local(oubliette.clone()), api_key };
        let done = work(&client).await;
        let closed = wiring::close(&oubliette).await;
        done.and_then(|done| closed.map(|()| done))
    })
}

/// What a request was answered.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: BoxStream<'static, Result<Bytes, Failure>>,
}

impl Reply {
    /// A header, if it is there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The whole body.
    pub(crate) async fn bytes(mut self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while let Some(part) = self.body.next().await {
            bytes.extend_from_slice(&part?);
        }
        Ok(bytes)
    }

    /// The body as JSON.
    pub(crate) async fn json(self) -> Result<Value, Failure> {
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|_| not_json())
    }

    /// The lines of a body of NDJSON, as they come.
    pub(crate) async fn lines(
        mut self,
        mut each: impl FnMut(Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut pending = Vec::new();
        while let Some(part) = self.body.next().await {
            pending.extend_from_slice(&part?);
            while let Some(end) = pending.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                each(serde_json::from_slice(&line).map_err(|_| not_json())?)?;
            }
        }
        if pending.trim_ascii().is_empty() { Ok(()) } else { Err(broken_off_text("mid-line")) }
    }
}

/// A path of these segments, each with its special characters escaped.
pub(crate) fn path<const N: usize>(segments: [&str; N]) -> String {
    segments.map(|segment| format!("/{}", escaped(segment))).concat()
}

/// Percent-encoded, for a segment of a path or a value of a query.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    // These two would be taken for steps in the path.
    match out.as_str() {
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => out,
    }
}

fn principal(caller: Caller<'_>) -> Result<Principal, Failure> {
    let account = |name: &str| {
        AccountId::new(name).map_err(|error| Failure::usage(format!("account {name:?}: {error}")))
    };
    Ok(match caller {
        Caller::Operator => Principal::local(Role::Operator, None),
        Caller::Owner(name) => Principal::local(Role::Owner, Some(account(name)?)),
        Caller::Gateway => Principal::local(Role::Gateway, None),
        Caller::Agent => Principal::local(Role::Agent, None),
    })
}

fn unreachable(base: &str, error: &reqwest::Error) -> Failure {
    // reqwest's own text repeats the whole URL; its causes say what happened.
    let cause = error.source().map(chain).unwrap_or_default();
    let what = if error.is_timeout() { "does not answer" } else { "cannot be reached" };
    Failure::failed(format!("{base} {what}: {cause}; is the server running, is the URL right?"))
}

fn broken_off(error: impl Error + 'static) -> Failure {
    broken_off_text(&chain(&error))
}

fn broken_off_text(why: &str) -> Failure {
    Failure::failed(format!("the answer broke off: {why}"))
}

fn not_json() -> Failure {
    Failure::failed("the answer is no JSON: is the URL that of an oubliette?")
}

/// Loopback or a data centre; longer means it is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// As many rows as the catalog gives at once.
const PAGE: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_cannot_leave_their_place() {
        assert_eq!(path(["v1", "accounts", "a:b@c", "x/../y"]), "/v1/accounts/a:b@c/x%2F..%2Fy");
        assert_eq!(path(["..", "é?#"]), "/%2E%2E/%C3%A9%3F%23");
    }

    #[tokio::test]
    async fn lines_are_put_together_from_parts() {
        let parts = ["{\"a\"", ":1}\n{\"b\":2}\n", "{\"c\":3}\n"];
        let reply = |parts: Vec<&'static str>| Reply {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: futures::stream::iter(parts)
                .map(|p| Ok(Bytes::from_static(p.as_bytes())))
                .boxed(),
        };
        let mut seen = Vec::new();
        let each = |value: Value| {
            seen.push(value.to_string());
            Ok(())
        };
        reply(parts.to_vec()).lines(each).await.unwrap();
        assert_eq!(seen, [r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#]);
        let torn = reply(vec!["{\"a\":1}\n{\"b\""]).lines(|_| Ok(())).await.unwrap_err();
        assert!(torn.to_string().contains("broke off"), "{torn}");
    }
}

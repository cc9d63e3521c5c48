//! The sidecar of the demo and everybody who talks to it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oubliette_server::{ServerOptions, serve};
use oubliette_service::Principal;
use oubliette_service::catalog::Role;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing_subscriber::filter::LevelFilter;

use super::bodies::Example;
use crate::client::{Caller, Client, path};
use crate::config::Settings;
use crate::failure::{Failure, chain};
use crate::wiring;

/// The account of the demo.
pub(super) const ACCOUNT: &str = "demo-shop";

/// A running sidecar in a fresh folder, and a client for each role.
pub(super) struct Cast {
    pub(super) url: String,
    folder: TempDir,
    server: JoinHandle<Result<(), Failure>>,
    stop: oneshot::Sender<()>,
    pub(super) operator: Person,
    pub(super) gateway: Person,
    pub(super) owner: Person,
    pub(super) agent: Person,
}

/// Someone with an API key.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) client: Client,
}

impl Cast {
    /// Starts the sidecar on a free loopback port.
    pub(super) async fn start() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("oubliette-demo-").tempdir()?;
        log_to(&folder.path().join("log"))?;
        let place = |name: &str| format!("{}/{name}", folder.path().display());
        let settings = Settings::assigned(&[
            &format!("data_dir={}", place("data")),
            &format!("keys_dir={}", place("keys")),
            // Short, so that the steps see the object store at work and not only the spool.
            "spool.max_age=200ms",
        ])?;
        let oubliette = wiring::open(&settings).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);

        // The first key is made beside the data folder; it makes the others over HTTP.
        let local = Principal::local(Role::Operator, None);
        let first = oubliette
            .create_api_key(&local, Role::Operator, None, "demo operator".to_owned())
            .await
            .map_err(|error| Failure::failed(chain(&error)))?;
        let operator = Person::new(&url, first.key.id.clone(), first.expose_secret().to_owned())?;

        let (stop, stopped) = oneshot::channel::<()>();
        let serving = serve(listener, oubliette, ServerOptions::default(), async {
            // Dropping the sender is as good as sending.
            let _ = stopped.await;
        });
        let server = tokio::spawn(async {
            serving.await.map(|_| ()).map_err(|error| Failure::failed(chain(&error)))
        });

        let order = json!({"id": ACCOUNT});
        operator.json(Method::POST, "/v1/accounts", Some(&order)).await?;
        let gateway = operator.makes(&url, "gateway", None).await?;
        let owner = operator.makes(&url, "owner", Some(ACCOUNT)).await?;
        let agent = operator.makes(&url, "agent", None).await?;
        Ok(Self { url, folder, server, stop, operator, gateway, owner, agent })
    }

    /// Everything the sidecar keeps: data, keys and log.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Waits until everything sealed so far is in the object store.
    pub(super) async fn uploaded(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let spool = self.data_dir().join("spool");
            let waiting = super::search::files(&spool)?
                .iter()
                .filter_map(|file| file.metadata().ok())
                .any(|file| file.len() > 0);
            if !waiting || Instant::now() > deadline {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends an exchange through the tap and gives the outcomes of its parts.
    pub(super) async fn send(&self, example: &Example) -> Result<Value, Failure> {
        self.gateway.json(Method::POST, "/v1/captures", Some(&envelope(example))).await
    }

    /// Reads a body as the agent: the status, and the body.
    pub(super) async fn read(&self, id: &str, part: &str) -> Result<(u16, Vec<u8>), Failure> {
        let path = path(["v1", "accounts", ACCOUNT, "exchanges", id, part, "body"]);
        let reply = self.agent.client.ask(Caller::Agent, Method::GET, &path, None).await?;
        Ok((reply.status.as_u16(), reply.bytes().await?))
    }

    /// Something about the account, as its owner.
    pub(super) async fn own<const N: usize>(
        &self,
        method: Method,
        segments: [&str; N],
        order: Option<&Value>,
    ) -> Result<Value, Failure> {
        let path = format!("{}{}", path(["v1", "accounts", ACCOUNT]), path(segments));
        self.owner.json(method, &path, order).await
    }

    /// Stops the sidecar properly.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        // It may have ended by itself; joining it tells.
        let _ = self.stop.send(());
        self.server.await.map_err(|error| Failure::failed(error.to_string()))?
    }
}

impl Person {
    fn new(url: &str, id: String, key: String) -> Result<Self, Failure> {
        Ok(Self { client: Client::http(url, Some(&key))?, id, key })
    }

    async fn makes(&self, url: &str, role: &str, account: Option<&str>) -> Result<Self, Failure> {
        let mut order = json!({"role": role, "name": format!("demo {role}")});
        if let Some(account) = account {
            order["account"] = json!(account);
        }
        let made = self.json(Method::POST, "/v1/api-keys", Some(&order)).await?;
        let text = |field: &str| made[field].as_str().unwrap_or_default().to_owned();
        Self::new(url, text("id"), text("key"))
    }

    /// A request with this person's key.
    pub(super) async fn json(
        &self,
        method: Method,
        path: &str,
        order: Option<&Value>,
    ) -> Result<Value, Failure> {
        // Over HTTP the key says who calls.
        self.client.json(Caller::Operator, method, path, order).await
    }
}

/// An exchange as a gateway sends it.
pub(super) fn envelope(example: &Example) -> Value {
    let mut envelope = json!({
        "id": example.id,
        "account": ACCOUNT,
        "api": example.api,
        "provider": example.provider,
        "model": example.model,
        "status": 200,
    });
    for (part, bytes, content_type) in example.parts() {
        envelope[part] = json!({"content_type": content_type, "body_b64": STANDARD.encode(bytes)});
    }
    envelope
}

/// The sidecar's log goes to a file of the folder, where it is searched like everything else.
fn log_to(file: &Path) -> Result<(), Failure> {
    let file = File::options().create(true).append(true).open(file)?;
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::DEBUG)
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .try_init()
        .map_err(|error| Failure::failed(format!("logging cannot be set up: {error}")))
}

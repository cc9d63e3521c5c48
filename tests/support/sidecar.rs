//! The sidecar under test: the built binary serving a data folder of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::command::{Finished, oubliette};
use super::http::{Http, Reply};
use super::process::Process;
use super::wait::free_port;

/// A debug build on a busy machine; recovery of a few segments included.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Draining the queue and sealing the open segments, on a busy machine.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// A running `oubliette serve` and the folder it lives in; gone when dropped.
#[derive(Debug)]
pub struct Sidecar {
    /// `None` only while it is stopped.
    process: Option<Process>,
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    variables: Vec<(String, String)>,
    operator_key: String,
}

impl Sidecar {
    /// Starts a server on a fresh folder with these settings (`name=value`) and variables.
    #[track_caller]
    pub fn start(settings: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_in(&std::env::temp_dir(), settings, variables)
    }

    /// The same with its folder in this one.
    #[track_caller]
    pub fn start_in(parent: &Path, settings: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder =
            TempDir::with_prefix_in("oubliette-sidecar-", parent).expect("a temporary folder");
        let mut sidecar = Self {
            process: None,
            folder,
            port: free_port(),
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            variables: variables
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            operator_key: String::new(),
        };
        let created = sidecar
            .run(["api-key", "create", "--role", "operator", "--name", "ops", "--json"])
            .ok();
        let created: Value = serde_json::from_str(created.stdout.trim()).expect("one JSON object");
        sidecar.operator_key = text(&created, "key");
        sidecar.restart();
        sidecar
    }

    /// Runs a command of the binary on the same folder and settings.
    #[track_caller]
    pub fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Finished {
        let mut command = oubliette(arguments);
        command.args(self.flags()).envs(self.variables.iter().cloned());
        command.into()
    }

    /// Starts it again on what it left behind.
    #[track_caller]
    pub fn restart(&mut self) {
        self.restart_until("/readyz");
    }

    /// The same where it cannot be ready: its spool is full, say. It answers, though.
    #[track_caller]
    pub fn restart_unready(&mut self) {
        self.restart_until("/healthz");
    }

    #[track_caller]
    fn restart_until(&mut self, answers: &str) {
        assert!(self.process.is_none(), "it is still running");
        let mut command = oubliette(["serve", "--listen", &format!("127.0.0.1:{}", self.port)]);
        command.args(self.flags()).envs(self.variables.iter().cloned());
        let mut process = Process::start(command, self.folder.path().join("serve.log"));
        let http = self.anonymous();
        process.wait_until_ready(READY_WITHIN, |_| {
            let reply = http.send(reqwest::Method::GET, answers, None).ok()?;
            reply.is_success().then_some(())
        });
        self.process = Some(process);
    }

    /// Ends it at once, as a power cut to the process would.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Asks it to end, and expects that it does so in order.
    #[track_caller]
    pub fn stop(&mut self) {
        let process = self.process.take().expect("it is running");
        let status = process.stop(STOPS_WITHIN);
        assert!(status.success(), "{status}; its log:\n{}", self.log());
    }

    /// The process that serves.
    #[track_caller]
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("it is running").id()
    }

    /// Everything it has printed, in all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("serve.log")).unwrap_or_default()
    }

    /// Everything it and its commands have written: data, keys and log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder of the root key.
    pub fn keys_dir(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// A client without an API key.
    pub fn anonymous(&self) -> Http {
        Http::new(format!("http://127.0.0.1:{}", self.port))
    }

    /// A client with the operator's key.
    pub fn operator(&self) -> Http {
        self.anonymous().with_key(&self.operator_key)
    }

    /// Creates an account that has opted in, with a key for each role.
    #[track_caller]
    pub fn account(&self, id: &str) -> Account {
        let operator = self.operator();
        operator.post("/v1/accounts", &json!({ "id": id })).expect_status(201);
        let key = |role: &str| {
            let mut wanted = json!({ "role": role, "name": format!("{role} of {id}") });
            if role == "owner" {
                wanted["account"] = json!(id);
            }
            operator.post("/v1/api-keys", &wanted).expect_status(201).json()
        };
        let (owner, gateway, agent) = (key("owner"), key("gateway"), key("agent"));
        let account = Account {
            id: id.to_owned(),
            owner: self.anonymous().with_key(text(&owner, "key")),
            gateway: self.anonymous().with_key(text(&gateway, "key")),
            agent: self.anonymous().with_key(text(&agent, "key")),
            agent_id: text(&agent, "id"),
        };
        account.set(&json!({ "capture": true }));
        account
    }

    fn flags(&self) -> Vec<String> {
        let mut flags = vec![
            "--data-dir".to_owned(),
            self.data_dir().display().to_string(),
            "--keys-dir".to_owned(),
            self.keys_dir().display().to_string(),
        ];
        for setting in &self.settings {
            flags.extend(["--set".to_owned(), setting.clone()]);
        }
        flags
    }
}

/// One account of a [`Sidecar`], and clients for those who deal with it.
#[derive(Clone)]
pub struct Account {
    pub id: String,
    pub owner: Http,
    pub gateway: Http,
    pub agent: Http,
    pub agent_id: String,
}

impl Account {
    /// The path of something of the account: `/captures`, or nothing for the account itself.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/accounts/{}{rest}", self.id)
    }

    /// Changes settings.
    #[track_caller]
    pub fn set(&self, settings: &Value) {
        self.owner.patch(&self.path("/settings"), settings).expect_status(200);
    }

    /// An envelope with a JSON request and, if it is not empty, an event stream as response.
    pub fn envelope(&self, exchange: &str, request: &str, response: &str) -> Value {
        let mut envelope = json!({
            "id": exchange, "account": self.id, "api": "openai.chat", "provider": "openai",
            "model": "gpt-5-mini", "status": 200,
            "request": { "content_type": "application/json", "body_b64": STANDARD.encode(request) },
        });
        if !response.is_empty() {
            let body_b64 = STANDARD.encode(response);
            envelope["response"] =
                json!({ "content_type": "text/event-stream", "body_b64": body_b64 });
        }
        envelope
    }

    /// Captures an exchange and expects that all of it is stored.
    #[track_caller]
    pub fn capture(&self, exchange: &str, request: &str, response: &str) {
        let envelope = self.envelope(exchange, request, response);
        let reply = self.gateway.post("/v1/captures", &envelope).expect_status(200).json();
        for part in reply["parts"].as_object().expect("an object of parts").values() {
            assert_eq!(part["outcome"], "stored", "{reply}");
        }
    }

    /// Opens a ticket and grants the agent all of the account for an hour.
    #[track_caller]
    pub fn grant_everything(&self) {
        let ticket = self.owner.post(&self.path("/tickets"), &json!({ "subject": "a case" }));
        let ticket = text(&ticket.expect_status(201).json(), "id");
        let until = jiff_in_an_hour();
        let grant = json!({ "agent": self.agent_id, "until": until, "scope": { "kind": "account" }, "parts": "both" });
        self.owner
            .post(&self.path(&format!("/tickets/{ticket}/grants")), &grant)
            .expect_status(201);
    }

    /// The agent reads a body.
    pub fn read(&self, exchange: &str, part: &str) -> Reply {
        self.agent.get(&self.path(&format!("/exchanges/{exchange}/{part}/body")))
    }
}

#[allow(clippy::disallowed_methods, reason = "the grant is checked against the real clock")]
fn jiff_in_an_hour() -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string()
}

fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_else(|| panic!("no {field} in {object}")).to_owned()
}

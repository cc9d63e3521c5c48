//! A service in a folder of its own, with a clock that is set by hand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use oubliette_catalog::{
    AccountId, CaptureFilter, Exchange, ExchangeId, Part, Parts, Role, Scope, SettingsChange,
};
use oubliette_redact::CapturedBody;
use oubliette_service::{
    CaptureOutcome, Clock, Components, Envelope, Layout, ManualClock, NewGrant, Options, Oubliette,
    PartOutcome, Principal, ServiceError, ServiceErrorKind,
};
use tempfile::TempDir;

pub(crate) const START: i64 = 1_793_448_123_000;
pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Raw values that must never be on a disk.
pub(crate) const EMAIL: &str = "anna.muster@example.com";
pub(crate) const CARD: &str = "4111 1111 1111 1111";

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) service: Oubliette,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let service = Oubliette::start(components(folder.path(), &clock, options).await.unwrap())
            .await
            .unwrap();
        Self { folder, clock, service }
    }

    /// A world in which `acme` has opted in.
    pub(crate) async fn opted_in() -> Self {
        let world = Self::new().await;
        world.opt_in("acme").await;
        world
    }

    pub(crate) async fn opt_in(&self, name: &str) {
        self.service.create_account(&operator(), &account(name)).await.unwrap();
        self.set(name, SettingsChange { capture: Some(true), ..Default::default() }).await;
    }

    pub(crate) async fn set(&self, name: &str, change: SettingsChange) {
        self.service.change_settings(&owner(name), &account(name), change).await.unwrap();
    }

    pub(crate) async fn capture(&self, name: &str, id: &str) -> CaptureOutcome {
        self.try_capture(name, id).await.unwrap()
    }

    pub(crate) async fn try_capture(
        &self,
        name: &str,
        id: &str,
    ) -> Result<CaptureOutcome, ServiceError> {
        let envelope = envelope(name, id, self.clock.now_ms());
        self.service.capture(&gateway(), envelope).await
    }

    /// Makes an agent and grants it all of the account.
    pub(crate) async fn agent_for(&self, name: &str) -> Principal {
        let agent = self.agent().await;
        let until = self.clock.now_ms() + 30 * DAY;
        self.grant(name, &agent, until, Scope::Account, Parts::Both).await.unwrap();
        agent
    }

    pub(crate) async fn agent(&self) -> Principal {
        let made = self.service.create_api_key(&operator(), Role::Agent, None, "sam".into()).await;
        self.service.authenticate(made.unwrap().expose_secret()).await.unwrap()
    }

    pub(crate) async fn grant(
        &self,
        name: &str,
        agent: &Principal,
        until: i64,
        scope: Scope,
        parts: Parts,
    ) -> Result<(String, String), ServiceError> {
        let (owner, account) = (owner(name), account(name));
        let ticket = self.service.open_ticket(&owner, &account, "why so slow?".into()).await?;
        let agent = agent.key_id().to_owned();
        let grant = NewGrant { agent, until, scope, parts };
        let grant = self.service.grant(&owner, &account, &ticket.id, grant).await?;
        Ok((ticket.id, grant.id))
    }

    /// The text of a body, or why it cannot be read.
    pub(crate) async fn read(
        &self,
        agent: &Principal,
        name: &str,
        id: &str,
        part: Part,
    ) -> Result<String, ServiceErrorKind> {
        let read = self.service.read(agent, &account(name), &exchange(id), part).await;
        read.map(|read| String::from_utf8(read.body.bytes().to_vec()).unwrap())
            .map_err(|error| error.kind())
    }

    pub(crate) async fn actions(&self, name: &str) -> Vec<String> {
        let page = self.service.audit(&owner(name), &account(name), None, 100).await.unwrap();
        page.items.into_iter().map(|row| row.event.action).collect()
    }

    pub(crate) async fn rows(&self, name: &str) -> Vec<oubliette_catalog::Capture> {
        let filter = CaptureFilter { limit: 1000, ..Default::default() };
        self.service.captures(&owner(name), &account(name), filter).await.unwrap().items
    }

    /// Stops the service without closing it, as a crash would, and starts it on the same folder.
    pub(crate) async fn crash_and_restart(self) -> Self {
        self.crash_and_restart_after(|_| {}).await
    }

    /// Closes the service, so that everything is in the object store, and starts it again.
    pub(crate) async fn restart_after(self, between: impl FnOnce(&Path)) -> Self {
        self.restart_with(Options::default(), between).await
    }

    pub(crate) async fn restart_with(self, options: Options, between: impl FnOnce(&Path)) -> Self {
        let closed = self.service.close(Duration::from_secs(20)).await.unwrap();
        assert_eq!((closed.captures, closed.segments), (0, 0));
        self.start_again(options, between).await
    }

    pub(crate) async fn crash_and_restart_after(self, between: impl FnOnce(&Path)) -> Self {
        self.start_again(Options::default(), between).await
    }

    async fn start_again(self, options: Options, between: impl FnOnce(&Path)) -> Self {
        let Self { folder, clock, service } = self;
        drop(service);
        // The locks go when the last task has noticed.
        let mut opened = components(folder.path(), &clock, options.clone()).await;
        for _ in 0..100 {
            if opened.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            opened = components(folder.path(), &clock, options.clone()).await;
        }
        let opened = opened.unwrap();
        between(folder.path());
        let service = Oubliette::start(opened).await.unwrap();
        Self { folder, clock, service }
    }
}

pub(crate) fn layout(folder: &Path) -> Layout {
    let mut layout = Layout::new(folder.join("data"), folder.join("keys"));
    layout.spool.min_free_bytes = 0;
    layout
}

pub(crate) async fn components(
    folder: &Path,
    clock: &Arc<ManualClock>,
    options: Options,
) -> Result<Components, ServiceError> {
    layout(folder).components(options, Arc::clone(clock) as _).await
}

pub(crate) fn account(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

pub(crate) fn exchange(id: &str) -> ExchangeId {
    ExchangeId::new(id).unwrap()
}

pub(crate) fn operator() -> Principal {
    Principal::local(Role::Operator, None)
}

pub(crate) fn gateway() -> Principal {
    Principal::local(Role::Gateway, None)
}

pub(crate) fn owner(name: &str) -> Principal {
    Principal::local(Role::Owner, Some(account(name)))
}

pub(crate) fn json(text: &str) -> CapturedBody {
    CapturedBody::new(text.as_bytes().to_vec(), Some("application/json".into()), None)
}

/// A request with an address and a response that repeats it and adds a card number.
pub(crate) fn envelope(name: &str, id: &str, time: i64) -> Envelope {
    let request = format!(r#"{{"input":"I am {EMAIL}, number {id}"}}"#);
    let response = format!(r#"{{"output":"Dear {EMAIL}, your card {CARD} was charged"}}"#);
    Envelope {
        exchange: Exchange {
            model: Some("small".into()),
            status: Some(200),
            ..Exchange::new(account(name), exchange(id), time)
        },
        request: Some(json(&request)),
        response: Some(json(&response)),
    }
}

pub(crate) fn outcomes(outcome: &CaptureOutcome) -> [PartOutcome; 2] {
    [outcome.parts.request.unwrap(), outcome.parts.response.unwrap()]
}

/// Asserts that these words are in none of the files below a folder.
pub(crate) fn assert_nowhere(folder: &Path, words: &[&str]) {
    let mut folders = vec![folder.to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            for word in words {
                let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
                assert!(!found, "{word:?} is in {}", path.display());
            }
        }
    }
    assert!(files > 3, "there was something to search");
}

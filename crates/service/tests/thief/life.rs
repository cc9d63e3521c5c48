//! One life of a service, with a book in which the test writes what should be readable.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use oubliette_catalog::{
    AccountId, CaptureFilter, CaptureState, Exchange, ExchangeId, Part, Parts, Role, Scope,
    SettingsChange,
};
use oubliette_keytree::sabotage::{Loot, Sabotage};
use oubliette_redact::CapturedBody;
use oubliette_service::translog::{Receipt, verify};
use oubliette_service::{
    Envelope, ManualClock, NewGrant, Oubliette, PartOutcome, Principal, ReredactRange,
    ServiceErrorKind,
};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::loot::{Trove, bodies};
use crate::world::{Fault, Memory, folder, log, start};

const START: i64 = 1_793_448_123_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const ACCOUNTS: usize = 3;

/// One step of a life.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Capture(usize),
    Read(usize),
    Shred(usize, Parts),
    ShredAccount(usize),
    CloseAccount(usize),
    Retention(usize, u16),
    Reredact(usize),
    Pass(i64),
    Expire,
    Close,
    Crash,
    Arm(usize, Fault),
}

pub(crate) fn a_life() -> impl Strategy<Value = Vec<Step>> {
    let parts = prop_oneof![Just(Parts::Request), Just(Parts::Response), Just(Parts::Both)];
    let fault = prop_oneof![Just(Fault::Fail), Just(Fault::PowerBefore), Just(Fault::PowerAfter)];
    let step = prop_oneof![
        10 => (0..ACCOUNTS).prop_map(Step::Capture),
        2 => (0usize..16).prop_map(Step::Read),
        5 => (0usize..16, parts).prop_map(|(which, parts)| Step::Shred(which, parts)),
        1 => (0..ACCOUNTS).prop_map(Step::ShredAccount),
        1 => (0..ACCOUNTS).prop_map(Step::CloseAccount),
        1 => (0..ACCOUNTS, 1u16..9).prop_map(|(which, days)| Step::Retention(which, days)),
        1 => (0..ACCOUNTS).prop_map(Step::Reredact),
        3 => prop_oneof![Just(HOUR / 2), Just(7 * HOUR), Just(3 * DAY)].prop_map(Step::Pass),
        2 => Just(Step::Expire),
        1 => Just(Step::Close),
        1 => Just(Step::Crash),
        2 => (0usize..4, fault).prop_map(|(after, fault)| Step::Arm(after, fault)),
    ];
    prop::collection::vec(step, 12..32)
}

/// Why a life is over.
#[derive(Debug)]
pub(crate) enum Over {
    Theft(String),
    DoesNotStart(String),
}

/// What a life was like.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) dead: u64,
    pub(crate) alive: u64,
    pub(crate) crashes: u64,
}

/// What should become of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Alive,
    /// Something on the way to forgetting it failed or is due; both answers will do.
    Open,
    Dead,
}

struct Body {
    account: AccountId,
    exchange: ExchangeId,
    part: Part,
    captured: i64,
    /// Stands in the body and nowhere else.
    marker: String,
    fate: Fate,
}

struct Life {
    folder: TempDir,
    memory: Arc<Memory>,
    clock: Arc<ManualClock>,
    broken: Option<Sabotage>,
    /// Taken out while it starts again.
    service: Option<Oubliette>,
    agent: Principal,
    accounts: [AccountId; ACCOUNTS],
    /// In days, of every account there ever was.
    retention: BTreeMap<AccountId, u16>,
    book: Vec<Body>,
    trove: Trove,
    receipts: Vec<Receipt>,
    told: Told,
}

/// Lives a life and judges what the thief makes of it.
pub(crate) async fn live(
    steps: &[Step],
    broken: Option<Sabotage>,
    with_control: bool,
) -> Result<Told, Over> {
    let mut life = Life::begin(broken).await;
    let end = life.run(steps).await;
    life.trove.take(&life.folder.path().join("data"));
    life.trove.keep(std::mem::take(&mut log().lock().unwrap()));
    // Also if a broken tree does not open any more: the thief needs no service.
    life.judge(with_control)?;
    end.map(|()| life.told)
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Theft(what) => write!(f, "{what}"),
            Self::DoesNotStart(why) => write!(f, "the service does not start: {why}"),
        }
    }
}

fn account(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

fn operator() -> Principal {
    Principal::local(Role::Operator, None)
}

fn owner(account: &AccountId) -> Principal {
    Principal::local(Role::Owner, Some(account.clone()))
}

impl Life {
    async fn run(&mut self, steps: &[Step]) -> Result<(), Over> {
        for step in steps {
            self.step(step).await?;
            self.trove.take(&self.folder.path().join("data"));
        }
        // What a fault has left undone is finished at the next start, and what is over expires.
        self.restart().await?;
        self.expire().await;
        if self.broken.is_none() {
            self.check_receipts().await;
        }
        Ok(())
    }

    /// Whatever went wrong meanwhile: what was handed out still holds, and stands in the log once.
    async fn check_receipts(&self) {
        self.service().verify_keys(&operator()).await.unwrap();
        let key = self.service().log_public_key();
        let log = std::fs::read(self.folder.path().join("data/log/leaves")).unwrap();
        for receipt in &self.receipts {
            verify(&serde_json::to_vec(receipt).unwrap(), &key).unwrap();
            let leaf = receipt.shred.to_bytes();
            assert_eq!(memchr::memmem::find_iter(&log, &leaf).count(), 1, "{receipt:?}");
        }
    }

    async fn begin(broken: Option<Sabotage>) -> Self {
        let folder = folder();
        let (memory, clock) = (Arc::new(Memory::default()), Arc::new(ManualClock::at(START)));
        let service = start(folder.path(), &memory, &clock, broken).await.unwrap();
        let key =
            service.create_api_key(&operator(), Role::Agent, None, "sam".into()).await.unwrap();
        let agent = service.authenticate(key.expose_secret()).await.unwrap();
        let accounts = [0, 1, 2].map(|n| account(&format!("account-{n}")));
        let mut life = Self {
            folder,
            memory,
            clock,
            broken,
            service: Some(service),
            agent,
            accounts,
            retention: BTreeMap::new(),
            book: Vec::new(),
            trove: Trove::default(),
            receipts: Vec::new(),
            told: Told::default(),
        };
        for which in 0..ACCOUNTS {
            life.settle(which).await;
        }
        life
    }

    /// Makes an account, opts it in and grants the agent all of it.
    async fn settle(&mut self, which: usize) {
        let account = self.accounts[which].clone();
        self.retention.entry(account.clone()).or_insert(7);
        let _ = self.service().create_account(&operator(), &account).await;
        self.opt_in(which).await;
        let owner = owner(&account);
        if let Ok(ticket) = self.service().open_ticket(&owner, &account, "a case".into()).await {
            let until = self.service().now_ms() + 29 * DAY;
            let agent = self.agent.key_id().to_owned();
            let grant = NewGrant { agent, until, scope: Scope::Account, parts: Parts::Both };
            let _ = self.service().grant(&owner, &account, &ticket.id, grant).await;
        }
    }

    async fn opt_in(&mut self, which: usize) {
        let on = SettingsChange { capture: Some(true), ..SettingsChange::default() };
        let account = &self.accounts[which];
        let _ = self.service().change_settings(&owner(account), account, on).await;
    }

    fn service(&self) -> &Oubliette {
        self.service.as_ref().expect("it runs but while it starts")
    }

    fn set(&mut self, fate: Fate, hit: impl Fn(&Body) -> bool) {
        for body in self.book.iter_mut().filter(|body| hit(body) && body.fate != Fate::Dead) {
            body.fate = fate;
        }
    }

    async fn step(&mut self, step: &Step) -> Result<(), Over> {
        match *step {
            Step::Capture(which) => self.capture(which).await,
            Step::Read(number) => self.read(number).await,
            Step::Shred(number, parts) => self.shred(number, parts).await,
            Step::ShredAccount(which) => {
                let account = self.accounts[which].clone();
                let done = self.service().shred_account(&owner(&account), &account).await.is_ok();
                let fate = if done { Fate::Dead } else { Fate::Open };
                self.set(fate, |body| body.account == account);
                self.opt_in(which).await;
            }
            Step::CloseAccount(which) => {
                let account = self.accounts[which].clone();
                let done = self.service().close_account(&operator(), &account).await.is_ok();
                let fate = if done { Fate::Dead } else { Fate::Open };
                self.set(fate, |body| body.account == account);
                self.accounts[which] = self::account(&format!("account-{}", self.retention.len()));
                self.settle(which).await;
            }
            Step::Retention(which, days) => {
                let account = self.accounts[which].clone();
                let change =
                    SettingsChange { retention_days: Some(days), ..SettingsChange::default() };
                // Whatever the answer, what the service holds to is what counts.
                let _ = self.service().change_settings(&owner(&account), &account, change).await;
                if let Ok(settings) = self.service().settings(&operator(), &account).await {
                    self.retention.insert(account, settings.retention_days);
                }
                self.mark_over(Fate::Open);
            }
            Step::Reredact(which) => {
                let account = self.accounts[which].clone();
                let owner = owner(&account);
                // Other rules than before, so that there is something to do.
                let rules = self.book.len().is_multiple_of(2).then(|| RULES.to_owned());
                let change =
                    SettingsChange { custom_rules: Some(rules), ..SettingsChange::default() };
                let _ = self.service().change_settings(&owner, &account, change).await;
                let range = ReredactRange::default();
                let _ = self.service().reredact(&owner, &account, range, false, |_| {}).await;
            }
            Step::Pass(ms) => {
                self.clock.advance_ms(ms);
                self.mark_over(Fate::Open); // the round in the background may come any time
            }
            Step::Expire => self.expire().await,
            Step::Close => {
                let _ = self.service().close(std::time::Duration::from_secs(10)).await;
                self.restart().await?;
            }
            Step::Crash => self.restart().await?,
            Step::Arm(after, fault) => self.memory.arm(after, fault),
        }
        if self.memory.is_dark() {
            self.trove.take(&self.folder.path().join("data"));
            self.restart().await?;
        }
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), Over> {
        self.told.crashes += 1;
        self.memory.power_on();
        drop(self.service.take());
        let mut fresh = start(self.folder.path(), &self.memory, &self.clock, self.broken).await;
        // The life before may let go of its root a moment before it lets go of its spool.
        while fresh.as_ref().is_err_and(|error| error.to_string().contains("used by another")) {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            fresh = start(self.folder.path(), &self.memory, &self.clock, self.broken).await;
        }
        self.service = Some(fresh.map_err(|error| Over::DoesNotStart(error.to_string()))?);
        for which in 0..ACCOUNTS {
            let known = self.service().account(&operator(), &self.accounts[which]).await;
            if known.is_err() {
                self.settle(which).await;
            } else {
                self.opt_in(which).await;
            }
        }
        // What was marked before the power went is erased by now.
        self.learn_from_rows().await;
        Ok(())
    }

    /// Where the outcome was open, the rows tell it.
    async fn learn_from_rows(&mut self) {
        for account in self.retention.keys().cloned().collect::<Vec<_>>() {
            let filter = CaptureFilter { limit: 1000, ..CaptureFilter::default() };
            let rows = self.service().captures(&operator(), &account, filter).await;
            let shredded = rows.map_or_else(|_| Vec::new(), |rows| rows.items);
            for row in shredded.iter().filter(|row| row.state == CaptureState::Shredded) {
                self.set(Fate::Dead, |body| {
                    body.account == account
                        && body.exchange == row.exchange
                        && body.part == row.part
                });
            }
        }
    }

    async fn capture(&mut self, which: usize) {
        let number = self.book.len();
        let account = self.accounts[which].clone();
        let exchange = ExchangeId::new(format!("ex-{number}")).unwrap();
        let captured = self.service().now_ms();
        let marker = |part: Part| format!("marker-{number}-{}.", part.as_str());
        let body = |part| {
            let text = format!(r#"{{"input":"{} BK-204518 jo@example.com"}}"#, marker(part));
            Some(CapturedBody::new(text.into_bytes(), Some("application/json".into()), None))
        };
        let envelope = Envelope {
            exchange: Exchange::new(account.clone(), exchange.clone(), captured),
            request: body(Part::Request),
            response: body(Part::Response),
        };
        let gateway = Principal::local(Role::Gateway, None);
        let outcome = self.service().capture(&gateway, envelope).await.ok();
        let parts = outcome.map(|outcome| [outcome.parts.request, outcome.parts.response]);
        for (part, kept) in
            [Part::Request, Part::Response].into_iter().zip(parts.unwrap_or([None; 2]))
        {
            let fate = match kept {
                Some(PartOutcome::Stored { .. }) => Fate::Alive,
                _ => Fate::Open, // it may be on disk, and even get its row after a crash
            };
            let (account, exchange) = (account.clone(), exchange.clone());
            self.book.push(Body { account, exchange, part, captured, marker: marker(part), fate });
        }
    }

    /// One of the bodies, counted from the last.
    fn pick(&self, number: usize) -> Option<&Body> {
        self.book.iter().rev().nth(number)
    }

    async fn read(&mut self, number: usize) {
        let Some(body) = self.pick(number) else { return };
        let read = self.service().read(&self.agent, &body.account, &body.exchange, body.part).await;
        let opened = read.is_ok_and(|read| {
            let text = String::from_utf8(read.body.bytes().to_vec()).unwrap();
            text.contains(&body.marker)
        });
        assert!(!(opened && body.fate == Fate::Dead), "{} was read", body.marker);
    }

    async fn shred(&mut self, number: usize, parts: Parts) {
        let Some(body) = self.pick(number) else { return };
        let (account, exchange) = (body.account.clone(), body.exchange.clone());
        let done = self.service().shred(&owner(&account), &account, &exchange, parts).await;
        let fate = match done {
            Ok(done) => {
                self.receipts.extend(done.receipt);
                Fate::Dead
            }
            Err(error) if error.kind() == ServiceErrorKind::NotFound => return,
            Err(_) => Fate::Open,
        };
        self.set(fate, |body| {
            body.account == account
                && body.exchange == exchange
                && match parts {
                    Parts::Both => true,
                    Parts::Request => body.part == Part::Request,
                    Parts::Response => body.part == Part::Response,
                }
        });
    }

    /// What began before the window is over.
    fn mark_over(&mut self, fate: Fate) {
        let now = self.service().now_ms();
        let retention = self.retention.clone();
        self.set(fate, |body| {
            let begin = body.captured.div_euclid(HOUR) * HOUR;
            begin < now - i64::from(retention[&body.account]) * DAY
        });
    }

    async fn expire(&mut self) {
        match self.service().expire(&operator()).await {
            Ok(_) => self.mark_over(Fate::Dead),
            Err(_) => self.mark_over(Fate::Open),
        }
    }

    fn judge(&mut self, with_control: bool) -> Result<(), Over> {
        let pages = self.memory.pages.lock().unwrap().clone();
        let roots = self.memory.roots.lock().unwrap().clone();
        let root = std::fs::read(self.folder.path().join("keys/root.key")).unwrap();
        let current = roots.iter().rev().find(|key| root.windows(32).any(|w| w == &key[..]));
        let current = *current.expect("the root file holds a root");
        let stolen = bodies(&self.trove, &current, &pages);
        for body in self.book.iter() {
            let times = stolen.iter().filter(|text| text.contains(&body.marker)).count();
            match body.fate {
                Fate::Dead if times > 0 => {
                    return Err(Over::Theft(format!("{} was opened", body.marker)));
                }
                // Not because the thief is clumsy. A broken tree may lose what lives as well.
                Fate::Alive if self.broken.is_none() => {
                    assert_eq!(times, 1, "{} lives, in one form", body.marker)
                }
                Fate::Alive | Fate::Open | Fate::Dead => {}
            }
            self.told.dead += u64::from(body.fate == Fate::Dead);
            self.told.alive += u64::from(body.fate == Fate::Alive);
        }
        if with_control {
            // With the roots of all times, what was stored and is dead opens too.
            let mut secrets = Vec::new();
            let mut all = Vec::new();
            for root in &roots {
                all.extend(bodies(&self.trove, root, &pages));
                secrets.extend(Loot::with_key(root, &pages).secrets());
            }
            secrets.extend(&roots);
            for body in self.book.iter().filter(|body| body.fate == Fate::Dead) {
                let opened = all.iter().any(|text| text.contains(&body.marker));
                assert!(opened, "the control does not open {}", body.marker);
            }
            secrets.sort_unstable();
            secrets.dedup();
            assert!(!self.trove.shows(&secrets), "a key lies about in the clear");
        }
        Ok(())
    }
}

const RULES: &str = r#"
pack = "test"
[[rule]]
id = "test.booking"
entity = "BOOKING"
category = "pii"
description = "Booking number"
pattern = 'BK-[0-9]{6}'
boundary = "word"
score = 0.9
examples = ["[[BK-204518]]"]
negative_examples = ["BK-20"]
"#;

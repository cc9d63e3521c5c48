//! `oubliette redact`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oubliette_detect::{DEFAULT_MIN_SCORE, EntityType, RuleSet};
use oubliette_redact::{
    Attachments, BodyPolicy, CapturedBody, HashKey, Operator, Policy, Redactor, TokenKey,
};
use zeroize::Zeroizing;

use super::batch::{self, Answer, Defaults, Row};
use super::body::{MAX_BYTES, format, read_input};
use super::scan::{Finder, unreadable};
use crate::cli::{AttachmentsName, FormatName, Redact};
use crate::config::Settings;
use crate::failure::Failure;
use crate::output::Output;
use crate::rules::rule_set;

/// Prints the redacted body or bodies.
pub(super) fn run(settings: &Settings, arguments: &Redact) -> Result<(), Failure> {
    let rules = rule_set(settings, &arguments.packs.packs)?;
    let plan = Plan::new(arguments)?;
    let redactor = Redactor::new(rules.clone(), plan.policy());
    let input = &arguments.input;
    let file = input.file.as_deref();
    if arguments.batch.batch {
        let pool = batch::pool(&arguments.batch)?;
        let threads = pool.current_num_threads();
        let finder = Finder::new(&rules, input.format, plan.min_score, threads);
        let defaults =
            Defaults { content_type: input.content_type.clone(), encoding: input.encoding.clone() };
        return batch::run(&arguments.batch, file, &defaults, &pool, |row, thread| {
            let findings = finder.find(&row, thread)?;
            let (text, body_b64) = plan.redact(&rules, &redactor, row)?;
            Ok(Answer { findings, text, body_b64 })
        });
    }
    let bytes = read_input(file)?;
    if arguments.reveal {
        let revealed =
            TokenKey::from_bytes(*plan.token_key).reveal(&bytes, input.content_type.as_deref());
        let mut out = Output::new();
        out.bytes(&revealed)?;
        return out.done();
    }
    let body = CapturedBody::new(bytes, input.content_type.clone(), input.encoding.clone());
    let mut exchange = redactor.exchange_of(&arguments.api);
    let redacted = exchange.redact(body).map_err(|error| unreadable(&error))?;
    let mut out = Output::new();
    out.bytes(redacted.bytes())?;
    out.done()?;
    if arguments.report {
        let report = serde_json::to_string(redacted.report());
        eprintln!("{}", report.expect("names and counts are always JSON"));
    }
    Ok(())
}

/// A key from a file, or a new one.
fn key(option: &str, file: Option<&Path>) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut key = Zeroizing::new([0; 32]);
    match file {
        Some(path) => {
            let wrong = |why: &dyn std::fmt::Display| {
                Failure::usage(format!("{option} {}: {why}", path.display()))
            };
            let text = Zeroizing::new(fs::read_to_string(path).map_err(|e| wrong(&e))?);
            hex::decode_to_slice(text.trim(), &mut *key)
                .map_err(|_| wrong(&"not 32 bytes in hex, as `openssl rand -hex 32` makes"))?;
        }
        None => getrandom::fill(&mut *key)
            .map_err(|_| Failure::failed("the operating system gives no random bytes"))?,
    }
    Ok(key)
}

/// A policy as somebody wrote it down.
fn read_policy(path: &Path) -> Result<BodyPolicy, Failure> {
    let wrong =
        |why: &dyn std::fmt::Display| Failure::usage(format!("--policy {}: {why}", path.display()));
    let text = fs::read(path).map_err(|error| wrong(&error))?;
    serde_json::from_slice(&text).map_err(|error| wrong(&error))
}

/// What the arguments ask to be done.
struct Plan {
    format: FormatName,
    min_score: f32,
    operator: Option<Operator>,
    operators: BTreeMap<EntityType, Operator>,
    attachments: Option<Attachments>,
    written: BodyPolicy,
    api: String,
    hash_key: Zeroizing<[u8; 32]>,
    token_key: Zeroizing<[u8; 32]>,
}

impl Plan {
    fn new(arguments: &Redact) -> Result<Self, Failure> {
        let mut operator = None;
        let mut operators = BTreeMap::new();
        for written in &arguments.operator {
            let wrong = |why: String| Failure::usage(format!("--operator {written}: {why}"));
            let parse = |name: &str| name.parse::<Operator>().map_err(|e| wrong(e.to_string()));
            match written.split_once('=') {
                None => operator = Some(parse(written)?),
                Some((entity, name)) => {
                    let entity = entity.parse::<EntityType>().map_err(|e| wrong(e.to_string()))?;
                    operators.insert(entity, parse(name)?);
                }
            }
        }
        let hash_key = key("--hash-key", arguments.hash_key.as_deref())?;
        let token_key = key("--token-key", arguments.token_key.as_deref())?;
        Ok(Self {
            format: arguments.input.format,
            min_score: arguments.min_score.unwrap_or(DEFAULT_MIN_SCORE),
            operator,
            operators,
            attachments: arguments.attachments.map(|name| match name {
                AttachmentsName::Drop => Attachments::Drop,
                AttachmentsName::Keep => Attachments::Keep,
                AttachmentsName::KeepStripped => Attachments::KeepStripped,
            }),
            written: arguments.policy.as_deref().map_or(Ok(BodyPolicy::default()), read_policy)?,
            api: arguments.api.clone(),
            hash_key,
            token_key,
        })
    }

    /// What the file says, and then what the command line does.
    fn policy(&self) -> Policy {
        let mut policy = Policy {
            format: format(self.format),
            min_score: self.min_score,
            hash_key: HashKey::from_bytes(*self.hash_key),
            token_key: TokenKey::from_bytes(*self.token_key),
            max_bytes: MAX_BYTES,
            ..Policy::default()
        };
        self.written.apply_to(&mut policy);
        policy.operator = self.operator.or(policy.operator);
        policy.operators.extend(self.operators.clone());
        policy.attachments = self.attachments.unwrap_or(policy.attachments);
        policy
    }

    /// The redacted body of a row: as text if it came as text, else in base64. Each row is an
    /// exchange of its own.
    fn redact(
        &self,
        rules: &RuleSet,
        redactor: &Redactor,
        row: Row,
    ) -> Result<(Option<String>, Option<String>), Failure> {
        let mut exchange = if row.entities.is_none() && row.min_score.is_none() {
            redactor.exchange_of(&self.api)
        } else {
            let min_score = row.min_score.unwrap_or(self.min_score);
            let policy = Policy { entities: row.entities, min_score, ..self.policy() };
            Redactor::new(rules.clone(), policy).exchange_of(&self.api)
        };
        let redacted = exchange.redact(row.body).map_err(|error| unreadable(&error))?;
        if row.is_text {
            Ok((Some(String::from_utf8_lossy(redacted.bytes()).into_owned()), None))
        } else {
            Ok((None, Some(STANDARD.encode(redacted.bytes()))))
        }
    }
}

//! `oubliette scan`.

use std::sync::{Mutex, PoisonError};

use oubliette_detect::{DEFAULT_MIN_SCORE, RuleSet, ScanOptions, Scanner};
use oubliette_redact::{CapturedBody, Policy, RedactError, Redactor};

use super::batch::{self, Answer, Defaults, Row};
use super::body::{Found, MAX_BYTES, format, read_input};
use crate::cli::{FormatName, Scan};
use crate::config::Settings;
use crate::failure::{Failure, chain};
use crate::output::Output;
use crate::rules::rule_set;

/// Prints what is found.
pub(super) fn run(settings: &Settings, arguments: &Scan) -> Result<(), Failure> {
    let rules = rule_set(settings, &arguments.packs.packs)?;
    let input = &arguments.input;
    let file = input.file.as_deref();
    let min_score = arguments.min_score.unwrap_or(DEFAULT_MIN_SCORE);
    let pool = batch::pool(&arguments.batch)?;
    let finder = Finder::new(&rules, input.format, min_score, pool.current_num_threads());
    if arguments.batch.batch {
        let defaults =
            Defaults { content_type: input.content_type.clone(), encoding: input.encoding.clone() };
        return batch::run(&arguments.batch, file, &defaults, &pool, |row, thread| {
            let findings = finder.find(&row, thread)?;
            Ok(Answer { findings, text: None, body_b64: None })
        });
    }
    let bytes = read_input(file)?;
    let body = CapturedBody::new(bytes, input.content_type.clone(), input.encoding.clone());
    if let Some(explained) = arguments.explain {
        return super::explain::run(&rules, policy(input.format, min_score), &body, explained);
    }
    let mut out = Output::new();
    for found in finder.find_in(&body, 0, min_score)? {
        out.json(&found)?;
    }
    out.done()
}

/// Finds, on several threads at once.
pub(super) struct Finder<'r> {
    rules: &'r RuleSet,
    redactor: Redactor,
    format: FormatName,
    min_score: f32,
    /// One for each thread, kept warm; a lock is never waited for.
    scanners: Vec<Mutex<Scanner>>,
}

impl<'r> Finder<'r> {
    pub(super) fn new(
        rules: &'r RuleSet,
        format: FormatName,
        min_score: f32,
        threads: usize,
    ) -> Self {
        Self {
            rules,
            redactor: Redactor::new(rules.clone(), policy(format, min_score)),
            format,
            min_score,
            scanners: (0..threads.max(1)).map(|_| Mutex::new(Scanner::new(rules))).collect(),
        }
    }

    /// What a row asks for.
    pub(super) fn find(&self, row: &Row, thread: usize) -> Result<Vec<Found<'r>>, Failure> {
        let min_score = row.min_score.unwrap_or(self.min_score);
        if self.is_plain(&row.body) {
            let entities = row.entities.as_deref();
            let options = ScanOptions { min_score, entities, field: None };
            return Ok(self.scan(row.body.bytes(), thread, &options));
        }
        if row.entities.is_none() && row.min_score.is_none() {
            return self.read(&self.redactor, &row.body);
        }
        let policy = Policy { entities: row.entities.clone(), ..policy(self.format, min_score) };
        self.read(&Redactor::new(self.rules.clone(), policy), &row.body)
    }

    fn find_in(
        &self,
        body: &CapturedBody,
        thread: usize,
        min_score: f32,
    ) -> Result<Vec<Found<'r>>, Failure> {
        if self.is_plain(body) {
            let options = ScanOptions { min_score, ..ScanOptions::default() };
            return Ok(self.scan(body.bytes(), thread, &options));
        }
        self.read(&self.redactor, body)
    }

    /// Whether the bytes are the text, with nothing to undo and no structure to look for.
    fn is_plain(&self, body: &CapturedBody) -> bool {
        self.format == FormatName::Text && body.content_encoding().is_none()
    }

    fn scan(&self, text: &[u8], thread: usize, options: &ScanOptions<'_>) -> Vec<Found<'r>> {
        let scanner = &self.scanners[thread % self.scanners.len()];
        // A scanner that a panic left behind starts each scan afresh anyway.
        let mut scanner = scanner.lock().unwrap_or_else(PoisonError::into_inner);
        let findings = scanner.scan(text, options);
        findings.iter().map(|f| Found::new(self.rules, f.rule, f.span, f.score)).collect()
    }

    fn read(&self, redactor: &Redactor, body: &CapturedBody) -> Result<Vec<Found<'r>>, Failure> {
        let findings = redactor.find(body).map_err(|error| unreadable(&error))?;
        Ok(findings.iter().map(|f| Found::new(self.rules, f.rule, f.span, f.score)).collect())
    }
}

fn policy(name: FormatName, min_score: f32) -> Policy {
    Policy { format: format(name), min_score, max_bytes: MAX_BYTES, ..Policy::default() }
}

/// A body that cannot be read, without anything of it.
pub(super) fn unreadable(error: &RedactError) -> Failure {
    Failure::failed(chain(error))
}

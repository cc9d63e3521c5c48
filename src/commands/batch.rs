//! Many bodies in one run: rows of NDJSON in, answers in the same order out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oubliette_detect::EntityType;
use oubliette_redact::CapturedBody;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::body::Found;
use crate::cli::BatchArguments;
use crate::failure::Failure;
use crate::output::{Output, note};

/// A row, read.
pub(super) struct Row {
    line: usize,
    id: Value,
    pub(super) body: CapturedBody,
    /// Whether the body came as text, and is to go as text.
    pub(super) is_text: bool,
    pub(super) entities: Option<Vec<EntityType>>,
    pub(super) min_score: Option<f32>,
}

/// What is said about a row.
#[derive(Serialize)]
pub(super) struct Answer<'r> {
    pub(super) findings: Vec<Found<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body_b64: Option<String>,
}

/// Answers rows until there are no more, or one is bad.
///
/// `work` is called on a pool of threads; its second argument is the thread's number, from 0.
pub(super) fn run<'r>(
    arguments: &BatchArguments,
    file: Option<&Path>,
    defaults: &Defaults,
    pool: &rayon::ThreadPool,
    work: impl Fn(Row, usize) -> Result<Answer<'r>, Failure> + Sync,
) -> Result<(), Failure> {
    let mut reader = open(file)?;
    let mut out = Output::new();
    let mut stats = Stats::default();
    let mut line = 0;
    loop {
        let lines = next_lines(&mut *reader, &mut line)?;
        if lines.is_empty() {
            break;
        }
        // Outside the time taken: parsing rows and undoing their base64.
        let rows: Vec<Result<Row, Failure>> = pool
            .install(|| lines.into_par_iter().map(|(at, text)| defaults.row(at, &text)).collect());
        let (rows, mut bad) = up_to_bad(rows);
        let meta: Vec<_> =
            rows.iter().map(|row| (row.id.clone(), row.body.bytes().len())).collect();

        let started = Instant::now();
        let answers: Vec<Result<Answer<'r>, Failure>> = pool.install(|| {
            let answer = |row: Row| {
                let line = row.line;
                let thread = rayon::current_thread_index().unwrap_or(0);
                work(row, thread).map_err(|failure| failure.during(format!("line {line}")))
            };
            rows.into_par_iter().map(answer).collect()
        });
        stats.spent += started.elapsed();

        let (answers, bad_work) = up_to_bad(answers);
        bad = bad_work.or(bad);
        for ((id, bytes), answer) in meta.into_iter().zip(&answers) {
            stats.count(bytes, answer);
            out.json(&Identified { id, answer })?;
        }
        if let Some(failure) = bad {
            out.done()?;
            return Err(failure);
        }
    }
    out.done()?;
    if arguments.stats {
        note(serde_json::to_string(&stats.summary()).map_err(io::Error::from)?);
    }
    Ok(())
}

/// The texts of all rows as they are, encodings and all.
pub(super) fn texts(file: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let mut reader = open(Some(file))?;
    let defaults = Defaults { content_type: None, encoding: None };
    let mut line = 0;
    let mut texts = Vec::new();
    loop {
        let lines = next_lines(&mut *reader, &mut line)?;
        if lines.is_empty() {
            return Ok(texts);
        }
        for (at, text) in lines {
            let row = defaults.row(at, &text);
            let row = row.map_err(|failure| failure.during(file.display()))?;
            texts.push(row.body.bytes().to_vec());
        }
    }
}

/// A pool of as many threads as were asked for.
pub(super) fn pool(arguments: &BatchArguments) -> Result<rayon::ThreadPool, Failure> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(arguments.threads.map_or(0, usize::from))
        .build()
        .map_err(|error| Failure::failed(format!("threads cannot be started: {error}")))
}

/// What holds for rows that do not say otherwise.
pub(super) struct Defaults {
    pub(super) content_type: Option<String>,
    pub(super) encoding: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowSyntax {
    id: Value,
    text: Option<String>,
    body_b64: Option<String>,
    content_type: Option<String>,
    encoding: Option<String>,
    entities: Option<Vec<String>>,
    min_score: Option<f32>,
}

impl Defaults {
    fn row(&self, line: usize, text: &[u8]) -> Result<Row, Failure> {
        // serde's messages may repeat a value; the place says enough.
        let wrong = |what: &str| Failure::failed(format!("line {line}: {what}"));
        let syntax: RowSyntax = serde_json::from_slice(text).map_err(|error| {
            wrong(&match error.classify() {
                serde_json::error::Category::Data => format!(
                    "not a row like {{\"id\",\"text\"}} or {{\"id\",\"body_b64\",\"content_type\",\
                     \"encoding\"}}, perhaps with \"entities\" and \"min_score\" (see column {})",
                    error.column()
                ),
                _ => format!("not JSON (see column {})", error.column()),
            })
        })?;
        let (bytes, is_text) = match (syntax.text, syntax.body_b64) {
            (Some(text), None) => (text.into_bytes(), true),
            (None, Some(encoded)) => {
                let bytes = STANDARD.decode(encoded.as_bytes());
                (bytes.map_err(|_| wrong("body_b64 is not base64"))?, false)
            }
            _ => return Err(wrong("a row has either text or body_b64")),
        };
        let entities = syntax.entities.map(|names| {
            let parsed = names.iter().map(|name| name.parse::<EntityType>());
            parsed.collect::<Result<Vec<_>, _>>()
        });
        let min_score = syntax.min_score;
        if min_score.is_some_and(|score| !(0.0..=1.0).contains(&score)) {
            return Err(wrong("min_score is not from 0 to 1"));
        }
        let content_type = syntax.content_type.or_else(|| self.content_type.clone());
        let encoding = syntax.encoding.or_else(|| self.encoding.clone());
        Ok(Row {
            line,
            id: syntax.id,
            body: CapturedBody::new(bytes, content_type, encoding),
            is_text,
            entities: entities.transpose().map_err(|error| wrong(&format!("entities: {error}")))?,
            min_score,
        })
    }
}

/// How much is read before it is worked on: enough to keep every core busy, little enough to hold.
const CHUNK_BYTES: usize = 16 << 20;

/// A line and its number.
type Line = (usize, Vec<u8>);

fn next_lines(reader: &mut dyn BufRead, line: &mut usize) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    let mut bytes = 0;
    while bytes < CHUNK_BYTES {
        let mut text = Vec::new();
        if reader.read_until(b'\n', &mut text)? == 0 {
            break;
        }
        *line += 1;
        bytes += text.len();
        if !text.trim_ascii().is_empty() {
            lines.push((*line, text));
        }
    }
    Ok(lines)
}

fn open(file: Option<&Path>) -> Result<Box<dyn BufRead>, Failure> {
    match file.filter(|path| path.as_os_str() != "-") {
        Some(path) => {
            let file = File::open(path).map_err(|error| {
                Failure::failed(format!("{} cannot be read: {error}", path.display()))
            })?;
            Ok(Box::new(BufReader::with_capacity(1 << 20, file)))
        }
        None => Ok(Box::new(BufReader::with_capacity(1 << 20, io::stdin()))),
    }
}

/// What comes before the first failure, and that failure.
fn up_to_bad<T>(results: Vec<Result<T, Failure>>) -> (Vec<T>, Option<Failure>) {
    let mut good = Vec::with_capacity(results.len());
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(failure) => return (good, Some(failure)),
        }
    }
    (good, None)
}

#[derive(Serialize)]
struct Identified<'a, 'r> {
    id: Value,
    #[serde(flatten)]
    answer: &'a Answer<'r>,
}

#[derive(Default)]
struct Stats {
    bodies: u64,
    bytes: u64,
    spent: Duration,
    findings: BTreeMap<String, u64>,
}

impl Stats {
    fn count(&mut self, bytes: usize, answer: &Answer<'_>) {
        self.bodies += 1;
        self.bytes += bytes as u64;
        for found in &answer.findings {
            match self.findings.get_mut(found.entity) {
                Some(count) => *count += 1,
                None => drop(self.findings.insert(found.entity.to_owned(), 1)),
            }
        }
    }

    fn summary(&self) -> Summary<'_> {
        let seconds = self.spent.as_secs_f64();
        let rate = if seconds > 0.0 { self.bytes as f64 / 1e6 / seconds } else { 0.0 };
        Summary {
            bodies: self.bodies,
            bytes: self.bytes,
            seconds,
            mb_per_s: (rate * 100.0).round() / 100.0,
            findings: &self.findings,
        }
    }
}

/// What `--stats` says.
#[derive(Serialize)]
struct Summary<'s> {
    bodies: u64,
    bytes: u64,
    seconds: f64,
    mb_per_s: f64,
    findings: &'s BTreeMap<String, u64>,
}

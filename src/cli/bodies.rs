//! Commands on bodies at hand, without a data folder: `scan`, `redact`, `rules`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Find personal data and secrets in a body
///
/// One JSON line for each finding: {"rule","entity","category","start","end","score"}. Offsets are
/// bytes of the input once its content-encoding is undone; the text itself is never printed. A
/// value that a stream cuts into pieces gives one finding for each piece.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  oubliette scan --format text notes.txt
  oubliette scan request.json
  curl -s https://api.example.com/x | oubliette scan --min-score 0.8
  oubliette scan --batch --stats rows.ndjson > findings.ndjson

Batch rows: {\"id\",\"text\"} or {\"id\",\"body_b64\",\"content_type\",\"encoding\"}, each perhaps with
\"entities\":[…] (only these, also where another would win an overlap) and \"min_score\".
Answers, in the same order: {\"id\",\"findings\":[…]}. The first bad row stops it, with its line
number and exit code 1; the rows before it have been answered.")]
pub(crate) struct Scan {
    #[command(flatten)]
    pub(crate) input: Input,
    /// Leave out findings below this score, from 0 to 1
    #[arg(long, value_name = "SCORE", value_parser = score)]
    pub(crate) min_score: Option<f32>,
    #[command(flatten)]
    pub(crate) packs: PackArguments,
    #[command(flatten)]
    pub(crate) batch: BatchArguments,
}

/// Take personal data and secrets out of a body
///
/// The redacted body comes out on standard output: JSON stays JSON, a stream stays a stream, and
/// redacting it again changes nothing. A content-encoding is undone.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  echo 'mail jo@example.com' | oubliette redact
  oubliette redact response.json
  oubliette redact --encoding gzip response.json.gz
  oubliette redact --operator mask --operator CREDIT_CARD=remove notes.txt
  oubliette redact --batch --stats rows.ndjson > redacted.ndjson

Batch rows are those of `oubliette scan`; answers also hold the redacted \"text\" or \"body_b64\".")]
pub(crate) struct Redact {
    #[command(flatten)]
    pub(crate) input: Input,
    /// Leave findings below this score alone, from 0 to 1
    #[arg(long, value_name = "SCORE", value_parser = score)]
    pub(crate) min_score: Option<f32>,
    /// What to do to findings: replace, mask, hash, remove or keep; with ENTITY= before it only to
    /// those; may be repeated [default: what each rule says, else replace]
    #[arg(long, value_name = "[ENTITY=]OPERATOR")]
    pub(crate) operator: Vec<String>,
    /// Keep attachments that are not text, in place of describing them
    #[arg(long)]
    pub(crate) keep_attachments: bool,
    /// The key of the hash operator, 32 bytes in hex in this file, to compare hashes between runs
    /// [default: a new one each time]
    #[arg(long, value_name = "FILE")]
    pub(crate) hash_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) packs: PackArguments,
    #[command(flatten)]
    pub(crate) batch: BatchArguments,
}

/// What is read, and as what.
#[derive(Debug, Args)]
pub(crate) struct Input {
    /// The body, or the rows of a batch; - or nothing for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// How the body is to be read
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: FormatName,
    /// Its content-type header, which `--format auto` goes by
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// Its content-encoding header: gzip, deflate, br or zstd
    #[arg(long, value_name = "ENCODING")]
    pub(crate) encoding: Option<String>,
}

/// How a body is to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    /// By its content type and its looks
    #[default]
    Auto,
    /// As plain text, byte by byte
    Text,
    /// As one JSON document
    Json,
    /// As JSON documents, one a line
    Ndjson,
    /// As server-sent events
    Sse,
}

/// Many bodies in one run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Batch")]
pub(crate) struct BatchArguments {
    /// Read rows of NDJSON and answer each
    #[arg(long)]
    pub(crate) batch: bool,
    /// Threads to work with [default: one for each core]
    #[arg(long, value_name = "N", requires = "batch", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Say at the end on standard error, in one JSON line, how much was done and how fast; the
    /// seconds are the work itself without reading and writing rows
    #[arg(long, requires = "batch")]
    pub(crate) stats: bool,
}

/// Rules beside the standard ones.
#[derive(Debug, Args)]
pub(crate) struct PackArguments {
    /// A rule pack to take in addition; may be repeated
    #[arg(long = "pack", value_name = "FILE")]
    pub(crate) packs: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Prove that rules do what their examples say
    ///
    /// Prints each problem as `source:line: rule: message`, notes after errors. The exit code is 1
    /// if there is an error.
    #[command(after_help = "Examples:
  oubliette rules check                        the standard packs and those of rules_dir
  oubliette rules check --pack mine.toml       among the standard ones, as it will run
  oubliette rules check --alone --pack mine.toml")]
    Check {
        #[command(flatten)]
        packs: PackArguments,
        /// Without the standard packs
        #[arg(long)]
        alone: bool,
    },
    /// List the rules in force
    #[command(after_help = "Examples:
  oubliette rules list
  oubliette rules list --json --pack mine.toml")]
    List {
        #[command(flatten)]
        packs: PackArguments,
        #[command(flatten)]
        shown: super::Shown,
    },
}

fn score(text: &str) -> Result<f32, String> {
    let score: Option<f32> = text.parse().ok();
    score.filter(|score| (0.0..=1.0).contains(score)).ok_or_else(|| "not from 0 to 1".to_owned())
}

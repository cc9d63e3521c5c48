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
  oubliette scan --explain request.json                why found, why not
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
    /// Say of each finding, and of what nearly was one, which rule, score, validator and words
    /// decided, and what it lost to: one JSON line each, without the text. `all` also says what
    /// only lacked a keyword, a neighbour or a context word. Slow
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "near",
        conflicts_with = "batch"
    )]
    pub(crate) explain: Option<Explained>,
    #[command(flatten)]
    pub(crate) packs: PackArguments,
    #[command(flatten)]
    pub(crate) batch: BatchArguments,
}

/// How much is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Explained {
    /// Findings and near misses
    Near,
    /// Whatever matched a pattern
    All,
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
  oubliette redact --attachments keep-stripped --report request.json > redacted.json
  oubliette redact --policy policy.json --api openai.chat request.json
  oubliette redact --operator tokenize --token-key key.hex notes.txt > tokens.txt
  oubliette redact --reveal --token-key key.hex tokens.txt
  oubliette redact --batch --stats rows.ndjson > redacted.ndjson

Batch rows are those of `oubliette scan`; answers also hold the redacted \"text\" or \"body_b64\".")]
pub(crate) struct Redact {
    #[command(flatten)]
    pub(crate) input: Input,
    /// Leave findings below this score alone, from 0 to 1
    #[arg(long, value_name = "SCORE", value_parser = score)]
    pub(crate) min_score: Option<f32>,
    /// What to do to findings: replace, mask, hash, tokenize, surrogate, remove or keep; with ENTITY=
    /// before it only to those; may be repeated [default: what each rule says, else replace]
    #[arg(long, value_name = "[ENTITY=]OPERATOR")]
    pub(crate) operator: Vec<String>,
    /// What to do to attachments that are not text [default: drop]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) attachments: Option<super::AttachmentsName>,
    /// What is looked at, left alone and taken out by its path, and more, in this JSON file: see docs/policy.md
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// The API that the policy may have paths of its own for, such as openai.chat
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) api: String,
    /// Say on standard error, in one JSON line, how the body was read and what was found where: rules,
    /// paths and counts, never text
    #[arg(long, conflicts_with = "batch")]
    pub(crate) report: bool,
    /// The key of the hash operator, 32 bytes in hex in this file, to compare hashes between runs
    /// [default: a new one each time]
    #[arg(long, value_name = "FILE")]
    pub(crate) hash_key: Option<PathBuf>,
    /// The key of the tokenize operator, 32 bytes in hex in this file, to turn tokens back later
    /// [default: a new one, and nobody can]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_key: Option<PathBuf>,
    /// Turn the tokens of a redacted body back into the values they stand for, and do nothing else
    #[arg(long, requires = "token_key", conflicts_with_all = ["batch", "report"])]
    pub(crate) reveal: bool,
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
    /// As the parts of multipart/form-data
    Multipart,
    /// As names and values of a form, percent-encoded
    Form,
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
    /// Make a pack from another project's rules
    ///
    /// Prints the pack. Notes on standard error say for each rule whether it was carried over,
    /// changed or refused, and why, without quoting it. What cannot be said exactly without
    /// look-around and back-references is refused. The exit code is 1 if nothing could be carried
    /// over.
    #[command(after_help = "Examples:
  oubliette rules import --from gitleaks gitleaks.toml -o mine.toml
  oubliette rules import --from presidio recognizers.yaml > mine.toml
  oubliette rules import --from presidio ad-hoc.json -o mine.toml
  oubliette rules test --pack mine.toml samples.txt

Differences to know of: keywords must stand within 128 bytes of a match, where gitleaks looks at a
whole file; context words are compared whole, where Presidio compares lemmas; words end where
ASCII letters, digits and _ do. Imported rules have no examples; add some, and `oubliette rules
check` will prove them.")]
    Import {
        /// Whose rules these are
        #[arg(long, value_enum)]
        from: ImportFrom,
        /// gitleaks.toml; recognizers of Presidio in YAML, or ad-hoc recognizers in JSON, one or a
        /// list; - for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Write the pack here in place of standard output; an existing file is replaced
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Try a pack's rules on samples
    ///
    /// For each rule: how often it finds at the default threshold (for rules on request: at any
    /// score), in how many samples, what the finds look like (A a 9 for letters and digits, never
    /// the text), what leads the scanner to it, and what it costs. The cost is measured here and
    /// now, by scanning the samples with and without the rule: compare rules by it, not machines.
    #[command(after_help = "Examples:
  oubliette rules test --pack mine.toml samples.txt more.txt
  oubliette rules test --pack mine.toml rows.ndjson
  oubliette rules test --json --pack mine.toml rows.ndjson

A file whose name ends in .ndjson or .jsonl holds rows as `oubliette scan --batch` reads them, each
row a sample, scanned as text; any other file is one sample.")]
    Test {
        /// The pack; may be repeated
        #[arg(long = "pack", value_name = "FILE", required = true)]
        packs: Vec<PathBuf>,
        /// The samples
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// How often samples are scanned to take the time; 0 for not at all
        #[arg(long, value_name = "N", default_value_t = 5)]
        rounds: u32,
        #[command(flatten)]
        shown: super::Shown,
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

/// Whose rules are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFrom {
    /// gitleaks, a scanner for secrets
    Gitleaks,
    /// Presidio, a detector of personal data
    Presidio,
}

fn score(text: &str) -> Result<f32, String> {
    let score: Option<f32> = text.parse().ok();
    score.filter(|score| (0.0..=1.0).contains(score)).ok_or_else(|| "not from 0 to 1".to_owned())
}
